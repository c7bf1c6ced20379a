"""Expressions as text: what a manifest holds, what a digest knows, and what is read back from it.

A line is a node, operands before what uses them; ``%3 = mul %0 %2 .8`` is a product with eight
bits after the binary point. What a node holds beside its operands stands after them: a number, a
truth value, ``name low high``, ``shift rounding``, ``low high``, or of a table ``name [first
address] entries``. The text says all that the integers depend on, so `read_graph` makes the graph
again without the function that it was traced from.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from spec.errors import SpecError
from spec.expr.nodes import Expr, intern, walk
from spec.expr.ops import Entries, Op
from spec.fixed import Rounding

__all__ = ["graph_text", "read_graph"]

LINE = re.compile(r"%(\d+) = (\w+)((?: %\d+)*)(?: (.+))? \.(-?\d+)", re.S)
TABLE = re.compile(r"(.*) \[(-?\d+)\]((?: -?\d+)+)", re.S)


def graph_text(expr: Expr) -> list[str]:
    """A line for every node; equal graphs have equal text."""
    number = {node: place for place, node in enumerate(walk(expr))}
    lines = []
    for node, place in number.items():
        words = [node.op.value, *(f"%{number[arg]}" for arg in node.args)]
        if node.data is not None:
            words.append(_told(node.data))
        lines.append(f"%{place} = {' '.join(words)} .{node.frac}")
    return lines


def read_graph(lines: Sequence[str]) -> Expr:
    """The expression that `graph_text` told; what it approximates is not known any more.

    Raises
    ------
    SpecError
        A line is no node.
    """
    found: list[Expr] = []
    for line in lines:
        try:
            found.append(_node(line, found))
        except (ValueError, KeyError, IndexError):
            raise SpecError(f"expression: line {len(found)} is no node: {line[:80]!r}") from None
    if not found:
        raise SpecError("expression: has no line; at least one is needed")
    return found[-1]


def _node(line: str, before: Sequence[Expr]) -> Expr:
    parts = LINE.fullmatch(line)
    if parts is None or int(parts[1]) != len(before):
        raise ValueError
    op = Op(parts[2])
    args = tuple(before[int(word[1:])] for word in parts[3].split())
    if (parts[4] is None) != (op not in READERS):
        raise ValueError
    return intern(op, args, READERS[op](parts[4]) if op in READERS else None, int(parts[5]))


def _told(data: Any) -> str:
    match data:
        case Entries():
            return f"{data.name} [{data.offset}] {' '.join(map(str, data.values))}"
        case tuple():
            return " ".join(map(_told, data))
        case Rounding():
            return data.value
    return str(data)


def _constant(text: str) -> int | bool:
    return text == "True" if text in ("True", "False") else int(text)


def _variable(text: str) -> tuple[str, int, int]:
    name, low, high = text.rsplit(" ", 2)
    return name, int(low), int(high)


def _round(text: str) -> tuple[int, Rounding]:
    shift, rounding = text.split()
    return int(shift), Rounding(rounding)


def _saturate(text: str) -> tuple[int, int]:
    low, high = text.split()
    return int(low), int(high)


def _table(text: str) -> Entries:
    parts = TABLE.fullmatch(text)
    if parts is None:
        raise ValueError
    return Entries(tuple(map(int, parts[3].split())), int(parts[2]), parts[1])


READERS: dict[Op, Callable[[str], Any]] = {
    Op.VARIABLE: _variable,
    Op.CONSTANT: _constant,
    Op.SHL: int,
    Op.ROUND: _round,
    Op.SATURATE: _saturate,
    Op.DIV: int,
    Op.MOD: int,
    Op.TABLE: _table,
}
"""What else a node needs, from its text; the other kinds need nothing."""
