"""The words of an expression that are no operators, and what each kind of node computes.

Every function here takes expressions or plain integers, and gives an expression if one of them is;
`apply` also takes NumPy arrays, as it uses nothing but operators.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from spec import fixed
from spec.errors import SpecError
from spec.expr.nodes import Expr, align, as_expr, constant, node, number, shift_right, truth
from spec.expr.nodes import shift_left as _shift_left
from spec.expr.ops import Entries, Op
from spec.fixed import Rounding

__all__ = [
    "absolute",
    "apply",
    "const",
    "lookup",
    "maximum",
    "minimum",
    "per_head",
    "per_position",
    "round_shift",
    "round_to",
    "saturate",
    "select",
    "where",
]

Number = Any
"""An expression or an integer; for `apply` also a NumPy array."""


@dataclass(frozen=True)
class Quantised:
    """The real number that a constant stands for."""

    wanted: Fraction
    value: Fraction

    @property
    def error(self) -> float:
        """Distance of the constant from it."""
        return float(abs(self.value - self.wanted))


def const(value: float | Fraction, frac: int | None = None) -> Expr:
    """The number `value`, to the nearest multiple of 2**-frac; ties go up.

    The difference is its attribute `error`. An integer needs no `frac`.
    """
    if isinstance(value, Expr):
        raise SpecError("const takes a plain number, not an expression; use it as it is")
    if isinstance(value, bool) or (isinstance(value, int) and frac is None):
        return as_expr(value)
    if frac is None:
        raise SpecError(f"const({value!r}) is no integer, so it needs frac; use frac=12")
    try:
        wanted = Fraction(value)
    except (TypeError, ValueError, OverflowError):
        raise SpecError(f"const takes a finite number, got {value!r}") from None
    integer = math.floor(wanted * Fraction(2) ** frac + Fraction(1, 2))
    kept = Fraction(integer) / Fraction(2) ** frac
    return constant(integer, frac, None if kept == wanted else Quantised(wanted, kept))


def minimum(a: Number, b: Number) -> Number:
    """The smaller of two numbers."""
    if not _symbolic(a, b):
        return b + (a < b) * (a - b)
    left, right = align("minimum", a, b)
    if left is right or left.bounds[1] <= right.bounds[0]:
        return left
    if right.bounds[1] <= left.bounds[0]:
        return right
    return node(Op.MIN, (left, right), None, left.frac)


def maximum(a: Number, b: Number) -> Number:
    """The greater of two numbers."""
    if not _symbolic(a, b):
        return b + (a > b) * (a - b)
    left, right = align("maximum", a, b)
    if left is right or right.bounds[1] <= left.bounds[0]:
        return left
    if left.bounds[1] <= right.bounds[0]:
        return right
    return node(Op.MAX, (left, right), None, left.frac)


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition` is true, else `b`; both numbers, or both truth values."""
    if not _symbolic(condition, a, b):
        return b + condition * (a - b)
    asked = truth("select's condition", condition)
    if as_expr(a).is_bool and as_expr(b).is_bool:
        return (asked & a) | (~asked & b)
    left, right = align("select", a, b)
    if asked.op is Op.NOT:
        asked, left, right = asked.args[0], right, left
    if asked.op is Op.CONSTANT or left is right:
        return left if asked.data else right
    return node(Op.SELECT, (asked, left, right), None, left.frac)


where = select


def absolute(a: Number) -> Number:
    """`a` without its sign."""
    return abs(a)


def round_shift(a: Number, shift: int, rounding: Rounding = Rounding.HALF_UP) -> Number:
    """`a` / 2**shift, rounded to the last place of `a`."""
    if type(shift) is not int or shift < 0:
        raise SpecError(f"round_shift's shift must be an integer of at least 0, got {shift!r}")
    if not isinstance(a, Expr):
        return fixed.round_shift(a, shift, rounding)
    return shift_right(number("round_shift", a), shift, rounding)


def round_to(a: Number, frac: int, rounding: Rounding = Rounding.HALF_UP) -> Expr:
    """The number `a` with `frac` bits after the binary point, rounded if that is fewer."""
    expr = number("round_to", a)
    if type(frac) is not int:
        raise SpecError(f"round_to's frac must be an integer, got {frac!r}")
    if frac >= expr.frac:
        return _shift_left(expr, frac - expr.frac, frac=frac)
    return shift_right(expr, expr.frac - frac, rounding, frac=frac)


def saturate(
    a: Number,
    width: int | None = None,
    *,
    signed: bool = True,
    low: Number | None = None,
    high: Number | None = None,
) -> Expr:
    """The nearest to `a` that `width` bits hold, at its binary point; or from `low` to `high`.

    `low` and `high` are constants, and numbers like any other: an integer is its value.
    """
    expr = number("saturate", a)
    if width is not None and low is None and high is None:
        if type(width) is not int or width < 1:
            raise SpecError(f"saturate's width must be an integer of at least 1, got {width!r}")
        ends = fixed.bounds(width, signed)
    elif width is None and low is not None and high is not None:
        expr, *limits = align("saturate", a, low, high)
        if any(limit.op is not Op.CONSTANT for limit in limits):
            raise SpecError("saturate's low and high must be constants; use minimum and maximum")
        ends = limits[0].data, limits[1].data
    else:
        raise SpecError("saturate takes either width or both low and high")
    if ends[0] > ends[1]:
        raise SpecError(f"saturate must have low <= high, got {low} to {high}")
    return _clamp(expr, *ends)


def lookup(
    values: Sequence[int], address: Number, *, offset: int = 0, frac: int = 0, name: str = "lookup"
) -> Expr:
    """Entry `address` - `offset` of `values`, the first or the last where there is none.

    Entries are integers at the binary point `frac`. `name` is for the reader of the gates.
    """
    expr = number("lookup's address", address)
    if expr.frac:
        raise SpecError(
            f"lookup's address must be an integer, got {expr.frac} bits after the binary point; "
            "use tabulate(function, x, out_frac=...)"
        )
    if not values or any(type(each) is not int for each in values):
        raise SpecError("lookup's values must be at least one, and all of them integers")
    return read(Entries(tuple(values), offset, name), expr, frac)


def read(entries: Entries, address: Number, frac: int = 0) -> Number:
    """What `entries` hold at the integer of `address`; only those it reaches are kept."""
    if not isinstance(address, Expr):
        return entries[address]
    low, high = address.bounds
    kept = Entries(
        entries.between(low, high),
        min(max(low, entries.offset), entries.last),
        entries.name,
    )
    return node(Op.TABLE, (address,), kept, frac)


def per_head(values: Sequence[float], frac: int | None = None) -> Callable[[Expr], Expr]:
    """A function of the head h: its value, to the nearest multiple of 2**-frac."""
    return _listed("per_head", "heads", values, frac)


def per_position(values: Sequence[float], frac: int | None = None) -> Callable[[Expr], Expr]:
    """A function of a position, q or k: its value, to the nearest multiple of 2**-frac."""
    return _listed("per_position", "positions", values, frac)


def apply(node: Expr, args: Sequence[Any], take: Callable[[Entries, Any], Any] = read) -> Any:
    """What `node` makes of the integers of its operands: integers, arrays or expressions.

    `take` reads a table at an address. Variables and constants have no operands, and no place here.
    """
    a, b = args[0], args[-1]
    match node.op:
        case Op.ADD:
            return a + b
        case Op.SUB:
            return a - b
        case Op.MUL:
            return a * b
        case Op.SHL:
            return a << node.data
        case Op.ROUND:
            return round_shift(a, *node.data)
        case Op.MIN:
            return minimum(a, b)
        case Op.MAX:
            return maximum(a, b)
        case Op.ABS:
            return abs(a)
        case Op.SATURATE:
            return _clamp(a, *node.data)
        case Op.DIV:
            return a // node.data
        case Op.MOD:
            return a % node.data
        case Op.TABLE:
            return take(node.data, a)
        case Op.SELECT:
            return select(*args)
        case Op.LT:
            return a < b
        case Op.EQ:
            return a == b
        case Op.AND:
            return a & b
        case Op.OR:
            return a | b
        case Op.XOR:
            return a ^ b
        case Op.NOT:
            return ~a if isinstance(a, Expr) else a ^ True
    raise ValueError(f"{node} has no operands")


def _symbolic(*values: Any) -> bool:
    return any(isinstance(value, Expr) for value in values)


def _clamp(a: Any, low: int, high: int) -> Any:
    if not isinstance(a, Expr):
        return minimum(maximum(a, low), high)
    if low <= a.bounds[0] and a.bounds[1] <= high:
        return a
    return node(Op.SATURATE, (a,), (low, high), a.frac)


def _listed(
    word: str, what: str, values: Sequence[float], frac: int | None
) -> Callable[[Expr], Expr]:
    entries = tuple(const(value, frac) for value in values)
    if not entries:
        raise SpecError(f"{word} needs at least one value")

    def at(index: Expr) -> Expr:
        low, high = number(f"{word}(...)'s argument", index).bounds
        if low < 0 or high >= len(entries):
            raise SpecError(
                f"{word} has {len(entries)} values, but there are {high + 1} {what}; give one each"
            )
        return lookup([entry.data for entry in entries], index, frac=entries[0].frac, name=word)

    return at
