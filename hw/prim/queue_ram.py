"""The storage of a queue: distributed memory, or block memory where there is none."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.prim import ice40
from hw.prim.cells import Accesses
from hw.prim.target import Target, target_of

__all__ = ["LOGIC_QUEUE_BITS", "QueueRam", "QueueRamConfig"]

LOGIC_QUEUE_BITS = 64
"""A queue of fewer bits is registers on iCE40 too: it would not be worth a block memory."""


@dataclass(frozen=True, kw_only=True)
class QueueRamConfig:
    """Size of a queue's storage.

    Parameters
    ----------
    shape
        Shape of an entry.
    depth
        Entries, at least 2.
    """

    shape: ShapeLike
    depth: int

    def __post_init__(self) -> None:
        Shape.cast(self.shape)
        if type(self.depth) is not int or self.depth < 2:
            raise ValueError(
                f"QueueRamConfig.depth must be an integer of at least 2, not {self.depth!r}"
            )

    @property
    def width(self) -> int:
        """Bits of an entry."""
        return Shape.cast(self.shape).width

    @property
    def latency(self) -> int:
        """Cycles from a push into an empty queue to its entry at `head`: 1."""
        return 1

    @property
    def interval(self) -> int:
        """Cycles between pushes, and between pops: 1."""
        return 1

    def block_on(self, target: Target) -> bool:
        """Whether the entries lie in block memory: on iCE40, which reads none without a clock."""
        deepest = ice40.BLOCK_ASPECTS[-1][0]
        fits = self.width * self.depth >= LOGIC_QUEUE_BITS and self.depth <= deepest
        return fits and target in (Target.ICE40, Target.ICE40_HX)


class QueueRam(wiring.Component):
    """head = the oldest entry of a queue, whose counts and addresses are its user's.

    Contract: `push` and `pop` are those of a queue of at most `depth` entries, never popped empty.
    `write_at` and `read_at` are the places of the next push and of the oldest entry; `next_at` is
    the place after `read_at`; `bare` says that no entry was pushed before this cycle but such as
    are popped by its end. `head` is not defined while the queue is empty. No reset.

    Where memories are read without a clock, `head` is what `read_at` points to. On iCE40, from
    `LOGIC_QUEUE_BITS` up, the entry after the head is read from block memory as the head
    is popped; one pushed meanwhile, or into an empty queue, goes past the memory through a
    register. So no read whose word is used meets a write to its address.

    *Timing*: latency 1, interval 1. On iCE40 `pop`, not only a register, is before the memory.

    *Members*: as above; ``i`` what is pushed. `storage` is the plain filling's memory, for proofs
    to refer to.
    """

    push: Signal
    pop: Signal
    bare: Signal
    write_at: Signal
    read_at: Signal
    next_at: Signal
    i: Any
    head: Any

    def __init__(self, config: QueueRamConfig):
        self.config = config
        places = range(config.depth)
        super().__init__(
            {
                "push": In(1),
                "pop": In(1),
                "bare": In(1),
                "write_at": In(places),
                "read_at": In(places),
                "next_at": In(places),
                "i": In(config.shape),
                "head": Out(config.shape),
            }
        )

    @cached_property
    def storage(self) -> Memory:
        """The plain filling's memory."""
        return Memory(shape=self.config.shape, depth=self.config.depth, init=[])

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        if self.config.block_on(target_of(platform)):
            return self._block()
        m = Module()
        m.submodules.storage = storage = self.storage
        write, read = storage.write_port(), storage.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.write_at),
            write.data.eq(self.i),
            write.en.eq(self.push),
            read.addr.eq(self.read_at),
            self.head.eq(read.data),
        ]
        return m

    def _block(self) -> Module:
        m = Module()
        stored = Signal(self.config.width)
        m.submodules.storage = ice40.held_memory(
            self.config.depth,
            Accesses(
                enable=self.push,
                write_address=self.write_at,
                write_data=Value.cast(self.i),
                read_address=self.next_at,
                read_data=stored,
                read_enable=self.pop,
            ),
        )
        past = Signal(self.config.width, reset_less=True)
        direct = Signal()
        with m.If(self.push & self.bare):
            m.d.sync += [past.eq(Value.cast(self.i)), direct.eq(1)]
        with m.Elif(self.pop):
            m.d.sync += direct.eq(0)
        m.d.comb += Value.cast(self.head).eq(Mux(direct, past, stored))
        return m
