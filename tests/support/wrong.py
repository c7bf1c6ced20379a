"""Components that are wrong on purpose: what the harnesses must catch, each for one reason."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring

from hw.lib.stream import PassSignature

__all__ = ["Changes", "Doubles", "Loses", "Peeks", "Swaps", "Withdraws"]


class _Wrong(wiring.Component):
    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__(PassSignature(4))


class Withdraws(_Wrong):
    """Offers a payload for one cycle only."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered = Signal()
        m.d.sync += offered.eq(self.i.valid & ~offered)
        m.d.comb += [self.o.valid.eq(offered), self.o.payload.eq(self.i.payload)]
        m.d.comb += self.i.ready.eq(offered & self.o.ready)
        return m


class Changes(_Wrong):
    """Counts up while an offer waits."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        late = Signal(4)
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += late.eq(late + 1)
        m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload + late)]
        m.d.comb += self.i.ready.eq(self.o.ready)
        return m


class Peeks(_Wrong):
    """Does not offer before it is accepted."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.o.valid.eq(self.i.valid & self.o.ready), self.i.ready.eq(self.o.ready)]
        m.d.comb += self.o.payload.eq(self.i.payload)
        return m


class Loses(_Wrong):
    """Accepts without asking whether its register is free."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full, payload = Signal(), Signal(4)
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(full), self.o.payload.eq(payload)]
        with m.If(~full | self.o.ready):
            m.d.sync += [full.eq(self.i.valid), payload.eq(self.i.payload)]
        return m


class Doubles(_Wrong):
    """Keeps its register full when it was emptied without a successor at hand."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full, payload = Signal(), Signal(4)
        m.d.comb += [self.o.valid.eq(full), self.o.payload.eq(payload)]
        m.d.comb += self.i.ready.eq(~full | self.o.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), payload.eq(self.i.payload)]
        with m.Elif(self.o.ready & (payload != 3)):
            m.d.sync += full.eq(0)
        return m


class Swaps(_Wrong):
    """Collects two payloads, and the later one leaves first."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, draining = Signal(2), Signal()
        first, second = Signal(4), Signal(4)
        m.d.comb += [
            self.i.ready.eq(~draining),
            self.o.valid.eq(draining),
            self.o.payload.eq(Mux(count == 2, second, first)),
        ]
        with m.If(self.i.valid & ~draining):
            m.d.sync += [second.eq(self.i.payload), first.eq(second), count.eq(count + 1)]
            m.d.sync += draining.eq(count == 1)
        with m.If(draining & self.o.ready):
            m.d.sync += [count.eq(count - 1), draining.eq(count == 2)]
        return m
