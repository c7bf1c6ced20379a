"""Measure the core of two layers: cycles and use of its units, and signal to noise.

Run from the repository's root:  python -m scripts.measure_two_layer [-o FILE]

Cycles are those of `sim.cycle`, which tests hold equal to the gates'.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import BlockShape
from hw.butterfly.mixing import MixingConfig
from scripts.measure_butterfly import BLOCKS, snr_db
from sim.cycle.two_layer import BlockSize, two_layer_cycles
from sim.golden.division import divided
from sim.reference import butterfly as reference
from spec import Butterfly

SIZES = tuple(1 << n for n in range(6, 14))
SHORT, LONG = 6, 16
"""Blocks of two streams: the first ones' cycles are left out."""

DIVIDED = """\
# Butterfly core of two layers: long vectors

Measured by `python -m scripts.measure_two_layer`. Preset `butterfly_8192`: four units, two words a
cycle of input and of output, and the same with four. *Use* is butterflies done / (4 · cycles), of
the vectors beyond the first ones of a long stream. A *lone* vector counts from its first word in to
its last word out. SNR in dB against float64: 64 vectors of white noise over the whole range.

| points | layers | cycles a vector | use | use, four words | lone: cycles | SNR |
|---|---|---|---|---|---|---|
"""

MIXED = """\

# Butterfly core of two layers: mixing

Four units; two words a cycle, and four. A block's steps are a half of the plain method's.

| rows × columns | steps a block | cycles a block | use | use, four words | lone: cycles |
|---|---|---|---|---|---|
"""


def stream(config: Any, shape: BlockShape) -> tuple[float, float]:
    """Cycles a block, and use of the units, in a long stream."""
    few, more = (
        two_layer_cycles(config, [BlockSize(shape=shape, blocks=blocks)])
        for blocks in (SHORT, LONG)
    )
    cycles = more.delivered[-1] - few.delivered[-1]
    return cycles / (LONG - SHORT), (more.steps - few.steps) / cycles


def lone(config: Any, shape: BlockShape) -> int:
    return two_layer_cycles(config, [BlockSize(shape=shape, blocks=1)]).total


def divided_row(points: int) -> str:
    butterfly = Butterfly(points=max(SIZES), divided_from=min(SIZES))
    two, four = (DividedConfig(butterfly=butterfly, stream_words=words) for words in (2, 4))
    shape = two.shape_of(points)
    cycles, use = stream(two, shape)
    rng = np.random.default_rng(points)
    re, im = rng.integers(-32767, 32767, (2, 64, points), endpoint=True)
    got = divided(butterfly, re, im)
    exact = reference.fft(re + 1j * im)
    snr = snr_db(exact, (got.re + 1j * got.im) * 2.0 ** got.exponent[:, None])
    return (
        f"| {points} | {shape.vectors[0]} × {shape.points[0]} | {cycles:.1f} | {use:.3f} "
        f"| {stream(four, shape)[1]:.3f} | {lone(two, shape)} | {snr:.1f} |\n"
    )


def mixing_row(rows: int, columns: int) -> str:
    butterfly = Butterfly("mixing", points=max(rows, columns), rows=rows, columns=columns)
    two, four = (MixingConfig(butterfly=butterfly, stream_words=words) for words in (2, 4))
    shape = two.check_block("block", rows, columns)
    cycles, use = stream(two, shape)
    return (
        f"| {rows} × {columns} | {shape.butterflies // two.units} | {cycles:.1f} | {use:.3f} "
        f"| {stream(four, shape)[1]:.3f} | {lone(two, shape)} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/two_layer.md"))
    arguments = parser.parse_args()
    text = DIVIDED + "".join(map(divided_row, SIZES))
    text += MIXED + "".join(mixing_row(*block) for block in ((128, 128), *BLOCKS))
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
