"""Numerics of the exact softmax for 16-bit outputs: corrections where tables would be too large.

As ``spec.softmax.exact``, with a mantissa and a reciprocal of 18 bits:

    2^-f  = fraction[f_high] (1 - f_low ln 2)                 f = f_high + f_low, 7 and 9 bits
    1 / m = r + r (1 - m r),  r = reciprocal[m]               one step of Newton's method

The straight line errs by less than 2e-6 of the fraction, Newton's step by the square of the
table's error, 2^-18. ``sim.reference.softmax_bound`` proves the bound.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from spec.softmax.exact import ExactNumerics
from spec.softmax.tables import Table

__all__ = ["SLOPE_FRAC", "ExactWideNumerics"]

SLOPE_FRAC = 14
"""Fraction bits of the straight line's slope."""


@dataclass(frozen=True, kw_only=True)
class ExactWideNumerics(ExactNumerics):
    """Formats and tables of the exact method for 16-bit outputs.

    Parameters
    ----------
    fine_bits
        Bits of f below the table's index, spent by the straight line.
    line_start
        Value of the straight line at its left end, in units of 2^-18; below one to centre it.
    reciprocal_excess, rounding_excess
        What centres the truncations: added to full scale in Newton's step, and to the half that
        rounds a probability, both in LSB.
    """

    weight_bits: int = 18
    fraction_index_bits: int = 7
    fraction_bits: int = 18
    fraction_offset: float = 0.0
    sum_weight_bits: int = 30
    reciprocal_index_bits: int = 8
    reciprocal_bits: int = 11
    reciprocal_gain: float = 1.0
    fine_bits: int = 9
    line_start: int = (1 << 18) - 1
    reciprocal_excess: float = 0.1
    rounding_excess: float = 0.15

    @property
    def log2e_frac(self) -> int:
        """Fraction bits of log2(e); 189097 is within 4.3e-7 of it and fits 18 bits."""
        return 17

    @property
    def mantissa_bits(self) -> int:
        """Bits of a sum below its leading one that the factor looks at."""
        return 18

    @property
    def short_shift(self) -> int:
        """Low bits dropped of 1 - m r, so that a multiplier takes it."""
        return 4

    @property
    def short_bits(self) -> int:
        """Width of what is left of 1 - m r, signed; r errs by less than 2^-8."""
        return self.mantissa_bits + self.reciprocal_bits - 8 - self.short_shift + 1

    @property
    def correction_shift(self) -> int:
        """Right shift of r (1 - m r) that leaves units of the refined reciprocal."""
        dropped = self.reciprocal_bits - self.aligned_bits - self.short_shift
        return self.mantissa_bits + self.reciprocal_bits + dropped

    @property
    def factor_mantissa_bits(self) -> int:
        """Width of the refined reciprocal."""
        return self.aligned_bits

    @property
    def slope(self) -> int:
        """What the straight line loses a unit of f_low, in 2^-18, with `SLOPE_FRAC` more bits."""
        step = 2.0 ** -(self.fraction_index_bits + self.fine_bits)
        # The chord from left to right end, not the tangent: the error is halved.
        width = 1 << self.fine_bits
        drop = (1 - 2.0 ** -(step * width)) / width
        return round(drop * 2.0 ** (18 + SLOPE_FRAC))

    @property
    def one(self) -> int:
        """What mantissa times reciprocal should be: full scale instead of 1."""
        scale = 1 << self.mantissa_bits + self.reciprocal_bits
        return round(scale * (self.full_scale + self.reciprocal_excess) / (1 << self.output_bits))

    @property
    def rounding(self) -> int:
        """One half of the result's last place, and `rounding_excess`."""
        return round((0.5 + self.rounding_excess) * (1 << self.product_shift))

    @cached_property
    def fraction(self) -> Table:
        """``fraction[i] = 2^(18 - i / entries)``, at most 2^18 - 1; the top bit is always 1."""
        count, top = 1 << self.fraction_index_bits, 1 << self.fraction_bits
        entries = tuple(
            min(round(top * 2.0 ** (-i / count)), top - 1) - top // 2 for i in range(count)
        )
        return Table(name="fraction", width=self.fraction_bits - 1, entries=entries)

    @cached_property
    def reciprocal(self) -> Table:
        """``reciprocal[i] = 2^bits / m``, m the middle of interval i, geometrically."""
        count, top = 1 << self.reciprocal_index_bits, 1 << self.reciprocal_bits
        entries = tuple(
            min(round(top / math.sqrt((1 + i / count) * (1 + (i + 1) / count))), top - 1)
            for i in range(count)
        )
        return Table(name="reciprocal", width=self.reciprocal_bits, entries=entries)
