"""The largest error that the exact softmax can make, over every row there is.

Enumeration, not sampling. A probability depends on its own distance d and on the sum alone, and on
the sum only through its exponent and its top mantissa bits. For every d and every such interval of
sums the gates give one number; the true sum that belongs to an integer sum lies in an interval too,
because every weight's relative error is known (all distances are enumerated) and each of at most
max_length weights lost less than one unit to its shift. Rounding is monotonic, so both ends of the
interval bound the error. The result holds for every row of at most max_length elements.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from sim.golden.softmax import factors, normalise, weights
from spec.softmax import ExactNumerics, ExactWideNumerics

__all__ = ["ErrorBound", "RealBound", "exact_error_bound", "exact_wide_error_bound"]

CHUNK = 64
SPARE_BITS = 60
"""Width of a weight whose shift loses nothing that matters."""


class ErrorBound(NamedTuple):
    """What no row can exceed."""

    error_lsb: int
    """Largest |p - correctly rounded p|, in units of the last place."""
    largest: int
    """Largest integer that the scaling can produce; above full_scale it would overflow."""
    relative_low: float
    relative_high: float
    """Range of a weight's relative error before its shift drops bits."""


def exact_error_bound(n: ExactNumerics) -> ErrorBound:
    """Bound the error of the exact method for these formats and tables."""
    # Past this distance a probability is below a quarter of an LSB for every row.
    far = _reach(n, math.log(4 * n.full_scale))
    gone = _reach(n, n.sum_weight_bits + 1)
    distance = np.arange(gone + 1)
    weight, addend = _elements(n, distance)
    true = np.exp(-distance / 2.0**n.score_frac)
    unit = float(1 << n.sum_weight_bits)
    relative = _unshifted(n, distance) / true - 1
    low, high = float(relative.min()), float(relative.max())

    first, last = _sum_intervals(n)
    factor = factors(n, first)
    error, largest = 0, 0
    for part in np.array_split(np.arange(far + 1), max(1, far // CHUNK)):
        row = part[:, None]
        # The row holds its maximum, of distance 0, and the element itself.
        alone = row == 0
        own = np.where(alone, addend[0], addend[0] + addend[row])
        own_true = np.where(alone, 1.0, 1.0 + true[row])
        possible = last >= own
        if n.max_length == 1:
            possible &= alone
        p = normalise(n, np.broadcast_to(weight[row], (len(part), len(first))).T, factor).T
        rest_low, rest_high = np.maximum(first, own) - own, np.maximum(last, own) - own
        sum_low = own_true + rest_low / (unit * (1 + high))
        sum_high = own_true + (rest_high + n.max_length - 1) / (unit * (1 + low))
        exact = n.full_scale * true[row]
        for end in (sum_low, sum_high):
            off = np.abs(p - np.floor(exact / end + 0.5))
            error = max(error, int(off[possible].max(initial=0)))
        largest = max(largest, int(p[possible].max(initial=0)))
    return ErrorBound(error, largest, low, high)


class RealBound(NamedTuple):
    """How far a probability can be from its real value before it is rounded, in LSB."""

    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether no rounded probability is more than 1 LSB from the correctly rounded one."""
        return self.low > -1 and self.high < 1


def exact_wide_error_bound(n: ExactWideNumerics) -> RealBound:
    """Bound the error of the 16-bit exact method for these formats and tables.

    As `exact_error_bound`, but the factor follows the sum closely, so that it is bounded by its
    largest relative errors over all mantissas, and the quotient by intervals of sums that are wide
    next to a unit and narrow next to the sum.
    """
    far = _reach(n, math.log(8 * n.full_scale))
    gone = _reach(n, n.sum_weight_bits + 1)
    distance = np.arange(gone + 1)
    _, addend = _elements(n, distance)
    true = np.exp(-distance / 2.0**n.score_frac)
    unit = float(1 << n.sum_weight_bits)
    # With this many bits more, no weight that counts loses any to its shift.
    _, unshifted = _elements(dataclasses.replace(n, sum_weight_bits=SPARE_BITS), distance)
    relative = unshifted / (true * float(1 << SPARE_BITS))
    low, high = float(relative.min()), float(relative.max())
    factor_low, factor_high = _factor_range(n)

    sums = np.unique(_sum_intervals(n)[0])
    first, last = sums, np.append(sums[1:], 2 * sums[-1])
    worst_low = worst_high = 0.0
    for part in np.array_split(np.arange(far + 1), max(1, far // CHUNK)):
        row = part[:, None]
        alone = row == 0
        own = np.where(alone, addend[0], addend[0] + addend[row])
        own_true = np.where(alone, 1.0, 1.0 + true[row])
        possible = last > own
        start, end = np.maximum(first, own), np.maximum(last, own)
        # S / unit is between these multiples of the true sum, at either end of the interval.
        exact = n.full_scale * true[row]
        kept = addend[row] >> n.dropped_bits << n.dropped_bits
        # Aligning the factor cuts less than one unit of it, unless there is no exponent to spend.
        k = np.floor(np.log2(start)) - (n.sum_weight_bits - 1)
        cut = (kept >> n.dropped_bits) / (1 << n.product_shift) * (k > 0)
        extra = n.rounding / (1 << n.product_shift) - 0.5
        for total in (start, end):
            got = n.full_scale * kept / total
            sum_low = own_true + (total - own) / (unit * high)
            sum_high = own_true + (total - own + n.max_length - 1) / (unit * low)
            off_low = got * factor_low - exact / sum_low - cut + extra
            off_high = got * factor_high - exact / sum_high + extra
            worst_low = min(worst_low, float(off_low[possible].min(initial=0)))
            worst_high = max(worst_high, float(off_high[possible].max(initial=0)))
    return RealBound(worst_low, worst_high)


def _factor_range(n: ExactWideNumerics) -> tuple[float, float]:
    """Least and largest refined reciprocal, as a multiple of full scale over the mantissa."""
    mantissa = np.arange(1 << n.mantissa_bits, 2 << n.mantissa_bits)
    total = mantissa << n.sum_weight_bits - 1 - n.mantissa_bits
    refined = factors(n, total) & ((1 << n.factor_mantissa_bits) - 1)
    scale = n.full_scale / 2.0 ** (n.output_bits - n.aligned_bits) * 2.0**n.mantissa_bits
    return float((refined * mantissa / scale).min()), float(
        (refined * (mantissa + 1) / scale).max()
    )


def _reach(n: ExactNumerics, nats: float) -> int:
    """Largest distance up to `nats` that a row can hold; a row of one element holds only 0."""
    if n.max_length == 1:
        return 0
    return min((1 << n.score_bits) - 1, math.ceil(nats * 2**n.score_frac))


def _elements(n: ExactNumerics, distance):
    """Weight and addend of each distance, by the golden model: one row holds 0 and -d."""
    weight, addend = np.empty_like(distance), np.empty_like(distance)
    top = (1 << n.score_bits - 1) - 1
    if n.max_length == 1:  # the only distance there is
        weight[:], addend[:] = 0, 0
        row = weights(n, np.array([[top]]), np.array([[True]]))
        weight[0], addend[0] = row.weight[0, 0], row.total[0]
        return weight, addend
    pairs = np.stack([np.full_like(distance, top), top - distance], axis=1)
    row = weights(n, pairs, np.ones(pairs.shape, bool))
    weight[:] = row.weight[:, 1]
    addend[:] = row.total - row.total[0] // 2
    return weight, addend


def _unshifted(n: ExactNumerics, distance):
    """Weights as fractions of one, before a shift drops bits."""
    t = distance * n.log2e
    index = (t >> (n.exponent_frac - n.fraction_index_bits)) & ((1 << n.fraction_index_bits) - 1)
    entry = np.array(n.fraction.entries)[index] + (1 << n.fraction_bits - 1)
    return entry * 2.0**-n.fraction_bits * 2.0 ** -(t >> n.exponent_frac).astype(float)


def _sum_intervals(n: ExactNumerics):
    """First and last integer of every interval of sums with one factor."""
    first, last = [], []
    for exponent in range(n.max_exponent + 1):
        base = 1 << n.sum_weight_bits - 1 + exponent
        step = base >> n.reciprocal_index_bits
        starts = base + step * np.arange(1 << n.reciprocal_index_bits)
        first.append(starts)
        last.append(starts + step - 1)
    return np.concatenate(first), np.concatenate(last)
