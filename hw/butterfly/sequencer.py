"""The order of all steps: batches of vectors, stage after stage, without a bubble."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.jobs import by_size, is_bpmm, is_increasing, is_inverse, keeps, own_copy
from hw.butterfly.ring import RingCount
from hw.butterfly.timing import ButterflyTiming
from hw.lib.arith import greater
from hw.lib.credit import Push, PushSignature

__all__ = ["COUNTED", "Sequencer"]

COUNTED = 2
"""Cycles from the issue of a step to the step with its numbers: flags, numbers."""

MODES = ("bpmm", "inverse", "rotate")


class Sequencer(wiring.Component):
    """Issues the steps of every job's vectors, P pairs each.

    Contract: jobs are done in their order. A batch starts when all of its vectors are loaded; a
    vector's last stage when the output ring has a place for it. Between the last step of a vector
    in one stage and its first in the next lie `timing.step_distance` cycles at least. Before the
    first vector of another size than the one before, everything is stored.

    *Timing*: a batch of k vectors of n stages takes n · `timing.stage_cycles` (n, k) cycles unless
    it waits for a place; the next one follows directly if it is loaded. ``sim.cycle.butterfly``
    gives the cycle of every step.

    *Members*
    i
        Stream of jobs.
    loaded, stored
        A vector was loaded; one was stored and its place is free.
    consumed
        The first stage has issued its last step of a vector: its place may be loaded again.
    o
        Push of steps.
    log2_points
        Size of the vectors in the pipeline.
    restart
        Nothing is under way, and the rings begin anew with vectors of another size.
    weights_full, weights_release
        A matrix is there; it was used for the last time, and its last line asked for.
    """

    i: stream.Interface
    loaded: Signal
    stored: Signal
    consumed: Signal
    o: Push
    log2_points: Signal
    restart: Signal
    weights_full: Signal
    weights_release: Signal

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config = timing.config
        super().__init__(
            {
                "i": In(stream.Signature(config.job_shape)),
                "loaded": In(1),
                "stored": In(1),
                "consumed": Out(1),
                "o": Out(PushSignature(timing.step_shape)),
                "log2_points": Out(range(config.stages + 1)),
                "restart": Out(1),
                "weights_full": In(1),
                "weights_release": Out(1),
            }
        )
        vectors = range(timing.most_vectors + 1)
        self.batch_shape = StructLayout(
            {
                "vectors": vectors,
                **dict.fromkeys((*MODES, "release", "start"), 1),
                **config.turn_fields,
            }
        )
        flags = dict.fromkeys(("first_stage", "last_stage", "stage_begins", "first_step"), 1)
        self.flags_shape = StructLayout({"stage": range(config.stages), **flags})

    def elaborate(self, platform: object) -> Module:
        """Join the planner of batches and the runner of steps."""
        m = Module()
        timing = self.timing
        m.submodules.output = output = RingCount(timing.most_vectors)
        batch: Any = Signal(self.batch_shape, name="batch", reset_less=True)
        offered, taken, idle = Signal(name="offered"), Signal(name="taken"), Signal(name="idle")
        capacity = Signal(range(timing.most_vectors + 1), name="capacity")
        places = Signal(timing.most_vectors + 1, name="places")
        # Figures of the size take two cycles to look up; it changes when nothing is under way.
        size = own_copy(m, self.log2_points, 1)
        m.d.sync += [
            capacity.eq(by_size(timing.config, size, timing.batch_vectors)),
            places.eq(by_size(timing.config, size, lambda n: 1 << timing.batch_vectors(n))),
            output.free.eq(self.stored),
        ]
        m.d.comb += [
            output.capacity.eq(places),
            output.restart.eq(self.restart),
        ]
        # The last take is not seen before a cycle of rest.
        rested = Signal()
        m.d.sync += rested.eq(idle)
        self._plan(m, batch, offered, taken, rested & idle & output.empty, capacity)
        self._run(m, batch, offered, taken, idle, output, size)
        return m

    def _plan(
        self,
        m: Module,
        batch: Any,
        offered: Signal,
        taken: Signal,
        drained: Value,
        capacity: Signal,
    ) -> None:
        """Take jobs, and offer a batch when its vectors are loaded."""
        timing, config, job = self.timing, self.timing.config, self.i.payload
        bpmm = is_bpmm(config, job)
        loaded = Signal(range(timing.most_vectors + 1))
        left: Any = Signal.like(job.vectors, name="left")
        enough = Signal()
        in_use = Signal()
        taken_1 = Signal()
        same = Signal()
        finished = Signal()
        too_many = Signal()
        restart = Signal(name="restart_now")
        job_done = Signal()
        m.d.comb += [self.restart.eq(restart), self.i.ready.eq(job_done)]
        m.d.sync += [
            restart.eq(0),
            job_done.eq(0),
            # Settled when it is looked at: what is left rests for cycles before.
            too_many.eq(greater(left, capacity)),
            taken_1.eq(taken),
            loaded.eq(loaded + self.loaded - Mux(taken_1, batch.vectors, 0)),
            enough.eq(~greater(batch.vectors, loaded)),
        ]
        with m.If(self.weights_release):
            m.d.sync += in_use.eq(0)
        with m.If(taken):
            m.d.sync += [offered.eq(0), in_use.eq(batch.release)]
        with m.FSM(name="plan"):
            with m.State("TAKE"):
                # The job stays on offer until its last batch has started.
                m.d.sync += [left.eq(job.vectors), same.eq(job.log2_points == self.log2_points)]
                with m.If(self.i.valid):
                    m.next = "RESIZE"
            with m.State("RESIZE"):
                with m.If(same):
                    m.next = "SIZE"
                with m.Elif(drained):
                    m.d.sync += self.log2_points.eq(job.log2_points)
                    m.next = "LOOK_UP"
            with m.State("LOOK_UP"):
                m.next = "LOOKED_UP"
            with m.State("LOOKED_UP"):
                m.d.sync += restart.eq(1)
                m.next = "RESTART"
            with m.State("RESTART"):
                m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += [
                    batch.vectors.eq(Mux(too_many, capacity, left)),
                    batch.bpmm.eq(bpmm),
                    batch.inverse.eq(is_inverse(config, job)),
                    batch.rotate.eq(bpmm & ~is_increasing(config, job)),
                ]
                if config.turn_bits:
                    m.d.sync += [batch.start.eq(job.start), batch.turn.eq(job.turn)]
                m.next = "REST"
            with m.State("REST"):
                m.d.sync += left.eq(left - batch.vectors)
                m.next = "COMPARE"
            with m.State("COMPARE"):
                last = left == 0
                m.d.sync += [batch.release.eq(bpmm & ~keeps(job) & last), finished.eq(last)]
                m.next = "WAIT"
            with m.State("WAIT"), m.If(enough & (~bpmm | self.weights_full & ~in_use)):
                m.d.sync += offered.eq(1)
                m.next = "OFFER"
            with m.State("OFFER"), m.If(taken_1):
                m.d.sync += job_done.eq(finished)
                m.next = "NEXT"
            with m.State("NEXT"):
                with m.If(finished):
                    m.next = "TAKE"
                with m.Else():
                    m.next = "SIZE"

    def _run(
        self,
        m: Module,
        batch: Any,
        offered: Signal,
        taken: Signal,
        idle: Signal,
        output: RingCount,
        size: Value,
    ) -> None:
        """Issue a step in every cycle that neither distance nor a full ring forbids.

        At rest everything stands as at the end of a batch. So what comes next depends on registers
        only, and the one late signal is whether to go on.
        """
        timing = self.timing
        cycles = Signal(signed(timing.log2_batch_lines + 2), init=-1)
        vectors = Signal(signed(timing.most_vectors.bit_length() + 1), init=-1)
        distance = Signal(signed(timing.log2_batch_lines + 6), init=-1)
        now: Any = Signal(self.flags_shape, name="now", init={"last_stage": 1})
        held = Signal()
        running = Signal()
        release = Signal()
        begun = Signal()
        penultimate = Signal()
        asks_place = Signal()
        batch_began = Signal(name="batch_began")
        layout = StructLayout({**dict.fromkeys(MODES, 1), **timing.config.turn_fields})
        modes: Any = Signal(layout, name="modes", reset_less=True)
        cycles_again = Signal(cycles.shape())
        vectors_again = Signal(vectors.shape())
        distance_again = Signal(distance.shape())
        last = Signal(now.stage.shape())
        # Of the size alone, which rests long before a batch begins.
        for figure, what in (
            (cycles_again, lambda n: timing.vector_cycles(n) - 2),
            (distance_again, lambda n: timing.vector_cycles(n) + timing.step_distance - 4),
            (last, lambda n: n - 2),
        ):
            m.d.sync += figure.eq(by_size(timing.config, size, what))

        # Counts are one less than is left after this one: their sign says "the last".
        issue, advance = Signal(name="issue"), Signal(name="advance")
        vector_ends = cycles[-1]
        stage_ends = vector_ends & vectors[-1]
        batch_ends = stage_ends & now.last_stage
        waits = held & (begun | ~distance[-1]) | asks_place & output.full
        begins, rests = offered & ~running, batch_ends & ~offered
        m.d.comb += [
            issue.eq(running & ~waits),
            advance.eq(begins | issue & ~rests),
            taken.eq(begins | offered & issue & batch_ends),
            idle.eq(~running & ~offered),
            output.take.eq(issue & asks_place),
        ]
        # Down to −1, where it stays. It is set a cycle late.
        with m.If(begun | ~distance[-1]):
            m.d.sync += distance.eq(Mux(begun, distance_again, distance - 1))
        m.d.sync += [
            begun.eq(issue & now.stage_begins),
            # A cycle late too, when it matters: a stage takes longer, and the first is never it.
            penultimate.eq(~now.last_stage & (now.stage == last)),
        ]
        becomes_last = Mux(stage_ends, penultimate, now.last_stage)
        with m.If(advance):
            m.d.sync += [
                cycles.eq(Mux(vector_ends, cycles_again, cycles - 1)),
                now.first_step.eq(vector_ends),
                asks_place.eq(vector_ends & becomes_last),
                now.stage_begins.eq(stage_ends),
                held.eq(stage_ends & ~now.last_stage),
            ]
        with m.If(advance & vector_ends):
            again = Mux(now.last_stage, batch.vectors - 2, vectors_again)
            m.d.sync += vectors.eq(Mux(vectors[-1], again, vectors - 1))
        with m.If(advance & stage_ends):
            m.d.sync += [
                now.stage.eq(Mux(now.last_stage, self._start(batch), now.stage + 1)),
                now.first_stage.eq(now.last_stage),
                now.last_stage.eq(penultimate),
            ]
        with m.If(issue & rests):
            m.d.sync += running.eq(0)
        with m.If(advance & batch_ends):
            m.d.sync += running.eq(1)
        # In the last stage, and at rest, the next batch's; where none is offered it is not used.
        with m.If(now.last_stage):
            m.d.sync += vectors_again.eq(batch.vectors - 2)
        # Needed when a batch's first step was issued, a cycle after it began.
        m.d.sync += batch_began.eq(advance & batch_ends)
        with m.If(batch_began):
            m.d.sync += release.eq(batch.release)
            m.d.sync += [modes[name].eq(batch[name]) for name in modes.shape().members]
        self._count(m, now, modes, issue, vector_ends, stage_ends)
        # The matrix's last line is asked for when the step has come to its place.
        ends = issue & batch_ends & release
        for place in range(COUNTED + timing.lines):
            later = Signal(name=f"release_{place}")
            m.d.sync += later.eq(ends)
            ends = later
        m.d.comb += self.weights_release.eq(ends)

    def _count(
        self, m: Module, now: Any, modes: Any, issue: Value, vector_ends: Value, stage_ends: Value
    ) -> None:
        """Number the steps that were issued, in every memory that they touch."""
        timing = self.timing
        issued: Any = Signal.like(now, name="issued", reset_less=True)
        valid = Signal()
        last_step = Signal()
        ends = Signal()
        fresh, again = Signal(name="fresh"), Signal(name="again")
        m.d.sync += [
            valid.eq(issue),
            issued.eq(now),
            last_step.eq(vector_ends),
            ends.eq(stage_ends),
            fresh.eq(now.stage_begins & now.first_stage),
            again.eq(vector_ends & ~stage_ends),
        ]
        m.d.comb += self.consumed.eq(valid & last_step & issued.first_stage)
        step = self.o.payload
        count = range(1 << timing.log2_batch_lines)
        inputs, outputs = Signal(count, name="inputs"), Signal(count, name="outputs")
        middle = Signal(count, name="middle", reset_less=True)
        weight = Signal.like(step.weight, name="weight", reset_less=True)
        weight_base = Signal.like(step.weight, name="weight_base", reset_less=True)
        # Where they begin anew is chosen behind the adders, which need not wait for it.
        at_middle = Mux(issued.stage_begins, 0, middle)
        next_weight = Mux(fresh, 1, weight + 1)
        base = Mux(fresh, 0, weight_base)
        with m.If(valid):
            m.d.sync += [
                middle.eq(Mux(issued.stage_begins, 1, middle + 1)),
                inputs.eq(inputs + issued.first_stage),
                outputs.eq(outputs + issued.last_stage),
                weight.eq(Mux(again, base, next_weight)),
                weight_base.eq(Mux(ends, next_weight, base)),
            ]
        with m.If(self.restart):
            m.d.sync += [inputs.eq(0), outputs.eq(0)]
        if timing.config.turn_bits:
            self._turn(m, issued, modes, valid, last_step, ends)
        m.d.sync += [
            self.o.valid.eq(valid),
            step.input.eq(inputs),
            step.middle.eq(at_middle),
            step.output.eq(outputs),
            step.region.eq(issued.stage[0]),
            step.weight.eq(Mux(fresh, 0, weight)),
            step.last_step.eq(last_step),
            *(
                step[name].eq(issued[name])
                for name in ("stage", "first_stage", "last_stage", "first_step")
            ),
            *(step[name].eq(modes[name]) for name in MODES),
        ]

    def _start(self, batch: Any) -> Value:
        """A vector's first stage."""
        return batch.start if self.timing.config.turn_bits else Const(0, 1)

    def _turn(
        self, m: Module, issued: Any, modes: Any, valid: Value, last_step: Value, ends: Value
    ) -> None:
        """Turn each vector of a job further than the one before, in every stage alike."""
        turn = Signal.like(modes.turn, name="turn_now", reset_less=True)
        # Of a batch's first vector; a job's turns go round once, so that the next begins at 0.
        turn_base = Signal.like(modes.turn, name="turn_base")
        at = Mux(issued.stage_begins, turn_base, turn)
        after = at + modes.turn
        with m.If(valid):
            m.d.sync += turn.eq(Mux(last_step, after, at))
            with m.If(ends & issued.last_stage):
                m.d.sync += turn_base.eq(after)
        m.d.sync += self.o.payload.turn.eq(at)
