"""What Python asks of numbers and an expression cannot answer: refused, with what to write."""

from typing import Any

from spec.errors import SpecError

__all__ = ["NoValueYet"]


class NoValueYet:
    """Refuses every operation that needs a value while the expression is being written down."""

    def __bool__(self) -> bool:
        raise SpecError(
            "`if`, `and`, `or`, `not`, min(), max() or a chained comparison asks whether an "
            "expression is true, but it has no value yet; use select(condition, a, b), & | ~, "
            "minimum, maximum"
        )

    def _no_number(self, *_: Any) -> Any:
        raise SpecError(
            "a function was called that needs a number, but an expression has no value yet; use "
            "tabulate(function, x, out_frac=...), which makes a table of it"
        )

    __float__ = __int__ = __index__ = __complex__ = __round__ = __floor__ = __ceil__ = _no_number
    __trunc__ = __array__ = _no_number
    __array_ufunc__ = None

    def _no_division(self, _: Any) -> Any:
        raise SpecError(
            "/ is not exact in integers; use // for its floor, >> by a power of two, or multiply "
            "by const(1 / x, frac=...)"
        )

    __truediv__ = __rtruediv__ = _no_division

    def _no_constant(self, _: Any) -> Any:
        raise SpecError(
            "//, %, << and >> take an integer constant on their right; use tabulate(function, x, "
            "out_frac=...) where it is a variable"
        )

    __rlshift__ = __rrshift__ = __rfloordiv__ = __rmod__ = _no_constant

    def __pow__(self, _: Any) -> Any:
        raise SpecError("** is not an operator of expressions; write x * x")
