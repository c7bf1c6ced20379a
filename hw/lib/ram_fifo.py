"""A deep queue in block memory, read ahead so that it looks like a shallow one."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Shape, ShapeLike, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.lib.arith import step
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.prim.ram import Ram, RamConfig

__all__ = ["RamFifo", "RamFifoConfig"]


@dataclass(frozen=True, kw_only=True)
class RamFifoConfig:
    """Configuration of a `RamFifo`.

    Parameters
    ----------
    shape
        Shape of the payload.
    depth
        Entries in block memory, at least 2; a few more wait read ahead.
    """

    shape: ShapeLike
    depth: int

    def __post_init__(self) -> None:
        Shape.cast(self.shape)
        if self.depth < 2:
            raise ValueError(f"RamFifoConfig.depth must be at least 2, got {self.depth}")

    @property
    def ahead(self) -> CreditFifoConfig:
        """What was read ahead: enough to hide the memory's latency."""
        return CreditFifoConfig(shape=self.shape, depth=self._ram.latency + 3)

    @property
    def _ram(self) -> RamConfig:
        return RamConfig(width=Shape.cast(self.shape).width, depth=self.depth)

    @property
    def latency(self) -> int:
        """Cycles from a push to its offer, when nothing waits before it: store, read, queue."""
        return 1 + self._ram.latency + self.ahead.latency

    @property
    def interval(self) -> int:
        """Cycles between pushes, and between pops."""
        return 1


class RamFifo(wiring.Component):
    """What was pushed leaves in order, each once.

    Contract: a push is legal only in a cycle with `room`. `room` and `o.valid` come from registers.
    No read meets a write to the same address: an entry is read only after it was written, and its
    place is given away only after that.

    *Timing*: a push is offered `latency` cycles later if nothing waits before it; one push and one
    pop a cycle. `room` in a cycle says that depth - (pushes before) + (reads into the queue ahead
    before) is above 0; an entry is read in the first cycle after its push and the reads before it
    in which the queue ahead has room.

    *Members*: ``room``; ``i`` a Push; ``o`` a stream.
    """

    room: Signal
    i: Push
    o: stream.Interface

    def __init__(self, config: RamFifoConfig):
        self.config = config
        super().__init__(
            {
                "room": Out(1),
                "i": In(PushSignature(config.shape)),
                "o": Out(stream.Signature(config.shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Store, and read ahead as far as the queue has room."""
        m = Module()
        depth = self.config.depth
        width = Shape.cast(self.config.shape).width
        m.submodules.entries = entries = Ram(RamConfig(width=width, depth=depth))
        m.submodules.ahead = ahead = CreditFifo(self.config.ahead)

        # Both count one less than they mean, so that the sign alone says "none".
        count = signed(depth.bit_length() + 1)
        spare = Signal(count, init=depth - 1)
        stored = Signal(count, init=-1)
        push = self.i.valid
        read = Signal()
        m.d.comb += [self.room.eq(~spare[-1]), read.eq(~stored[-1] & ahead.grant)]
        for level, up, down in ((spare, read, push), (stored, push, read)):
            m.d.sync += level.eq(step(level, up=up, down=down))

        write_at = Signal(range(depth))
        read_at = Signal(range(depth))
        for place, moves in ((write_at, push), (read_at, read)):
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        arrives = read
        for stage in range(entries.config.latency):
            later = Signal(name=f"arrives_{stage + 1}")
            m.d.sync += later.eq(arrives)
            arrives = later
        m.d.comb += [
            entries.write.enable.eq(push),
            entries.write.address.eq(write_at),
            entries.write.data.eq(self.i.payload),
            entries.read.address.eq(read_at),
            ahead.take.eq(read),
            ahead.i.valid.eq(arrives),
            Cat(ahead.i.payload).eq(entries.read.data),
            self.o.valid.eq(ahead.o.valid),
            self.o.payload.eq(ahead.o.payload),
            ahead.o.ready.eq(self.o.ready),
        ]
        return m
