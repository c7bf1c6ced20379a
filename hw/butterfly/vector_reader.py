"""The reader behind the second layer of a divided vector: natural order, one exponent."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.align import Operands, aligned
from hw.butterfly.divided import DividedConfig
from hw.butterfly.reader import follow, parts_of, read_members
from hw.butterfly.walk import Walk
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["VectorReader"]


class VectorReader(wiring.Component):
    """Word r + V·w of the result is word w of vector r: all at the common exponent, rounded once.

    Contract, *Members*: those of `hw.butterfly.back_reader.BackReader`; `exchange`: whether real
    and imaginary parts change places.

    *Timing*: the first words are offered `config.back_latency` cycles after the first read, S words
    a cycle.
    """

    start: Signal
    last_word: Signal
    last_group: Signal
    exchange: Signal
    busy: Signal
    done: Signal
    read_group: Signal
    read_word: Signal
    read_data: Any
    down: Any
    exponent: Signal
    saturated: Signal
    o: stream.Interface

    def __init__(self, config: DividedConfig):
        self.config = config
        super().__init__(
            {
                **read_members(config, config.back),
                "exchange": In(1),
                "exponent": In(config.exponent_shape),
                "saturated": In(1),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask for words, and align them."""
        m = Module()
        config, pad = self.config, self.config.back
        bits = config.butterfly.data_bits
        m.submodules.walk = walk = Walk(
            pad.log2_words, pad.log2_vectors - pad.log2_stream, descending=False
        )
        m.submodules.queue = queue = CreditFifo(config.queue(config.o_shape))
        ask = follow(m, self, walk, queue)
        m.d.comb += queue.take.eq(ask)
        told = ("last", "exponent", "saturated")
        with Pipe(
            m,
            "back",
            latency=pad.latency,
            valid=ask,
            last=walk.last,
            exponent=self.exponent,
            saturated=self.saturated,
            exchange=self.exchange,
        ) as p:
            # Another job may follow directly.
            p.through(pad.latency, keep=(*told, "exchange"))
            operands = []
            for k in range(config.stream_words):
                re, im = parts_of(self.read_data[k], bits)
                for word in (Mux(p.exchange, im, re), Mux(p.exchange, re, im)):
                    operands.append(Operands(word, word, Const(0, 1), self.down[k]))
            end = aligned(
                m,
                operands,
                width=bits,
                valid=p.valid,
                **{name: getattr(p, name) for name in told},
            )
        payload = queue.i.payload
        m.d.comb += [queue.i.valid.eq(end.valid), payload.exponent.eq(end.exponent)]
        m.d.comb += payload.last.eq(end.last)
        for k in range(config.stream_words):
            m.d.comb += [
                payload.re[k].eq(getattr(end, f"word{2 * k}")),
                payload.im[k].eq(getattr(end, f"word{2 * k + 1}")),
            ]
        if "saturated" in payload.shape().members:
            m.d.comb += payload.saturated.eq(end.saturated)
        connect(m, queue.o, flipped(self.o))
        return m
