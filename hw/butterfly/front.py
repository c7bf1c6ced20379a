"""A vector as it comes, and the first layer's vectors out of it."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.config import VECTORS_BITS
from hw.butterfly.divided import DividedConfig
from hw.butterfly.scratchpad import Scratchpad
from hw.butterfly.walk import Walk
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["Front"]


class Front(wiring.Component):
    """Words in order; out come words i, i + V, i + 2V, … for every i below V.

    Contract: `begin` comes when all vectors before have left; `blocks` is one less than how many
    are to be taken. `start` comes once for each, while it is `full`. The limits hold still
    meanwhile.

    *Timing*: S words a cycle. The first words are offered `config.front_latency` + 1 cycles after
    `start`. The next vector is taken from the second cycle after the one in which the last words
    were asked for.

    *Members*
    i, o
        Streams of words.
    begin, blocks
        A job.
    last_word, last_group
        V − 1 and L/S − 1.
    exchange
        Whether real and imaginary parts change places.
    full, start
        A vector is there, and is asked for.
    """

    i: stream.Interface
    o: stream.Interface
    begin: Signal
    blocks: Signal
    last_word: Signal
    last_group: Signal
    exchange: Signal
    full: Signal
    start: Signal

    def __init__(self, config: DividedConfig):
        self.config = config
        pad = config.front
        self.groups = pad.log2_vectors - pad.log2_stream
        super().__init__(
            {
                "i": In(stream.Signature(config.i_shape)),
                "o": Out(stream.Signature(config.core.i_shape)),
                "begin": In(1),
                "blocks": In(VECTORS_BITS),
                "last_word": In(pad.log2_words),
                "last_group": In(self.groups),
                "exchange": In(1),
                "full": Out(1),
                "start": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Write while the scratchpad is open, then read."""
        m = Module()
        config, pad_config = self.config, self.config.front
        s, bits = pad_config.log2_stream, config.butterfly.data_bits
        m.submodules.pad = pad = Scratchpad(pad_config)
        m.submodules.walk = walk = Walk(pad_config.log2_words, self.groups, descending=False)
        m.submodules.queue = queue = CreditFifo(config.queue(config.core.i_shape))
        ask, done = Signal(name="ask"), Signal(name="done")
        # One less than are left after the one at hand.
        left = Signal(signed(len(self.blocks) + 1), init=-1)
        is_open = Signal()
        full = Signal()
        run = Signal(pad_config.log2_vectors)
        group = Signal(pad_config.log2_words - s)
        taken, run_ends, ends = (Signal(name=name) for name in ("taken", "run_ends", "ends"))
        m.d.comb += [
            self.i.ready.eq(is_open),
            self.full.eq(full),
            taken.eq(self.i.valid & is_open),
            run_ends.eq(taken & (group == self.last_word[s:])),
            ends.eq(run_ends & (run[s:] == self.last_group) & run[:s].all()),
            ask.eq(walk.busy & queue.grant),
            done.eq(ask & walk.last),
            pad.write.eq(taken),
            pad.write_vector.eq(run),
            pad.write_group.eq(group),
            pad.read_group.eq(walk.group),
            pad.read_word.eq(walk.word),
            walk.start.eq(self.start),
            walk.go.eq(queue.grant),
            walk.last_word.eq(self.last_word),
            walk.last_group.eq(self.last_group),
            queue.take.eq(ask),
        ]
        with m.If(taken):
            m.d.sync += [
                group.eq(Mux(run_ends, 0, group + 1)),
                run.eq(Mux(ends, 0, run + run_ends)),
            ]
        with m.If(self.begin):
            m.d.sync += [is_open.eq(1), left.eq(self.blocks - 1)]
        with m.Elif(ends):
            m.d.sync += [is_open.eq(0), full.eq(1)]
        with m.Elif(done):
            m.d.sync += [is_open.eq(~left[-1]), left.eq(left - ~left[-1])]
        with m.If(self.start):
            m.d.sync += full.eq(0)
        words = self.i.payload
        for k in range(config.stream_words):
            word = pad.write_data[k]
            m.d.comb += [
                word[:bits].eq(Mux(self.exchange, words.im[k], words.re[k])),
                word[bits:].eq(Mux(self.exchange, words.re[k], words.im[k])),
            ]
        with Pipe(m, "front", latency=pad_config.latency, valid=ask) as p:
            p.through(pad_config.latency)
            m.d.comb += queue.i.valid.eq(p.valid)
        for k in range(config.stream_words):
            found: Any = pad.read_data[k]
            m.d.comb += [
                Value.cast(queue.i.payload.re[k]).eq(found[:bits]),
                Value.cast(queue.i.payload.im[k]).eq(found[bits:]),
            ]
        connect(m, queue.o, flipped(self.o))
        return m
