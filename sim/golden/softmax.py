"""Softmax in NumPy integers, bit for bit what the gates compute.

All functions take whole batches: scores and probabilities have shape (rows, length).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spec.softmax import (
    ExactNumerics,
    ExactWideNumerics,
    Lut2dNumerics,
    Numerics,
    RexpNumerics,
)
from spec.softmax.exact_wide import SLOPE_FRAC

__all__ = ["Probabilities", "Weights", "element", "factors", "normalise", "softmax", "weights"]

Integers = NDArray[np.int64]


class Weights(NamedTuple):
    """Un-normalised rows: what leaves the unit before the row sum is known, and the sum."""

    weight: Integers
    """(rows, length), `weight_bits` wide; 0 where masked."""
    total: Integers
    """(rows,), `sum_bits` wide; 0 where a row is empty."""


class Probabilities(NamedTuple):
    """Normalised rows."""

    p: Integers
    """(rows, length), `output_bits` wide; full_scale stands for one."""
    empty: NDArray[np.bool_]
    """(rows,), True where every element is masked."""


def softmax(
    numerics: Numerics, scores: NDArray[np.integer], visible: NDArray[np.bool_] | None = None
) -> Probabilities:
    """Probabilities of each row.

    Parameters
    ----------
    scores
        (rows, length) integers in the numerics' score format; 1 <= length <= max_length.
    visible
        (rows, length), True where an element takes part; all of them by default.

    Raises
    ------
    ValueError
        A shape or a value that the numerics do not define.
    """
    seen = np.ones(scores.shape, bool) if visible is None else visible
    row = weights(numerics, scores, seen)
    p = normalise(numerics, row.weight, factors(numerics, row.total))
    return Probabilities(np.where(seen, p, 0), np.asarray(~seen.any(axis=1)))


def weights(numerics: Numerics, scores: NDArray[np.integer], visible: NDArray[np.bool_]) -> Weights:
    """Un-normalised weights and their sums; see `softmax` for the parameters."""
    if scores.ndim != 2 or scores.shape != visible.shape:
        raise ValueError(f"scores {scores.shape} and visible {visible.shape} must be 2-D and alike")
    if not 1 <= scores.shape[1] <= numerics.max_length:
        raise ValueError(f"a row has 1 to {numerics.max_length} elements, not {scores.shape[1]}")
    s = scores.astype(np.int64)
    half = 1 << numerics.score_bits - 1
    if s.size and (s.min() < -half or s.max() >= half):
        raise ValueError(f"a score lies outside {numerics.score_bits} signed bits")
    row_max = np.where(visible, s, -half).max(axis=1, keepdims=True)
    distance = np.where(visible, row_max - s, 0)
    weight, addend = element(numerics, distance)
    weight, addend = np.where(visible, weight, 0), np.where(visible, addend, 0)
    return Weights(weight, addend.sum(axis=1))


def element(numerics: Numerics, distance: Integers) -> tuple[Integers, Integers]:
    """Weights, and what they add to the sum, of distances to the row maximum; of any shape."""
    return _ELEMENT[type(numerics)](numerics, distance)


def factors(numerics: Numerics, total: Integers) -> Integers:
    """The one number a row's weights are scaled by, (rows,), `factor_bits` wide.

    For ``exact``: a reciprocal entry, and the exponent k above it. An empty row's factor is 0.
    """
    return np.where(total == 0, 0, _FACTOR[type(numerics)](numerics, total))


def normalise(numerics: Numerics, weight: Integers, factor: Integers) -> Integers:
    """Probabilities (rows, length) of weights (rows, length) and factors (rows,)."""
    return _SCALE[type(numerics)](numerics, weight, factor[:, None])


def _round_divide(value: Integers, divisor: int) -> Integers:
    return (2 * value + divisor) // (2 * divisor)


def _exact_element(n: ExactNumerics, distance: Integers) -> tuple[Integers, Integers]:
    t = distance * n.log2e
    whole = t >> n.exponent_frac
    index = (t >> (n.exponent_frac - n.fraction_index_bits)) & ((1 << n.fraction_index_bits) - 1)
    fraction = np.array(n.fraction.entries)[index] + (1 << n.fraction_bits - 1)
    weight = (fraction << n.guard_bits) >> np.minimum(whole, 63)
    return weight >> n.dropped_bits, weight


def _sum_exponent(n: ExactNumerics, total: Integers) -> Integers:
    k = np.zeros_like(total)
    for exponent in range(1, n.max_exponent + 1):
        k += total >> (n.sum_weight_bits - 1 + exponent) > 0
    return k


def _exact_factor(n: ExactNumerics, total: Integers) -> Integers:
    k = _sum_exponent(n, total)
    mantissa = (total >> k) >> (n.sum_weight_bits - 1 - n.reciprocal_index_bits)
    index = mantissa & ((1 << n.reciprocal_index_bits) - 1)
    entry = np.array(n.reciprocal.entries)[index]
    return entry | k << n.reciprocal_bits


def _exact_scale(n: ExactNumerics, weight: Integers, factor: Integers) -> Integers:
    bits = n.factor_mantissa_bits
    reciprocal, k = factor & ((1 << bits) - 1), factor >> bits
    aligned = (reciprocal << (n.aligned_bits - bits)) >> k
    return (weight * aligned + n.rounding) >> n.product_shift


def _exact_wide_element(n: ExactWideNumerics, distance: Integers) -> tuple[Integers, Integers]:
    t = distance * n.log2e
    whole = t >> n.exponent_frac
    f_bits = n.fraction_index_bits + n.fine_bits
    f = (t >> n.exponent_frac - f_bits) & (1 << f_bits) - 1
    entry = np.array(n.fraction.entries)[f >> n.fine_bits] + (1 << n.fraction_bits - 1)
    line = n.line_start - ((f & (1 << n.fine_bits) - 1) * n.slope >> SLOPE_FRAC)
    mantissa = entry * line >> n.fraction_bits
    weight = (mantissa << n.guard_bits) >> np.minimum(whole, 63)
    return weight >> n.dropped_bits, weight


def _exact_wide_factor(n: ExactWideNumerics, total: Integers) -> Integers:
    k = _sum_exponent(n, total)
    mantissa = (total >> k) >> (n.sum_weight_bits - 1 - n.mantissa_bits)
    mantissa &= (1 << n.mantissa_bits) - 1
    entry = np.array(n.reciprocal.entries)[mantissa >> n.mantissa_bits - n.reciprocal_index_bits]
    # The sum continues below the mantissa; half a unit stands for what is cut off.
    short = n.one - (entry << n.mantissa_bits) - (entry >> 1) - mantissa * entry
    step = n.correction_shift
    correction = (entry * (short >> n.short_shift) + (1 << step - 1)) >> step
    refined = (entry << n.aligned_bits - n.reciprocal_bits) + correction
    return refined | k << n.factor_mantissa_bits


def _lut2d_element(n: Lut2dNumerics, distance: Integers) -> tuple[Integers, Integers]:
    step = _round_divide(distance * 10, 1 << n.score_frac)
    exp = np.array(n.exp.entries)[np.minimum(step, n.exp_entries - 1)]
    return _round_divide(10 * exp, n.full_scale), exp


def _lut2d_factor(n: Lut2dNumerics, total: Integers) -> Integers:
    return np.clip(_round_divide(total, n.full_scale), 1, n.sums) - 1


def _lut2d_scale(n: Lut2dNumerics, weight: Integers, factor: Integers) -> Integers:
    return np.array(n.quotient.entries)[weight * n.sums + factor]


def _rexp_element(n: RexpNumerics, distance: Integers) -> tuple[Integers, Integers]:
    step = _round_divide(distance, 1 << n.score_frac)
    exp = np.array(n.exp.entries)[np.minimum(step, len(n.exp) - 1)]
    return exp, exp


def _rexp_factor(n: RexpNumerics, total: Integers) -> Integers:
    index = np.minimum(_round_divide(total, n.full_scale), n.alpha_entries - 1)
    return np.array(n.alpha.entries)[index]


def _rexp_scale(n: RexpNumerics, weight: Integers, factor: Integers) -> Integers:
    return _round_divide(weight * factor, n.full_scale)


_ELEMENT = {
    ExactNumerics: _exact_element,
    ExactWideNumerics: _exact_wide_element,
    Lut2dNumerics: _lut2d_element,
    RexpNumerics: _rexp_element,
}
_FACTOR = {
    ExactNumerics: _exact_factor,
    ExactWideNumerics: _exact_wide_factor,
    Lut2dNumerics: _lut2d_factor,
    RexpNumerics: _rexp_factor,
}
_SCALE = {
    ExactNumerics: _exact_scale,
    ExactWideNumerics: _exact_scale,
    Lut2dNumerics: _lut2d_scale,
    RexpNumerics: _rexp_scale,
}
