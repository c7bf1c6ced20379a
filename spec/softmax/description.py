"""What a user says of a softmax: its method, formats and longest row."""

from dataclasses import dataclass

from spec.errors import SpecError, check_choice, check_range
from spec.softmax.exact import ExactNumerics
from spec.softmax.exact_wide import ExactWideNumerics
from spec.softmax.lut2d import Lut2dNumerics
from spec.softmax.rexp import ALPHA_ENTRIES, RexpNumerics

__all__ = ["METHODS", "Numerics", "Softmax"]

METHODS = ("exact", "lut2d", "rexp")
_OUTPUT_BITS = {"exact": (8, 16), "lut2d": (2, 4, 8, 16), "rexp": (2, 4, 8, 16)}

Numerics = ExactNumerics | ExactWideNumerics | Lut2dNumerics | RexpNumerics


@dataclass(frozen=True)
class Softmax:
    """A softmax over rows of signed fixed-point scores, ``p = e^(s - max s) / sum e^(s - max s)``.

    Every field changes output bits or the largest accepted row; none changes only speed or area.

    Parameters
    ----------
    method
        ``exact`` (ours, within 1 LSB), ``lut2d`` or ``rexp`` (arXiv 2111.10770).
    score_bits
        Width of a signed score, 8 to 16.
    score_frac
        Its fraction bits, 0 to `score_bits` - 1: a score of 1.0 is 2^score_frac.
    output_bits
        Width of a probability: 8 or 16 for ``exact``; 2, 4, 8 or 16 for the others.
    max_length
        Longest row in elements, 1 to 4096.
    weight_bits
        ``exact`` to 8 bits only: width of the un-normalised weight, 8 to 16. The 1-LSB bound holds
        from 12 on; fewer bits are for a consumer that normalises by itself.
    alpha_entries
        ``rexp`` only: size of its second table, 16, 256, 320 or 512.

    Raises
    ------
    SpecError
        A field breaks its rule.
    """

    method: str = "exact"
    score_bits: int = 16
    score_frac: int = 8
    output_bits: int = 8
    max_length: int = 1024
    weight_bits: int = 12
    alpha_entries: int = 256

    def __post_init__(self) -> None:
        check_choice("Softmax.method", self.method, METHODS)
        check_range("Softmax.score_bits", self.score_bits, 8, 16)
        check_range("Softmax.score_frac", self.score_frac, 0, self.score_bits - 1)
        check_choice("Softmax.output_bits", self.output_bits, _OUTPUT_BITS[self.method])
        check_range("Softmax.max_length", self.max_length, 1, 4096)
        check_range("Softmax.weight_bits", self.weight_bits, 8, 16)
        check_choice("Softmax.alpha_entries", self.alpha_entries, ALPHA_ENTRIES)
        for field, owner in (("weight_bits", "exact"), ("alpha_entries", "rexp")):
            if self.method != owner and getattr(self, field) != type(self).__dict__[field]:
                raise SpecError(
                    f"Softmax.{field} is for method {owner}, but method is {self.method}"
                )
        if self.output_bits == 16 and self.weight_bits != type(self).weight_bits:
            raise SpecError(
                f"Softmax.weight_bits is for 8-bit outputs, but output_bits is {self.output_bits}; "
                f"leave it at {type(self).weight_bits}"
            )

    @property
    def score_min(self) -> int:
        """The lowest score."""
        return -(1 << self.score_bits - 1)

    @property
    def score_max(self) -> int:
        """The highest score."""
        return (1 << self.score_bits - 1) - 1

    @property
    def numerics(self) -> Numerics:
        """The formats and tables of the chosen method."""
        common = {
            "score_bits": self.score_bits,
            "score_frac": self.score_frac,
            "output_bits": self.output_bits,
            "max_length": self.max_length,
        }
        if self.method == "lut2d":
            return Lut2dNumerics(**common)
        if self.method == "rexp":
            return RexpNumerics(**common, alpha_entries=self.alpha_entries)
        if self.output_bits == 16:
            return ExactWideNumerics(**common)
        return ExactNumerics(**common, weight_bits=self.weight_bits)
