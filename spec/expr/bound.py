"""What an expression can be over ranges of its variables, in integers or as expressions again.

There is one analysis. Given integers it says between which numbers an expression lies, or whether a
mask is empty, partial or full on a tile; given expressions for the ends of the ranges it gives
expressions for the same answers, which a dispatcher builds into gates.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from math import gcd
from typing import Any

from spec.errors import SpecError
from spec.expr.nodes import Expr, as_expr, difference, walk
from spec.expr.ops import Entries, Op
from spec.expr.vocabulary import apply, maximum, minimum, read, select

__all__ = ["TileClass", "classify", "declared", "interval", "symbolic_class"]

Pair = tuple[Any, Any]
"""(low, high) of a number, (may be true, may be false) of a truth value."""


class TileClass(IntEnum):
    """What a mask is on a tile; EMPTY and FULL are certain, PARTIAL is anything."""

    EMPTY = 0
    PARTIAL = 1
    FULL = 2


def interval(
    expr: Expr,
    ranges: Mapping[str, tuple[int, int]],
    granules: Mapping[str, int] | None = None,
) -> tuple[int, int]:
    """Least and greatest integer of `expr` while every variable is within its range, both ends in.

    At worst too wide; exact for sums of multiples of different variables. A truth value is 0 or 1.

    Parameters
    ----------
    ranges
        By name; a variable that is missing has its declared range.
    granules
        By name, a power of two: the range lies within one aligned block of so many. If given, even
        empty, tables are bounded exactly as by `symbolic_class` with the same granules, else by the
        entries in reach.
    """
    low, high = _analyse(expr, _checked(expr, ranges), granules)
    return (int(not high), int(low)) if expr.is_bool else (low, high)


def classify(
    expr: Expr,
    ranges: Mapping[str, tuple[int, int]],
    granules: Mapping[str, int] | None = None,
) -> TileClass:
    """What the mask `expr` is on a tile: EMPTY or FULL only if that is certain.

    For one comparison of sums of different variables the answer is never PARTIAL without need.
    Parameters are those of `interval`.
    """
    _check_mask(expr)
    may_be_true, may_be_false = _analyse(expr, _checked(expr, ranges), granules)
    if not may_be_true:
        return TileClass.EMPTY
    return TileClass.PARTIAL if may_be_false else TileClass.FULL


def symbolic_class(
    expr: Expr, ranges: Mapping[str, tuple[Any, Any]], granules: Mapping[str, int]
) -> tuple[Expr, Expr]:
    """(may be true, may be false) of the mask `expr`, as expressions over the ends of the ranges.

    With any integers for the ends they say what `classify` says with these granules: it is EMPTY
    where the first is false, FULL where the second is.
    """
    _check_mask(expr)
    pair = _analyse(expr, ranges, granules)
    return as_expr(pair[0]), as_expr(pair[1])


def declared(node: Expr) -> Pair:
    """`Expr.reach` of `node`, from those of its operands."""
    if node.op is Op.VARIABLE:
        return node.data[1:]
    return _transfer(node, lambda each: each.reach, _entries_in_reach)


def _check_mask(expr: Expr) -> None:
    if not expr.is_bool:
        raise SpecError("only a truth value has a tile class; compare the number, such as (x > 0)")


def _checked(expr: Expr, ranges: Mapping[str, tuple[int, int]]) -> Mapping[str, tuple[int, int]]:
    for name, (_, low, high) in ((each.name, each.data) for each in expr.variables.values()):
        first, last = ranges.get(name, (low, high))
        if not low <= first <= last <= high:
            raise SpecError(f"range of {name} must lie in {low} to {high}, got {first} to {last}")
    return ranges


def _analyse(expr: Expr, ranges: Mapping[str, Pair], granules: Mapping[str, int] | None) -> Pair:
    found: dict[Expr, Pair] = {}
    granule_table = _granule_table(granules or {}, ranges)
    table = _entries_in_reach if granules is None else granule_table
    for node in walk(expr):
        if node.op is Op.VARIABLE:
            found[node] = ranges.get(node.name, node.data[1:])
        else:
            found[node] = _transfer(node, found.__getitem__, table)
    return found[expr]


def _transfer(node: Expr, get: Callable[[Expr], Pair], table: Callable[..., Pair]) -> Pair:
    """The reach of `node` from that of the nodes below it."""
    match node.op:
        case Op.CONSTANT if node.is_bool:
            return node.data, not node.data
        case Op.ADD | Op.SUB | Op.SHL | Op.CONSTANT:
            return _span(*node.linear, get)
        case Op.MUL if node.args[1].op is Op.CONSTANT:
            return _span(*node.linear, get)
        case Op.LT:
            low, high = _span(*difference(node.args[0], node.args[1]), get)
            return low < 0, high >= 0
        case Op.EQ:
            return _equal(*difference(node.args[0], node.args[1]), get)
    pairs = [get(arg) for arg in node.args]
    low, high = pairs[0]
    match node.op:
        case Op.MUL:
            corners = [a * b for a in pairs[0] for b in pairs[1]]
            return _least(corners), _greatest(corners)
        case Op.MIN | Op.MAX:
            return apply(node, (low, pairs[1][0])), apply(node, (high, pairs[1][1]))
        case Op.ABS:
            return maximum(maximum(low, -high), 0), maximum(-low, high)
        case Op.ROUND | Op.SATURATE | Op.DIV:
            return apply(node, (low,)), apply(node, (high,))
        case Op.MOD:
            first, last = low % node.data, high % node.data
            wraps = (high - low >= node.data) | (last < first)
            return select(wraps, 0, first), select(wraps, node.data - 1, last)
        case Op.TABLE:
            return table(node, low, high)
        case Op.SELECT:
            a, b = pairs[1:]
            # A branch that cannot be taken is replaced by the other one.
            firsts = select(low, a[0], b[0]), select(high, b[0], a[0])
            lasts = select(low, a[1], b[1]), select(high, b[1], a[1])
            return minimum(*firsts), maximum(*lasts)
        case Op.NOT:
            return high, low
        case Op.AND:
            return low & pairs[1][0], high | pairs[1][1]
        case Op.OR:
            return low | pairs[1][0], high & pairs[1][1]
        case Op.XOR:
            (a, not_a), (b, not_b) = pairs
            return (a & not_b) | (not_a & b), (a & b) | (not_a & not_b)
    raise ValueError(f"{node} has no bounds")


def _span(factors: Mapping[Expr, int], beside: int, get: Callable[[Expr], Pair]) -> Pair:
    """Ends of a sum of multiples; positive ones first, so that no negation is left over."""
    least: Any = 0
    greatest: Any = 0
    for atom, factor in sorted(factors.items(), key=lambda each: -each[1]):
        low, high = get(atom)
        if factor > 0:
            least, greatest = least + factor * low, greatest + factor * high
        else:
            least, greatest = least - -factor * high, greatest - -factor * low
    return least + beside, greatest + beside


def _equal(factors: Mapping[Expr, int], beside: int, get: Callable[[Expr], Pair]) -> Pair:
    """Whether a sum of multiples can be zero, and whether it can be anything else."""
    low, high = _span(factors, beside, get)
    different = (low != 0) | (high != 0)
    if beside % (gcd(*factors.values()) or 1):
        return False, True
    if len(factors) == 1:
        ((atom, factor),) = factors.items()
        wanted = -beside // factor
        if atom.op is Op.MOD:
            if not 0 <= wanted < atom.data:
                return False, True
            first, last = get(atom.args[0])
            # The last number of this remainder is (last - wanted) % m below `last`.
            return last - first >= (last - wanted) % atom.data, different
    return (low <= 0) & (high >= 0), different


def _least(values: list[Any]) -> Any:
    return minimum(minimum(values[0], values[1]), minimum(values[2], values[3]))


def _greatest(values: list[Any]) -> Any:
    return maximum(maximum(values[0], values[1]), maximum(values[2], values[3]))


def _entries_in_reach(node: Expr, low: int, high: int) -> Pair:
    return _extremes(node.data, low, high)


@lru_cache(maxsize=4096)
def _extremes(entries: Entries, low: int, high: int) -> tuple[int, int]:
    reached = entries.between(low, high)
    return min(reached), max(reached)


def _granule_table(
    granules: Mapping[str, int], ranges: Mapping[str, Pair]
) -> Callable[[Expr, Any, Any], Pair]:
    """A bound of tables that is cheap in gates: by the ends if monotone, else by the granule."""
    for name, size in granules.items():
        if type(size) is not int or size < 1 or size & (size - 1):
            raise SpecError(f"granule of {name} must be a power of two, got {size!r}")

    def table(node: Expr, low: Any, high: Any) -> Pair:
        values = node.data.values
        if all(a <= b for a, b in pairwise(values)):
            return read(node.data, low), read(node.data, high)
        if all(a >= b for a, b in pairwise(values)):
            return read(node.data, high), read(node.data, low)
        factors, beside = node.args[0].linear
        if any(atom.op is not Op.VARIABLE or atom.name not in granules for atom in factors):
            return node.reach
        # In steps of `pitch`, the address is where the granules begin, and from `below` to `above`.
        sizes = {atom: granules[atom.name] for atom in factors}
        pitch = gcd(*(factor * sizes[atom] for atom, factor in factors.items()))
        below = sum(min(0, factor * (sizes[atom] - 1)) for atom, factor in factors.items())
        above = sum(max(0, factor * (sizes[atom] - 1)) for atom, factor in factors.items())
        at: Any = 0
        first = last = 0
        for atom, factor in sorted(factors.items(), key=lambda each: -each[1]):
            step = factor * sizes[atom] // pitch
            begin = ranges.get(atom.name, atom.data[1:])[0] // sizes[atom]
            at = at + step * begin if step > 0 else at - -step * begin
            ends = [step * (end // sizes[atom]) for end in atom.data[1:]]
            first, last = first + min(ends), last + max(ends)
        lows, highs = _windows(node.data, pitch, beside + below, beside + above, first, last)
        return read(lows, at), read(highs, at)

    return table


@lru_cache(maxsize=256)
def _windows(
    entries: Entries, pitch: int, below: int, above: int, first: int, last: int
) -> tuple[Entries, Entries]:
    """Least and greatest entry of every granule, `first` to `last`."""
    found = [
        _extremes(entries, pitch * at + below, pitch * at + above) for at in range(first, last + 1)
    ]
    return (
        Entries(tuple(low for low, _ in found), first, f"{entries.name}_low"),
        Entries(tuple(high for _, high in found), first, f"{entries.name}_high"),
    )
