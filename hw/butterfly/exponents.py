"""Block floating point: each vector's shift for its next stage, known before it is asked for."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.timing import ButterflyTiming
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["Exponents"]

ASK_FIELDS = ("first_stage", "last_stage", "first_step", "last_step", "bpmm", "inverse")


class Exponents(wiring.Component):
    """Follows every vector through its stages: its greatest magnitude, exponent and saturation.

    A vector's excess is 0 if all components fit `data_bits` − 1 bits, 1 if `data_bits`, 2 and 3 if
    one and two bits more. With block floating point its next shift is excess − 1; else that of the
    description. Vectors pass in the same order in every stage, so a queue holds what is known.

    Contract: steps come at `i` as they are issued, `timing.asked` cycles late, and their results at
    `results`, `timing.results` after issue. A step's excess is known `timing.step_distance` cycles
    after it: the queue never runs dry.

    *Members*
    i
        Push of {stage, first_stage, last_stage, first_step, last_step, bpmm, inverse}.
    log2_points
        Size of the vectors.
    i_vector
        Stream of vectors that were loaded: whether they need all `data_bits`.
    shift
        Number of the shift (−1 is 0), two cycles after each step.
    results
        Every unit's results, and whether it saturated one.
    o
        Push of what is known of a vector whose last stage is done.
    """

    i: Push
    log2_points: Signal
    i_vector: stream.Interface
    shift: Signal
    results: Any
    o: Push

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config = timing.config
        self.queue_shape = StructLayout(
            {"excess": 2, "exponent": config.exponent_shape, "saturated": 1}
        )
        flags = dict.fromkeys(ASK_FIELDS, 1)
        step = StructLayout({"stage": range(config.stages), **flags})
        super().__init__(
            {
                "i": In(PushSignature(step)),
                "log2_points": In(range(config.stages + 1)),
                "i_vector": In(stream.Signature(StructLayout({"full": 1}))),
                "shift": Out(2),
                "results": In(ArrayLayout(config.unit.o_shape, config.units)),
                "o": Out(PushSignature(timing.vector_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask at a vector's first step, collect over its results, queue at its last."""
        m = Module()
        timing, config = self.timing, self.timing.config
        depth = 1 << (timing.most_vectors - 1).bit_length()
        shape = self.queue_shape
        m.submodules.queue = queue = CreditFifo(CreditFifoConfig(shape=shape, depth=max(2, depth)))
        # Counts of queues follow what is asked of them: it comes from registers.
        step: Any = Signal(self.i.payload.shape(), name="step", reset_less=True)
        ask = Signal()
        ask_known = Signal()
        ask_loaded = Signal()
        asks = self.i.valid & self.i.payload.first_step
        m.d.sync += [
            step.eq(self.i.payload),
            ask.eq(asks),
            ask_known.eq(asks & ~self.i.payload.first_stage),
            ask_loaded.eq(asks & self.i.payload.first_stage),
        ]
        known = queue.o.payload
        start = Mux(step.inverse, -self.log2_points, 0) if config.inverse else 0
        m.d.comb += [queue.o.ready.eq(ask_known), self.i_vector.ready.eq(ask_loaded)]
        excess = Mux(step.first_stage, self.i_vector.payload.full, known.excess)
        shift = Signal(2, name="shift_now")
        exponent = Signal(config.exponent_shape)
        saturated = Signal()
        before = Mux(step.first_stage, start, known.exponent)
        number = excess if config.butterfly.shifts is None else self._fixed(step.stage)
        before_1 = Signal(config.exponent_shape, reset_less=True)
        with m.If(ask):
            m.d.sync += [
                shift.eq(number),
                before_1.eq(before),
                saturated.eq(~step.first_stage & known.saturated),
            ]
        m.d.sync += exponent.eq(before_1 + shift - 1)
        m.d.comb += self.shift.eq(shift)
        self._collect(m, queue, exponent, saturated)
        return m

    def _fixed(self, stage: Value) -> Value:
        """Number of the description's shift."""
        butterfly = self.timing.config.butterfly
        shifts = [butterfly.shift(number) or 0 for number in range(butterfly.stages)]
        return Array(Const(shift + 1, 2) for shift in shifts)[stage]

    def _collect(self, m: Module, queue: CreditFifo, exponent: Signal, saturated: Signal) -> None:
        """Excess of the results of all of a vector's steps."""
        timing, config, step = self.timing, self.timing.config, self.i.payload
        flags = {name: step[name] for name in ASK_FIELDS if name != "first_stage"}
        total = timing.excess - timing.asked
        arrive = timing.results - timing.asked
        with Pipe(m, "follow", latency=total, valid=self.i.valid, **flags) as p:
            keep: Any = tuple(flags)
            p.stage("decode", keep=keep)
            p.stage("ask", keep=keep)
            p.stage("add", clipped_before=saturated, keep=keep)
            names = (*keep, "clipped_before", "exponent")
            p.through(0, keep=names[:-1], exponent=exponent)
            p.through(arrive - 3, keep=names)
            parts = [
                self._over(self.results[unit].y[result][part], p.bpmm if part else Const(0, 1))
                for unit in range(config.units)
                for result in range(2)
                for part in range(config.unit.parts)
            ]
            each = Cat(self.results[unit].saturated for unit in range(config.units))
            p.stage("parts", over=Cat(parts), clipped=each, keep=names)
            width = len(parts[0])
            own = len(parts) // config.units
            flags = [p.over.word_select(part, width) for part in range(len(parts))]
            of_units = [
                _any_of(flags[unit * own : (unit + 1) * own]) for unit in range(config.units)
            ]
            p.stage("units", of_unit=Cat(of_units), clipped=p.clipped.any(), keep=names)
            of_all = _any_of([p.of_unit.word_select(unit, width) for unit in range(config.units)])
            so_far = Signal(width + 1, name="so_far")
            new = Cat(of_all, p.clipped)
            with m.If(p.valid):
                m.d.sync += so_far.eq(new | Mux(p.first_step, 0, so_far))
            p.stage("all", keep=names)
            # Each flag implies those before it.
            wide = so_far[:width]
            count = Mux(wide[2], 3, Mux(wide[1], 2, wide[0]))
            block = config.butterfly.shifts is None
            final = Mux(wide[2], 2, wide[1]) if block else Const(0, 2)
            clipped = p.clipped_before | so_far[width] | (Const(0, 1) if block else wide[1])
            clipped_so_far = p.clipped_before | so_far[width]
            ends = ("last_stage", "last_step", "bpmm", "inverse")
            p.stage(
                "count",
                excess=count,
                final=Mux(p.last_stage, final, 0),
                clipped=Mux(p.last_stage, clipped, clipped_so_far),
                keep=(*ends, "exponent"),
            )
            p.stage(
                "queue",
                total=p.exponent + p.final,
                keep=(*ends, "excess", "final", "clipped"),
            )
        ends = p.valid & p.last_step
        again, known, done = ends & ~p.last_stage, queue.i.payload, self.o.payload
        m.d.comb += [
            queue.take.eq(again),
            queue.i.valid.eq(again),
            known.excess.eq(p.excess),
            known.exponent.eq(p.total),
            known.saturated.eq(p.clipped),
        ]
        m.d.sync += [
            self.o.valid.eq(ends & p.last_stage),
            done.exponent.eq(p.total),
            done.shift.eq(p.final),
            done.saturated.eq(p.clipped),
            done.bpmm.eq(p.bpmm),
            done.inverse.eq(p.inverse),
        ]

    def _over(self, part: Value, ignored: Value) -> Value:
        """Whether a component needs data_bits, one more, and two more."""
        width = self.timing.config.butterfly.data_bits
        tops = [part[first:] for first in (width - 2, width - 1, width)]
        return Cat(top.any() & ~top.all() & ~ignored for top in tops)


def _any_of(flags: Sequence[Value]) -> Value:
    """Bit by bit, whether one of them has it."""
    return Cat(Cat(flag[k] for flag in flags).any() for k in range(len(flags[0])))
