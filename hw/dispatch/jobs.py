"""Jobs as the scan wants them, and the order between them and the loading of their masks."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dispatch.config import DispatchConfig
from hw.lib.stream import SkidBuffer, SkidBufferConfig

__all__ = ["LOAD_SETTLES", "MAX_JOBS", "JobPreparation", "LoadGate"]

LOAD_SETTLES = 3
"""Cycles from the last word of a mask to the first start of a job that may read it."""

MAX_JOBS = 255
"""Jobs that may have been started and not done, where a source is loaded at run time."""


class JobPreparation(wiring.Component):
    """A job becomes its context: last indices in place of lengths, and the keys' offset.

    Contract: contexts leave in the order of the jobs, each once. A job without queries or without
    keys is `empty` and has a last key of 0, and one without queries a last query of 0.

    *Timing*: latency 2, interval 1.

    *Members*: ``i``, a stream of `DispatchConfig.job_shape`; ``o``, one of its `context_shape`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: DispatchConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.job_shape)),
                "o": Out(stream.Signature(config.context_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract between two buffers: neither side's handshake passes through."""
        m = Module()
        m.submodules.jobs = jobs = SkidBuffer(SkidBufferConfig(shape=self.config.job_shape))
        m.submodules.contexts = contexts = SkidBuffer(
            SkidBufferConfig(shape=self.config.context_shape)
        )
        wiring.connect(m, wiring.flipped(self.i), jobs.i)
        wiring.connect(m, contexts.o, wiring.flipped(self.o))
        job, context = jobs.o.payload, contexts.i.payload
        # The borrow of each says that the length is zero.
        queries, keys = job.queries - 1, job.keys - 1
        m.d.comb += [
            contexts.i.valid.eq(jobs.o.valid),
            jobs.o.ready.eq(contexts.i.ready),
            context.queries_last.eq(Mux(queries[-1], 0, queries)),
            context.keys_last.eq(Mux(queries[-1] | keys[-1], 0, keys)),
            context.empty.eq(queries[-1] | keys[-1]),
            context.offset.eq(job.keys - job.queries),
            *(context[name].eq(job[name]) for name in ("batch", "head", "source", "causal")),
        ]
        return m


class LoadGate(wiring.Component):
    """Keeps the loading of masks and the jobs that use them apart.

    Contract: a mask stream is accepted only while no job that was started has yet to be done, and
    none can be started; a job is started only when its source's last words have arrived and no
    later ones have. A load may be interrupted by jobs of other sources, and goes on after them.

    *Members*
    source, pending
        The job that waits to be started, if any; `source` is its index.
    allow
        It may be started.
    start, done
        A job is started; a job that was has been done with.
    word, word_last
        For every mask stream in `config.streams`, a word is accepted, and it is its mask's last.
    open
        Words may be accepted. From registers alone.
    loaded
        For every source, whether its mask is there.
    """

    source: Signal
    pending: Signal
    allow: Signal
    start: Signal
    done: Signal
    word: Signal
    word_last: Signal
    open: Signal
    loaded: Signal

    def __init__(self, config: DispatchConfig):
        self.config = config
        streams = {"generator": (), "columns": ("columns",), "bitmap": ("bitmap", "tokens")}
        self.needs = [streams[source] for source in config.sources]
        self.streams = tuple(name for names in self.needs for name in names)
        super().__init__(
            {
                "source": In(range(len(config.sources))),
                "pending": In(1),
                "allow": Out(1),
                "start": In(1),
                "done": In(1),
                "word": In(len(self.streams)),
                "word_last": In(len(self.streams)),
                "open": Out(1),
                "loaded": Out(len(config.sources)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the jobs; remember for every stream whether its last word was its mask's last."""
        m = Module()
        none, full = self._count(m)
        complete = Signal(len(self.streams))
        for k in range(len(self.streams)):
            settling = Signal(LOAD_SETTLES - 1, name=f"settling_{k}")
            m.d.sync += settling.eq(settling << 1)
            with m.If(settling[-1]):
                m.d.sync += complete[k].eq(1)
            with m.If(self.word[k]):
                m.d.sync += [settling.eq(self.word_last[k]), complete[k].eq(0)]

        for k, names in enumerate(self.needs):
            complete_of = Cat(complete[self.streams.index(name)] for name in names)
            m.d.comb += self.loaded[k].eq(complete_of.all() if names else 1)
        there = Array(self.loaded)[self.source]
        m.d.comb += [
            self.allow.eq(there & ~full),
            # What is full is not without a job.
            self.open.eq(none & ~(self.pending & there)),
        ]
        return m

    def _count(self, m: Module) -> tuple[Value, Signal]:
        """Whether no job runs, and whether no more may be started.

        Starts and ends come from far away and late in a cycle: they are counted in the next one,
        and until then looked at as they are.
        """
        started = Signal()
        ended = Signal()
        running = Signal(range(MAX_JOBS + 1))
        none = Signal(init=1)
        one = Signal()
        full = Signal()
        up, down = started & ~ended, ended & ~started
        m.d.sync += [
            started.eq(self.start),
            ended.eq(self.done),
            running.eq(running + started - ended),
            # Without a wait for the sum's carries.
            none.eq(Mux(down, running == 1, (running == 0) & ~up)),
            one.eq(Mux(up, running == 0, running == Mux(down, 2, 1))),
            # Known late: three starts, of this cycle and the two before, come on top.
            full.eq(running[2:].all()),
        ]
        return Mux(ended, (one & ~started) | (none & started), none & ~started), full
