"""Re(FFT_N(FFT_D(x))) of a real block in NumPy integers, with half the plain method's work.

Two rows are one complex vector, columns 1 to D/2 − 1 stand for those beyond D/2, and columns 0 and
D/2, whose words are real, are one complex vector.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.golden.butterfly import Integers, Spectrum, fft
from spec.butterfly import Butterfly
from spec.fixed import saturate

__all__ = ["Mixed", "align", "butterflies", "mixing", "plain_butterflies", "rounded"]


class Mixed(NamedTuple):
    """A real block."""

    y: Integers
    """(rows, columns), `data_bits` wide."""
    exponent: int
    """The result is y · 2^exponent."""
    saturated: bool
    """Whether a component did not fit; never with block floating point."""
    row_shifts: Integers
    """Right shifts of each row vector: of the stages, of the end, and to the common exponent."""
    column_shifts: Integers
    """The same of each column vector."""


def mixing(butterfly: Butterfly, x: NDArray[np.integer]) -> Mixed:
    """Mix a block (rows, columns), each a power of two from 8 to `points`.

    Error: ``sim.reference.butterfly_bound``.

    Raises
    ------
    ValueError
        A shape or a value that the description does not define.
    """
    if x.ndim != 2:
        raise ValueError(f"a block is (rows, columns), not {x.shape}")
    rows, columns = x.shape
    half = columns // 2
    z = fft(butterfly, x[0::2], x[1::2])
    down, common = align(z.exponent)
    mirror = -np.arange(columns) % columns
    # Twice the transforms of the two rows; the shift has one more bit for it.
    even = (z.re + z.re[:, mirror], z.im - z.im[:, mirror])
    odd = (z.im + z.im[:, mirror], z.re[:, mirror] - z.re)
    re, im = (
        rounded(np.stack(pair, axis=1), (down + 1)[:, None, None], butterfly.data_bits)
        .reshape(rows, columns)
        .T
        for pair in zip(even, odd, strict=True)
    )
    # Column 0 and column D/2 share a vector: one is its real part, one its imaginary part.
    f = fft(
        butterfly, np.vstack([re[:1], re[1:half]]), np.vstack([re[half : half + 1], im[1:half]])
    )
    y, back, exponent = _columns(butterfly, f, half)
    return Mixed(
        y,
        int(common + exponent),
        bool(z.saturated.any() or f.saturated.any()),
        np.column_stack([z.shifts, down]),
        np.column_stack([f.shifts, back]),
    )


def _columns(butterfly: Butterfly, f: Spectrum, half: int) -> tuple[Integers, Integers, np.int64]:
    """The real block of the columns' transforms: y, their shifts to one exponent, and that."""
    down, common = align(f.exponent)
    rows = f.re.shape[1]
    mirror = -np.arange(rows) % rows
    y = np.zeros((rows, 2 * half), np.int64)
    bits = butterfly.data_bits
    first, twice = f.re[0] + f.re[0, mirror], f.im[0] + f.im[0, mirror]
    y[:, 0], y[:, half] = (rounded(part, down[0] + 1, bits) for part in (first, twice))
    inner = rounded(f.re[1:], down[1:, None], bits)
    y[:, 1:half] = inner.T
    y[:, half + 1 :] = inner[::-1, mirror].T
    return y, down, common


def align(exponent: Integers) -> tuple[Integers, np.int64]:
    """Right shifts that bring vectors to one exponent, the greatest, and that exponent."""
    common = exponent.max()
    return common - exponent, common


def rounded(value: Integers, shift: Integers, bits: int) -> Integers:
    """Value / 2^shift rounded half up; what just rounds out of `bits` stays at the greatest."""
    return saturate((value + ((1 << shift) >> 1)) >> shift, bits, True)


def butterflies(rows: int, columns: int) -> int:
    """Butterflies of `mixing`: rows / 2 transforms of a row, columns / 2 of a column."""
    return rows // 2 * _of_one(columns) + columns // 2 * _of_one(rows)


def plain_butterflies(rows: int, columns: int) -> int:
    """Butterflies of the plain method: a transform of every row and of every column."""
    return rows * _of_one(columns) + columns * _of_one(rows)


def _of_one(points: int) -> int:
    return points // 2 * (points.bit_length() - 1)
