"""Tables of real functions: any function of one number, over the range of an expression.

*Plain*: x is cut into at most 2**index_bits cells of equal width, by dropping low bits; a cell's
entry is the middle of the function's extremes in it, to the nearest multiple of 2**-out_frac. With
a cell for every integer that is the function, rounded once.

*Interpolated*: cells the same; a cell holds the function's value at its beginning, with `GUARD`
more bits, and the difference to the next. The result is the line between them, rounded once, half
up. The values at cell beginnings are those of the function, so that the line has no jumps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from spec.errors import SpecError
from spec.expr.nodes import Expr, constant, intern, number, shift_left, shift_right, variable, walk
from spec.expr.ops import Entries, Op
from spec.expr.vocabulary import apply, read
from spec.fixed import Rounding

__all__ = ["DEFAULT_INDEX_BITS", "MOST_POINTS", "Tabulation", "approximating", "tabulate"]

GUARD = 2
"""Bits that an interpolated table keeps below the last place of its result."""

MOST_POINTS = 1 << 18
"""Integers of x up to which every one is looked at."""

DEFAULT_INDEX_BITS = 10


@dataclass(frozen=True)
class Tabulation:
    """How a function became a table; `tabulate` is what makes an expression of it.

    Parameters
    ----------
    function
        Real number to real number.
    low, high, frac
        Range of x, and its bits after the binary point.
    out_frac
        Bits of the result after the binary point.
    index_bits
        log2 of the most cells.
    interpolate
        Whether a line, rather than a constant, stands for the function in a cell.
    name
        What the table holds.
    """

    function: Callable[[float], float]
    low: int
    high: int
    frac: int
    out_frac: int
    index_bits: int
    interpolate: bool
    name: str

    @cached_property
    def shift(self) -> int:
        """Bits of x that are not part of the address."""
        most = 1 << self.index_bits
        shift = 0
        while (self.high >> shift) - (self.low >> shift) + 1 > most:
            shift += 1
        return shift

    @cached_property
    def cells(self) -> range:
        """Addresses, as the leading bits of x."""
        return range(self.low >> self.shift, (self.high >> self.shift) + 1)

    @cached_property
    def bits(self) -> int:
        """Storage of the tables, in bits."""
        tables = [node.data for node in walk(self.graph) if node.op is Op.TABLE]
        return sum(_width(table.values) * len(table.values) for table in tables)

    @cached_property
    def graph(self) -> Expr:
        """The table as an expression of a variable x over the whole range."""
        return self(variable("x", self.low, self.high, self.frac))

    @cached_property
    def error(self) -> float:
        """Greatest difference from the function over x, in real numbers.

        Of every integer where there are at most `MOST_POINTS`; else of an even sample of so many,
        plus the greatest step of the function between two of them, which bounds what lies between
        for a function that is monotone there.
        """
        pitch = -(-(self.high - self.low + 1) // MOST_POINTS)
        points = [*range(self.low, self.high, pitch), self.high]
        wanted = [self.value(x, self.frac) for x in points]
        scale = 2.0**-self.out_frac
        got = _evaluate(self.graph, points)
        seen = max(abs(a * scale - b) for a, b in zip(got, wanted, strict=True))
        if pitch == 1:
            return seen
        return seen + max(abs(b - a) for a, b in pairwise(wanted))

    def value(self, x: int, frac: int) -> float:
        """The function at x · 2**-frac."""
        try:
            y = float(self.function(x * 2.0**-frac))
        except (ArithmeticError, ValueError) as error:
            y, reason = math.nan, f"{error}"
        else:
            reason = f"its value is {y}"
        if not math.isfinite(y):
            raise SpecError(
                f"tabulate's function has no finite value at {x * 2.0**-frac} ({reason}); limit x "
                "first, with minimum, maximum or saturate"
            )
        return y

    def __call__(self, x: Expr) -> Expr:
        """The expression, for an x within the range."""
        cell = shift_right(x, self.shift, Rounding.FLOOR)
        if not self.shift or not self.interpolate:
            values = [self._middle(each) for each in self.cells]
            return approximating(self, self._read(values, cell, self.out_frac, self.name))
        fine = self.out_frac + GUARD
        ends = [_nearest(self.value(each << self.shift, self.frac), fine) for each in self.cells]
        # The last cell may end beyond x, where the function need not exist.
        last = self.high + 1 - (self.cells[-1] << self.shift)
        final = _nearest(self.value(self.high, self.frac), fine)
        slope = ((final - ends[-1]) << self.shift) // max(1, last - 1)
        steps = [b - a for a, b in pairwise(ends)] + [slope]
        along = x % constant(1 << self.shift, x.frac)
        base, rise = self._pair(ends, steps, cell)
        line = shift_left(base, self.shift, frac=fine) + shift_left(rise * along, 0, frac=fine)
        return approximating(
            self, shift_right(line, self.shift + GUARD, Rounding.HALF_UP, frac=self.out_frac)
        )

    def _pair(self, ends: list[int], steps: list[int], cell: Expr) -> tuple[Expr, Expr]:
        """Both tables; as one, of two fields, where no step is negative."""
        if min(steps) < 0:
            return (
                self._read(ends, cell, 0, self.name),
                self._read(steps, cell, 0, f"{self.name}_rise"),
            )
        width = max(steps).bit_length()
        words = [(end << width) + step for end, step in zip(ends, steps, strict=True)]
        word = self._read(words, cell, 0, self.name)
        return word >> width, word % (1 << width)

    def _read(self, values: list[int], cell: Expr, frac: int, name: str) -> Expr:
        first, last = 0, len(values)
        while last - first > 1 and values[last - 1] == values[last - 2]:
            last -= 1
        while last - first > 1 and values[first] == values[first + 1]:
            first += 1
        entries = Entries(tuple(values[first:last]), self.cells[0] + first, name)
        return read(entries, cell, frac)

    def _middle(self, cell: int) -> int:
        first = max(self.low, cell << self.shift)
        last = min(self.high, (cell + 1 << self.shift) - 1)
        pitch = max(1, (last - first) // 64)
        values = [self.value(x, self.frac) for x in (*range(first, last, pitch), last)]
        return _nearest((max(values) + min(values)) / 2, self.out_frac)


def approximating(source: Any, expr: Expr) -> Expr:
    """`expr`, known to stand for what `source` says, whose `error` becomes its own."""
    return intern(expr.op, expr.args, expr.data, expr.frac, source) if expr.args else expr


def tabulate(
    function: Callable[[float], float],
    x: Expr,
    *,
    out_frac: int,
    index_bits: int | None = None,
    interpolate: bool = False,
    name: str = "table",
) -> Expr:
    """`function` of the number `x`, by a table over the range that `x` has.

    The result's attribute `error` is its greatest difference from the function, a real number, over
    every integer in that range; its `source` is the `Tabulation`, which knows the table's size.

    Parameters
    ----------
    out_frac
        Bits of the result after the binary point.
    index_bits
        log2 of the most entries, by default 10.
    interpolate
        Draw lines between the entries: one multiplication, and an error that falls with the
        square of the number of entries.
    """
    expr = number("tabulate's x", x)
    bits = DEFAULT_INDEX_BITS if index_bits is None else index_bits
    if type(bits) is not int or not 1 <= bits <= 16:
        raise SpecError(f"tabulate's index_bits must be from 1 to 16, got {bits!r}")
    low, high = expr.bounds
    made = Tabulation(function, low, high, expr.frac, out_frac, bits, interpolate, name)
    return made(expr)


def _nearest(value: float, frac: int) -> int:
    return math.floor(Fraction(value) * Fraction(2) ** frac + Fraction(1, 2))


def _width(values: tuple[int, ...]) -> int:
    low, high = min(values), max(values)
    return max(high.bit_length(), (~low).bit_length()) + 1 if low < 0 else max(1, high.bit_length())


def _evaluate(graph: Expr, points: list[int]) -> list[int]:
    """`graph` at every point, node by node."""
    columns: dict[Expr, list[int]] = {}
    for node in walk(graph):
        if node.op is Op.VARIABLE:
            columns[node] = points
        elif node.op is Op.CONSTANT:
            columns[node] = [node.data] * len(points)
        else:
            operands = zip(*(columns[arg] for arg in node.args), strict=True)
            columns[node] = [apply(node, args) for args in operands]
    return columns[graph]
