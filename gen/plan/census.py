"""What a unit's gates consist of before synthesis: registers, operators, memories, cells.

The unit is elaborated for a family as it is for emission, only that each bus of a cell is one port,
so that vendors' cells are counted as they are: exactly. Of the rest counts what something depends
on, bit by bit; `gen.plan.area` makes look-up tables of operators.
"""

import gc
from collections import defaultdict
from collections.abc import Sequence
from contextlib import contextmanager

from amaranth.hdl import Fragment, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from gen.plan.folding import folded, matches
from gen.plan.netgraph import Driver, Graph, Node, Source, read
from hw.prim.cells import whole_buses
from hw.prim.target import Target

__all__ = ["FEATURES", "Census", "census"]

Census = defaultdict[str, float]
"""Feature, or type of a vendor's cell -> how much of it there is."""

FEATURES = {
    "registers": "bits of registers",
    "enables": "registers that keep their value under some condition",
    "constants": "bits of registers times the constants that they may be given",
    "selected": "bits times the values beyond the first that one may be chosen from",
    "gated": "the same of constants: bits that some condition clears or sets",
    "gates": "bits of and, or, exclusive or",
    "tests": "bits compared for equality, reduced, or matched, a third each",
    "added": "bits of sums, differences and comparisons",
    "adders": "how many of these there are",
    "summands": "bits that some condition clears right before a sum",
    "shifted": "bits shifted by a distance that varies, times the bits of the distance",
    "products": "bits of products that no cell makes: those of one factor by those of the other",
    "product_rows": "bits of the shorter factors",
    "table_blocks": "different functions of four address bits that tables in logic consist of",
    "memories": "distributed memories of 16 words of 4 bits",
    "memory_muxes": "bits chosen between such memories",
}
"""What a census counts beside cells."""

TABLE_INPUTS = 4
"""Of a look-up table."""

MEMORY_WORDS, MEMORY_BITS = 16, 4
"""Of a distributed memory of ECP5."""

COMPARISONS, GATES, REDUCTIONS = ("<", "<=", ">", ">="), ("&", "|", "^"), ("b", "r|", "r&", "r^")


def census(component: wiring.Component, target: Target) -> Census:
    """Count what a component, which must not have been elaborated, consists of."""
    with _no_collection():
        with whole_buses():
            fragment = Fragment.get(component, target)
        graph = read(fragment)
        roots = []
        for _, member, value in component.signature.flatten(component):
            number = graph.value(Value.cast(value))
            if member.flow == In:
                graph.given.setdefault(number, [])
            else:
                roots.append(number)
        return _Count(graph, roots).found


@contextmanager
def _no_collection():
    """Without the garbage collector, which would look at a million live objects again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Count:
    """Which bits of which values are needed, and what that comes to."""

    def __init__(self, graph: Graph, roots: Sequence[int]):
        self.graph = graph
        self.found: Census = defaultdict(float)
        self._alias: dict[int, int] = {}
        self._needed: dict[int, int] = {}
        self._todo: list[tuple[int, int]] = []
        self._tests: set[tuple[int, tuple[str, ...] | None]] = set()
        self._bits: dict[int, int] = defaultdict(int)
        for number in roots:
            self._need(number)
        self._spread()
        self._count()

    # --- names and constants ---

    def _is(self, number: int) -> int:
        """What a name stands for, constants folded."""
        found = self._alias.get(number)
        if found is None:
            self._alias[number] = number  # while it is looked for
            found = self._alias[number] = self._resolve(number)
        return found

    def _resolve(self, number: int) -> int:
        graph = self.graph
        node = graph.nodes[number]
        if node.kind == "signal":
            drivers = graph.drivers.get(number, [])
            if not drivers and number not in graph.given:
                return graph.const(0, node.width)
            if len(drivers) == 1 and not drivers[0].clocked and number not in graph.given:
                only = drivers[0]
                if not only.under and only.offset == 0 and (only.low, only.high) == (0, node.width):
                    return self._is(graph.fitted(only.value, node.width))
            return number
        if not node.args:
            return number
        args = tuple(self._is(arg) for arg in node.args)
        nodes = [graph.nodes[arg] for arg in args]
        if all(each.kind == "const" for each in nodes):
            value = folded(node, nodes)
            if value is not None:
                return graph.const(value, node.width)
        if node.kind == "slice" and nodes[0].kind == "cat":
            low, high = node.data
            at = 0
            for part in nodes[0].args:
                width = graph.nodes[part].width
                if at <= low and high <= at + width:
                    if (low - at, high - at) == (0, width):
                        return self._is(part)
                    inner = Node("slice", high - low, False, (part,), (low - at, high - at))
                    return self._is(graph.number(inner))
                at += width
        if node.kind == "slice" and node.data == (0, nodes[0].width):
            return args[0]
        if node.kind in ("<<", ">>") and nodes[1].kind == "const":
            return self._is(self._moved(node, args[0], nodes[1].data))
        if node.kind == "&" and any(each.kind == "const" and not each.data for each in nodes):
            return graph.const(0, node.width)
        if node.kind == "|" and nodes[0].kind == "const" and not nodes[0].data:
            return self._is(graph.fitted(args[1], node.width))
        if node.kind == "|" and nodes[1].kind == "const" and not nodes[1].data:
            return self._is(graph.fitted(args[0], node.width))
        if node.kind == "pick":
            values = set(args[1:])
            if len(values) == 1:
                return self._is(graph.fitted(args[1], node.width))
            if nodes[0].kind == "const":
                for patterns, arg in zip(node.data, args[1:], strict=True):
                    if matches(nodes[0], patterns):
                        return self._is(graph.fitted(arg, node.width))
        return number if args == node.args else graph.number(node._replace(args=args))

    def _moved(self, node: Node, value: int, places: int) -> int:
        """A value shifted by a constant, which takes wires only."""
        graph = self.graph
        if node.kind == "<<":
            low = graph.const(0, places)
            width = places + graph.nodes[value].width
            whole = graph.number(Node("cat", width, node.signed, (low, value)))
            return graph.fitted(whole, node.width)
        width = graph.nodes[value].width
        if places >= width:
            return graph.const(0, node.width)
        part = Node("slice", width - places, node.signed, (value,), (places, width))
        return graph.fitted(graph.number(part), node.width)

    # --- needs ---

    def _need(self, number: int, mask: int | None = None) -> None:
        number = self._is(number)
        node = self.graph.nodes[number]
        whole = (1 << node.width) - 1
        if mask is None:
            mask = whole
        elif mask > whole:
            mask = mask & whole | (1 << node.width >> 1)  # its sign
        new = mask & ~self._needed.get(number, 0)
        if new and node.kind != "const":
            self._needed[number] = self._needed.get(number, 0) | new
            self._todo.append((number, new))

    def _spread(self) -> None:
        while self._todo:
            number, mask = self._todo.pop()
            node = self.graph.nodes[number]
            kind, args = node.kind, node.args
            if kind == "signal":
                for driver in self.graph.drivers.get(number, ()):
                    self._driver(driver, mask)
                for low, high, source in self.graph.given.get(number, ()):
                    if bits := mask >> low & (1 << high - low) - 1:
                        self._source(source, bits.bit_count())
            elif kind == "slice":
                self._need(args[0], mask << node.data[0])
            elif kind == "cat":
                at = 0
                for part in args:
                    width = self.graph.nodes[part].width
                    if bits := mask >> at & (1 << width) - 1:
                        self._need(part, bits)
                    at += width
            elif kind == "pick":
                self._need(args[0])
                for arg in args[1:]:
                    self._need(arg, mask)
            elif kind in GATES or kind in ("~", "u", "s", "fit"):
                for arg in args:
                    self._need(arg, mask)
            elif kind in ("+", "-", "*"):
                for arg in args:
                    self._need(arg, (1 << mask.bit_length()) - 1)
            else:
                for arg in args:
                    self._need(arg)

    def _source(self, number: int, bits: int) -> None:
        """A cell or a memory is there if anything of it is needed, and so is what it takes."""
        if number not in self._bits:
            for value in self.graph.sources[number].inputs:
                self._need(value)
        self._bits[number] += bits

    def _live(self, driver: Driver) -> bool:
        """Whether an assignment can ever be made."""
        for test, patterns in driver.under:
            node = self.graph.nodes[self._is(test)]
            if node.kind == "const" and not matches(node, patterns):
                return False
        return True

    def _driver(self, driver: Driver, mask: int) -> None:
        bits = mask >> driver.low & (1 << driver.high - driver.low) - 1
        if not bits or not self._live(driver):
            return
        self._need(driver.value, bits << driver.offset)
        for test, patterns in driver.under:
            self._need(test)
            self._tests.add((self._is(test), patterns))

    # --- counts ---

    def _count(self) -> None:
        graph, found = self.graph, self.found
        merged: set[object] = set()
        for number, mask in self._needed.items():
            node = graph.nodes[number]
            if node.kind == "signal":
                self._signal(number, mask, merged)
            else:
                self._operator(node, mask)
        for test, patterns in self._tests:
            if patterns is not None and graph.nodes[test].kind != "const":
                bits = sum(len(each.replace("-", "")) for each in patterns)
                found["tests"] += max(0, bits - 1) / (TABLE_INPUTS - 1)
        for number, bits in self._bits.items():
            source = graph.sources[number]
            if source.cell:
                found[source.cell] += 1
            else:
                self._memory(source, bits)

    def _signal(self, number: int, mask: int, merged: set[object]) -> None:
        """Registers, and what selects among the values that bits may take."""
        found = self.found
        ranges: dict[tuple[int, int, bool], list[Driver]] = {}
        for driver in self.graph.drivers.get(number, ()):
            if self._live(driver):
                ranges.setdefault((driver.low, driver.high, driver.clocked), []).append(driver)
        for (low, high, clocked), drivers in ranges.items():
            bits = (mask >> low & (1 << high - low) - 1).bit_count()
            if not bits:
                continue
            given = [(self._is(each.value), each.offset, each.under) for each in drivers]
            values = {g[:2] for g in given if self.graph.nodes[g[0]].kind != "const"}
            constants = {g[0] for g in given} - {value for value, _ in values}
            key = tuple(given), high - low
            if key in merged:
                continue
            merged.add(key)
            conditional = all(each.under for each in drivers)
            several = bits * max(0, len(values) - 1)
            if clocked:
                if not values and not conditional:
                    continue  # it never changes
                found["registers"] += bits
                found["selected"] += several
                found["enables"] += conditional
                if constants:
                    found["constants"] += bits * len(constants)
            elif conditional or len(drivers) > 1:
                found["selected"] += several
                found["gated"] += bits * max(len(constants) - (not values), 0)

    def _operator(self, node: Node, mask: int) -> None:
        found, nodes = self.found, self.graph.nodes
        kind, bits = node.kind, mask.bit_count()
        operands = [nodes[self._is(arg)] for arg in node.args]
        width = max((each.width for each in operands), default=0)
        constant = any(each.kind == "const" for each in operands)
        if kind in ("+", "-"):
            found["added"] += mask.bit_length()
            found["adders"] += 1
            found["summands"] += sum(map(self._summand, node.args))
        elif kind in COMPARISONS:
            found["added"] += width
            found["adders"] += 1
        elif kind in ("==", "!="):
            found["tests"] += (width if constant else 2 * width) / (TABLE_INPUTS - 1)
        elif kind in GATES:
            found["gates"] += bits
        elif kind in REDUCTIONS:
            found["tests"] += (width - 1) / (TABLE_INPUTS - 1)
        elif kind == "*":
            found["products"] += operands[0].width * operands[-1].width
            found["product_rows"] += min(operands[0].width, operands[-1].width)
        elif kind in ("<<", ">>"):
            found["shifted"] += bits * operands[1].width
        elif kind == "pick":
            varied = {arg for arg in node.args[1:] if nodes[self._is(arg)].kind != "const"}
            fixed = len(set(node.args[1:])) - len(varied)
            found["selected"] += bits * max(0, len(varied) - 1)
            found["gated"] += bits * max(0, fixed - (not varied))
            if operands[0].width > 1:
                found["tests"] += len(node.data) * (operands[0].width - 1) / (TABLE_INPUTS - 1)
        elif kind == "part":
            choices = min(1 << operands[1].width, -(-operands[0].width // node.data))
            found["selected"] += bits * (choices - 1)

    def _summand(self, number: int) -> int:
        """Bits that are there or zero by a choice right before a sum, which has no room for it."""
        node = self.graph.nodes[self._is(number)]
        width = node.width
        while node.kind in ("slice", "fit", "u", "s"):
            node = self.graph.nodes[self._is(node.args[0])]
            width = min(width, node.width)
        if node.kind == "cat":
            return min(width, sum(map(self._summand, node.args)))
        if node.kind != "pick":
            return 0
        varied = [arg for arg in node.args[1:] if self.graph.nodes[self._is(arg)].kind != "const"]
        return width if len(varied) == 1 < len(node.args) - 1 else 0

    def _memory(self, memory: Source, bits: int) -> None:
        """A memory of which some bits are read."""
        found = self.found
        if memory.contents is not None:
            found["table_blocks"] += _blocks(memory.contents, memory.width, memory.depth)
            return
        banks = -(-memory.depth // MEMORY_WORDS)
        found["memories"] += banks * -(-bits // MEMORY_BITS)
        if banks > 1:
            found["memory_muxes"] += bits * (banks - 1)


def _blocks(contents: Sequence[int], width: int, depth: int) -> int:
    """Different functions of four address bits that a table's bits are made of."""
    words = [*contents, *[0] * (depth - len(contents))]
    found = set()
    for bit in range(width):
        column = [word >> bit & 1 for word in words]
        for start in range(0, depth, MEMORY_WORDS):
            block = tuple(column[start : start + MEMORY_WORDS])
            if len(set(block)) > 1:
                found.add(block)
    return len(found)
