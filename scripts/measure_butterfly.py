"""Measure the butterfly core: cycles and use of its units at every size, and signal to noise.

Run from the repository's root:  python -m scripts.measure_butterfly [-o FILE]

Cycles are those of `sim.cycle`, which tests hold equal to the gates'.
"""

import argparse
from pathlib import Path

import numpy as np

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.timing import ButterflyTiming
from sim.cycle.butterfly import JobSize, butterfly_cycles
from sim.golden import butterfly as golden
from sim.golden.mixing import butterflies, mixing, plain_butterflies
from sim.reference import butterfly as reference
from spec import Butterfly

SIZES = tuple(1 << n for n in range(3, 14))
UNITS, STREAM_WORDS = 4, 2
BLOCKS = ((128, 64), (128, 1024), (1024, 1024))

CYCLES = """\
# Butterfly core: cycles and use of the units

Measured by `python -m scripts.measure_butterfly`. Four units, two words a cycle of input and of
output, a core generated for that size. *Use* is butterflies done / (4 · cycles), of the vectors
beyond the first batches of a long stream; it is the same for FFT and butterfly matrices. A *lone*
vector counts from its first word in to its last word out; *use, lone* is from its first step to its
last. *With its matrix*: a lone product while whose vector the matrix is loaded too, four blocks a
cycle.

| points | vectors of a batch | cycles a vector | use | lone: cycles | use, lone | with its matrix |
|---|---|---|---|---|---|---|
"""

NOISE = """\

# Butterfly core: signal to quantisation noise

In dB against float64 on the same integers, block floating point, 64 vectors of white noise over the
whole range of both parts; *quiet* is noise of half the bits. BPMM: weights of white noise too.
Data and coefficients have 16 and 18 bits but for one column, where they have 14 and 16.

| points | FFT | quiet | inverse | FFT, 14 and 16 | BPMM |
|---|---|---|---|---|---|
"""

LOUD = """\

# Butterfly core: signals as loud as the format has them

The same formats, block floating point, FFT. Every word of every stage is checked to fit its bits:
none of these signals ever overflows. Signal to noise in dB, the worst of each kind: *tones* of the
greatest amplitude, on 64 frequencies of the transform and between them; *impulses* of the least
and greatest component at 64 places; *squares*, both components at once, of 1 to 32 periods. What
is strong in a few words only shares its exponent with the rounding of all others. *Silence* is the
greatest component that comes of zeros.

| points | tones on | tones between | impulses | squares | silence |
|---|---|---|---|---|---|
"""

MIXING = """\

# Real-input mixing

Re(FFT_N(FFT_D(x))) by `sim.golden.mixing`: butterflies against those of the plain method, a
transform of every row and every column; and signal to noise of the result, 16 bits.

| rows × columns | butterflies | plain | share | SNR, dB |
|---|---|---|---|---|
"""


def cycles_row(points: int) -> str:
    config = ButterflyConfig(
        butterfly=Butterfly(points=points), units=UNITS, stream_words=STREAM_WORDS
    )
    batch = ButterflyTiming(config).batch_vectors(config.stages)
    few, more, one = (
        butterfly_cycles(config, [JobSize(points=points, vectors=vectors)])
        for vectors in (10 * batch, 20 * batch, 1)
    )
    cycles = (more.delivered[-1] - few.delivered[-1]) / (10 * batch)
    product = ButterflyConfig(
        butterfly=Butterfly("bpmm", points=points), units=UNITS, stream_words=STREAM_WORDS
    )
    lone = butterfly_cycles(product, [JobSize(points=points, vectors=1, bpmm=True)])
    use = (more.steps - few.steps) / (10 * batch) / cycles
    return (
        f"| {points} | {batch} | {cycles:.1f} | {use:.3f} | {one.total} "
        f"| {one.steps / one.busy:.3f} | {lone.total} |\n"
    )


def snr_db(exact: np.ndarray, got: np.ndarray) -> float:
    return 10 * np.log10((abs(exact) ** 2).sum() / (abs(exact - got) ** 2).sum())


def fft_snr(points: int, data: int, coefficient: int, quiet: int = 0, inverse: bool = False):
    butterfly = Butterfly(points=points, data_bits=data, coefficient_bits=coefficient)
    rng, most = np.random.default_rng(points), butterfly.data_max
    re, im = rng.integers(-most, most, (2, 64, points), endpoint=True) >> quiet
    got = golden.fft(butterfly, re, im, inverse=inverse)
    exact = (reference.inverse if inverse else reference.fft)(re + 1j * im)
    return snr_db(exact, (got.re + 1j * got.im) * 2.0 ** got.exponent[:, None])


def bpmm_snr(points: int) -> float:
    butterfly = Butterfly("bpmm", points=points)
    rng, most = np.random.default_rng(points), butterfly.data_max
    x = rng.integers(-most, most, (16, points), endpoint=True)
    top = butterfly.weight_max
    shape = (butterfly.stages, points // 2, 2, 2)
    weights = rng.integers(-top, top, shape, endpoint=True)
    got = golden.bpmm(butterfly, x, weights)
    exact = x.astype(np.float64)
    for stage, stride in enumerate(reference.strides(points, "decreasing")):
        exact = apply_factor(exact, weights[stage] / 2.0**butterfly.coefficient_frac, stride)
    return snr_db(exact, got.y * 2.0 ** got.exponent[:, None])


def apply_factor(x: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """One factor without its dense matrix, which would be large."""
    pairs = x.reshape(len(x), -1, 2, stride)
    blocks = weights.reshape(-1, stride, 2, 2)
    return np.einsum("vbjs,bsij->vbis", pairs, blocks).reshape(x.shape)


def noise_row(points: int) -> str:
    figures = (
        fft_snr(points, 16, 18),
        fft_snr(points, 16, 18, quiet=8),
        fft_snr(points, 16, 18, inverse=True),
        fft_snr(points, 14, 16),
        bpmm_snr(points),
    )
    return f"| {points} | {' | '.join(f'{figure:.1f}' for figure in figures)} |\n"


def loud_row(points: int) -> str:
    butterfly = Butterfly(points=points)
    t, high, low = np.arange(points), butterfly.data_max, ~butterfly.data_max
    every = np.arange(64)[:, None] * (points // 64)

    def tones(between: float) -> np.ndarray:
        return np.rint(high * np.exp(2j * np.pi * (every + between) * t / points))

    periods = np.arange(1, 33)[:, None]
    squares = np.where(2 * periods * t // points % 2 == 0, high, low) * (1 + 1j)
    kinds = (tones(0), tones(0.5), np.where(t == every, low + high * 1j, 0), squares)
    figures = [loud_snr(butterfly, x) for x in kinds]
    silence = golden.fft(butterfly, np.zeros((1, points), np.int64))
    most = max(abs(silence.re).max(), abs(silence.im).max())
    return f"| {points} | {' | '.join(f'{figure:.1f}' for figure in figures)} | {most} |\n"


def loud_snr(butterfly: Butterfly, x: np.ndarray) -> float:
    """The worst vector's; the golden model raises an OverflowError if a word does not fit."""
    got = golden.fft(butterfly, np.real(x).astype(np.int64), np.imag(x).astype(np.int64))
    off = (got.re + 1j * got.im) * 2.0 ** got.exponent[:, None] - reference.fft(x)
    share = (abs(off) ** 2).sum(axis=1) / (abs(reference.fft(x)) ** 2).sum(axis=1)
    return float(-10 * np.log10(share.max()))


def mixing_row(rows: int, columns: int) -> str:
    butterfly = Butterfly("mixing", points=max(rows, columns))
    x = np.random.default_rng(rows).integers(-32767, 32767, (rows, columns), endpoint=True)
    got = mixing(butterfly, x)
    done, plain = butterflies(rows, columns), plain_butterflies(rows, columns)
    snr = snr_db(reference.mixing(x.astype(np.float64)), got.y * 2.0**got.exponent)
    return f"| {rows} × {columns} | {done} | {plain} | {done / plain:.3f} | {snr:.1f} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/butterfly.md"))
    arguments = parser.parse_args()
    text = CYCLES + "".join(map(cycles_row, SIZES))
    text += NOISE + "".join(map(noise_row, SIZES[3:]))
    text += LOUD + "".join(map(loud_row, SIZES[3:]))
    text += MIXING + "".join(mixing_row(*block) for block in BLOCKS)
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
