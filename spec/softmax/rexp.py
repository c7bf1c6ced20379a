"""Numerics of softmax by the reciprocal exponential: e^-x, times one over the sum, from two tables.

Our reading of I. Vasyltsov and W. Chang, arXiv 2111.10770, the REXP method. What the source leaves
open is decided here and nowhere else:

- a score's distance from the row maximum is rounded half up to an integer and clipped to the
  table's last entry;
- entries are rounded to nearest;
- the sum is rounded to the nearest integer (no tie exists, because 2^w - 1 is odd) and clipped to
  the alpha table's last index; index 0 holds the same as index 1;
- the product of two w-bit entries is divided by 2^w - 1 exactly, rounded to nearest;
- at 16 bits "int16" has 15 magnitude bits: one is 32767.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from spec.softmax.paper import PaperNumerics
from spec.softmax.tables import Table

__all__ = ["ALPHA_ENTRIES", "RexpNumerics"]

ALPHA_ENTRIES = (16, 256, 320, 512)
"""Sizes of the alpha table that the source gives."""


@dataclass(frozen=True, kw_only=True)
class RexpNumerics(PaperNumerics):
    """Formats and tables of the reciprocal-exponential method.

    Parameters
    ----------
    alpha_entries
        Entries of the alpha table: 16, 256, 320 or 512. Larger sums are clipped.
    """

    alpha_entries: int

    @property
    def weight_bits(self) -> int:
        """Width of what waits for the row sum: the table's exponential."""
        return self.addend_bits

    @property
    def factor_bits(self) -> int:
        """Width of the row factor: an alpha entry."""
        return self.addend_bits

    @property
    def aligned_bits(self) -> int:
        """Width of the row factor as the scaling of an element takes it: as it is."""
        return self.factor_bits

    @cached_property
    def exp(self) -> Table:
        """``exp[i] = (2^w - 1) / e^i`` for i = 0 ... x_q + 1, x_q = ceil(ln(2^w - 1))."""
        one = self.full_scale
        last = math.ceil(math.log(one)) + 1
        entries = tuple(round(one * math.exp(-i)) for i in range(last + 1))
        return Table(name="exp", width=self.output_bits, entries=entries)

    @cached_property
    def alpha(self) -> Table:
        """``alpha[j] = (2^w - 1) / j``, rounded half up; ``alpha[0] = alpha[1]``."""
        one = self.full_scale
        entries = tuple((2 * one + j) // (2 * j) for j in (1, *range(1, self.alpha_entries)))
        return Table(name="alpha", width=self.output_bits, entries=entries)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the method."""
        return (self.exp, self.alpha)
