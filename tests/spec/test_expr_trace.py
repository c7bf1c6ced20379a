import functools
import math
import re

import numpy as np
import pytest

from spec.errors import SpecError
from spec.expr import (
    TRUE,
    const,
    constant,
    lookup,
    maximum,
    minimum,
    per_head,
    per_position,
    round_shift,
    round_to,
    saturate,
    select,
    tabulate,
    trace,
    variable,
)
from spec.fixed import FixedFormat, Rounding

S = variable("s", -(1 << 15), (1 << 15) - 1, 8)
MASK = {
    "b": constant(0),
    "h": variable("h", 0, 7),
    "q": variable("q", 0, 63),
    "k": variable("k", 0, 63),
}
SCORE = {"s": S, **MASK}
H, Q, K = MASK["h"], MASK["q"], MASK["k"]


def test_a_function_is_traced_once():
    calls = []

    def mask(b, h, q, k):
        calls.append(1)
        return (q >= k) & (q - k < 8)

    assert trace(mask, MASK) is ((Q >= K) & (Q - K < 8))
    assert calls == [1]


def test_equal_graphs_are_one_object():
    assert Q + K is Q + K
    assert variable("q", 0, 63) is Q
    assert variable("q", 0, 62) is not Q
    assert constant(1) is not TRUE


def test_plain_numbers_are_results():
    assert trace(lambda b, h, q, k: True, MASK) is TRUE
    assert trace(lambda b, h, q, k: np.bool_(True), MASK) is TRUE
    assert trace(lambda s, b, h, q, k: np.int64(4), SCORE) is constant(4)
    assert trace(lambda s, b, h, q, k: np.int64(4) * q, SCORE) is Q * 4
    assert trace(lambda x: x + 1, {"x": Q}, returns="number") is Q + 1


def branch(b, h, q, k):
    limit = 3
    if q < k:
        return q > limit
    return q <= limit


ASKED = "use select(condition, a, b), & | ~, minimum, maximum"
TABLE = "use tabulate(function, x, out_frac=...)"

REJECTED = [
    (branch, ASKED),
    (lambda b, h, q, k: q > 1 and k > 1, ASKED),
    (lambda b, h, q, k: not q > 1, ASKED),
    (lambda b, h, q, k: 1 < q < 3, ASKED),
    (lambda b, h, q, k: min(q, k) > 1, ASKED),
    (lambda b, h, q, k: q * 0.3 > 1, "0.3 is a float where no format was given; use const(0.3, "),
    (lambda b, h, q, k: q > np.float32(1), "is a float where no format was given; use const("),
    (lambda b, h, q, k: const(0.3) > q, "const(0.3) is no integer, so it needs frac; use frac=12"),
    (lambda b, h, q, k: const(math.inf, 3) > q, "const takes a finite number, got inf"),
    (lambda b, h, q, k: const(q, 3) > q, "const takes a plain number, not an expression"),
    (lambda b, h, q, k: math.tanh(q) > 0, TABLE),
    (lambda b, h, q, k: int(q) > 0, TABLE),
    (lambda b, h, q, k: round(q) > 0, TABLE),
    (lambda b, h, q, k: [1, 2, 3][q] > 0, TABLE),
    (lambda b, h, q, k: np.tanh(q) > 0, TABLE),
    (lambda b, h, q, k: math.hypot(q, k) > 0, TABLE),
    (lambda b, h, q, k: q, "a mask must return a truth value, got a number; compare it"),
    (lambda b, h, q, k: 7, "a mask must return a truth value, got a number; compare it"),
    (lambda b, h, q, k: None, "the function returns None; return an expression"),
    (lambda b, h, q, k: "yes", "'yes' is no expression; use an integer, const("),
    (lambda b, h, q, k: q.abs > 1, "AttributeError: 'Expr' object has no attribute 'abs'"),
    (lambda b, h, q, k: (q & 1) == 0, "& got a number where a truth value is needed; compare it"),
    (lambda b, h, q, k: ~q == 0, "~ got a number where a truth value is needed"),
    (
        lambda b, h, q, k: (q < k) + 1 > 0,
        "+ got a truth value where a number is needed; use select",
    ),
    (lambda b, h, q, k: abs(q < k) > 0, "abs got a truth value where a number is needed"),
    (lambda b, h, q, k: q / 2 > 0, "/ is not exact in integers; use // for its floor"),
    (lambda b, h, q, k: 2 / q > 0, "/ is not exact in integers; use // for its floor"),
    (lambda b, h, q, k: q**2 > 0, "** is not an operator of expressions; write x * x"),
    (lambda b, h, q, k: q % k > 0, "% needs a constant of at least 1 on its right, got <Expr"),
    (lambda b, h, q, k: q // 0 > 0, "// needs a constant of at least 1 on its right, got 0"),
    (lambda b, h, q, k: 9 % q > 0, "take an integer constant on their right; use tabulate("),
    (lambda b, h, q, k: 1 << q > 0, "take an integer constant on their right; use tabulate("),
    (lambda b, h, q, k: q >> -1 > 0, ">> needs a constant integer of at least 0, got -1"),
    (lambda b, h, q, k: q << k > 0, "<< needs a constant integer of at least 0, got <Expr"),
    (lambda b, h, q, k: select(q, 1, 2) > 0, "select's condition got a number where a truth"),
    (lambda b, h, q, k: saturate(q) > 0, "saturate takes either width or both low and high"),
    (lambda b, h, q, k: saturate(q, 0) > 0, "saturate's width must be an integer of at least 1"),
    (lambda b, h, q, k: saturate(q, low=1, high=k) > 0, "low and high must be constants; use min"),
    (lambda b, h, q, k: saturate(q, low=2, high=1) > 0, "saturate must have low <= high, got 2 to"),
    (lambda b, h, q, k: round_shift(q, -1) > 0, "round_shift's shift must be an integer of at "),
    (lambda b, h, q, k: round_to(q, 0.5) > 0, "round_to's frac must be an integer, got 0.5"),  # type: ignore[arg-type]
    (lambda b, h, q, k: lookup([1, 2.5], q) > 0, "lookup's values must be at least one, and all"),  # type: ignore[arg-type]
    (lambda b, h, q, k: lookup([], q) > 0, "lookup's values must be at least one, and all"),
    (lambda b, h, q, k: lookup([1], const(0.5, 1) * q) > 0, "lookup's address must be an integer"),
    (lambda b, h, q, k: per_head([1, 2])(h) > 0, "per_head has 2 values, but there are 8 heads"),
    (lambda b, h, q, k: per_position([1])(q) > 0, "per_position has 1 values, but there are 64 p"),
    (lambda b, h, q, k: per_head([])(h) > 0, "per_head needs at least one value"),
    (lambda b, h, q, k: per_head([0.5] * 8)(h) > 0, "const(0.5) is no integer, so it needs frac"),
    (
        lambda b, h, q, k: tabulate(lambda x: 1 / x, q, out_frac=4) > 0,
        "tabulate's function has no finite value at 0.0 (float division by zero); limit x first",
    ),
    (
        lambda b, h, q, k: tabulate(math.exp, q, out_frac=4, index_bits=0) > 0,
        "tabulate's index_bits must be from 1 to 16, got 0",
    ),
]


@pytest.mark.parametrize(("mask", "text"), REJECTED)
def test_a_mistake_is_named_by_its_line(mask, text):
    with pytest.raises(SpecError, match=re.escape(text)) as caught:
        trace(mask, MASK)
    first = mask.__code__.co_firstlineno
    line = first + 2 if mask is branch else first
    assert str(caught.value).startswith(f"{__file__}:{line}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda q, k: q, "a function of 4 parameters (b, h, q, k) is needed, got one of (q, k)"),
        (lambda *, q: q, "use lambda b, h, q, k: ..."),
    ],
)
def test_the_wrong_number_of_parameters(function, text):
    with pytest.raises(SpecError, match=re.escape(text)) as caught:
        trace(function, MASK)
    assert str(caught.value).startswith(f"{__file__}:{function.__code__.co_firstlineno}: ")


def test_what_is_no_function():
    with pytest.raises(SpecError, match=r"a function of \(b, h, q, k\) is needed, got 3; use lamb"):
        trace(3, MASK)  # type: ignore[arg-type]


def test_a_score_must_be_a_number():
    with pytest.raises(SpecError, match="a score modifier must return a number, got a truth value"):
        trace(lambda s, b, h, q, k: s > 0, SCORE)


def test_partial_functions_and_callable_objects_have_lines_too():
    class Mask:
        def __call__(self, b, h, q, k):
            return q * 0.5 > k

    line = Mask.__call__.__code__.co_firstlineno
    for function in (Mask(), Mask().__call__, functools.partial(Mask(), 0)):
        bound = isinstance(function, functools.partial)
        variables = {name: node for name, node in MASK.items() if name != "b" or not bound}
        with pytest.raises(SpecError, match=f":{line + 1}: 0.5 is a float"):
            trace(function, variables)


def test_a_mistake_outside_of_a_trace_has_no_line():
    with pytest.raises(SpecError, match=r"^0\.5 is a float"):
        _ = Q + 0.5
    with pytest.raises(SpecError, match="variable x must have low <= high, got 3 to 2"):
        variable("x", 3, 2)
    with pytest.raises(SpecError, match=r"^minimum got a truth value"):
        minimum(Q < K, 1)
    with pytest.raises(SpecError, match=r"^maximum got a truth value"):
        maximum(1, Q < K)


def test_a_defect_of_ours_is_not_blamed_on_the_user():
    # FixedFormat is of this package, and takes no lists.
    with pytest.raises(TypeError):
        trace(lambda b, h, q, k: FixedFormat(8, 0, True).quantise([], Rounding.FLOOR), MASK)  # type: ignore[arg-type]
