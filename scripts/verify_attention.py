"""Run the emitted Verilog on every mask of the suite at full size, in Verilator; half an hour.

Run from the repository's root:  python -m scripts.verify_attention [--tokens N] [-o FILE]

It wants `scripts/setup fast` beside `sim`. Masks of one shape are heads of one layer; every output
bit is compared with the golden model's, and the cycle of every transfer with the cycle model's.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen.design import Design
from gen.verilog import write_design
from hw.attention.config import AttentionConfig
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.bench.simulators import Simulator
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap
from spec import Attention
from spec.tiles import TileGrid
from tests.support.masks import SUITE, mask_case

DIMS = 64
TOP = "attention"

HEAD = """\
# Attention: the emitted Verilog at full size

Made by `python -m scripts.verify_attention`. R = C = E = {side}, head_dim {dims}, masks of {tokens}
tokens loaded as a bitmap, a head each of one layer; the trees' {trees} nodes are layers of their
own. The emitted Verilog runs in Verilator. All outputs equal the golden model's bit for bit, and
the cycle of each of the {transfers} transfers is the cycle model's: {cycles} cycles in all,
{seconds:.0f} s.

| mask | queries × keys | tiles | largest difference from golden |
|---|---|---|---|
"""


class Verified(NamedTuple):
    """What a layer's simulation came to."""

    rows: str
    transfers: int
    cycles: int


def verify(masks: Mapping[str, NDArray[np.bool_]], side: int, folder: Path) -> Verified:
    """Run a layer with a head for each mask, all of one shape, and compare.

    Raises
    ------
    SystemExit
        An output bit or the cycle of a transfer differs.
    """
    queries, keys = next(iter(masks.values())).shape
    layer = Attention(
        heads=len(masks), kv_heads=1, queries=queries, keys=keys, head_dim=DIMS, masks=("bitmap",)
    )
    config = AttentionConfig(
        layer=layer,
        rows=side,
        columns=side,
        value_columns=side,
        buffers=2,
        compact=True,
        partial_tiles=1 << 15,
    )
    grid = TileGrid(side, side, queries, keys)
    bitmaps = [compile_bitmap(mask, grid) for mask in masks.values()]
    rng = np.random.default_rng(1)
    q = rng.integers(-128, 128, (layer.heads, queries, DIMS)).astype(np.int8)
    k, v = (rng.integers(-128, 128, (1, keys, DIMS)).astype(np.int8) for _ in range(2))

    write_design(
        Design(name=TOP, description=layer, config=config),
        folder / "verilog",
        target=Target.PORTABLE,
    )
    trace = simulate(
        config,
        folder / "verilog" / f"{TOP}.v",
        q,
        k,
        v,
        bitmaps,
        top=TOP,
        folder=folder,
        simulator=Simulator.VERILATOR,
    )
    predicted = head_cycles(config, queries, keys, bitmaps)
    golden = attention(layer, q, k, v, np.stack(list(masks.values())))
    rows = ""
    for head, (name, mask) in enumerate(zip(masks, bitmaps, strict=True)):
        off = int(np.abs(trace.o[head] - golden.o[head]).max())
        visible = sum(bin(word & 0xFFFF).count("1") for word in mask.group_words)
        rows += f"| {name} | {queries} × {keys} | {visible} | {off} |\n"
    print(rows, end="", flush=True)
    if trace.cycles["o"] != predicted.delivered:
        raise SystemExit("the cycles are not the model's")
    if not np.array_equal(trace.o, golden.o) or not np.array_equal(trace.empty, golden.empty):
        raise SystemExit("the outputs are not the golden model's")
    return Verified(rows, len(trace.cycles["o"]), trace.total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--side", type=int, default=8)
    parser.add_argument("--work", type=Path, default=Path("build/verify_attention"))
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention_verilog.md"))
    arguments = parser.parse_args()
    began = time.monotonic()
    cases = [(name, mask_case(name, arguments.tokens).dense) for name in SUITE]
    found = []
    for shape in dict.fromkeys(mask.shape for _, mask in cases):
        alike = {name: mask for name, mask in cases if mask.shape == shape}
        folder = arguments.work.resolve() / "x".join(map(str, shape))
        found.append(verify(alike, arguments.side, folder))
    head = HEAD.format(
        side=arguments.side,
        dims=DIMS,
        tokens=arguments.tokens,
        trees=arguments.tokens // 16,
        transfers=sum(each.transfers for each in found),
        cycles=sum(each.cycles for each in found),
        seconds=time.monotonic() - began,
    )
    arguments.o.write_text(head + "".join(each.rows for each in found))


if __name__ == "__main__":
    main()
