"""Numerics of softmax by a two-dimensional table: exponential, sum, quotient, no multiplication.

Our reading of I. Vasyltsov and W. Chang, "Efficient Softmax Approximation for Deep Neural Networks
with Attention Mechanism", arXiv 2111.10770, the method with LUT_exp and LUT_sigma. What the source
leaves open is decided here and nowhere else:

- a score's distance from the row maximum is rounded half up to a multiple of 0.1;
- entries are rounded to nearest, and the last entry of the exponential table is 0: it stands for
  every distance at or beyond the end of the table;
- the sum is rounded to the nearest integer (no tie exists, because 2^w - 1 is odd) and clipped to
  1 ... `sums`;
- the quotient's row is the table's exponential rounded half up to a multiple of 0.1;
- at 4 and 2 bits the source gives only totals, 367 and 100 entries; 48 + 11 x 29 and 12 + 11 x 8
  are the sizes that we chose to meet them;
- "int16" has 15 magnitude bits: one is 32767.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from spec.softmax.paper import PaperNumerics
from spec.softmax.tables import Table

__all__ = ["QUOTIENT_ROWS", "STEPS_PER_UNIT", "Lut2dNumerics"]

STEPS_PER_UNIT = 10
"""Steps of the exponential table, and rows of the quotient table, in one unit: 0.1 each."""
QUOTIENT_ROWS = STEPS_PER_UNIT + 1

_SIZES = {2: (12, 8), 4: (48, 29), 8: (101, 60), 16: (101, 60)}
"""Output bits -> (entries of the exponential table, columns of the quotient table)."""


@dataclass(frozen=True, kw_only=True)
class Lut2dNumerics(PaperNumerics):
    """Formats and tables of the two-dimensional-table method; `output_bits` selects their sizes."""

    @property
    def exp_entries(self) -> int:
        """Entries of the exponential table."""
        return _SIZES[self.output_bits][0]

    @property
    def sums(self) -> int:
        """Columns of the quotient table: the largest sum, in units of one."""
        return _SIZES[self.output_bits][1]

    @property
    def weight_bits(self) -> int:
        """Width of what waits for the row sum: the quotient's row number, 0 to 10."""
        return 4

    @property
    def factor_bits(self) -> int:
        """Width of the row factor: the quotient's column number, from 0."""
        return (self.sums - 1).bit_length()

    @property
    def aligned_bits(self) -> int:
        """Width of the row factor as the scaling of an element takes it: as it is."""
        return self.factor_bits

    @cached_property
    def exp(self) -> Table:
        """``exp[i] = (2^w - 1) e^(-i/10)``, rounded; the last entry is 0."""
        one = self.full_scale
        entries = [round(one * math.exp(-i / STEPS_PER_UNIT)) for i in range(self.exp_entries - 1)]
        return Table(name="exp", width=self.output_bits, entries=(*entries, 0))

    @cached_property
    def quotient(self) -> Table:
        """``quotient[i * sums + j - 1] = (2^w - 1) (i/10) / j``, rounded half up."""
        one, columns = self.full_scale, range(1, self.sums + 1)
        entries = [
            (2 * one * i + STEPS_PER_UNIT * j) // (2 * STEPS_PER_UNIT * j)
            for i in range(QUOTIENT_ROWS)
            for j in columns
        ]
        return Table(name="quotient", width=self.output_bits, entries=tuple(entries))

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the method."""
        return (self.exp, self.quotient)
