"""A host's access to registers and streams over a serial line, as docs/link.md has it."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.cobs import CobsEncoder, CobsEncoderConfig
from hw.bus.crc import Crc32
from hw.bus.executor import Executor, core_members
from hw.bus.frames import FrameReceiver, FrameSender
from hw.bus.link_config import LinkConfig
from hw.bus.uart import UartConfig, UartReceiver, UartTransmitter
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import Ram

__all__ = ["Link", "LinkConfig", "UartLink", "UartLinkConfig"]


class Link(wiring.Component):
    """Requests in as bytes, answers out as bytes; registers and streams of the core behind.

    Contract: as docs/link.md has it. A request is buffered whole and its CRC checked before any of
    it is acted on, and acted on once however often it comes. Whatever comes in, every request that
    is sound is answered, unless it comes while another is acted on or answered, and the link is
    idle again after a bounded time: the bytes of an answer, and `config.patience_cycles`.

    *Timing*: a byte every `config.interval` cycles. Then three cycles for a byte of the request,
    four for one of the answer, three to send it, and a few for each word.

    *Members*
    i, lost
        Push of a byte from the line; a byte from the line was lost.
    o
        Stream of bytes to the line.
    registers
        The register access port.
    o_core_<k>, i_core_<k>
        Streams of words to and from the core, also in the lists `to_core` and `from_core`.
    """

    i: Push
    lost: Signal
    o: stream.Interface
    registers: Any

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "i": In(PushSignature(8)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                **core_members(config),
            }
        )
        self.to_core = [getattr(self, f"o_core_{k}") for k in range(len(config.send_widths))]
        self.from_core = [getattr(self, f"i_core_{k}") for k in range(len(config.receive_widths))]
        self.executor = Executor(config)

    def elaborate(self, platform: object) -> Module:
        """Receiver and executor share a CRC, as they take turns; a memory for each direction."""
        m = Module()
        ram = self.config.ram
        m.submodules.receiver = receiver = FrameReceiver(ram)
        m.submodules.request = request = Ram(ram)
        m.submodules.executor = executor = self.executor
        m.submodules.crc = crc = Crc32(self.config.crc)
        m.submodules.encoder = encoder = CobsEncoder(CobsEncoderConfig(depth=ram.depth))
        m.submodules.answer = answer = Ram(ram)
        m.submodules.sender = sender = FrameSender(ram)

        m.d.comb += [
            receiver.i.valid.eq(self.i.valid),
            receiver.i.payload.eq(self.i.payload),
            receiver.lost.eq(self.lost),
            receiver.busy.eq(executor.busy),
            receiver.crc_register.eq(crc.register),
            executor.received.eq(receiver.received),
            executor.length.eq(receiver.length),
            executor.crc_busy.eq(crc.busy),
            executor.crc_register.eq(crc.register),
        ]
        crc_byte = executor.crc_byte, receiver.crc_byte
        m.d.comb += [
            crc.clear.eq(Mux(executor.busy, executor.crc_clear, receiver.crc_clear)),
            crc.i.valid.eq(Mux(executor.busy, *(each.valid for each in crc_byte))),
            crc.i.payload.eq(Mux(executor.busy, *(each.payload for each in crc_byte))),
            encoder.clear.eq(executor.clear),
            encoder.finish.eq(executor.finish),
            executor.encoded.eq(encoder.count),
            sender.start.eq(executor.send),
            sender.count.eq(encoder.count),
            executor.sending.eq(sender.busy),
        ]
        connect(m, receiver.write, request.write)
        connect(m, executor.read, request.read)
        connect(m, executor.encode, encoder.i)
        connect(m, encoder.write, answer.write)
        connect(m, sender.read, answer.read)
        connect(m, sender.o, flipped(self.o))
        for name in core_members(self.config):
            connect(m, getattr(executor, name), flipped(getattr(self, name)))
        return m


@dataclass(frozen=True, kw_only=True)
class UartLinkConfig:
    """Configuration of a `UartLink`.

    Parameters
    ----------
    uart
        Clock and rate of the line.
    link
        Buffers and streams.
    """

    uart: UartConfig
    link: LinkConfig


class UartLink(wiring.Component):
    """A `Link` on two pins.

    Contract: that of `Link`, for bytes whose sender's rate is within `config.uart.tolerance`.

    *Members*: ``receive`` and ``transmit``, the pins; the rest as in `Link`.
    """

    receive: Signal
    transmit: Signal
    registers: Any

    def __init__(self, config: UartLinkConfig):
        self.config = config
        super().__init__(
            {
                "receive": In(1, init=1),  # pyright: ignore[reportCallIssue]: not in the stubs
                "transmit": Out(1, init=1),  # pyright: ignore[reportCallIssue]
                **core_members(config.link),
            }
        )
        self.link = Link(config.link)
        widths = config.link.send_widths, config.link.receive_widths
        self.to_core = [getattr(self, f"o_core_{k}") for k in range(len(widths[0]))]
        self.from_core = [getattr(self, f"i_core_{k}") for k in range(len(widths[1]))]

    def elaborate(self, platform: object) -> Module:
        """Join the two directions of the line and the link."""
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.config.uart)
        m.submodules.transmitter = transmitter = UartTransmitter(self.config.uart)
        m.submodules.link = link = self.link
        m.d.comb += [
            receiver.line.eq(self.receive),
            link.i.valid.eq(receiver.o.valid),
            link.i.payload.eq(receiver.o.payload),
            link.lost.eq(receiver.lost),
            self.transmit.eq(transmitter.line),
        ]
        connect(m, link.o, transmitter.i)
        for name in core_members(self.config.link):
            connect(m, getattr(link, name), flipped(getattr(self, name)))
        return m
