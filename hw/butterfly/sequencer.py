"""The order of all steps: batches of vectors, stage after stage, without a bubble."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.jobs import by_size, is_bpmm, is_increasing, is_inverse, keeps
from hw.butterfly.ring import RingCount
from hw.butterfly.timing import ButterflyTiming
from hw.lib.credit import Push, PushSignature

__all__ = ["Sequencer"]


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
    weights_full, weights_release
        A matrix is there; it was used for the last time, and its last line asked for.
    """

    i: stream.Interface
    loaded: Signal
    stored: Signal
    consumed: Signal
    o: Push
    log2_points: Signal
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
                "weights_full": In(1),
                "weights_release": Out(1),
            }
        )
        vectors = range(timing.most_vectors + 1)
        self.batch_shape = StructLayout(
            {"vectors": vectors, "bpmm": 1, "inverse": 1, "rotate": 1, "release": 1, "resized": 1}
        )

    def elaborate(self, platform: object) -> Module:
        """Join the planner of batches and the runner of steps."""
        m = Module()
        timing = self.timing
        m.submodules.output = output = RingCount(timing.most_vectors)
        batch: Any = Signal(self.batch_shape, name="batch", reset_less=True)
        offered, taken, idle = Signal(name="offered"), Signal(name="taken"), Signal(name="idle")
        capacity = Signal(range(timing.most_vectors + 1), name="capacity")
        m.d.sync += capacity.eq(by_size(timing.config, self.log2_points, timing.batch_vectors))
        m.d.comb += [output.capacity.eq(capacity), output.free.eq(self.stored)]
        self._plan(m, batch, offered, taken, idle & output.empty, capacity)
        self._run(m, batch, offered, taken, idle, output)
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
        enough, resized, in_use, taken_1 = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            taken_1.eq(taken),
            loaded.eq(loaded + self.loaded - Mux(taken_1, batch.vectors, 0)),
            enough.eq(loaded >= batch.vectors),
        ]
        with m.If(self.weights_release):
            m.d.sync += in_use.eq(0)
        with m.FSM(name="plan"):
            with m.State("TAKE"):
                # The job stays on offer until its last batch has started.
                m.d.sync += left.eq(job.vectors)
                with m.If(self.i.valid):
                    m.next = "RESIZE"
            with m.State("RESIZE"):
                with m.If(job.log2_points == self.log2_points):
                    m.next = "SIZE"
                with m.Elif(drained):
                    m.d.sync += [self.log2_points.eq(job.log2_points), resized.eq(1)]
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += [
                    batch.vectors.eq(Mux(left < capacity, left, capacity)),
                    batch.bpmm.eq(bpmm),
                    batch.inverse.eq(is_inverse(config, job)),
                    batch.rotate.eq(bpmm & ~is_increasing(config, job)),
                    batch.resized.eq(resized),
                ]
                m.next = "REST"
            with m.State("REST"):
                m.d.sync += left.eq(left - batch.vectors)
                m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.sync += batch.release.eq(bpmm & ~keeps(job) & (left == 0))
                m.next = "WAIT"
            with m.State("WAIT"), m.If(enough & (~bpmm | self.weights_full & ~in_use)):
                m.d.sync += offered.eq(1)
                m.next = "OFFER"
            with m.State("OFFER"), m.If(taken):
                m.d.sync += [offered.eq(0), resized.eq(0), in_use.eq(batch.release)]
                m.next = "NEXT"
            with m.State("NEXT"):
                with m.If(left == 0):
                    m.d.comb += self.i.ready.eq(1)
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
    ) -> None:
        """Issue a step in every cycle that neither distance nor a full ring forbids."""
        timing = self.timing
        step: Any = Signal(timing.step_shape, name="step", reset_less=True)
        count = signed(timing.log2_batch_lines + 2)
        cycles = Signal(count)  # both one less than are left after this one
        vectors = Signal(signed(timing.most_vectors.bit_length() + 1))
        cycles_again, vectors_again = Signal(count), Signal(vectors.shape())
        distance = Signal(signed(timing.log2_batch_lines + 6), init=-1)
        distance_again = Signal(distance.shape())
        last = Signal(step.stage.shape())
        # Of the size alone, which rests long before a batch begins.
        for figure, what in (
            (cycles_again, lambda n: timing.vector_cycles(n) - 2),
            (distance_again, lambda n: timing.vector_cycles(n) + timing.step_distance - 3),
            (last, lambda n: n - 2),
        ):
            m.d.sync += figure.eq(by_size(timing.config, self.log2_points, what))
        running, stage_begins, release = Signal(), Signal(), Signal()
        issue, vector_ends, stage_ends, batch_ends = (
            Signal(name=name) for name in ("issue", "vector_ends", "stage_ends", "batch_ends")
        )
        waits = stage_begins & ~distance[-1] | step.first_step & step.last_stage & output.full
        m.d.comb += [
            issue.eq(running & ~waits),
            vector_ends.eq(issue & cycles[-1]),
            stage_ends.eq(vector_ends & vectors[-1]),
            batch_ends.eq(stage_ends & step.last_stage),
            taken.eq(offered & (~running | batch_ends)),
            idle.eq(~running & ~offered),
            output.take.eq(issue & step.first_step & step.last_stage),
            self.consumed.eq(vector_ends & step.first_stage),
        ]
        with m.If(~distance[-1]):
            m.d.sync += distance.eq(distance - 1)
        with m.If(issue):
            m.d.sync += [
                stage_begins.eq(0),
                step.first_step.eq(cycles[-1]),
                step.middle.eq(step.middle + 1),
                cycles.eq(cycles - 1),
                step.weight.eq(step.weight + 1),
            ]
            with m.If(stage_begins):
                m.d.sync += distance.eq(distance_again)
            with m.If(step.first_stage):
                m.d.sync += step.input.eq(step.input + 1)
            with m.If(step.last_stage):
                m.d.sync += step.output.eq(step.output + 1)
        weight_base = Signal.like(step.weight, name="weight_base", reset_less=True)
        with m.If(vector_ends):
            m.d.sync += [
                cycles.eq(cycles_again),
                vectors.eq(vectors - 1),
                step.weight.eq(weight_base),
            ]
        with m.If(stage_ends):
            m.d.sync += [
                vectors.eq(vectors_again),
                step.middle.eq(0),
                step.region.eq(~step.region),
                step.stage.eq(step.stage + 1),
                step.first_stage.eq(0),
                step.last_stage.eq(step.stage == last),
                step.weight.eq(step.weight + 1),
                weight_base.eq(step.weight + 1),
                stage_begins.eq(1),
            ]
        with m.If(batch_ends):
            m.d.sync += running.eq(0)
        with m.If(taken):
            m.d.sync += [
                running.eq(1),
                release.eq(batch.release),
                vectors.eq(batch.vectors - 2),
                vectors_again.eq(batch.vectors - 2),
                cycles.eq(cycles_again),
                distance.eq(-1),
                stage_begins.eq(1),
                step.middle.eq(0),
                step.region.eq(0),
                step.stage.eq(0),
                step.first_stage.eq(1),
                step.last_stage.eq(0),
                step.first_step.eq(1),
                step.bpmm.eq(batch.bpmm),
                step.inverse.eq(batch.inverse),
                step.rotate.eq(batch.rotate),
                step.weight.eq(0),
                weight_base.eq(0),
            ]
            with m.If(batch.resized):
                m.d.sync += [step.input.eq(0), step.output.eq(0)]

        m.d.sync += [
            self.o.valid.eq(issue),
            Value.cast(self.o.payload).eq(step),
            self.o.payload.last_step.eq(cycles[-1]),
        ]
        # The matrix's last line is asked for when the step has come to its place.
        ends = batch_ends & release
        for place in range(timing.lines + 1):
            later = Signal(name=f"release_{place}")
            m.d.sync += later.eq(ends)
            ends = later
        m.d.comb += self.weights_release.eq(ends)
