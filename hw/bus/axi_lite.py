"""AXI4-Lite onto a register access port."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.bus.register_file import ADDRESS_BITS, WORD_BITS, AccessSignature

__all__ = ["AxiLite", "AxiLiteSignature"]

OKAY, SLVERR = 0b00, 0b10


class AxiLiteSignature(wiring.Signature):
    """The five channels of AXI4-Lite, as the side that asks sees them: 32 bits of data.

    *Members*: ``aw`` and ``ar``, streams of {addr, prot}; ``w``, of {data, strb}; ``b``, of {resp};
    ``r``, of {data, resp}.
    """

    def __init__(self):
        address = StructLayout({"addr": ADDRESS_BITS, "prot": 3})
        super().__init__(
            {
                "aw": Out(stream.Signature(address)),
                "w": Out(stream.Signature(StructLayout({"data": WORD_BITS, "strb": 4}))),
                "b": In(stream.Signature(StructLayout({"resp": 2}))),
                "ar": Out(stream.Signature(address)),
                "r": In(stream.Signature(StructLayout({"data": WORD_BITS, "resp": 2}))),
            }
        )


class AxiLite(wiring.Component):
    """Answers AXI4-Lite by asking through an access port, one request at a time.

    Contract: each write, an address and its data in whichever order they come, is asked once and
    answered once on `b`; each read is asked once and answered once on `r`; both in order. The
    answer is OKAY, or SLVERR where the port says `error`. If a write and a read wait, they take
    turns. Protection is ignored, and so are the two lowest bits of an address. Every `valid` and
    every `ready` of the bus comes from registers.

    *Timing*: an answer is offered three cycles and the port's latency after the request came.

    *Members*
    bus
        AXI4-Lite.
    access
        The port.

    What it holds is public for proofs to refer to.
    """

    bus: Any
    access: Any

    def __init__(self):
        super().__init__({"bus": In(AxiLiteSignature()), "access": Out(AccessSignature())})
        self.has_aw = Signal()
        self.has_w = Signal()
        self.has_ar = Signal()
        self.asking = Signal()
        self.waiting = Signal()
        self.writing = Signal()
        self.has_b = Signal()
        self.has_r = Signal()
        self.write_address = Signal(ADDRESS_BITS)
        self.read_address = Signal(ADDRESS_BITS)
        self.data = Signal(WORD_BITS)
        self.strobe = Signal(4)

    def elaborate(self, platform: object) -> Module:
        """Hold what comes on each channel; ask when a request is whole; hold its answer."""
        m = Module()
        bus, request, response = self.bus, self.access.request, self.access.response
        write_address, read_address = self.write_address, self.read_address
        data, strobe = self.data, self.strobe
        # Data are not taken while the port is asked to read: what it sees must not change.
        m.d.comb += [
            bus.aw.ready.eq(~self.has_aw),
            bus.w.ready.eq(~self.has_w & ~self.asking),
            bus.ar.ready.eq(~self.has_ar),
        ]
        with m.If(bus.aw.valid & bus.aw.ready):
            m.d.sync += [self.has_aw.eq(1), write_address.eq(bus.aw.payload.addr)]
        with m.If(bus.w.valid & bus.w.ready):
            m.d.sync += [self.has_w.eq(1), data.eq(bus.w.payload.data)]
            m.d.sync += strobe.eq(bus.w.payload.strb)
        with m.If(bus.ar.valid & bus.ar.ready):
            m.d.sync += [self.has_ar.eq(1), read_address.eq(bus.ar.payload.addr)]

        m.d.comb += [
            request.valid.eq(self.asking),
            request.payload.write.eq(self.writing),
            request.payload.address[2:].eq(Mux(self.writing, write_address, read_address)[2:]),
            request.payload.data.eq(data),
            request.payload.strobe.eq(strobe),
            response.ready.eq(self.waiting),
        ]
        # Each is asked when its answer has a place; of two, the kind that went before goes second.
        whole_write = self.has_aw & self.has_w & ~self.has_b
        whole_read = self.has_ar & ~self.has_r
        with m.If(~self.asking & ~self.waiting & (whole_write | whole_read)):
            m.d.sync += [
                self.asking.eq(1),
                self.writing.eq(whole_write & ~(whole_read & self.writing)),
            ]
        with m.If(self.asking & request.ready):
            m.d.sync += [self.asking.eq(0), self.waiting.eq(1)]
            with m.If(self.writing):
                m.d.sync += [self.has_aw.eq(0), self.has_w.eq(0)]
            with m.Else():
                m.d.sync += self.has_ar.eq(0)
        answer = Mux(response.payload.error, SLVERR, OKAY)
        b = Signal(2)
        r = Signal(WORD_BITS + 2)
        with m.If(self.has_b & bus.b.ready):
            m.d.sync += self.has_b.eq(0)
        with m.If(self.has_r & bus.r.ready):
            m.d.sync += self.has_r.eq(0)
        with m.If(self.waiting & response.valid):
            m.d.sync += self.waiting.eq(0)
            with m.If(self.writing):
                m.d.sync += [self.has_b.eq(1), b.eq(answer)]
            with m.Else():
                m.d.sync += [self.has_r.eq(1), r[:2].eq(answer), r[2:].eq(response.payload.data)]
        m.d.comb += [
            bus.b.valid.eq(self.has_b),
            bus.b.payload.resp.eq(b),
            bus.r.valid.eq(self.has_r),
            bus.r.payload.resp.eq(r[:2]),
            bus.r.payload.data.eq(r[2:]),
        ]
        return m
