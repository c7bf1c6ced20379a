import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.fixed import FixedFormat, Rounding, bounds, round_shift, saturate


def exactly(x: Fraction, rounding: Rounding) -> int:
    """The rule of every rounding in words of its own: fractions and distances."""
    below, above = math.floor(x), math.floor(x) + 1
    if rounding is Rounding.FLOOR or x - below < above - x:
        return below
    if x - below > above - x or rounding is Rounding.HALF_UP:
        return above
    return below if below % 2 == 0 else above


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", range(6))
def test_round_shift_is_the_exact_quotient_rounded(rounding, shift):
    for value in range(-130, 131):
        assert round_shift(value, shift, rounding) == exactly(Fraction(value, 1 << shift), rounding)


@pytest.mark.parametrize("rounding", Rounding)
def test_round_shift_and_saturate_work_on_arrays(rounding):
    values = np.arange(-300, 300)
    rounded = round_shift(values, 3, rounding)
    assert rounded.tolist() == [round_shift(int(v), 3, rounding) for v in values]
    assert saturate(values, 6, True).tolist() == [saturate(int(v), 6, True) for v in values]
    assert saturate(values, 6, False).tolist() == [saturate(int(v), 6, False) for v in values]


def test_a_negative_shift_is_rejected():
    with pytest.raises(ValueError, match="round_shift's shift must be at least 0, got -1"):
        round_shift(1, -1, Rounding.FLOOR)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_saturate_gives_the_nearest_in_range(width, signed):
    low, high = bounds(width, signed)
    assert high - low + 1 == 1 << width
    for value in range(-70, 71):
        assert saturate(value, width, signed) == min(
            range(low, high + 1), key=lambda x: abs(x - value)
        )


@pytest.mark.parametrize("rounding", Rounding)
@given(x=st.fractions(-40, 40, max_denominator=64), frac=st.integers(-2, 5))
def test_quantise_is_exact_and_saturates(rounding, x, frac):
    fixed = FixedFormat(6, frac, signed=True)
    scaled = exactly(x * Fraction(2) ** frac, rounding)
    assert fixed.quantise(x, rounding) == saturate(scaled, 6, True)


@given(st.integers(-(2**15), 2**15 - 1), st.integers(-20, 20))
def test_what_is_quantised_comes_back(integer, frac):
    fixed = FixedFormat(16, frac, signed=True)
    for rounding in Rounding:
        assert fixed.quantise(fixed.to_real(integer), rounding) == integer


def test_a_float_is_taken_at_its_exact_value():
    # 0.1 as a float is above one tenth, so the tie it looks like is none.
    assert FixedFormat(8, 0, signed=False).quantise(5 * 0.1 + 2**-50, Rounding.HALF_EVEN) == 1
    assert FixedFormat(8, 0, signed=False).quantise(0.5, Rounding.HALF_EVEN) == 0
    assert FixedFormat(8, 0, signed=False).quantise(0.5, Rounding.HALF_UP) == 1


def test_infinities_saturate_and_nan_is_rejected():
    fixed = FixedFormat(8, 4, signed=True)
    assert fixed.quantise(math.inf, Rounding.FLOOR) == 127
    assert fixed.quantise(-math.inf, Rounding.FLOOR) == -128
    with pytest.raises(ValueError, match="got NaN, which has no nearest number"):
        fixed.quantise(math.nan, Rounding.FLOOR)


@pytest.mark.parametrize("x", [8.0, -8.1, math.inf])
def test_without_saturation_overflow_is_an_error(x):
    with pytest.raises(OverflowError, match=r"is beyond -8.0 to 7.9375, the range of FixedFormat"):
        FixedFormat(8, 4, signed=True).quantise(x, Rounding.FLOOR, saturate=False)


def test_range_step_and_containment():
    fixed = FixedFormat(8, 4, signed=True)
    assert (fixed.min, fixed.max, fixed.step) == (-128, 127, 0.0625)
    assert -128 in fixed and 127 in fixed and 128 not in fixed
    assert fixed.to_real(np.array([16, -8])).tolist() == [1.0, -0.5]
    assert fixed.holds(FixedFormat(6, 2, signed=True))
    assert fixed.holds(FixedFormat(5, 2, signed=False))
    assert not fixed.holds(FixedFormat(6, 2, signed=False))
    assert not fixed.holds(FixedFormat(4, 5, signed=True))


def test_a_format_of_no_bits_is_rejected():
    with pytest.raises(ValueError, match=r"FixedFormat\.width must be at least 1, got 0"):
        FixedFormat(0, 0, signed=False)
