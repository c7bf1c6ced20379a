"""Measure the attention core: cycles on the mask suite, and errors against float64.

Run from the repository's root:  python -m scripts.measure_attention [-o FILE]

Cycles are those of `sim.cycle`, which tests hold equal to the emitted Verilog's.
"""

import argparse
from pathlib import Path

import numpy as np

from hw.attention.config import AttentionConfig
from sim.cycle.attention import AttentionCycles
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap
from sim.reference import attention as reference
from spec import Attention
from spec.tiles import TileGrid
from tests.support.masks import SUITE, mask_case
from tests.support.operands import KINDS, operands

HEADS = (1, 8)
TOKENS = 1024
DIMS = 64

LENGTHS = (16, 64, 256, 1024, 4096)
MOST_ROWS = 256

CYCLES = """\
# Attention: cycles on every mask

Measured by `python -m scripts.measure_attention`. R = C = E = 8, head_dim 64, masks loaded as a
bitmap, operands double-buffered, empty row blocks compact. *Cycles* run from the first tile's
start, when operands and mask are there, to the last output; *share* is tiles · 64 / cycles. With 8
heads the keys and values are shared; loading queries, 8192 cycles a head, hides behind the head
before.

The share cannot reach one for a lone head: the last row block is weighed and used after its last
score is known, which takes as long again as its tiles did. Masks with hardly a tile are bound by
that, and by loading.

| mask | queries × keys | tiles | cycles, 1 head | share | cycles, 8 heads | share |
|---|---|---|---|---|---|---|
"""

ERRORS = """\

# Attention: errors against float64

Largest distance of an int8 output from float64 attention on the same int8 inputs, in LSB, its own
rounding included; head_dim 64, 18-bit weights and scores, up to 256 queries.

| data | {lengths} |
|---|{rules}|
"""


def cycles_of(dense: np.ndarray, heads: int) -> AttentionCycles:
    queries, keys = dense.shape
    layer = Attention(
        heads=heads, kv_heads=1, queries=queries, keys=keys, head_dim=DIMS, masks=("bitmap",)
    )
    config = AttentionConfig(layer=layer, buffers=2, compact=True, partial_tiles=1 << 15)
    answers = compile_bitmap(dense, mask_grid(config))
    return head_cycles(config, queries, keys, [answers])


def mask_grid(config: AttentionConfig) -> TileGrid:
    return TileGrid(config.rows, config.columns, config.layer.queries, config.layer.keys)


def row_of(name: str, points: list[tuple[int, int]]) -> str:
    dense = mask_case(name, TOKENS).dense
    cells = [name, f"{dense.shape[0]} × {dense.shape[1]}"]
    for heads in HEADS:
        found = cycles_of(dense, heads)
        busy = found.total - (found.tile_starts[0] if found.tiles else found.loaded)
        points.append((found.tiles, busy))
        if heads == HEADS[0]:
            cells.append(str(found.tiles))
        cells += [str(busy), f"{found.tiles * DIMS / busy:.3f}" if found.tiles else "–"]
    return "| " + " | ".join(cells) + " |\n"


def error_of(kind: str, n: int) -> float:
    layer = Attention(heads=1, queries=n, keys=n, head_dim=DIMS)
    q, k, v = operands(kind, n, DIMS)
    q = q[:, :MOST_ROWS]
    golden = attention(layer, q, k, v).o
    real = reference.attention(
        q * layer.q_scale,
        k * layer.k_scale,
        v * layer.v_scale,
        np.ones((q.shape[1], n), bool),
        softmax_scale=DIMS**-0.5,
    )
    return float(np.abs(golden - real / layer.v_scale).max())


def _line(points: list[tuple[int, int]]) -> str:
    """Cycles against tiles: the straight line through all masks with a hundred tiles or more."""
    tiles, cycles = np.array([point for point in points if point[0] >= 100], float).T
    slope, start = np.polyfit(tiles, cycles, 1)
    off = np.abs(cycles - slope * tiles - start).max()
    return (
        f"\nCycles against tiles lie on a straight line, {slope:.2f} a tile and {start:.0f} "
        f"besides; none is farther from it than {off:.0f} cycles.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention.md"))
    arguments = parser.parse_args()
    points: list[tuple[int, int]] = []
    text = CYCLES + "".join(row_of(name, points) for name in SUITE)
    text += _line(points)
    text += ERRORS.format(
        lengths=" | ".join(f"N = {n}" for n in LENGTHS), rules="|".join("---" for _ in LENGTHS)
    )
    for kind in KINDS:
        errors = (f"{error_of(kind, n):.3f}" for n in LENGTHS)
        text += f"| {kind} | " + " | ".join(errors) + " |\n"
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
