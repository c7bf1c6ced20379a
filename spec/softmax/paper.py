"""What the two methods of arXiv 2111.10770 share: integers in which 2^w - 1 stands for one."""

from dataclasses import dataclass

__all__ = ["PaperNumerics"]


@dataclass(frozen=True, kw_only=True)
class PaperNumerics:
    """Formats common to the methods of I. Vasyltsov and W. Chang, arXiv 2111.10770.

    Exponentials, sums and probabilities are all in units of 1 / `full_scale`.

    Parameters
    ----------
    score_bits, score_frac
        Width and binary point of a signed score.
    output_bits
        2, 4, 8 or 16: width of a probability and of a table entry. "int16" has 15 magnitude bits.
    max_length
        Longest row, in elements; sizes the sum.
    """

    score_bits: int
    score_frac: int
    output_bits: int
    max_length: int

    @property
    def addend_bits(self) -> int:
        """Width of a table exponential on its way into the sum."""
        return min(self.output_bits, 15)

    @property
    def full_scale(self) -> int:
        """The integer that stands for one: 2^w - 1, and 32767 for int16."""
        return (1 << self.addend_bits) - 1

    @property
    def max_sum(self) -> int:
        """Largest row sum of table exponentials."""
        return self.full_scale * self.max_length

    @property
    def sum_bits(self) -> int:
        """Width of the row sum, which never overflows."""
        return self.max_sum.bit_length()
