"""Change the number of lanes of a stream of packets, without losing where a packet ends."""

from dataclasses import dataclass

from amaranth.hdl import Array, Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Narrow", "NarrowConfig", "Widen", "WidenConfig"]


@dataclass(frozen=True, kw_only=True)
class WidthConfig:
    """What `NarrowConfig` and `WidenConfig` share.

    Parameters
    ----------
    shape
        Shape of one lane.
    lanes
        Lanes of the narrow side, at least 1.
    factor
        Narrow words in a wide one, at least 2.
    """

    shape: ShapeLike
    lanes: int
    factor: int

    def __post_init__(self):
        name = type(self).__name__
        Shape.cast(self.shape)
        if self.lanes < 1:
            raise ValueError(f"{name}.lanes must be at least 1, got {self.lanes}")
        if self.factor < 2:
            raise ValueError(f"{name}.factor must be at least 2, got {self.factor}")

    @property
    def narrow(self) -> data.StructLayout:
        """Payload of the narrow side: `lanes`, and whether the word is the `last` of its packet."""
        return data.StructLayout({"lanes": data.ArrayLayout(self.shape, self.lanes), "last": 1})

    @property
    def wide(self) -> data.StructLayout:
        """Payload of the wide side: `lanes`, `last`, and how many narrow `words` of it count.

        `words` is `factor` except in the last word of a packet, where it is 1 to `factor`.
        """
        lanes = data.ArrayLayout(self.shape, self.lanes * self.factor)
        return data.StructLayout({"lanes": lanes, "words": range(self.factor + 1), "last": 1})


@dataclass(frozen=True, kw_only=True)
class NarrowConfig(WidthConfig):
    """Configuration of a `Narrow`; the parameters are those of `WidthConfig`."""

    @property
    def latency(self) -> int:
        """Cycles from offered input to its first offered output."""
        return 0

    @property
    def interval(self) -> int:
        """Cycles between accepts, of words that are full; it is `words` for others."""
        return self.factor


@dataclass(frozen=True, kw_only=True)
class WidenConfig(WidthConfig):
    """Configuration of a `Widen`; the parameters are those of `WidthConfig`."""

    @property
    def latency(self) -> int:
        """Cycles from the accepted input that completes a wide word to its offer."""
        return 1

    @property
    def interval(self) -> int:
        """Cycles between accepts."""
        return 1


class Narrow(wiring.Component):
    """Wide words to narrow ones, lowest lanes first: the inverse of `Widen`.

    Contract: every accepted wide word leaves as its first `words` narrow words, in order, and
    `last` is set on the final one if it was on the wide word. `words` must be at least 1.

    Timing
    ------
    Latency 0, interval `words` cycles. `i.ready` depends on `o.ready` in the same cycle.

    Members
    -------
    i
        Stream of `config.wide`.
    o
        Stream of `config.narrow`.

    `index` is the narrow word on offer, for proofs to refer to.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: NarrowConfig):
        self.config = config
        super().__init__(
            {"i": In(stream.Signature(config.wide)), "o": Out(stream.Signature(config.narrow))}
        )
        self.index = Signal(range(config.factor))

    def elaborate(self, platform: object) -> Module:
        """Offer one slice of the input after the other."""
        m = Module()
        wide, narrow = self.i.payload, self.o.payload
        final = Signal()
        width = len(narrow.lanes.as_value())
        words = [wide.lanes.as_value().word_select(k, width) for k in range(self.config.factor)]
        m.d.comb += [
            final.eq(self.index + 1 == wide.words),
            self.o.valid.eq(self.i.valid),
            narrow.lanes.as_value().eq(Array(words)[self.index]),
            narrow.last.eq(wide.last & final),
            self.i.ready.eq(self.o.ready & final),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.index.eq(Mux(final, 0, self.index + 1))
        return m


class Widen(wiring.Component):
    """Narrow words to wide ones, lowest lanes first; the `last` of a packet closes a word early.

    Contract: the accepted narrow words leave in order, `factor` to a wide word or as many as were
    left of the packet; `words` says how many, and the lanes of missing words are zero.

    Timing
    ------
    Latency 1 from the narrow word that completes a wide one, interval 1. `i.ready` depends on
    `o.ready` in the same cycle.

    Members
    -------
    i
        Stream of `config.narrow`.
    o
        Stream of `config.wide`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: WidenConfig):
        self.config = config
        super().__init__(
            {"i": In(stream.Signature(config.narrow)), "o": Out(stream.Signature(config.wide))}
        )

    def elaborate(self, platform: object) -> Module:
        """Collect words in the output register, and close it when full or last."""
        m = Module()
        lanes = Signal.like(self.o.payload.lanes.as_value(), name="lanes", reset_less=True)
        words = Signal.like(self.o.payload.words, name="words")
        last = Signal(reset_less=True)
        closed = Signal()
        accept = Signal()
        index = Signal(range(self.config.factor))
        m.d.comb += [
            self.o.valid.eq(closed),
            self.o.payload.lanes.as_value().eq(lanes),
            self.o.payload.words.eq(words),
            self.o.payload.last.eq(last),
            self.i.ready.eq(~closed | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
            index.eq(Mux(closed, 0, words)),
        ]
        with m.If(accept):
            m.d.sync += [
                words.eq(index + 1),
                last.eq(self.i.payload.last),
                closed.eq(self.i.payload.last | (index == self.config.factor - 1)),
            ]
            for k in range(self.config.factor):
                word = lanes.word_select(k, len(self.i.payload.lanes.as_value()))
                with m.If(index == k):
                    m.d.sync += word.eq(self.i.payload.lanes)
                with m.Elif(index == 0):
                    m.d.sync += word.eq(0)
        with m.Elif(closed & self.o.ready):
            m.d.sync += [words.eq(0), closed.eq(0)]
        return m
