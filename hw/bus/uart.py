"""A serial line: eight data bits, low bit first, between a start bit and a stop bit."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from spec.errors import SpecError, check_range

__all__ = ["FEWEST_CLOCKS_PER_BIT", "UartConfig", "UartReceiver", "UartTransmitter"]

FEWEST_CLOCKS_PER_BIT = 4
MOST_HZ = 1_000_000_000
DATA_BITS = 8
FRAME_BITS = 1 + DATA_BITS + 1
FRACTION_BITS = 10
"""The divider's step is off by at most half of 2**-FRACTION_BITS of itself."""


@dataclass(frozen=True, kw_only=True)
class UartConfig:
    """Configuration of a `UartReceiver` or a `UartTransmitter`.

    Parameters
    ----------
    clock_hz
        Frequency of the clock.
    baud
        Bits a second on the line, at most a quarter of the clock.
    """

    clock_hz: int
    baud: int

    def __post_init__(self) -> None:
        check_range("UartConfig.clock_hz", self.clock_hz, FEWEST_CLOCKS_PER_BIT, MOST_HZ)
        check_range("UartConfig.baud", self.baud, 1, MOST_HZ)
        most = self.clock_hz // FEWEST_CLOCKS_PER_BIT
        if self.baud > most:
            raise SpecError(
                f"UartConfig.baud must be at most a quarter of clock_hz, {most} at {self.clock_hz}"
                f" Hz, got {self.baud}; nearest is {most}"
            )

    @property
    def clocks_per_bit(self) -> float:
        """Length of a bit, r."""
        return self.clock_hz / self.baud

    @property
    def phase_bits(self) -> int:
        """Of the accumulator that divides the clock; it wraps once a bit."""
        return (-(-self.clock_hz // self.baud)).bit_length() + FRACTION_BITS

    @property
    def step(self) -> int:
        """What the accumulator grows by each clock."""
        return round((self.baud << self.phase_bits) / self.clock_hz)

    @property
    def rate_error(self) -> float:
        """Relative error of the rate that `step` gives: (true - wanted) / wanted."""
        return self.step * self.clock_hz / (self.baud << self.phase_bits) - 1

    @property
    def tolerance(self) -> float:
        """Relative error of a sender's rate up to which every bit is read right.

        A sample falls within a clock of the middle of its bit; r clocks are a bit. That of the stop
        bit comes 9.5 bits after the edge it is counted from, give or take 1/r, and must come before
        the sender's tenth bit is over: 9.5 + 1/r <= 10 / (1 + e). A slow sender has a little more
        room.
        """
        clock = 1 / self.clocks_per_bit
        return (0.5 - clock) / (FRAME_BITS - 0.5 + clock)

    @property
    def byte_cycles(self) -> int:
        """Fewest clocks between two bytes of a sender as fast as is tolerated."""
        return int((FRAME_BITS - 0.5) * self.clocks_per_bit) - 1


class UartReceiver(wiring.Component):
    """The bytes that come on a line.

    Contract: a byte whose sender's rate is within `config.tolerance` is given once, as it was sent.
    A low shorter than half a bit is no start bit. Where a stop bit is low `lost` is high in
    place of a byte, and no further byte begins before the line was high: so a line held low is one
    byte lost. A byte may begin as soon as half a stop bit has passed. Nothing can be refused: who
    listens must take a byte every `config.byte_cycles` clocks.

    *Timing*: a byte is given about 9.5 bits after its start bit began, 3 clocks past the middle of
    its stop bit.

    *Members*
    line
        The pin; high when idle. It needs no relation to the clock.
    o
        Push of a byte.
    lost
        A byte without a stop bit, for one clock.
    """

    line: Signal
    o: Push
    lost: Signal

    def __init__(self, config: UartConfig):
        self.config = config
        super().__init__(
            {
                "line": In(1, init=1),  # pyright: ignore[reportCallIssue]: not in the stubs
                "o": Out(PushSignature(8)),
                "lost": Out(1),
            }
        )
        self.seen = Signal(init=1)
        self.left = Signal(range(FRAME_BITS + 1))
        self.is_low = Signal()

    def elaborate(self, platform: object) -> Module:
        """Begin at a falling edge, and sample where half a bit and whole bits have passed."""
        m = Module()
        m.submodules.synchronise = FFSynchronizer(self.line, self.seen, init=1)
        half = 1 << self.config.phase_bits - 1
        phase = Signal(self.config.phase_bits, init=half)
        after = Signal(self.config.phase_bits + 1)
        bits = Signal(DATA_BITS, reset_less=True)
        valid = Signal()
        lost = Signal()
        left, is_low, seen = self.left, self.is_low, self.seen
        sample = after[-1]
        m.d.comb += [
            after.eq(phase + self.config.step),
            self.o.valid.eq(valid),
            self.o.payload.eq(bits),
            self.lost.eq(lost),
        ]
        m.d.sync += [valid.eq(0), lost.eq(0), phase.eq(half)]
        with m.If(is_low):
            # After a byte was lost: wait for the idle line.
            m.d.sync += is_low.eq(~seen)
        with m.Elif(left == 0), m.If(~seen):
            m.d.sync += [phase.eq(after), left.eq(FRAME_BITS)]
        with m.Elif(~sample):
            m.d.sync += phase.eq(after)
        with m.Elif(left == 1):
            m.d.sync += [valid.eq(seen), lost.eq(~seen), is_low.eq(~seen), left.eq(0)]
        with m.Elif((left == FRAME_BITS) & seen):
            m.d.sync += left.eq(0)
        with m.Else():
            # The start bit, which comes first, is shifted out again.
            m.d.sync += [phase.eq(after), left.eq(left - 1), bits.eq(Cat(bits[1:], seen))]
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes on a line.

    Contract: every byte accepted is sent once, in order. Each edge is within a clock of where the
    rate puts it, counted from the byte's first; a byte takes ten bits, and at most two clocks more
    if the next waits.

    *Timing*: the start bit begins the clock after the byte was accepted.

    *Members*
    i
        Stream of bytes.
    line
        The pin; high when idle.
    """

    i: stream.Interface
    line: Signal

    def __init__(self, config: UartConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "line": Out(1, init=1),  # pyright: ignore[reportCallIssue]: not in the stubs
            }
        )
        self.left = Signal(range(FRAME_BITS + 1))

    def elaborate(self, platform: object) -> Module:
        """Shift a byte out, ones behind it."""
        m = Module()
        phase = Signal(self.config.phase_bits)
        after = Signal(self.config.phase_bits + 1)
        bits = Signal(DATA_BITS, reset_less=True)
        line = Signal(init=1)
        m.d.comb += [
            self.line.eq(line),
            self.i.ready.eq(self.left == 0),
            after.eq(phase + self.config.step),
        ]
        with m.If(self.left == 0):
            m.d.sync += [bits.eq(self.i.payload), phase.eq(0)]
            with m.If(self.i.valid):
                m.d.sync += [line.eq(0), self.left.eq(FRAME_BITS)]
        with m.Else():
            m.d.sync += phase.eq(after)
            with m.If(after[-1]):
                m.d.sync += [
                    line.eq(bits[0]),
                    bits.eq(Cat(bits[1:], Const(1, 1))),
                    self.left.eq(self.left - 1),
                ]
        return m
