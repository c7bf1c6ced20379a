"""The tail of a pipeline that never stalls: a FIFO which hands out its free places in advance."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.lib.arith import step
from hw.prim.queue_ram import QueueRam, QueueRamConfig

__all__ = ["CreditFifo", "CreditFifoConfig", "CreditFifoSignature", "Push", "PushSignature"]


@dataclass(frozen=True, kw_only=True)
class CreditFifoConfig:
    """Configuration of a `CreditFifo`.

    Parameters
    ----------
    shape
        Shape of the payload.
    depth
        Entries, at least 2. Up to 16 cost the same on ECP5.
    reserve
        Places held back, for a head that sees `grant` that many cycles late.
    """

    shape: ShapeLike
    depth: int
    reserve: int = 0

    def __post_init__(self):
        Shape.cast(self.shape)
        if self.depth < 2:
            raise ValueError(f"CreditFifoConfig.depth must be at least 2, got {self.depth}")
        if not 0 <= self.reserve < self.depth:
            raise ValueError(
                f"CreditFifoConfig.reserve must be from 0 to depth - 1 = {self.depth - 1}, "
                f"got {self.reserve}"
            )

    @property
    def latency(self) -> int:
        """Cycles from a push to the offer of its payload, when nothing waits before it."""
        return 1

    @property
    def interval(self) -> int:
        """Cycles between takes, behind a pipeline no longer than `hides_latency`."""
        return 1

    @property
    def hides_latency(self) -> int:
        """Longest pipeline, in cycles from take to push, that can take in every cycle.

        A place taken in cycle t is pushed in t + latency, popped one cycle later and granted
        again from the cycle after that: a pipeline needs latency + 2 places, and the reserve.
        """
        return self.depth - 2 - self.reserve


class Push(wiring.PureInterface):
    """The signals of a `PushSignature`."""

    valid: Signal
    payload: Any


class PushSignature(wiring.Signature):
    """A transfer that cannot be refused: `valid` and `payload`, without ready."""

    def __init__(self, shape: ShapeLike):
        super().__init__({"valid": Out(1), "payload": Out(shape)})

    def create(self, *, path=None, src_loc_at=0) -> Push:
        """Make the signals."""
        return Push(self, path=path, src_loc_at=1 + src_loc_at)


class CreditFifoSignature(wiring.Signature):
    """Members of a `CreditFifo`."""

    def __init__(self, shape: ShapeLike):
        super().__init__(
            {
                "grant": Out(1),
                "take": In(1),
                "i": In(PushSignature(shape)),
                "o": Out(stream.Signature(shape)),
            }
        )


class CreditFifo(wiring.Component):
    """A FIFO at the end of a pipeline, which admits to the head only what will find room.

    Contract: if `take` is only high with `grant` (`reserve` cycles after it, where there is one),
    and every push had a take of its own before it
    or in the same cycle, no push is ever lost, and `o` carries what was pushed, in order, each
    once. Nothing else ever stalls the pipeline in between. `grant` comes from a register, and
    `o.valid` does not depend on `o.ready` in the same cycle.

    Storage is a `hw.prim.queue_ram.QueueRam`: distributed RAM on ECP5; on iCE40 block memory, or a
    register for every bit where there are but a few entries.

    Timing
    ------
    A push is offered one cycle later. Behind a pipeline of at most `config.hides_latency` cycles,
    `grant` stays high as long as `o.ready` does.

    Members
    -------
    grant
        There is room for one more transfer.
    take
        The head admits a transfer in this cycle. Only legal with `grant`.
    i
        The pipeline's end: `valid` and `payload`, which cannot be refused.
    o
        Stream of what was pushed.

    `spare`, `stored`, `write_at`, `read_at` and `storage` are its state, for proofs to refer to.
    """

    grant: Signal
    take: Signal
    i: Push
    o: stream.Interface

    def __init__(self, config: CreditFifoConfig):
        self.config = config
        super().__init__(CreditFifoSignature(config.shape))
        depth = config.depth
        count = signed((depth - 1).bit_length() + 1)
        # Both count one less than they mean, so that the sign alone says "none".
        self.spare = Signal(count, init=depth - 1 - config.reserve)
        self.stored = Signal(count, init=-1)
        self.write_at = Signal(range(depth))
        self.read_at = Signal(range(depth))
        self.ram = QueueRam(QueueRamConfig(shape=config.shape, depth=depth))

    @property
    def storage(self) -> Memory:
        """The memory of the plain filling."""
        return self.ram.storage

    def elaborate(self, platform: object) -> Module:
        """Build the storage, its two addresses and its two counts."""
        m = Module()
        m.submodules.ram = ram = self.ram
        push, pop = self.i.valid, self.o.valid & self.o.ready
        last = self.config.depth - 1
        m.d.comb += [
            self.grant.eq(~self.spare[-1]),
            ram.push.eq(push),
            ram.pop.eq(pop),
            ram.bare.eq(self.stored[-1] | (pop & (self.stored == 0))),
            ram.write_at.eq(self.write_at),
            ram.read_at.eq(self.read_at),
            ram.next_at.eq(Mux(self.read_at == last, 0, self.read_at + 1)),
            ram.i.eq(self.i.payload),
            self.o.payload.eq(ram.head),
            self.o.valid.eq(~self.stored[-1]),
        ]
        m.d.sync += [
            self.spare.eq(step(self.spare, up=pop, down=self.take)),
            self.stored.eq(step(self.stored, up=push, down=pop)),
        ]
        with m.If(push):
            m.d.sync += self.write_at.eq(Mux(self.write_at == last, 0, self.write_at + 1))
        with m.If(pop):
            m.d.sync += self.read_at.eq(ram.next_at)
        return m
