"""Fills the input memory: words of a stream, in natural or in bit-reversed order."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.jobs import by_size, is_bpmm, is_increasing, is_inverse
from hw.butterfly.ring import RingCount
from hw.butterfly.timing import LOAD_LATENCY, ButterflyTiming
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["Loader"]


class Loader(wiring.Component):
    """Writes each job's vectors into a ring of places, one after the other.

    Contract: every vector of a job is taken word by word, once the ring has a place for it. Before
    the first of another size than the one before, the ring must have become empty; the first then
    begins at line 0. A vector of a matrix of increasing strides is stored bit-reversed; one for the
    inverse FFT with its parts exchanged. A job is taken only with `job_grant`, and passed on at
    `o_job` a cycle later as it is.

    *Timing*: a transfer is written `LOAD_LATENCY` cycles later, and its vector told one cycle after
    that. `i.ready` comes from a register.

    *Members*
    i_job
        Stream of jobs.
    o_job, job_grant
        Push of jobs; there is room for one more.
    i
        Stream of words.
    enable, line, data
        A write: which banks, the line of each half, and every bank's word.
    o_vector
        Push for each vector that is loaded: whether it needs all `data_bits`.
    consumed
        The place of the oldest vector is free.
    """

    i_job: stream.Interface
    o_job: Push
    job_grant: Signal
    i: stream.Interface
    enable: Signal
    line: Any
    data: Any
    o_vector: Push
    consumed: Signal

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config, ring = timing.config, timing.ring
        super().__init__(
            {
                "i_job": In(stream.Signature(config.job_shape)),
                "o_job": Out(PushSignature(config.job_shape)),
                "job_grant": In(1),
                "i": In(stream.Signature(config.i_shape)),
                "enable": Out(config.banks),
                "line": Out(ArrayLayout(ring.ram.address_width, 2)),
                "data": Out(ArrayLayout(config.unit.word_shape, config.banks)),
                "o_vector": Out(PushSignature(StructLayout({"full": 1}))),
                "consumed": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Take jobs, count words, and write them."""
        m = Module()
        timing, config = self.timing, self.timing.config
        m.submodules.places = places = RingCount(timing.most_vectors)
        # A place is counted a cycle late; no two are taken in adjacent cycles.
        takes = Signal(name="takes")
        m.d.sync += [places.free.eq(self.consumed), places.take.eq(takes)]
        log2_points = Signal(range(config.stages + 1))
        # Transfers are counted in the ring, where a vector has its place, and within the vector
        # from the top bit down, so that turned round the count is a bit-reversed index.
        words = timing.log2_batch_lines + config.log2_line
        log2_stream = config.stream_words.bit_length() - 1
        at = Signal(words - log2_stream)
        start = Signal(words, reset_less=True)
        within = Signal(config.stages - log2_stream, reset_less=True)
        ends = Signal(name="ends")
        # One less than is left after this one: their sign says "the last".
        vectors = Signal(signed(len(self.i_job.payload.vectors) + 1), reset_less=True)
        transfers = Signal(signed(config.stages - log2_stream + 1), reset_less=True)
        again = Signal.like(transfers, name="again")
        modes: Any = Signal(StructLayout({"reverse": 1, "exchange": 1, "real": 1}), reset_less=True)
        taken = self.i.valid & self.i.ready
        ready = Signal()
        one = Signal.like(within, name="one", reset_less=True)
        for figure, what in (
            (places.capacity, lambda n: 1 << timing.batch_vectors(n)),
            (one, lambda n: 1 << config.stages - n),
            (again, lambda n: (1 << n - log2_stream) - 2),
        ):
            m.d.sync += figure.eq(by_size(config, log2_points, what))
        m.d.comb += [self.i.ready.eq(ready), ends.eq(taken & transfers[-1])]
        self._take_jobs(m, log2_points, vectors, modes, places, takes, ready, at, ends)
        with m.If(~ready):
            m.d.sync += transfers.eq(again)
        with m.If(taken):
            m.d.sync += [
                at.eq(at + 1),
                within.eq(within + one),
                transfers.eq(Mux(transfers[-1], again, transfers - 1)),
            ]
        with m.If(ends):
            m.d.sync += within.eq(0)
        # The place of the next vector; its index is zero below the vector's size.
        with m.If(~ready | ends):
            m.d.sync += start.eq(Cat(Const(0, log2_stream), at + taken))
        self._write(m, taken, ends, at, start, within, log2_points, modes)
        return m

    def _take_jobs(
        self,
        m: Module,
        log2_points: Signal,
        vectors: Signal,
        modes: Any,
        places: RingCount,
        takes: Signal,
        ready: Signal,
        at: Signal,
        ends: Signal,
    ) -> None:
        """A job's vectors one after the other, each with a place."""
        config, job = self.timing.config, self.i_job.payload
        resized = Signal()
        asked: Any = Signal.like(job.vectors, name="asked")
        # The grant is one of cycles before, but jobs are not taken in adjacent cycles.
        told = Signal(name="told_job")
        told_job = Signal(job.shape(), name="told_job_payload", reset_less=True)
        take = self.i_job.valid & self.i_job.ready
        m.d.sync += [told.eq(take), told_job.eq(job)]
        m.d.comb += [self.o_job.valid.eq(told), self.o_job.payload.eq(told_job)]
        # A vector is counted a cycle after its place was taken, before its last transfer.
        with m.If(places.take):
            m.d.sync += vectors.eq(vectors - 1)
        with m.FSM(name="load"):
            with m.State("TAKE"):
                m.d.comb += self.i_job.ready.eq(self.job_grant)
                m.d.sync += [
                    asked.eq(job.vectors),
                    modes.reverse.eq(is_increasing(config, job)),
                    modes.exchange.eq(is_inverse(config, job)),
                    modes.real.eq(is_bpmm(config, job)),
                    resized.eq(log2_points != job.log2_points),
                ]
                with m.If(take):
                    m.d.sync += log2_points.eq(job.log2_points)
                    m.next = "RESIZE"
            with m.State("RESIZE"):
                m.d.sync += vectors.eq(asked - 1)
                with m.If(~resized):
                    m.next = "PLACE"
                with m.Elif(places.empty):
                    m.d.sync += at.eq(0)
                    m.next = "RESTART"
            with m.State("RESTART"):
                m.d.comb += places.restart.eq(1)
                m.next = "PLACE"
            with m.State("PLACE"), m.If(~places.full):
                m.d.comb += takes.eq(1)
                m.d.sync += ready.eq(1)
                m.next = "LOAD"
            with m.State("LOAD"), m.If(ends):
                with m.If(vectors[-1]):
                    m.d.sync += ready.eq(0)
                    m.next = "TAKE"
                with m.Elif(~places.full):
                    m.d.comb += takes.eq(1)
                with m.Else():
                    m.d.sync += ready.eq(0)
                    m.next = "PLACE"

    def _write(
        self,
        m: Module,
        taken: Value,
        ends: Value,
        at: Signal,
        start: Signal,
        within: Signal,
        log2_points: Signal,
        modes: Any,
    ) -> None:
        """Give each word its bank and line."""
        config, p = self.timing.config, self.timing.config.log2_units
        unit = config.unit
        log2_stream = config.stream_words.bit_length() - 1
        reversed_index = start | Cat(within[::-1], Const(0, log2_stream))
        natural = Cat(Const(0, log2_stream), at)
        index = Mux(modes.reverse, reversed_index, natural)
        parts = list(range(unit.parts))
        words = {}
        for k in range(config.stream_words):
            x = [self.i.payload[part][k] for part in config.parts]
            turned = [Mux(modes.exchange, x[-1 - part], x[part]) for part in parts]
            # Of a matrix's vector the imaginary part is nothing.
            turned[1:] = [Mux(modes.real, 0, each)[: len(each)] for each in turned[1:]]
            words[f"x{k}"] = Cat(turned)
        top = Signal(self.timing.log2_batch_lines, name="top", reset_less=True)
        top_line = by_size(config, log2_points, lambda n: (1 << n - 1) >> config.log2_line)
        m.d.sync += top.eq(top_line)
        with Pipe(
            m,
            "load",
            latency=LOAD_LATENCY,
            valid=taken,
            index=index,
            ends=ends,
            reverse=modes.reverse,
            **words,
        ) as pipe:
            pipe.stage("take", keep=("index", "ends", "reverse", *words))
            full = Cat(
                getattr(pipe, f"x{k}").word_select(part, config.butterfly.data_bits)[-2:].xor()
                for k in range(config.stream_words)
                for part in parts
            ).any()
            pipe.stage(
                "place",
                half=pipe.index[p:].xor(),
                lane=pipe.index[:p],
                line=pipe.index[p + 1 :],
                full=full,
                keep=("ends", "reverse", *words),
            )
            lines, enables, data = [], [], []
            pair = config.increasing and config.stream_words == 2
            for half in range(2):
                # Of a bit-reversed pair, the second differs in the top bit, and so in the half.
                second = pipe.half ^ half
                is_pair = pipe.reverse if pair else Const(0, 1)
                lines.append(pipe.line | Mux(is_pair & second, top, 0))
                for lane in range(config.units):
                    own = pipe.lane == lane
                    if config.stream_words > 1:
                        group = pipe.lane[log2_stream:] == lane >> log2_stream
                        own = Mux(pipe.reverse, own, group) if config.increasing else group
                    enables.append(pipe.valid & own & (is_pair | (pipe.half == half)))
                    natural_word = getattr(pipe, f"x{lane % config.stream_words}")
                    chosen: Value = natural_word
                    if pair:
                        chosen = Mux(is_pair, Mux(second, pipe.x1, pipe.x0), natural_word)
                    data.append(self._extended(chosen))
            so_far = Signal()
            first = Signal(init=1)
            with m.If(pipe.valid):
                m.d.sync += [first.eq(pipe.ends), so_far.eq(pipe.full | so_far & ~first)]
            pipe.stage(
                "bank",
                line0=lines[0],
                line1=lines[1],
                enable=Cat(enables),
                data=Cat(data),
                ends=pipe.valid & pipe.ends,
            )
        told = Signal(name="told")
        m.d.sync += [told.eq(pipe.ends), self.o_vector.payload.full.eq(so_far)]
        m.d.comb += [
            self.enable.eq(pipe.enable),
            self.line[0].eq(pipe.line0),
            self.line[1].eq(pipe.line1),
            Value.cast(self.data).eq(pipe.data),
            self.o_vector.valid.eq(told),
        ]

    def _extended(self, packed: Value) -> Value:
        """A word of a stream with its components as wide as they are between stages."""
        config = self.timing.config
        bits = config.butterfly.data_bits
        parts = [packed.word_select(part, bits).as_signed() for part in range(config.unit.parts)]
        return Cat(Value.cast(_wide(part, config.butterfly.word_bits)) for part in parts)


def _wide(value: Value, width: int) -> Value:
    return Cat(value, value[-1].replicate(width - len(value)))
