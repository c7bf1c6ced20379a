"""Consistent overhead byte stuffing: frames without zeros between zeros, one byte at a time."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from hw.prim.ram import RamConfig, RamWrite, RamWriteSignature
from spec.link import RUN_BYTES

__all__ = ["CobsDecoder", "CobsEncoder", "CobsEncoderConfig"]


class CobsDecoder(wiring.Component):
    """The bytes of each frame, and at the zero that ends it whether they are one.

    Contract: every byte other than zero gives at most one byte at `o`, in the same cycle. A zero
    gives `end`, and with it `good` if the bytes since the zero before are COBS of the bytes given
    at `o` since then: not if a block is cut short. Two zeros in a row give an `end` of no bytes
    that is not good. Whatever came before, what follows a zero is decoded rightly.

    *Timing*: latency 0, interval 1.

    *Members*
    i
        Push of a byte from the line.
    o
        Push of a byte of the frame.
    end, good
        The frame is over; and it was well formed.
    """

    i: Push
    o: Push
    end: Signal
    good: Signal

    def __init__(self):
        byte = PushSignature(8)
        super().__init__({"i": In(byte), "o": Out(byte), "end": Out(1), "good": Out(1)})
        self.left = Signal(8)
        self.owes_zero = Signal()
        self.begun = Signal()

    @property
    def latency(self) -> int:
        """Cycles from a byte to what it gives."""
        return 0

    @property
    def interval(self) -> int:
        """Cycles between bytes."""
        return 1

    def elaborate(self, platform: object) -> Module:
        """Count down the bytes of a block; a block but the first begins with the zero it owes."""
        m = Module()
        byte, is_code = self.i.payload, self.left == 0
        m.d.comb += self.o.payload.eq(Mux(is_code, 0, byte))
        with m.If(self.i.valid):
            with m.If(byte == 0):
                m.d.comb += [self.end.eq(1), self.good.eq(is_code & self.begun)]
                m.d.sync += [self.left.eq(0), self.owes_zero.eq(0), self.begun.eq(0)]
            with m.Elif(is_code):
                m.d.comb += self.o.valid.eq(self.owes_zero)
                m.d.sync += [
                    self.left.eq(byte - 1),
                    self.owes_zero.eq(byte != RUN_BYTES + 1),
                    self.begun.eq(1),
                ]
            with m.Else():
                m.d.comb += self.o.valid.eq(1)
                m.d.sync += self.left.eq(self.left - 1)
        return m


@dataclass(frozen=True, kw_only=True)
class CobsEncoderConfig:
    """Configuration of a `CobsEncoder`.

    Parameters
    ----------
    depth
        Bytes of the memory that it writes to.
    """

    depth: int

    @property
    def ram(self) -> RamConfig:
        """The memory that it writes to."""
        return RamConfig(width=8, depth=self.depth)

    @property
    def latency(self) -> int:
        """Cycles from a byte to its write."""
        return 1


class CobsEncoder(wiring.Component):
    """Writes COBS of the bytes since `clear` to a memory from address 0, without the zeros around.

    The code of a block stands before it but is known only after it: a place is left and written
    when the block ends. So nothing need be buffered, and what lies in the memory may be sent as
    often as one likes.

    Contract: bytes are accepted at `i` after `clear`, and none with it or after `finish`; `finish`
    comes in a cycle that offers no byte, and writes the last code. Then the frame is in addresses
    0 to `count` - 1. Before it `count` is the bytes written or left open so far: a byte adds one,
    and one more for each 254 bytes without a zero. `i.ready` does not depend on `i.valid`. Writes
    past the memory are the user's to prevent.

    *Timing*: latency 1, interval 1; after 254 bytes without a zero the next waits a cycle.

    *Members*
    clear, finish
        Begin and end a frame.
    i
        Stream of bytes.
    write
        To the memory.
    count
        Bytes of the encoded frame.
    """

    clear: Signal
    finish: Signal
    i: stream.Interface
    write: RamWrite
    count: Signal

    def __init__(self, config: CobsEncoderConfig):
        self.config = config
        super().__init__(
            {
                "clear": In(1),
                "finish": In(1),
                "i": In(stream.Signature(8)),
                "write": Out(RamWriteSignature(config.ram)),
                "count": Out(range(config.depth + 1)),
            }
        )
        self.code_at = Signal(range(config.depth + 1))
        self.run = Signal(8)
        self.full = Signal()

    def elaborate(self, platform: object) -> Module:
        """Write a byte to the next place, or a code to the place left for it."""
        m = Module()
        count = Signal(range(self.config.depth + 1))
        run = self.run
        full = self.full
        code = Signal(8)
        accept, close = Signal(name="accept"), Signal(name="close")
        write = Signal(name="write")
        address = Signal(len(self.write.address), reset_less=True)
        data = Signal(8, reset_less=True)
        m.d.comb += [
            self.count.eq(count),
            self.i.ready.eq(~full),
            accept.eq(self.i.valid & ~full),
            # A full block ends when a byte comes after it, so that one at the end stays the last.
            close.eq(self.finish | (self.i.valid & (full | (self.i.payload == 0)))),
            code.eq(run + 1),
            self.write.enable.eq(write),
            self.write.address.eq(address),
            self.write.data.eq(data),
        ]
        m.d.sync += [
            write.eq(accept | close),
            address.eq(Mux(close, self.code_at, count)),
            data.eq(Mux(close, code, self.i.payload)),
        ]
        with m.If(self.i.valid):
            m.d.sync += [
                count.eq(count + 1),
                run.eq(Mux(close, 0, code)),
                full.eq(~close & (run == RUN_BYTES - 1)),
            ]
            with m.If(close):
                m.d.sync += self.code_at.eq(count)
        with m.If(self.clear):
            m.d.sync += [count.eq(1), self.code_at.eq(0), run.eq(0), full.eq(0)]
        return m
