"""How many places of a ring of vectors are taken: whether it is full, and whether empty."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RingCount"]


class RingCount(wiring.Component):
    """Places taken and given back.

    Contract: `take` is legal only in a cycle without `full`, `free` only while a place is taken.
    `full` and `empty` come from registers and hold for the takes and frees of the cycles before.
    `capacity` may change while the ring is empty; then `full` holds from the next cycle on.

    *Members*
    capacity
        Places there are, at least 1.
    take, free
        A place is taken, or given back.
    full, empty
        All are taken, or none.

    `used` is their number and `occupied` whether there are any, for proofs to refer to.
    """

    capacity: Signal
    take: Signal
    free: Signal
    full: Signal
    empty: Signal

    def __init__(self, most: int):
        self.most = most
        super().__init__(
            {
                "capacity": In(range(most + 1)),
                "take": In(1),
                "free": In(1),
                "full": Out(1),
                "empty": Out(1),
            }
        )
        self.used = Signal(range(most + 1))
        self.occupied = Signal()

    def elaborate(self, platform: object) -> Module:
        """Count, and compare what will be."""
        m = Module()
        used: Value = (self.used + self.take - self.free)[: len(self.used)]
        m.d.sync += [
            self.used.eq(used),
            self.full.eq(used == self.capacity),
            self.occupied.eq(used != 0),
        ]
        m.d.comb += self.empty.eq(~self.occupied)
        return m
