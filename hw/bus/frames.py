"""Frames into a memory, if they are sound, and out of one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.cobs import CobsDecoder
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import RamConfig, RamRead, RamReadSignature, RamWrite, RamWriteSignature
from spec.link import CRC_BYTES, CRC_RESIDUE, HEAD_BYTES

__all__ = ["FrameReceiver", "FrameSender"]


class FrameReceiver(wiring.Component):
    """Writes each frame to a memory from address 0, and says so if it is whole and its CRC right.

    Contract: `received` comes with the zero that ends a frame which is COBS, is at least a head and
    a CRC, fits the memory, has the right CRC, and of which no byte was `lost` or came while `busy`.
    Of any other nothing is said. What comes while `busy` changes neither the memory nor the CRC;
    who reads the memory raises `busy` the cycle after `received` and as long as it reads.

    *Timing*: `received` in the cycle after that of the zero. Bytes come a cycle further apart than
    the CRC's interval.

    *Members*
    i, lost
        Push of a byte from the line; a byte was lost.
    busy
        Drop what comes.
    write
        To the memory.
    crc_clear, crc_byte, crc_register
        A `hw.bus.crc.Crc32`, which is the receiver's while not `busy`.
    received, length
        A sound frame lies in the memory; its bytes, in that cycle, CRC included.
    """

    i: Push
    lost: Signal
    busy: Signal
    write: RamWrite
    crc_clear: Signal
    crc_byte: Push
    crc_register: Signal
    received: Signal
    length: Signal

    def __init__(self, ram: RamConfig):
        self.ram = ram
        super().__init__(
            {
                "i": In(PushSignature(8)),
                "lost": In(1),
                "busy": In(1),
                "write": Out(RamWriteSignature(ram)),
                "crc_clear": Out(1),
                "crc_byte": Out(PushSignature(8)),
                "crc_register": In(32),
                "received": Out(1),
                "length": Out(range(ram.depth + 1)),
            }
        )
        self.spoiled = Signal()

    def elaborate(self, platform: object) -> Module:
        """Decode, count, and remember what went wrong until the frame ends."""
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        count = Signal(range(self.ram.depth + 1))
        full = count == self.ram.depth
        right = Signal()
        long_enough = Signal()
        m.d.sync += right.eq(self.crc_register == CRC_RESIDUE)
        m.d.comb += [
            decoder.i.valid.eq(self.i.valid & ~self.busy),
            decoder.i.payload.eq(self.i.payload),
            self.write.enable.eq(decoder.o.valid & ~full),
            self.write.address.eq(count),
            self.write.data.eq(decoder.o.payload),
            self.crc_byte.valid.eq(decoder.o.valid),
            self.crc_byte.payload.eq(decoder.o.payload),
            self.crc_clear.eq(decoder.end),
        ]
        m.d.sync += [
            long_enough.eq(count >= HEAD_BYTES + CRC_BYTES),
            self.length.eq(count),
            self.received.eq(decoder.end & decoder.good & ~self.spoiled & long_enough & right),
        ]
        with m.If(decoder.o.valid):
            m.d.sync += count.eq(Mux(full, count, count + 1))
        with m.If(decoder.end):
            m.d.sync += count.eq(0)

        # A zero makes good whatever came before it.
        with m.If(self.i.valid & (self.i.payload == 0)):
            m.d.sync += self.spoiled.eq(0)
        with m.Elif((self.i.valid & self.busy) | (decoder.o.valid & full)):
            m.d.sync += self.spoiled.eq(1)
        with m.If(self.lost):
            m.d.sync += self.spoiled.eq(1)
        return m


class FrameSender(wiring.Component):
    """Sends the first `count` bytes of a memory between two zeros, as often as told.

    Contract: `start` is only legal while not `busy`, and while busy neither `count` nor those bytes
    change. The zero before ends what noise may have left on the line.

    *Timing*: `busy` from the cycle after `start` until the last zero is accepted; two cycles
    without an offer before each byte but the first, while the memory is read.

    *Members*: ``start``; ``count``; ``busy``; ``read`` of the memory; ``o`` a stream of bytes.
    `waited`, and `ongoing` after elaboration, are for proofs to refer to.
    """

    start: Signal
    count: Signal
    busy: Signal
    read: RamRead
    o: stream.Interface

    def __init__(self, ram: RamConfig):
        self.ram = ram
        super().__init__(
            {
                "start": In(1),
                "count": In(range(ram.depth + 1)),
                "busy": Out(1),
                "read": Out(RamReadSignature(ram)),
                "o": Out(stream.Signature(8)),
            }
        )
        self.waited = Signal(range(ram.latency))

    def elaborate(self, platform: object) -> Module:
        """Count through the memory, and wait for it."""
        m = Module()
        at = Signal(range(self.ram.depth + 1))
        waited, over = self.waited, Signal(name="over")
        m.d.comb += self.read.address.eq(at)
        m.d.sync += over.eq(at == self.count)
        with m.FSM() as fsm:
            self.ongoing = fsm.ongoing
            with m.State("IDLE"):
                m.d.sync += at.eq(0)
                with m.If(self.start):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += [self.busy.eq(1), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += waited.eq(waited + 1)
                with m.If(waited == self.ram.latency - 1):
                    m.d.sync += waited.eq(0)
                    m.next = "OFFER"
                    with m.If(over):
                        m.next = "END"
            with m.State("OFFER"):
                m.d.comb += [
                    self.busy.eq(1),
                    self.o.valid.eq(1),
                    self.o.payload.eq(self.read.data),
                ]
                with m.If(self.o.ready):
                    m.d.sync += at.eq(at + 1)
                    m.next = "READ"
            with m.State("END"):
                m.d.comb += [self.busy.eq(1), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
