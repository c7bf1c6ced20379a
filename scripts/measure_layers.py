"""Times of attention layers on the boards, and of the same layers in software.

Run from the repository's root:  python -m scripts.measure_layers [-o FILE]

Cycles are those of `sim.cycle` and of the registers around the core, which tests hold equal to the
counters of the emitted Verilog.
"""

import argparse
import os
import platform
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fpga.boards import facts_of
from fpga.build.pll import MHZ, fastest_up_to
from gen.boards import board_of
from gen.design import load_design
from gen.devices import ECP5_CLOCKS
from hw.attention.config import AttentionConfig
from hw.bus.system import OVERHEAD_CYCLES
from scripts.measure_boards import clocks_mhz
from sim.cycle.heads import head_cycles
from spec import Attention, causal

DIMS = 64

ALONE_MHZ = ECP5_CLOCKS["attention"]
RISCV_MHZ = 75
RISCV_CYCLES = 4
"""Of a multiply-accumulate at best: two loads, a product, a sum, one instruction a cycle."""
PICORV32_CYCLES = 5 + 5 + 40 + 3
"""The same by the table of PicoRV32's documentation: two loads, MUL, a sum of registers."""

REPEATS = 25

HEAD = """\
# Attention layers: times on the boards and in software

Measured by `python -m scripts.measure_layers`. A *MAC* is a product of two bytes, or of a weight
and a byte, with its sum: 2 · head_dim for each query and key of the tiles that have a visible pair.
Cycles are the counter's, from the start to the last output: the loading of every head, all waits of
the arrays and the registers' {overhead} cycles included; every head has keys of its own. Streams
keep up, as they do on AXI. **Over a serial line they do not**: at 3 Mbaud a layer of 8 × 1024 × 64
takes {seconds:.1f} s to send, and the counter then says how long the core waited.

*Clock*: what every seed of boards.md reaches, as a PLL makes it: `accelerator_ulx3s_85f`, two cores
and the link, on the 85F of a ULX3S and on the faster one of an ECPIX-5; `attention_25f`. A build
that names no clock asks for less, nine tenths of what was met. The 8 × 8 attention core alone
reaches {alone} MHz on the slower chip (attention_area.md). The 25F's mask is causal; its layer
without one is what its arrays would do. A UP5K has no room for attention with a link, an HX8K for
16 keys. *NumPy*: float32 matrix products and softmax on {cpu}, the best of {repeats} runs.
*RISC-V*: software on a soft core at {mhz} MHz, two loads, a product and a sum a MAC. No loop, no
wait for a memory, no softmax is counted, so that its true time is longer. *PicoRV32* takes {pico}
cycles for them by the table in its documentation: 5 a load, 40 a MUL, 3 a sum of registers
(github.com/YosysHQ/picorv32, README, "Cycles per Instruction Performance"). *At best*: {each}, of
any core that issues one instruction a cycle, as the five stages of VexRiscv can
(github.com/SpinalHDL/VexRiscv, README).

| layer | mask | board | arrays | MHz | cycles | ms | G MAC/s | NumPy, ms | PicoRV32, s \
| RISC-V at best, s | times faster than it |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""

TAIL = """
Aim for the ULX3S 85F: at least {aim:g} G MAC a second on the dense layer of 8 heads.

- At {slow:.4g} MHz, which every seed reaches, it is {found:.1f}: {verdict}.
- At {fast:.4g} MHz, of the best of three seeds, which `--clock {fast:.4g} --seeds 3` builds, it is
  {best:.1f}: {best_verdict}.
- At the {alone} MHz of the attention core alone it would be {core:.1f}.
"""

AIM = 16.0


SUBJECTS = (
    ("ulx3s_85f", "accelerator_ulx3s_85f"),
    ("ecpix5_85f", "accelerator_ulx3s_85f"),
    ("ulx3s_25f", "attention_25f"),
)
"""Boards, and what is built for them, whose attention core holds such a layer."""

AIMED = SUBJECTS[0][0]


class Build(NamedTuple):
    """What of a board the layer runs on."""

    board: str
    config: AttentionConfig
    clock_mhz: float

    @property
    def arrays(self) -> str:
        """Sides of its arrays."""
        return f"{self.config.rows} × {self.config.columns}"

    @property
    def products(self) -> int:
        """Of a cycle of either array."""
        return self.config.rows * self.config.columns

    def holds(self, tokens: int) -> bool:
        """Whether a layer is not too long."""
        return tokens <= min(self.config.layer.queries, self.config.layer.keys)

    def cycles(self, heads: int, tokens: int, masked: bool) -> tuple[int, int]:
        """Cycles of a layer, and its tiles."""
        mask = causal() if masked else None
        layer = Attention(heads=heads, queries=tokens, keys=tokens, head_dim=DIMS, mask=mask)
        found = head_cycles(replace(self.config, layer=layer), tokens, tokens, [None])
        return found.total + OVERHEAD_CYCLES, found.tiles


def builds() -> list[Build]:
    """Every one, at the fastest clock of its board's PLL that every seed reaches."""
    found = []
    for board, preset in SUBJECTS:
        design = load_design(preset)
        core = design.cores.get("attention", design)
        found.append(Build(board, core.config, _clock_mhz(board, preset)))
    return found


def _clock_mhz(board: str, preset: str, seed: int = 0) -> float:
    """The PLL's fastest up to what a seed reached: the slowest, unless another is asked for."""
    facts = facts_of(board_of(board))
    reached = Fraction(str(clocks_mhz(board, preset)[seed])) * MHZ
    clock = fastest_up_to(facts.device.target, facts.oscillator_hz, reached)
    assert clock is not None, f"no clock of {board} is as slow as {reached} Hz"
    return float(clock.exact_hz) / MHZ


def numpy_ms(heads: int, tokens: int, masked: bool) -> float:
    """The layer in float32, the best of some runs."""
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, heads, tokens, DIMS)).astype(np.float32)
    hidden = np.triu(np.full((tokens, tokens), -np.inf, np.float32), 1) if masked else None
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        scores = q @ k.transpose(0, 2, 1) * np.float32(DIMS**-0.5)
        if hidden is not None:
            scores += hidden
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        out = weights @ v / weights.sum(axis=-1, keepdims=True)
        best = min(best, time.perf_counter() - start)
        assert np.isfinite(out).all()
    return best * 1e3


def cpu() -> str:
    """The processor of this machine, as it calls itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} threads of {line.split(':', 1)[1].strip()}"
    return f"{os.cpu_count()} threads of a {platform.machine()}"


def _verdict(rate: float) -> str:
    return "met" if rate >= AIM else "not met"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/layers.md"))
    arguments = parser.parse_args()
    rows, sustained, dense = "", 0.0, (8, 1024)
    found = builds()
    for heads, tokens in ((4, 256), dense):
        for masked in (False, True):
            in_numpy = numpy_ms(heads, tokens, masked)
            for build in found:
                if not build.holds(tokens):
                    continue
                cycles, tiles = build.cycles(heads, tokens, masked)
                macs = tiles * build.products * 2 * DIMS
                seconds = cycles / build.clock_mhz / 1e6
                soft = macs * RISCV_CYCLES / RISCV_MHZ / 1e6
                pico = macs * PICORV32_CYCLES / RISCV_MHZ / 1e6
                rate = macs / seconds / 1e9
                if (heads, tokens) == dense and not masked and build.board == AIMED:
                    sustained = rate
                rows += (
                    f"| {heads} × {tokens} × {DIMS} | {'causal' if masked else 'none'} | "
                    f"{build.board} | {build.arrays} | "
                    f"{build.clock_mhz:.4g} | {cycles} | {seconds * 1e3:.2f} | {rate:.1f} | "
                    f"{in_numpy:.1f} | {pico:.1f} | {soft:.2f} | {soft / seconds:.0f} |\n"
                )
    on_line = 8 * 1024 * DIMS * 3 * 10 / 3e6
    head = HEAD.format(
        overhead=OVERHEAD_CYCLES,
        alone=ALONE_MHZ,
        seconds=on_line,
        cpu=cpu(),
        repeats=REPEATS,
        mhz=RISCV_MHZ,
        each=RISCV_CYCLES,
        pico=PICORV32_CYCLES,
    )
    slow, fast = found[0].clock_mhz, _clock_mhz(*SUBJECTS[0], seed=-1)
    best = sustained * fast / slow
    tail = TAIL.format(
        aim=AIM,
        slow=slow,
        found=sustained,
        verdict=_verdict(sustained),
        fast=fast,
        best=best,
        best_verdict=_verdict(best),
        alone=ALONE_MHZ,
        core=sustained * ALONE_MHZ / slow,
    )
    text = head + rows + tail
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
