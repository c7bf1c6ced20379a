"""The FFT of long vectors in two layers, in NumPy integers: bit for bit what the gates compute."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.golden import butterfly as golden
from sim.golden.butterfly import Integers, Spectrum, Truths, Vectors, checked, fft_stages
from sim.golden.mixing import align, rounded
from spec.butterfly import Butterfly, division, twiddle

__all__ = ["Divided", "divided", "transform"]


class Divided(NamedTuple):
    """Complex vectors, (re + i·im) · 2^exponent."""

    re: Integers
    """(vectors, points), `data_bits` wide."""
    im: Integers
    exponent: Integers
    """(vectors,)."""
    saturated: Truths
    """(vectors,), True where a component did not fit; never with block floating point."""
    first_shifts: Integers
    """(vectors, V, stages + 2): right shifts of each vector of the first layer: of its stages, of
    the end, and to the common exponent."""
    second_shifts: Integers
    """The same of the second layer's."""


def divided(
    butterfly: Butterfly,
    re: NDArray[np.integer],
    im: NDArray[np.integer] | None = None,
    *,
    inverse: bool = False,
) -> Divided:
    """The transform of each vector, or its inverse with 1/points, in two layers.

    Each layer is `spec.butterfly.division`'s; its vectors have their own exponents, and are brought
    to the greatest of them with one rounding. Error: ``sim.reference.butterfly_bound``.

    Raises
    ------
    ValueError
        A shape or a value that the description does not define.
    """
    parts = [checked(butterfly, each) for each in (re, np.zeros_like(re) if im is None else im)]
    if parts[0].shape != parts[1].shape:
        raise ValueError(f"re {parts[0].shape} and im {parts[1].shape} must be alike")
    vectors, points = parts[0].shape
    stages, log2_vectors = division(points)
    length, count, start = 1 << stages, 1 << log2_vectors, stages - log2_vectors
    # (vectors, V, L): words i, i + V, …
    columns = [part.reshape(vectors, length, count).swapaxes(1, 2) for part in parts]
    if inverse:
        columns.reverse()
    first = Vectors(butterfly, [part.reshape(-1, length) for part in columns])
    frac, items = butterfly.coefficient_frac, length // 2
    fft_stages(first, 0, lambda stage: _factors(stage, 1, items, frac)[0])
    middle, common_1, shifts_1 = _aligned(first, vectors)
    # Word r + V·b of vector i becomes word i·2^start + b of vector r.
    rows = [
        part.reshape(vectors, count, 1 << start, count).transpose(0, 3, 1, 2) for part in middle
    ]
    second = Vectors(butterfly, [part.reshape(-1, length) for part in rows])
    fft_stages(
        second,
        start,
        lambda stage: np.tile(_factors(stage, count, items, frac), (vectors, 1, 1)),
    )
    found, common_2, shifts_2 = _aligned(second, vectors)
    out = [part.swapaxes(1, 2).reshape(vectors, points) for part in found]
    if inverse:
        out.reverse()
    flags = np.stack([each.saturated.reshape(vectors, count) for each in (first, second)])
    exponent = common_1 + common_2 - inverse * (points.bit_length() - 1)
    return Divided(out[0], out[1], exponent, np.asarray(flags.any(axis=(0, 2))), shifts_1, shifts_2)


def _factors(stage: int, count: int, items: int, frac: int) -> Integers:
    """W_{2^(stage+1)}^(k + r/count) of every r and item, (count, items, 2)."""
    finer = count.bit_length() - 1
    each = [
        [twiddle(stage + finer, k * count + r, frac) for k in range(1 << stage)]
        for r in range(count)
    ]
    return np.array(each)[:, np.arange(items) % (1 << stage)]


def _aligned(v: Vectors, blocks: int) -> tuple[list[Integers], Integers, Integers]:
    """A layer's vectors (blocks, V, L) at one exponent a block; the exponents; all shifts."""
    parts = v.finish()
    length = v.points
    shifts = np.stack(v.shifts, axis=1).reshape(blocks, -1, len(v.shifts))
    each = [align(exponent) for exponent in shifts.sum(axis=2)]
    down = np.stack([shift for shift, _ in each])
    brought = [
        rounded(part.reshape(blocks, -1, length), down[:, :, None], v.butterfly.data_bits)
        for part in parts
    ]
    common = np.array([exponent for _, exponent in each])
    return brought, common, np.concatenate([shifts, down[:, :, None]], axis=2)


def transform(
    butterfly: Butterfly, re: Integers, im: Integers, *, inverse: bool = False
) -> Spectrum | Divided:
    """The transform as the description has it, divided or not."""
    if butterfly.divided_from is None:
        return golden.fft(butterfly, re, im, inverse=inverse)
    return divided(butterfly, re, im, inverse=inverse)
