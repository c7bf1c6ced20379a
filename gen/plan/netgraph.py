"""A unit's gates as a graph of numbered values, equal ones merged, constants and names resolved.

What synthesis does first is done here, in a few hundredths of a second: a name for a value is that
value, the same operator on the same operands is one, a value that never changes is a constant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from amaranth.hdl import Const, Fragment, Instance, MemoryInstance, Shape, Signal

__all__ = ["Driver", "Graph", "Node", "Source", "read"]


class Node(NamedTuple):
    """A value: what it is, and of which others."""

    kind: str
    """signal, const, slice, cat, pick, part, other; or an operator's own sign."""
    width: int
    signed: bool
    args: tuple[int, ...] = ()
    data: Any = None
    """A constant's value, a slice's bounds, a part's stride, patterns of cases, a signal."""


class Driver(NamedTuple):
    """An assignment to bits of a signal."""

    low: int
    high: int
    clocked: bool
    value: int
    offset: int
    """Bit of the value that the lowest bit takes."""
    under: tuple[tuple[int, tuple[str, ...] | None], ...]
    """Tests and patterns that all must hold."""


class Source(NamedTuple):
    """A vendor's cell, or a memory that is none."""

    cell: str
    """The cell's type; empty for a memory."""
    inputs: tuple[int, ...]
    """Values that it takes."""
    width: int = 0
    depth: int = 0
    reads: int = 0
    """Ports at which the memory is read."""
    contents: tuple[int, ...] | None = None
    """What a memory that is never written holds."""


@dataclass
class Graph:
    """All values of a unit, and what drives its signals."""

    nodes: list[Node] = field(default_factory=list)
    drivers: dict[int, list[Driver]] = field(default_factory=dict)
    """Signal's node -> what drives it."""
    given: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Signal that comes from ports, cells or memories -> bits from and to, and the source."""
    sources: list[Source] = field(default_factory=list)
    """Cells and memories."""
    _numbers: dict[Node, int] = field(default_factory=dict)
    _seen: dict[int, int] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)

    def number(self, node: Node) -> int:
        """The number of a node; the same for equal ones."""
        number = self._numbers.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number

    def const(self, value: int, width: int) -> int:
        """A constant's number."""
        return self.number(Node("const", width, False, (), value & (1 << width) - 1))

    def value(self, value: Any) -> int:
        """The number of a value of Amaranth's."""
        found = self._seen.get(id(value))
        if found is None:
            found = self._seen[id(value)] = self._new(value)
            self._kept.append(value)  # so that no other object is given its id
        return found

    def _new(self, value: Any) -> int:
        name = type(value).__name__
        if name == "Signal":
            shape = value.shape()
            return self.number(Node("signal", shape.width, shape.signed, (), value.duid))
        if name == "Const":
            shape = value.shape()
            bits = value.value & (1 << shape.width) - 1
            return self.number(Node("const", shape.width, shape.signed, (), bits))
        if name == "Slice":
            inner, low, high = self.value(value.value), value.start, value.stop
            return self.number(Node("slice", high - low, False, (inner,), (low, high)))
        if name == "Concat":
            parts = tuple(self.value(part) for part in value.parts)
            return self.number(Node("cat", self._width(parts), False, parts))
        if name == "Operator":
            operands = tuple(self.value(each) for each in value.operands)
            return self.number(
                Node(value.operator, *self._shape(value.operator, operands), operands)
            )
        if name == "SwitchValue":
            cases = tuple(self.value(each) for _, each in value.cases)
            patterns = tuple(patterns for patterns, _ in value.cases)
            args, shape = (self.value(value.test), *cases), value.shape()
            return self.number(Node("pick", shape.width, shape.signed, args, patterns))
        if name == "Part":
            args = self.value(value.value), self.value(value.offset)
            return self.number(Node("part", value.width, False, args, value.stride))
        shape = Shape.cast(value.shape())
        return self.number(Node("other", shape.width, shape.signed, (), id(value)))

    def _width(self, parts: Iterable[int]) -> int:
        return sum(self.nodes[part].width for part in parts)

    def _shape(self, name: str, operands: tuple[int, ...]) -> tuple[int, bool]:
        """Width and sign of an operator's result, by Amaranth's rules."""
        a = self.nodes[operands[0]]
        if len(operands) == 1:
            if name in ("b", "r|", "r&", "r^"):
                return 1, False
            if name == "-":
                return a.width + 1, True
            return a.width, {"u": False, "s": True}.get(name, a.signed)
        b = self.nodes[operands[1]]
        signed = a.signed or b.signed
        wide = max(each.width + (signed and not each.signed) for each in (a, b))
        if name in ("+", "-"):
            return wide + 1, signed or name == "-"
        if name in ("&", "|", "^"):
            return wide, signed
        if name in ("<", "<=", ">", ">=", "==", "!="):
            return 1, False
        if name == "<<":
            return a.width + (1 << b.width) - 1, a.signed
        if name == ">>":
            return a.width, a.signed
        if name == "%":
            return b.width, b.signed
        return a.width + (b.width if name == "*" else b.signed), signed

    def fitted(self, number: int, width: int) -> int:
        """A value's lowest bits, or the value extended."""
        node = self.nodes[number]
        if node.width == width:
            return number
        if node.kind == "const":
            value = node.data
            if node.signed and value >> node.width - 1 & 1:
                value -= 1 << node.width
            return self.const(value, width)
        if node.width > width:
            return self.number(Node("slice", width, False, (number,), (0, width)))
        return self.number(Node("fit", width, False, (number,)))


def read(fragment: Fragment) -> Graph:
    """The graph of an elaborated unit."""
    graph = Graph()
    _fragment(graph, fragment)
    return graph


def _fragment(graph: Graph, fragment: Any) -> None:
    if isinstance(fragment, Instance):
        cell: Any = fragment
        ports = cell.ports.values()
        inputs = tuple(graph.value(value) for value, direction in ports if direction == "i")
        _source(
            graph,
            Source(cell=cell.type, inputs=inputs),
            [value for value, direction in ports if direction != "i"],
        )
        return
    if isinstance(fragment, MemoryInstance):
        _memory(graph, fragment)
        return
    for domain, statements in fragment.statements.items():
        _statements(graph, statements, domain != "comb", ())
    for inner, _, _ in fragment.subfragments:
        _fragment(graph, inner)


def _source(graph: Graph, source: Source, outputs: Iterable[Any]) -> None:
    """Add what drives `outputs`."""
    number = len(graph.sources)
    graph.sources.append(source)
    for value in outputs:
        for signal, low, high, _, _ in _places(graph, value, 0):
            graph.given.setdefault(signal, []).append((low, high, number))


def _memory(graph: Graph, memory: Any) -> None:
    data, writes, reads = memory._data, memory._write_ports, memory._read_ports
    values = [v for port in writes for v in (port._addr, port._data, port._en)]
    contents = None
    if not writes:
        contents = tuple(int(Const.cast(entry).value) for entry in data.init)
    source = Source(
        cell="",
        inputs=tuple(graph.value(v) for v in (*values, *(port._addr for port in reads))),
        width=Shape.cast(data.shape).width,
        depth=data.depth,
        reads=len(reads),
        contents=contents,
    )
    _source(graph, source, [port._data for port in reads])


def _statements(
    graph: Graph, statements: Iterable[Any], clocked: bool, under: tuple[Any, ...]
) -> None:
    for statement in statements:
        if hasattr(statement, "lhs"):
            value = graph.value(statement.rhs)
            places = list(_places(graph, statement.lhs, 0))
            value = graph.fitted(
                value, max((offset + high - low for _, low, high, offset, _ in places), default=0)
            )
            for signal, low, high, offset, more in places:
                driver = Driver(low, high, clocked, value, offset, (*under, *more))
                graph.drivers.setdefault(signal, []).append(driver)
        elif hasattr(statement, "cases"):
            test = graph.value(statement.test)
            for patterns, inner, _ in statement.cases:
                _statements(graph, inner, clocked, (*under, (test, patterns)))


def _places(graph: Graph, lhs: Any, offset: int) -> Iterator[tuple[int, int, int, int, tuple]]:
    """(signal, low, high, bit of the value, conditions) of all that an assignment may drive."""
    name = type(lhs).__name__
    if isinstance(lhs, Signal):
        yield graph.value(lhs), 0, len(lhs), offset, ()
    elif name == "Slice":
        for signal, low, high, at, more in _places(graph, lhs.value, 0):
            first, last = max(at, lhs.start), min(at + high - low, lhs.stop)
            if first < last:
                begin = low + first - at
                yield signal, begin, begin + last - first, offset + first - lhs.start, more
    elif name == "Concat":
        for part in lhs.parts:
            yield from _places(graph, part, offset)
            offset += len(part)
    elif name == "Operator":
        yield from _places(graph, lhs.operands[0], offset)
    elif name == "Part":
        at = graph.value(lhs.offset)
        for signal, low, high, _, more in _places(graph, lhs.value, 0):
            for k, begin in enumerate(range(low, high, lhs.stride)):
                end = min(begin + lhs.width, high)
                pattern = (format(k, f"0{graph.nodes[at].width}b"),)
                yield signal, begin, end, offset, (*more, (at, pattern))
    elif name == "SwitchValue":
        test = graph.value(lhs.test)
        for patterns, value in lhs.cases:
            for signal, low, high, at, more in _places(graph, value, offset):
                yield signal, low, high, at, (*more, (test, patterns))
    else:
        raise TypeError(f"{name} is assigned to")
