"""Which units fill the places of a softmax, by the numerics of its method."""

from typing import Any, NamedTuple

from hw.softmax.exact import ExactAlign, ExactElement, ExactFactor, ExactScale
from hw.softmax.exact_wide import ExactWideElement, ExactWideFactor
from hw.softmax.lut2d import Lut2dElement, Lut2dFactor, Lut2dScale
from hw.softmax.rexp import RexpElement, RexpFactor, RexpScale
from spec.softmax import ExactNumerics, ExactWideNumerics, Lut2dNumerics, Numerics, RexpNumerics

__all__ = ["Units", "copies_of", "units_of"]


class Units(NamedTuple):
    """Unit classes of fixed latency; each is built from the numerics alone."""

    element: Any
    """A distance and its visibility to a weight and an addend."""
    factor: Any
    """A row's sum to the factor of its weights."""
    align: Any
    """The factor to the form that the scaling takes; None where that is the same."""
    scale: Any
    """A weight and the aligned factor to a probability."""


_UNITS = {
    ExactNumerics: Units(ExactElement, ExactFactor, ExactAlign, ExactScale),
    ExactWideNumerics: Units(ExactWideElement, ExactWideFactor, ExactAlign, ExactScale),
    Lut2dNumerics: Units(Lut2dElement, Lut2dFactor, None, Lut2dScale),
    RexpNumerics: Units(RexpElement, RexpFactor, None, RexpScale),
}


def units_of(numerics: Numerics) -> Units:
    """The units of a method."""
    return _UNITS[type(numerics)]


def copies_of(numerics: Numerics, lanes: int) -> dict[str, int]:
    """Copies of each table, by its name: one a lane for what every element needs."""
    per_row = {"reciprocal", "alpha"}
    return {table.name: 1 if table.name in per_row else lanes for table in numerics.tables}
