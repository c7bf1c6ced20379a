"""A core behind a link that shows what was done to it twice: for simulations of the link."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.bus.link import Link, LinkConfig, UartLink, UartLinkConfig
from hw.bus.register_file import AccessSignature, request_shape, response_shape
from hw.lib.credit import Push, PushSignature
from hw.lib.stream import Fifo, FifoConfig

__all__ = ["CALLS", "CONFIG", "STORE", "TOTAL", "LinkedCore", "Registers", "UartCore"]

CONFIG = LinkConfig(
    send_widths=(16, 3), receive_widths=(16, 20), buffer_bytes=64, patience_cycles=40
)
"""Small enough to be overrun, were it possible, and impatient."""

LOOP_DEPTH = 24
"""Words between the first stream to the core and the first from it: more than an answer holds."""

STORE, TOTAL, CALLS = 0x000, 0x004, 0x008
"""Registers: one that keeps what is written; one that adds it up; how many writes there were."""


class Registers(wiring.Component):
    """Three registers behind an access port; writing one of them twice is not writing it once."""

    access: Any

    def __init__(self):
        super().__init__({"access": In(AccessSignature())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.access.request, self.access.response
        store, total, calls = Signal(32), Signal(32), Signal(32)
        asked, held = Signal(), Signal(response_shape())
        ask = request.payload
        is_known = (ask.address == STORE) | (ask.address == TOTAL) | (ask.address == CALLS)
        error = ~is_known | (ask.write & (ask.address == CALLS))
        read = Mux(ask.address == STORE, store, Mux(ask.address == TOTAL, total, calls))
        m.d.comb += [
            request.ready.eq(~asked),
            response.valid.eq(asked),
            response.payload.eq(held),
        ]
        with m.If(asked):
            m.d.sync += asked.eq(~response.ready)
        with m.Elif(request.valid):
            m.d.sync += [
                asked.eq(1),
                held.error.eq(error),
                held.data.eq(Mux(error | ask.write, 0, read)),
            ]
            with m.If(ask.write & ~error & (ask.strobe == 0xF)):
                m.d.sync += calls.eq(calls + 1)
                with m.If(ask.address == STORE):
                    m.d.sync += store.eq(ask.data)
                with m.Else():
                    m.d.sync += total.eq(total + ask.data)
        return m


class LinkedCore(wiring.Component):
    """A link, registers, a loop of words, a stream that nothing takes and one that counts.

    Stream 0 to the core comes back at stream 0 from it; stream 1 to the core is never taken beyond
    the word that the link holds; stream 1 from the core gives 0, 1, 2, ...
    """

    def __init__(self, config: LinkConfig = CONFIG):
        self.config = config
        super().__init__(
            {
                "i": In(PushSignature(8)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                "busy": Out(1),
                "wrote": Out(PushSignature(request_shape())),
                "fed": Out(PushSignature(config.send_widths[0])),
            }
        )

    i: Push
    lost: Signal
    o: stream.Interface
    busy: Signal
    wrote: Push
    fed: Push

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.config)
        _put_core_behind(m, link, self.config)
        request = link.registers.request
        m.d.comb += [
            link.i.valid.eq(self.i.valid),
            link.i.payload.eq(self.i.payload),
            link.lost.eq(self.lost),
            self.o.valid.eq(link.o.valid),
            self.o.payload.eq(link.o.payload),
            link.o.ready.eq(self.o.ready),
            self.busy.eq(link.executor.busy),
            self.wrote.valid.eq(request.valid & request.ready & request.payload.write),
            self.wrote.payload.eq(request.payload),
            self.fed.valid.eq(link.to_core[0].valid & link.to_core[0].ready),
            self.fed.payload.eq(link.to_core[0].payload),
        ]
        return m


class UartCore(wiring.Component):
    """The same core behind the two pins of a `UartLink`."""

    receive: Signal
    transmit: Signal

    def __init__(self, config: UartLinkConfig):
        self.config = config
        super().__init__({"receive": In(1), "transmit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = UartLink(self.config)
        _put_core_behind(m, link, self.config.link)
        m.d.comb += [link.receive.eq(self.receive), self.transmit.eq(link.transmit)]
        return m


def _put_core_behind(m: Module, link: Link | UartLink, config: LinkConfig) -> None:
    m.submodules.registers = registers = Registers()
    m.submodules.loop = loop = Fifo(FifoConfig(shape=config.send_widths[0], depth=LOOP_DEPTH))
    connect(m, link.registers, registers.access)
    connect(m, link.to_core[0], loop.i)
    connect(m, loop.o, link.from_core[0])
    number = Signal(config.receive_widths[1])
    m.d.comb += [link.from_core[1].valid.eq(1), link.from_core[1].payload.eq(number)]
    with m.If(link.from_core[1].ready):
        m.d.sync += number.eq(number + 1)
