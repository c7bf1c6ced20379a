"""FFT and butterfly matrices in NumPy integers, bit for bit what the gates compute.

All functions take whole batches: vectors have shape (vectors, points). A result is y · 2^exponent,
with one exponent for each vector.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spec.butterfly import Butterfly, block_numbers, insertion, reversed_bits, twiddles
from spec.fixed import saturate

__all__ = [
    "Product",
    "Spectrum",
    "Vectors",
    "bpmm",
    "checked",
    "fft",
    "fft_stages",
    "layer",
]

Integers = NDArray[np.int64]
Truths = NDArray[np.bool_]


class Spectrum(NamedTuple):
    """Complex vectors."""

    re: Integers
    """(vectors, points), `data_bits` wide."""
    im: Integers
    exponent: Integers
    """(vectors,): the result is (re + i·im) · 2^exponent."""
    saturated: Truths
    """(vectors,), True where a component did not fit; never with block floating point."""
    shifts: Integers
    """(vectors, stages + 1): right shift of every stage, and the one at the end."""


class Product(NamedTuple):
    """Real vectors; the fields are those of `Spectrum`."""

    y: Integers
    exponent: Integers
    saturated: Truths
    shifts: Integers


class Vectors:
    """Words between stages, and what is known of each vector."""

    def __init__(self, butterfly: Butterfly, parts: list[Integers]):
        self.butterfly = butterfly
        self.parts = parts
        self.saturated = np.zeros(len(parts[0]), bool)
        self.shifts: list[Integers] = []

    @property
    def points(self) -> int:
        """Words of each."""
        return self.parts[0].shape[1]

    def _excess(self) -> Integers:
        """Bits by which the widest component exceeds `data_bits`: −1 (or less) to 2."""
        widest = np.max([np.maximum(part, ~part).max(axis=1) for part in self.parts], axis=0)
        magnitude = self.butterfly.data_bits - 1
        excess = np.full(len(widest), -1, np.int64)
        for bits in (-1, 0, 1):
            excess += widest >> magnitude + bits > 0
        return excess

    def stage_shift(self, stage: int) -> Integers:
        """The shift of the next stage, (vectors, 1)."""
        fixed = self.butterfly.shift(stage)
        shift = self._excess() if fixed is None else np.full(len(self.saturated), fixed)
        self.shifts.append(shift)
        return shift[:, None]

    def keep(self, value: Integers, width: int) -> Integers:
        """`value` in `width` bits; a vector with one that does not fit is flagged."""
        kept = saturate(value, width, True)
        if self.butterfly.shifts is not None:
            self.saturated |= (kept != value).any(axis=1)
        elif (kept != value).any():
            raise OverflowError(f"a word needs more than {width} bits: the shift was too small")
        return kept

    def finish(self) -> list[Integers]:
        """Round to `data_bits`."""
        if self.butterfly.shifts is None:
            shift = np.maximum(self._excess(), 0)
        else:
            shift = np.zeros(len(self.saturated), np.int64)
        self.shifts.append(shift)
        half = (1 << shift) >> 1
        bits = self.butterfly.data_bits
        rounded = [(part + half[:, None]) >> shift[:, None] for part in self.parts]
        if self.butterfly.shifts is None:
            # Half a unit below what does not exist stays at the greatest that does.
            rounded = [part - (part == 1 << bits - 1) for part in rounded]
        return [self.keep(part, bits) for part in rounded]


def _scaled(frac: int, value: Integers, shift: Integers) -> Integers:
    """Give value / 2^(frac + shift), rounded half up."""
    down = frac + shift
    return (value + (np.int64(1) << down - 1)) >> down


def _interleave(first: Integers, second: Integers, position: int) -> Integers:
    """Results of all items at their indices: a bit inserted at `position` tells them apart."""
    vectors, items = first.shape
    shape = (vectors, items >> position, 1 << position)
    both = np.stack([first.reshape(shape), second.reshape(shape)], axis=2)
    return both.reshape(vectors, 2 * items)


def fft(
    butterfly: Butterfly,
    re: NDArray[np.integer],
    im: NDArray[np.integer] | None = None,
    *,
    inverse: bool = False,
) -> Spectrum:
    """The transform of each vector, or its inverse with 1/points.

    The inverse is the transform of vectors with real and imaginary parts exchanged, exchanged
    again. Error: ``sim.reference.butterfly_bound``.

    Parameters
    ----------
    re, im
        (vectors, points), `data_bits` wide; `im` is zero by default.

    Raises
    ------
    ValueError
        A shape or a value that the description does not define.
    """
    parts = [checked(butterfly, each) for each in (re, np.zeros_like(re) if im is None else im)]
    if parts[0].shape != parts[1].shape:
        raise ValueError(f"re {parts[0].shape} and im {parts[1].shape} must be alike")
    v = Vectors(butterfly, parts[::-1] if inverse else parts)
    frac, half = butterfly.coefficient_frac, v.points // 2
    fft_stages(v, 0, lambda stage: np.array(twiddles(stage, frac))[np.arange(half) % (1 << stage)])
    out = v.finish()
    shifts = np.stack(v.shifts, axis=1)
    exponent = shifts.sum(axis=1) - inverse * (v.points.bit_length() - 1)
    out_re, out_im = out[::-1] if inverse else out
    return Spectrum(out_re, out_im, exponent, v.saturated, shifts)


def fft_stages(v: Vectors, start: int, factors: Callable[[int], Integers]) -> None:
    """The stages of an FFT from `start` on.

    Parameters
    ----------
    factors
        Cosine and sine of every item of a stage, (items, 2) or (vectors, items, 2).
    """
    frac, half = v.butterfly.coefficient_frac, v.points // 2
    for stage in range(start, v.points.bit_length() - 1):
        shift = v.stage_shift(stage)
        cos, sin = np.moveaxis(factors(stage), -1, 0)
        (a_re, a_im), (b_re, b_im) = ([p[:, k : k + half] for p in v.parts] for k in (0, half))
        turned = (cos * b_re + sin * b_im, cos * b_im - sin * b_re)
        v.parts = [
            _interleave(
                *(
                    v.keep(_scaled(frac, (a << frac) + sign * t, shift), v.butterfly.word_bits)
                    for sign in (1, -1)
                ),
                insertion("fft", "", stage),
            )
            for a, t in zip((a_re, a_im), turned, strict=True)
        ]


def bpmm(
    butterfly: Butterfly,
    x: NDArray[np.integer],
    weights: NDArray[np.integer],
    order: str = "decreasing",
) -> Product:
    """Each vector times a butterfly matrix, y = M x.

    Parameters
    ----------
    x
        (vectors, points), `data_bits` wide.
    weights
        (stages, points / 2, 2, 2) in the order in which the factors are applied, with
        `coefficient_frac` bits after the point, from −`weight_max` to `weight_max`. Block b of a
        factor of stride t joins i = 2·(b − b mod t) + b mod t and i + t.

    Raises
    ------
    ValueError
        A shape or a value that the description does not define.
    """
    x = checked(butterfly, x)
    points = x.shape[1]
    stages = points.bit_length() - 1
    if weights.shape != (stages, points // 2, 2, 2):
        raise ValueError(f"weights must be {(stages, points // 2, 2, 2)}, not {weights.shape}")
    if np.abs(weights.astype(np.int64)).max() > butterfly.weight_max:
        raise ValueError(f"a weight lies outside -{butterfly.weight_max} to {butterfly.weight_max}")
    if order == "increasing":
        x = x[:, [reversed_bits(i, stages) for i in range(points)]]
    v = Vectors(butterfly, [x])
    frac, half = butterfly.coefficient_frac, points // 2
    for stage in range(stages):
        shift = v.stage_shift(stage)
        w = weights[stage].astype(np.int64)[block_numbers(points, order, stage)]
        a, b = v.parts[0][:, :half], v.parts[0][:, half:]
        both = (
            v.keep(_scaled(frac, w[:, row, 0] * a + w[:, row, 1] * b, shift), butterfly.word_bits)
            for row in (0, 1)
        )
        v.parts = [_interleave(*both, insertion("bpmm", order, stage))]
    (y,) = v.finish()
    shifts = np.stack(v.shifts, axis=1)
    return Product(y, shifts.sum(axis=1), v.saturated, shifts)


def layer(
    butterfly: Butterfly,
    x: NDArray[np.integer],
    weights: NDArray[np.integer],
    order: str = "decreasing",
) -> Product:
    """A rectangular layer: stacked matrices, of whose results the first `outputs` are kept.

    Parameters
    ----------
    x
        (vectors, inputs).
    weights
        (layer_stacks, stages, layer_points / 2, 2, 2).

    Returns
    -------
    Product
        y (vectors, outputs); exponent and saturated (vectors, layer_stacks), one for each run of
        `layer_points` outputs; shifts (vectors, layer_stacks, stages + 1).
    """
    points, stacks = butterfly.layer_points, butterfly.layer_stacks
    inputs = points if butterfly.inputs is None else butterfly.inputs
    outputs = points if butterfly.outputs is None else butterfly.outputs
    if x.ndim != 2 or x.shape[1] != inputs or len(weights) != stacks:
        raise ValueError(f"the layer has {inputs} inputs and {stacks} matrices")
    padded = np.pad(x, ((0, 0), (0, points - inputs)))
    each = [bpmm(butterfly, padded, weights[stack], order) for stack in range(stacks)]
    return Product(
        np.hstack([product.y for product in each])[:, :outputs],
        np.stack([product.exponent for product in each], axis=1),
        np.stack([product.saturated for product in each], axis=1),
        np.stack([product.shifts for product in each], axis=1),
    )


def checked(butterfly: Butterfly, x: NDArray[np.integer]) -> Integers:
    """The vectors (vectors, points), or a ValueError where the description has no such."""
    if x.ndim != 2:
        raise ValueError(f"vectors must be (vectors, points), not {x.shape}")
    butterfly.check_points("points", x.shape[1])
    x = x.astype(np.int64)
    if x.size and (x.min() < ~butterfly.data_max or x.max() > butterfly.data_max):
        raise ValueError(f"a component lies outside {butterfly.data_bits} signed bits")
    return x
