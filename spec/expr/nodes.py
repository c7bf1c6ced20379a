"""Integer expressions as a graph: what a node is, and the operators that make one from others.

A node's integer i means i · 2**-frac. Operators act on the integers alone; where two binary points
differ, an explicit shift of the coarser operand is part of the graph. Equal graphs are one object:
nodes compare by identity, and a dictionary finds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any
from weakref import WeakValueDictionary

from spec.errors import SpecError
from spec.expr.ops import TRUTHS, Op
from spec.expr.refuse import NoValueYet
from spec.fixed import Rounding

__all__ = ["FALSE", "TRUE", "Expr", "as_expr", "constant", "variable", "walk"]


@dataclass(frozen=True, eq=False, repr=False)
class Expr(NoValueYet):
    """One node of an expression; made by operators and functions, never directly.

    Parameters
    ----------
    op, args, data
        What it computes, from which nodes.
    frac
        Bits after the binary point; 0 for truth values.
    source
        What it approximates, where that is known; it has an attribute `error`.
    """

    op: Op
    args: tuple["Expr", ...]
    data: Any
    frac: int
    source: Any = None

    @property
    def is_bool(self) -> bool:
        """Whether it is a truth value rather than a number."""
        return self.op in TRUTHS or isinstance(self.data, bool)

    @property
    def name(self) -> str:
        """Name of a variable."""
        return self.data[0]

    @property
    def error(self) -> float:
        """Greatest difference, as a real number, from what the user named; 0 if that is exact."""
        return 0.0 if self.source is None else self.source.error

    @cached_property
    def reach(self) -> tuple[Any, Any]:
        """(low, high), or of a truth value (may be true, may be false), over declared ranges."""
        from spec.expr.bound import declared  # the analysis is itself written in expressions

        return declared(self)

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest integer over the declared ranges; at worst too wide."""
        if not self.is_bool:
            return self.reach
        may_be_true, may_be_false = self.reach
        return int(not may_be_false), int(may_be_true)

    @cached_property
    def linear(self) -> tuple[dict["Expr", int], int]:
        """Coefficients of the nodes it is a sum of, and the constant beside them."""
        if self.op is Op.CONSTANT:
            return {}, int(self.data)
        if self.op in (Op.ADD, Op.SUB):
            return difference(*self.args, sign=1 if self.op is Op.ADD else -1)
        if self.op is Op.SHL:
            return _scaled(self.args[0], 1 << self.data)
        if self.op is Op.MUL and self.args[1].op is Op.CONSTANT:
            return _scaled(self.args[0], self.args[1].data)
        return {self: 1}, 0

    @property
    def variables(self) -> dict[str, "Expr"]:
        """Variables it depends on, by name, sorted."""
        used = {node.name: node for node in walk(self) if node.op is Op.VARIABLE}
        return dict(sorted(used.items()))

    def __repr__(self) -> str:
        low, high = self.bounds
        what = f" {self.data[0] if self.op is Op.VARIABLE else self.data}" if not self.args else ""
        return f"<Expr {self.op.value}{what}, frac {self.frac}, {low} to {high}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return intern, (self.op, self.args, self.data, self.frac, self.source)

    def __add__(self, other: Any) -> "Expr":
        return _arithmetic("+", Op.ADD, self, other)

    def __radd__(self, other: Any) -> "Expr":
        return _arithmetic("+", Op.ADD, other, self)

    def __sub__(self, other: Any) -> "Expr":
        return _arithmetic("-", Op.SUB, self, other)

    def __rsub__(self, other: Any) -> "Expr":
        return _arithmetic("-", Op.SUB, other, self)

    def __mul__(self, other: Any) -> "Expr":
        return _product(self, other)

    __rmul__ = __mul__

    def __neg__(self) -> "Expr":
        return 0 - self

    def __pos__(self) -> "Expr":
        return number("+", self)

    def __abs__(self) -> "Expr":
        a = number("abs", self)
        low, high = a.bounds
        if low >= 0:
            return a
        return -a if high <= 0 else node(Op.ABS, (a,), None, a.frac)

    def __lshift__(self, other: Any) -> "Expr":
        return shift_left(number("<<", self), amount("<<", other))

    def __rshift__(self, other: Any) -> "Expr":
        return shift_right(number(">>", self), amount(">>", other), Rounding.FLOOR)

    def __floordiv__(self, other: Any) -> "Expr":
        a, step = _step("//", self, other)
        if step & (step - 1) == 0:
            return shift_right(a, step.bit_length() - 1, Rounding.FLOOR, frac=0)
        return node(Op.DIV, (a,), step, 0)

    def __mod__(self, other: Any) -> "Expr":
        a, step = _step("%", self, other)
        low, high = a.bounds
        return a if low >= 0 and high < step else node(Op.MOD, (a,), step, a.frac)

    def __lt__(self, other: Any) -> "Expr":
        return node(Op.LT, align("<", self, other), None, 0)

    def __gt__(self, other: Any) -> "Expr":
        return node(Op.LT, align(">", other, self), None, 0)

    def __le__(self, other: Any) -> "Expr":
        return ~(self > other)

    def __ge__(self, other: Any) -> "Expr":
        return ~(self < other)

    def __eq__(self, other: Any) -> "Expr":  # type: ignore[override]
        return node(Op.EQ, align("==", self, other), None, 0)

    def __ne__(self, other: Any) -> "Expr":  # type: ignore[override]
        return ~(self == other)

    __hash__ = object.__hash__

    def __and__(self, other: Any) -> "Expr":
        return _logic("&", Op.AND, self, other)

    def __or__(self, other: Any) -> "Expr":
        return _logic("|", Op.OR, self, other)

    def __xor__(self, other: Any) -> "Expr":
        return _logic("^", Op.XOR, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> "Expr":
        a = truth("~", self)
        return a.args[0] if a.op is Op.NOT else node(Op.NOT, (a,), None, 0)


_known: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()


def intern(op: Op, args: tuple[Expr, ...], data: Any, frac: int, source: Any = None) -> Expr:
    """The one node of this structure, without any simplification."""
    # An entry lives as long as its node, which keeps its operands: their addresses are not reused.
    key = (op, tuple(map(id, args)), type(data), data, frac, source)
    return _known.setdefault(key, Expr(op, args, data, frac, source))


def node(op: Op, args: tuple[Expr, ...], data: Any, frac: int, source: Any = None) -> Expr:
    """The node of this structure, or the constant that it always is."""
    made = intern(op, args, data, frac, source)
    low, high = made.bounds
    if low != high or op is Op.CONSTANT:
        return made
    return constant(bool(low) if made.is_bool else low, frac)


def constant(value: int | bool, frac: int = 0, source: Any = None) -> Expr:
    """The node whose integer is `value`."""
    return intern(Op.CONSTANT, (), value, frac, source)


TRUE, FALSE = constant(True), constant(False)


def variable(name: str, low: int, high: int, frac: int = 0) -> Expr:
    """An integer from `low` to `high`, known by `name`; the constant itself if they are equal."""
    if low > high:
        raise SpecError(f"variable {name} must have low <= high, got {low} to {high}")
    return node(Op.VARIABLE, (), (name, low, high), frac)


def walk(*roots: Expr) -> Iterator[Expr]:
    """Every node below `roots`, once, operands before what uses them."""
    seen: set[Expr] = set()
    pending = [(root, False) for root in reversed(roots)]
    while pending:
        at, ready = pending.pop()
        if ready:
            yield at
        elif at not in seen:
            seen.add(at)
            pending.append((at, True))
            pending += [(arg, False) for arg in reversed(at.args) if arg not in seen]


def as_expr(value: Any) -> Expr:
    """`value` as a node: an expression, a truth value or an integer."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return TRUE if value else FALSE
    try:
        return constant(index(value))
    except TypeError:
        pass
    if isinstance(value, float) or hasattr(value, "__float__"):
        raise SpecError(
            f"{value!r} is a float where no format was given; use const({value!r}, frac=12)"
        )
    raise SpecError(
        f"{value!r} is no expression; use an integer, const(value, frac=...) or an expression"
    )


def number(operator: str, value: Any) -> Expr:
    """`value` as a node that is a number."""
    if (expr := as_expr(value)).is_bool:
        raise SpecError(
            f"{operator} got a truth value where a number is needed; use select(condition, 1, 0)"
        )
    return expr


def truth(operator: str, value: Any) -> Expr:
    """`value` as a node that is a truth value."""
    if not (expr := as_expr(value)).is_bool:
        raise SpecError(
            f"{operator} got a number where a truth value is needed; compare it first, such as "
            "(x != 0)"
        )
    return expr


def amount(operator: str, value: Any) -> int:
    """`value` as a plain integer of at least 0."""
    expr = number(operator, value)
    if expr.op is not Op.CONSTANT or expr.frac or expr.data < 0:
        raise SpecError(f"{operator} needs a constant integer of at least 0, got {value!r}")
    return expr.data


def align(operator: str, *values: Any) -> tuple[Expr, ...]:
    """`values` as numbers with one binary point, that of the finest."""
    exprs = [number(operator, value) for value in values]
    frac = max(expr.frac for expr in exprs)
    return tuple(shift_left(e, frac - e.frac, frac=frac) for e in exprs)


def shift_left(a: Expr, shift: int, *, frac: int | None = None) -> Expr:
    """The integer of `a` times 2**shift, with its binary point or that given."""
    new_frac = a.frac if frac is None else frac
    if a.op is Op.CONSTANT:
        return constant(a.data << shift, new_frac, a.source)
    return a if shift == 0 and new_frac == a.frac else node(Op.SHL, (a,), shift, new_frac)


def shift_right(a: Expr, shift: int, rounding: Rounding, *, frac: int | None = None) -> Expr:
    """The integer of `a` over 2**shift, rounded, with its binary point or that given."""
    new_frac = a.frac if frac is None else frac
    if shift == 0:
        return shift_left(a, 0, frac=new_frac)
    return node(Op.ROUND, (a,), (shift, rounding), new_frac)


def difference(a: Expr, b: Expr, sign: int = -1) -> tuple[dict[Expr, int], int]:
    """`Expr.linear` of a - b, or with `sign` 1 of their sum."""
    found = dict(a.linear[0])
    for atom, factor in b.linear[0].items():
        found[atom] = found.get(atom, 0) + sign * factor
    kept = {atom: factor for atom, factor in found.items() if factor}
    return kept, a.linear[1] + sign * b.linear[1]


def _scaled(a: Expr, factor: int) -> tuple[dict[Expr, int], int]:
    found, beside = a.linear
    return {atom: factor * each for atom, each in found.items()}, factor * beside


def _arithmetic(operator: str, op: Op, a: Any, b: Any) -> Expr:
    left, right = align(operator, a, b)
    if right is constant(0, right.frac):
        return left
    if op is Op.ADD and left is constant(0, left.frac):
        return right
    return node(op, (left, right), None, left.frac)


def _product(a: Any, b: Any) -> Expr:
    left, right = number("*", a), number("*", b)
    frac = left.frac + right.frac
    if left.op is Op.CONSTANT:
        left, right = right, left
    if right.op is Op.CONSTANT and right.data > 0 and right.data & (right.data - 1) == 0:
        return shift_left(left, right.data.bit_length() - 1, frac=frac)
    return node(Op.MUL, (left, right), None, frac)


def _step(operator: str, a: Any, b: Any) -> tuple[Expr, int]:
    left, right = align(operator, a, b)
    if right.op is not Op.CONSTANT or right.data < 1:
        raise SpecError(f"{operator} needs a constant of at least 1 on its right, got {b!r}")
    return left, right.data


def _logic(operator: str, op: Op, a: Any, b: Any) -> Expr:
    left, right = truth(operator, a), truth(operator, b)
    if left.op is Op.CONSTANT:
        left, right = right, left
    if right.op is Op.CONSTANT:
        neutral = TRUE if op is Op.AND else FALSE
        if right is neutral:
            return left
        return ~left if op is Op.XOR else right
    if left is right:
        return FALSE if op is Op.XOR else left
    return node(op, (left, right), None, 0)
