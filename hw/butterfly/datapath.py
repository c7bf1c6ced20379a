"""Memories, exchange of halves, units, and the way back: what a step does to words."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.banks import Banks
from hw.butterfly.geometry import exchange, one_line, parity, shuffle
from hw.butterfly.jobs import by_size, own_copy
from hw.butterfly.timing import ButterflyTiming
from hw.butterfly.unit import ButterflyUnit
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["Datapath"]


class Datapath(wiring.Component):
    """Reads the words of a step's pairs, gives them to the units, and writes the results.

    The first stage reads the input memory, others the middle one; the last writes the output
    memory. Two steps of which one reads what the other writes are `timing.step_distance` apart.

    Contract: nothing stalls; no bank is asked for two words in a cycle (docs/butterfly.md).

    *Timing*: words are read, used and written at the places that `timing` gives.

    *Members*
    i
        Push of steps.
    log2_points
        Size of the vectors in the pipeline.
    coefficient, shift
        Of every unit, and of all, at place `timing.words`.
    results
        Of every unit, at place `timing.results`.
    load_enable, load_line, load_data
        A write into the input memory.
    store_line, store_data
        A read of the output memory.
    """

    i: Push
    log2_points: Signal
    coefficient: Any
    shift: Signal
    results: Any
    load_enable: Signal
    load_line: Any
    load_data: Any
    store_line: Signal
    store_data: Any

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config, lines = timing.config, timing.ring.ram.address_width
        words = ArrayLayout(config.unit.word_shape, config.banks)
        super().__init__(
            {
                "i": In(PushSignature(timing.step_shape)),
                "log2_points": In(range(config.stages + 1)),
                "coefficient": In(ArrayLayout(config.block_shape, config.units)),
                "shift": In(2),
                "results": Out(ArrayLayout(config.unit.o_shape, config.units)),
                "load_enable": In(config.banks),
                "load_line": In(ArrayLayout(lines, 2)),
                "load_data": In(words),
                "store_line": In(lines),
                "store_data": Out(words),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One pipeline from lines to writes."""
        m = Module()
        timing, step = self.timing, self.i.payload
        m.submodules.input = source = Banks(timing.ring)
        m.submodules.middle = middle = Banks(timing.middle)
        m.submodules.output = sink = Banks(timing.ring)
        m.d.comb += [
            source.enable.eq(self.load_enable),
            source.write_line.eq(self.load_line),
            Value.cast(source.write_data).eq(Value.cast(self.load_data)),
            sink.read_line[0].eq(self.store_line),
            sink.read_line[1].eq(self.store_line),
            Value.cast(self.store_data).eq(Value.cast(sink.read_data)),
        ]
        # What is written is needed at the end only; reading needs the rest at once.
        later = ("middle", "output", "region", "last_stage", "position_at", "position_below")
        later = (*later, "shuffle", "bpmm")
        with Pipe(
            m,
            "step",
            latency=timing.write,
            valid=self.i.valid,
            **{name: step[name] for name in ("input", "middle", "output", "region")},
            **{name: step[name] for name in ("first_stage", "last_stage", "bpmm")},
        ) as p:
            self._read(m, p, source, middle, later)
            self._use(m, p, later)
            self._write(m, p, middle, sink)
        return m

    def _read(self, m: Module, p: Pipe, source: Banks, middle: Banks, later: Any) -> None:
        """Words of both halves, first words of the pairs at half 0."""
        timing, config, step = self.timing, self.timing.config, self.i.payload
        bits = timing.log2_batch_lines
        top = Signal(bits, name="top", reset_less=True)
        below = Signal(bits, name="below", reset_less=True)
        size = own_copy(m, self.log2_points, 3)
        for figure, what in (
            (top, lambda n: (1 << n - 1) >> config.log2_line),
            (below, lambda n: max(0, ((1 << n - 1) >> config.log2_line) - 1)),
        ):
            m.d.sync += figure.eq(by_size(config, size, what))
        p.stage(
            "parity",
            odd_input=parity(p.input),
            odd=parity(p.middle),
            odd_output=parity(p.output),
            **self._position(step),
            keep=("input", "middle", "output", "region", "first_stage", "last_stage", "bpmm"),
        )
        lines: dict[str, Any] = {}
        for half in range(2):
            input_line = one_line(p.input, below, top, p.odd_input ^ half)
            lines[f"input_line{half}"] = input_line
            middle_line = one_line(p.middle, below, top, p.odd ^ half)
            lines[f"middle_line{half}"] = Cat(middle_line, ~p.region)
        kept = (*later, "first_stage", "odd_input", "odd", "odd_output")
        p.stage("line", keep=kept, **lines)
        for half in range(2):
            m.d.comb += [
                source.read_line[half].eq(getattr(p, f"input_line{half}")),
                middle.read_line[half].eq(getattr(p, f"middle_line{half}")),
            ]
        p.through(timing.ring.latency, keep=kept)
        words: dict[str, Any] = {
            f"word{bank}": Mux(p.first_stage, source.read_data[bank], middle.read_data[bank])
            for bank in range(config.banks)
        }
        odd = Mux(p.first_stage, p.odd_input, p.odd)
        p.stage("select", keep=(*later, "odd", "odd_output"), swap=odd, **words)
        swapped = exchange([getattr(p, name) for name in words], p.swap)
        words = dict(zip(words, swapped, strict=True))
        p.stage("exchange", keep=(*later, "odd", "odd_output"), **words)

    def _position(self, step: Any) -> dict[str, Any]:
        """Where a stage inserts its bit: masks of lines, and the number of the shuffle."""
        config = self.timing.config
        q, bits = config.log2_line, self.timing.log2_batch_lines
        moves = ~step.rotate
        at = Cat(moves & (step.stage == k + q) for k in range(bits))
        below = Cat(moves & (step.stage > k + q) for k in range(bits))
        last = config.log2_units
        number = Mux(step.rotate, 0, Mux(step.stage < last, step.stage, last))
        return {
            "position_at": at,
            "position_below": below,
            "shuffle": number[: last.bit_length()],
        }

    def _use(self, m: Module, p: Pipe, later: Any) -> None:
        """The units, each with the words of its lane."""
        config = self.timing.config
        units = [ButterflyUnit(config.unit) for _ in range(config.units)]
        for lane, unit in enumerate(units):
            m.submodules[f"unit{lane}"] = unit
            i = unit.i.payload
            m.d.comb += [
                unit.i.valid.eq(p.valid),
                Value.cast(i.a).eq(getattr(p, f"word{lane}")),
                Value.cast(i.b).eq(getattr(p, f"word{lane + config.units}")),
                Value.cast(i.coefficient).eq(Value.cast(self.coefficient[lane])),
                i.shift.eq(self.shift),
                i.bpmm.eq(p.bpmm),
                Value.cast(self.results[lane]).eq(Value.cast(unit.o.payload)),
            ]
        p.through(config.unit.latency, keep=(*later, "odd", "odd_output"))

    def _write(self, m: Module, p: Pipe, middle: Banks, sink: Banks) -> None:
        """Results to their lanes, halves and lines."""
        config = self.timing.config
        ways = [shuffle(config.log2_units, k) for k in range(config.log2_units + 1)]
        words: dict[str, Any] = {}
        for bank in range(config.banks):
            taken = [
                Value.cast(self.results[lane].y[second])
                for lane, second in (way[bank] for way in ways)
            ]
            words[f"word{bank}"] = Array(taken)[p.shuffle] if len(taken) > 1 else taken[0]
        odd = Mux(p.last_stage, p.odd_output, p.odd)
        cycle = Mux(p.last_stage, p.output, p.middle)
        keep = ("region", "last_stage", "position_at", "position_below")
        p.stage("shuffle", keep=keep, swap=odd, cycle=cycle, **words)
        swapped = exchange([getattr(p, name) for name in words], p.swap)
        words = dict(zip(words, swapped, strict=True))
        for half in range(2):
            words[f"line{half}"] = one_line(p.cycle, p.position_below, p.position_at, p.swap ^ half)
        p.stage(
            "exchange",
            keep=("region",),
            write_middle=p.valid & ~p.last_stage,
            write_output=p.valid & p.last_stage,
            **words,
        )
        m.d.comb += [
            middle.enable.eq(p.write_middle.replicate(config.banks)),
            sink.enable.eq(p.write_output.replicate(config.banks)),
        ]
        for half in range(2):
            line = getattr(p, f"line{half}")
            m.d.comb += [
                middle.write_line[half].eq(Cat(line, p.region)),
                sink.write_line[half].eq(line),
            ]
        for bank in range(config.banks):
            word = getattr(p, f"word{bank}")
            m.d.comb += [middle.write_data[bank].eq(word), sink.write_data[bank].eq(word)]
