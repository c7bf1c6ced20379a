"""Fixed-point numbers: range, quantisation, and the exact rules of rounding and saturation.

`hw.lib.arith` builds the same rules in gates. Everything that works on integers uses operators
only, so that NumPy integer arrays pass through element by element; they must be signed and wide
enough for the intermediate sum, as NumPy wraps silently.
"""

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

__all__ = ["FixedFormat", "Rounding", "bounds", "round_shift", "saturate"]


class Rounding(Enum):
    """What becomes of the bits below the last one kept."""

    FLOOR = "floor"
    """They are dropped: towards minus infinity."""

    HALF_UP = "half_up"
    """To nearest, ties towards plus infinity: one adder."""

    HALF_EVEN = "half_even"
    """To nearest, ties to even: no bias, and one gate more."""


def bounds(width: int, signed: bool) -> tuple[int, int]:
    """Least and greatest integer of `width` bits, two's complement if `signed`."""
    if signed:
        return -(1 << (width - 1)), (1 << (width - 1)) - 1
    return 0, (1 << width) - 1


def round_shift(value: Any, shift: int, rounding: Rounding) -> Any:
    """Round value / 2**shift exactly; an int, or elementwise a NumPy integer array."""
    if shift < 0:
        raise ValueError(f"round_shift's shift must be at least 0, got {shift}")
    if shift == 0 or rounding is Rounding.FLOOR:
        return value >> shift
    half = 1 << (shift - 1)
    if rounding is Rounding.HALF_UP:
        return (value + half) >> shift
    # A tie rounds up only if that makes the result even, that is if the bit kept last is 1.
    return (value + (half - 1) + ((value >> shift) & 1)) >> shift


def saturate(value: Any, width: int, signed: bool) -> Any:
    """`value`, or the nearest of `width` bits; an int, or elementwise a NumPy integer array."""
    low, high = bounds(width, signed)
    return value + (value < low) * (low - value) + (value > high) * (high - value)


@dataclass(frozen=True)
class FixedFormat:
    """Numbers of `width` bits, of which `frac` are after the binary point.

    The integer i of such a number means i · 2**-frac. `frac` may exceed `width` or be negative.

    Parameters
    ----------
    width
        Bits in all, at least 1.
    frac
        Bits after the binary point, any integer.
    signed
        Two's complement if true.
    """

    width: int
    frac: int
    signed: bool

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"FixedFormat.width must be at least 1, got {self.width}")

    @property
    def min(self) -> int:
        """Least integer."""
        return bounds(self.width, self.signed)[0]

    @property
    def max(self) -> int:
        """Greatest integer."""
        return bounds(self.width, self.signed)[1]

    @property
    def step(self) -> float:
        """Real value of the integer 1; a power of two, and exact."""
        return 2.0**-self.frac

    def __contains__(self, integer: int) -> bool:
        return self.min <= integer <= self.max

    def holds(self, other: "FixedFormat") -> bool:
        """Whether every number of `other` is exactly one of this format."""
        if self.frac < other.frac:
            return False
        shift = self.frac - other.frac
        return other.min << shift in self and other.max << shift in self

    def to_real(self, integer: Any) -> Any:
        """Real value of `integer`, or elementwise of a NumPy array; exact up to 53 bits."""
        return integer * self.step

    def quantise(self, x: float | Fraction, rounding: Rounding, saturate: bool = True) -> int:
        """Integer of the number nearest to `x` by `rounding`, computed exactly.

        Beyond the range it saturates, infinities too; without `saturate` it is an
        `OverflowError`.
        """
        if isinstance(x, float) and not math.isfinite(x):
            if math.isnan(x):
                raise ValueError("FixedFormat.quantise got NaN, which has no nearest number")
            integer = self.max + 1 if x > 0 else self.min - 1
        else:
            scaled = Fraction(x) * Fraction(2) ** self.frac
            if rounding is Rounding.FLOOR:
                integer = math.floor(scaled)
            elif rounding is Rounding.HALF_UP:
                integer = math.floor(scaled + Fraction(1, 2))
            else:
                integer = round(scaled)
        if integer not in self and not saturate:
            low, high = self.to_real(self.min), self.to_real(self.max)
            raise OverflowError(f"{x} is beyond {low} to {high}, the range of {self}")
        return max(self.min, min(self.max, integer))
