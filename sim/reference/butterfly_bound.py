"""How far the integers of `sim.golden` may be from the mathematics: bounds that hold for all data.

A bound follows from the shifts that the data chose. All are of a complex word's modulus, in units
of the result's last bit.
"""

import numpy as np
from numpy.typing import NDArray

from spec.butterfly import Butterfly

__all__ = ["divided_bound", "fft_bound", "mixing_bound"]

Reals = NDArray[np.float64]
ROUNDING = np.sqrt(0.5)
"""Half a unit of each component, as a modulus."""


def fft_bound(
    butterfly: Butterfly, shifts: NDArray[np.integer], start: Reals | float = 0.0
) -> Reals:
    """Greatest distance of each vector's words to the exact transform of the exact input.

    A stage's result is a ± W·b, of which a and b are off by e, and W, of modulus at most 1, by t;
    its sum is divided by 2^k, and each component rounded.

    Parameters
    ----------
    shifts
        (vectors, stages + 1), as in ``sim.golden.butterfly.Spectrum``; nothing was saturated.
    start
        Distance of the input to its exact value, for each vector.
    """
    off = np.sqrt(0.5) * 2.0**-butterfly.coefficient_frac
    e = np.broadcast_to(np.asarray(start, np.float64), (len(shifts),))
    for shift in shifts[:, :-1].T:
        fits = butterfly.data_bits + (shift if butterfly.shifts is None else 2)
        modulus = np.sqrt(2.0) * 2.0 ** (fits - 1)
        e = (e + (1 + off) * e + off * (modulus + e)) / 2.0**shift + ROUNDING
    return e / 2.0 ** shifts[:, -1] + ROUNDING


def divided_bound(
    butterfly: Butterfly, first_shifts: NDArray[np.integer], second_shifts: NDArray[np.integer]
) -> Reals:
    """Greatest distance of each vector's words of ``sim.golden.division`` to the exact result."""
    found = []
    for first, second in zip(first_shifts, second_shifts, strict=True):
        between = fft_bound(butterfly, first[:, :-1]) / 2.0 ** first[:, -1] + ROUNDING
        at_end = fft_bound(butterfly, second[:, :-1], between.max())
        found.append((at_end / 2.0 ** second[:, -1]).max() + ROUNDING)
    return np.array(found)


def mixing_bound(
    butterfly: Butterfly, row_shifts: NDArray[np.integer], column_shifts: NDArray[np.integer]
) -> float:
    """Greatest distance of any word of ``sim.golden.mixing.mixing`` to the exact result."""
    rows = fft_bound(butterfly, row_shifts[:, :-1]) / 2.0 ** row_shifts[:, -1] + ROUNDING
    # The shared vector's word is off by the error of two real ones.
    columns = fft_bound(butterfly, column_shifts[:, :-1], np.sqrt(2.0) * rows.max())
    return float((columns / 2.0 ** column_shifts[:, -1]).max() + 0.5)
