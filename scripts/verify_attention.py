"""Run the emitted Verilog on every mask of the suite at full size, in Verilator; half an hour.

Run from the repository's root:  python -m scripts.verify_attention [--tokens N] [-o FILE]

It wants `scripts/setup fast` beside `sim`. One layer has a head for each mask; every output bit is
compared with the golden model's, and the cycle of every transfer with the cycle model's.
"""

import argparse
import time
from pathlib import Path

import numpy as np

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

Made by `python -m scripts.verify_attention`. R = C = E = {side}, head_dim {dims}, {tokens} queries
and keys, masks loaded as a bitmap, a head each, one after the other in one simulation of the
emitted Verilog by Verilator. All outputs equal the golden model's bit for bit, and the cycle of
each of the {transfers} transfers is the cycle model's: {cycles} cycles in all, {seconds:.0f} s.

| mask | tiles | largest difference from golden |
|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--side", type=int, default=8)
    parser.add_argument("--work", type=Path, default=Path("build/verify_attention"))
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention_verilog.md"))
    arguments = parser.parse_args()
    tokens, side = arguments.tokens, arguments.side
    cases = {name: mask_case(name, tokens).dense for name in SUITE}
    cases = {name: mask for name, mask in cases.items() if mask.shape == (tokens, tokens)}
    layer = Attention(
        heads=len(cases), kv_heads=1, queries=tokens, keys=tokens, head_dim=DIMS, masks=("bitmap",)
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
    grid = TileGrid(side, side, tokens, tokens)
    masks = [compile_bitmap(mask, grid) for mask in cases.values()]
    rng = np.random.default_rng(1)
    q = rng.integers(-128, 128, (layer.heads, tokens, DIMS)).astype(np.int8)
    k, v = (rng.integers(-128, 128, (1, tokens, DIMS)).astype(np.int8) for _ in range(2))

    began = time.monotonic()
    design = Design(name=TOP, description=layer, config=config)
    folder = arguments.work.resolve()
    write_design(design, folder / "verilog", target=Target.PORTABLE)
    trace = simulate(
        config,
        folder / "verilog" / f"{TOP}.v",
        q,
        k,
        v,
        masks,
        top=TOP,
        folder=folder,
        simulator=Simulator.VERILATOR,
    )
    seconds = time.monotonic() - began
    predicted = head_cycles(config, tokens, tokens, masks)
    golden = attention(layer, q, k, v, np.stack(list(cases.values())))
    rows = ""
    for head, (name, mask) in enumerate(zip(cases, masks, strict=True)):
        off = int(np.abs(trace.o[head] - golden.o[head]).max())
        visible = sum(bin(word & 0xFFFF).count("1") for word in mask.group_words)
        rows += f"| {name} | {visible} | {off} |\n"
    text = HEAD.format(
        side=side,
        dims=DIMS,
        tokens=tokens,
        transfers=len(trace.cycles["o"]),
        cycles=trace.total,
        seconds=seconds,
    )
    print(text + rows)
    if trace.cycles["o"] != predicted.delivered:
        raise SystemExit("the cycles are not the model's")
    if not np.array_equal(trace.o, golden.o) or not np.array_equal(trace.empty, golden.empty):
        raise SystemExit("the outputs are not the golden model's")
    arguments.o.write_text(text + rows)


if __name__ == "__main__":
    main()
