"""Numerics of softmax by base-2 range reduction: 360 bytes of tables, within 1 LSB for every row.

Our own method. With d = max - score, an integer number of score steps,

    e^-x = 2^-t,  t = d log2(e) 2^-score_frac = n + f          (n integer, 0 <= f < 1)
    W    = floor(fraction[f] 2^guard / 2^n)                     a weight, `sum_weight_bits` wide
    S    = sum of W                                             exact, any order
    S    = 2^(k + sum_weight_bits - 1) m,  1 <= m < 2           normalised
    F    = floor(reciprocal[m] 2^(aligned_bits - reciprocal_bits) / 2^k)
    p    = floor((W >> dropped) F / 2^shift + 1/2)

The reciprocal table carries the output's full scale, so that one is 2^output_bits - 1 without a
multiplication. ``docs/softmax_exact.md`` derives the error budget and shows how the table sizes
were found; ``sim.reference.softmax_bound`` proves the bound for a given score format.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from spec.softmax.tables import Table

__all__ = ["LOG2E_FRAC", "ExactNumerics"]

LOG2E_FRAC = 15
"""Fraction bits of the constant log2(e); 47274 is within 4.9e-6 of it and fits 16 bits."""


@dataclass(frozen=True, kw_only=True)
class ExactNumerics:
    """Formats and tables of the exact method.

    The figures below that have a default were found together by the search in
    ``scripts/search_exact_tables.py`` for 8-bit outputs. Changing one needs a new proof.

    Parameters
    ----------
    score_bits, score_frac
        Width and binary point of a signed score.
    output_bits
        Width of an unsigned probability; one is 2^output_bits - 1.
    max_length
        Longest row, in elements, at most 4096; sizes the sum.
    weight_bits
        Width of the weight that leaves the unit or waits for the row sum.
    fraction_index_bits, fraction_bits, fraction_offset
        The table of 2^-f: log2 of its entries, their width, and where in its interval an entry is
        exact (0 = left end, 1 = right end).
    sum_weight_bits
        Width of a weight on its way into the sum.
    reciprocal_index_bits, reciprocal_bits, reciprocal_gain
        The table of 1/m: log2 of its entries, their width, and a factor that centres the error.
    aligned_bits
        Width of the row factor once its exponent is spent, as wide as a hardware multiplier takes.
    """

    score_bits: int
    score_frac: int
    output_bits: int
    max_length: int
    weight_bits: int
    fraction_index_bits: int = 6
    fraction_bits: int = 10
    fraction_offset: float = 0.2
    sum_weight_bits: int = 22
    reciprocal_index_bits: int = 8
    reciprocal_bits: int = 9
    reciprocal_gain: float = 0.99925
    aligned_bits: int = 18

    @property
    def full_scale(self) -> int:
        """The integer that stands for a probability of one."""
        return (1 << self.output_bits) - 1

    @property
    def log2e_frac(self) -> int:
        """Fraction bits of the constant log2(e)."""
        return LOG2E_FRAC

    @property
    def log2e(self) -> int:
        """log2(e) with `log2e_frac` fraction bits."""
        return round(math.log2(math.e) * (1 << self.log2e_frac))

    @property
    def exponent_frac(self) -> int:
        """Fraction bits of t = d * log2e."""
        return self.log2e_frac + self.score_frac

    @property
    def guard_bits(self) -> int:
        """Bits below a fraction entry that keep what the shift by n pushes out."""
        return self.sum_weight_bits - self.fraction_bits

    @property
    def addend_bits(self) -> int:
        """Width of a weight on its way into the sum."""
        return self.sum_weight_bits

    @property
    def sum_bits(self) -> int:
        """Width of the row sum, which never overflows."""
        return (((1 << self.sum_weight_bits) - 1) * self.max_length).bit_length()

    @property
    def max_exponent(self) -> int:
        """Largest k: the sum is below 2^(sum_weight_bits + k)."""
        return self.sum_bits - self.sum_weight_bits

    @property
    def exponent_bits(self) -> int:
        """Width of k."""
        return max(1, self.max_exponent.bit_length())

    @property
    def factor_bits(self) -> int:
        """Width of the row factor: a reciprocal, and above it the exponent k."""
        return self.factor_mantissa_bits + self.exponent_bits

    @property
    def factor_mantissa_bits(self) -> int:
        """Width of the reciprocal in the row factor: that of a table entry."""
        return self.reciprocal_bits

    @property
    def mantissa_bits(self) -> int:
        """Bits of a sum below its leading one that the factor looks at."""
        return self.reciprocal_index_bits

    @property
    def dropped_bits(self) -> int:
        """Low bits of a weight that count in the sum but are not kept for the product."""
        return self.sum_weight_bits - self.weight_bits

    @property
    def product_shift(self) -> int:
        """Right shift of weight times aligned factor that leaves a probability."""
        return self.aligned_bits + self.weight_bits - 1 - self.output_bits

    @property
    def rounding(self) -> int:
        """What is added to a product before its shift: one half of the result's last place."""
        return 1 << self.product_shift - 1

    @cached_property
    def fraction(self) -> Table:
        """``fraction[i] = 2^(fraction_bits - (i + offset) / entries)``; the top bit is always 1."""
        count, top = 1 << self.fraction_index_bits, 1 << self.fraction_bits
        exact = (top * 2.0 ** (-(i + self.fraction_offset) / count) for i in range(count))
        entries = tuple(min(round(entry), top - 1) - top // 2 for entry in exact)
        return Table(name="fraction", width=self.fraction_bits - 1, entries=entries)

    @cached_property
    def reciprocal(self) -> Table:
        """``reciprocal[i] = 2^bits full_scale / (2^output_bits m)``, m the middle of interval i."""
        count, top = 1 << self.reciprocal_index_bits, 1 << self.reciprocal_bits
        gain = self.reciprocal_gain * self.full_scale / (1 << self.output_bits)
        entries = tuple(round(top * gain / (1 + (i + 0.5) / count)) for i in range(count))
        return Table(name="reciprocal", width=self.reciprocal_bits, entries=entries)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the method."""
        return (self.fraction, self.reciprocal)
