"""The butterfly core: streams of vectors in, their transforms out, at every unit's full rate."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.coefficients import Coefficients
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.datapath import Datapath
from hw.butterfly.exponents import ASK_FIELDS, Exponents
from hw.butterfly.jobs import nearest_job
from hw.butterfly.loader import Loader
from hw.butterfly.sequencer import Sequencer
from hw.butterfly.storer import Storer
from hw.butterfly.timing import ButterflyTiming
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe
from hw.lib.stream import SkidBuffer

__all__ = ["ButterflyCore"]


class ButterflyCore(wiring.Component):
    """FFTs and products with butterfly matrices, of any sizes, job by job.

    Contract: the bits are those of ``sim.golden.butterfly`` and depend on the description and the
    data alone. Vectors leave in the order in which they came, in natural order of words. A job
    that the description does not allow is done as the nearest one that it does: log2_points from
    max(3, log2 2P) to that of the largest, at least one vector. Imaginary parts that come with a
    product count as zero, and a field that has no meaning for a job's transform has none. Weights
    of −2 and matrices without all of their lines give words of no meaning, of their job alone.

    *Timing*: (points / 2) · log2 points / P cycles a vector in steady state, as long as the streams
    keep up. ``sim.cycle.butterfly`` gives the cycle of every transfer.

    *Members*
    i_job
        Stream of jobs: {log2_points, vectors; bpmm, inverse, increasing, keep where there is a
        choice}. `keep`: the next job of a matrix uses the same. Of the second layer of a divided
        vector, {start, turn}: a vector's first stage, and by what part of a stage's step its
        factors are turned against those of the vector before; those of a job go round once.
    i
        Stream of {re, im}, words of each vector in order; without `im` if all are real.
    i_weights
        Stream of {weight, last}, lines of matrices, if there are any: of each unit w00, w01, w10,
        w11.
    o
        Stream of {re, im, exponent, last, saturated}: the result is (re + i·im) · 2^exponent.
        `saturated` only with fixed shifts; it holds for the vector.

    *Source*: docs/butterfly.md.
    """

    i_job: stream.Interface
    i: stream.Interface
    i_weights: stream.Interface
    o: stream.Interface

    def __init__(self, config: ButterflyConfig):
        self.config = config
        self.timing = ButterflyTiming(config)
        members: dict[str, Any] = {
            "i_job": In(stream.Signature(config.job_shape)),
            "i": In(stream.Signature(config.i_shape)),
        }
        if config.bpmm:
            members["i_weights"] = In(stream.Signature(config.weights_shape))
        super().__init__({**members, "o": Out(stream.Signature(config.o_shape))})

    def elaborate(self, platform: object) -> Module:
        """Join load, sequence, datapath and store."""
        m = Module()
        config, timing = self.config, self.timing
        m.submodules.loader = loader = Loader(timing)
        m.submodules.jobs = jobs = CreditFifo(timing.job_queue)
        # The planner looks at all of a job at once: not in time behind a queue's memory.
        m.submodules.next_job = next_job = SkidBuffer(timing.next_job)
        m.submodules.loaded = loaded = CreditFifo(timing.loaded_queue)
        m.submodules.sequencer = sequencer = Sequencer(timing)
        m.submodules.coefficients = coefficients = Coefficients(timing)
        m.submodules.exponents = exponents = Exponents(timing)
        m.submodules.datapath = datapath = Datapath(timing)
        m.submodules.done = done = CreditFifo(timing.done_queue)
        # The storer decides late whether it needs the next vector: not in time for a queue's count.
        m.submodules.next_done = next_done = SkidBuffer(timing.next_done)
        m.submodules.storer = storer = Storer(timing)

        m.d.comb += [
            loader.i_job.valid.eq(self.i_job.valid),
            self.i_job.ready.eq(loader.i_job.ready),
        ]
        for name, value in nearest_job(config, self.i_job.payload).items():
            m.d.comb += loader.i_job.payload[name].eq(value)
        connect(m, flipped(self.i), loader.i)
        m.d.comb += [
            loader.job_grant.eq(jobs.grant),
            jobs.take.eq(loader.o_job.valid),
            jobs.i.valid.eq(loader.o_job.valid),
            jobs.i.payload.eq(loader.o_job.payload),
            loader.consumed.eq(sequencer.consumed),
            # Rings bound what these hold, so they need no credit of their own.
            loaded.take.eq(loader.o_vector.valid),
            loaded.i.valid.eq(loader.o_vector.valid),
            loaded.i.payload.eq(loader.o_vector.payload),
            sequencer.loaded.eq(loader.o_vector.valid),
            sequencer.stored.eq(storer.stored),
            done.take.eq(exponents.o.valid),
            done.i.valid.eq(exponents.o.valid),
            done.i.payload.eq(exponents.o.payload),
        ]
        connect(m, jobs.o, next_job.i)
        connect(m, next_job.o, sequencer.i)
        connect(m, loaded.o, exponents.i_vector)
        connect(m, done.o, next_done.i)
        connect(m, next_done.o, storer.i)
        connect(m, storer.o, flipped(self.o))

        step = sequencer.o.payload
        m.d.comb += [
            coefficients.i.valid.eq(sequencer.o.valid),
            coefficients.i.payload.stage.eq(step.stage),
            coefficients.i.payload.cycle.eq(step.middle),
            coefficients.i.payload.weight.eq(step.weight),
            coefficients.i.payload.bpmm.eq(step.bpmm),
            coefficients.release.eq(sequencer.weights_release),
            sequencer.weights_full.eq(coefficients.full),
            datapath.i.valid.eq(sequencer.o.valid),
            datapath.i.payload.eq(step),
            Value.cast(datapath.coefficient).eq(Value.cast(coefficients.coefficient)),
            datapath.shift.eq(exponents.shift),
            Value.cast(exponents.results).eq(Value.cast(datapath.results)),
            datapath.load_enable.eq(loader.enable),
            datapath.load_line.eq(loader.line),
            Value.cast(datapath.load_data).eq(Value.cast(loader.data)),
            datapath.store_line.eq(storer.line),
            Value.cast(storer.data).eq(Value.cast(datapath.store_data)),
        ]
        for name in config.turn_fields:
            m.d.comb += coefficients.i.payload[name].eq(step[name])
        if config.bpmm:
            connect(m, flipped(self.i_weights), coefficients.i_weights)

        names = ("stage", *ASK_FIELDS)
        with Pipe(
            m,
            "asked",
            latency=timing.asked,
            valid=sequencer.o.valid,
            **{f"of_{name}": step[name] for name in names},
        ) as p:
            p.through(timing.asked, keep=tuple(f"of_{name}" for name in names))
            m.d.comb += exponents.i.valid.eq(p.valid)
            for name in names:
                m.d.comb += exponents.i.payload[name].eq(getattr(p, f"of_{name}"))

        m.d.comb += storer.restart.eq(sequencer.restart)
        for unit in (exponents, datapath, storer):
            m.d.comb += unit.log2_points.eq(sequencer.log2_points)
        return m
