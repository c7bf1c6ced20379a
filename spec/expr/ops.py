"""The kinds of node an expression is made of, and what they hold beside their operands."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["TRUTHS", "Entries", "Op"]


class Op(Enum):
    """What a node computes from its operands; ``data`` is what else it needs."""

    VARIABLE = "variable"
    """data: (name, low, high)."""
    CONSTANT = "constant"
    """data: an int, or a bool."""
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    SHL = "shl"
    """a · 2**data."""
    ROUND = "round"
    """a / 2**shift, rounded; data: (shift, Rounding)."""
    MIN = "min"
    MAX = "max"
    ABS = "abs"
    SATURATE = "saturate"
    """The nearest of low to high; data: (low, high)."""
    DIV = "div"
    """Floor of a / data."""
    MOD = "mod"
    """a - data · floor(a / data)."""
    TABLE = "table"
    """data: `Entries`."""
    SELECT = "select"
    """The second operand where the first is true, else the third."""
    LT = "lt"
    EQ = "eq"
    AND = "and"
    OR = "or"
    XOR = "xor"
    NOT = "not"


TRUTHS = {Op.LT, Op.EQ, Op.AND, Op.OR, Op.XOR, Op.NOT}
"""Kinds whose result is a truth value."""


@dataclass(frozen=True)
class Entries:
    """A table: address a reads entry a - `offset`, or the first or last where there is none."""

    values: tuple[int, ...]
    offset: int = 0
    name: str = "lookup"

    @property
    def last(self) -> int:
        """Address of the last entry."""
        return self.offset + len(self.values) - 1

    def __getitem__(self, address: int) -> int:
        return self.values[min(max(address - self.offset, 0), len(self.values) - 1)]

    def between(self, low: int, high: int) -> tuple[int, ...]:
        """What the addresses `low` to `high` read, each entry at most once."""
        last = len(self.values) - 1
        first, end = (min(max(a - self.offset, 0), last) for a in (low, high))
        return self.values[first : end + 1]
