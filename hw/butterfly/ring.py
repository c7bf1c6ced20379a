"""How many places of a ring of vectors are taken: whether it is full, and whether empty."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RingCount"]


class RingCount(wiring.Component):
    """Places taken and given back.

    Contract: `take` is legal only in a cycle without `full`, `free` only while a place is taken,
    `restart` only while none is, and without a take. `full` and `empty` come from registers and
    hold for what happened in the cycles before. Until the first restart the ring is full.

    *Members*
    capacity
        Places there are from the next restart on, at least 1.
    restart
        The capacity counts from now on.
    take, free
        A place is taken, or given back.
    full, empty
        All are taken, or none.

    `spare` and `used` are its state, for proofs to refer to: one less than the places that are free
    and that are taken.
    """

    capacity: Signal
    restart: Signal
    take: Signal
    free: Signal
    full: Signal
    empty: Signal

    def __init__(self, most: int):
        self.most = most
        super().__init__(
            {
                "capacity": In(range(most + 1)),
                "restart": In(1),
                "take": In(1),
                "free": In(1),
                "full": Out(1),
                "empty": Out(1),
            }
        )
        # One less than they mean, so that the sign alone says "none".
        count = signed((most - 1).bit_length() + 1)
        self.spare = Signal(count, init=-1)
        self.used = Signal(count, init=-1)

    def elaborate(self, platform: object) -> Module:
        """Count both ways."""
        m = Module()
        m.d.comb += [self.full.eq(self.spare[-1]), self.empty.eq(self.used[-1])]
        # A take may come late in the cycle: it chooses between sums that are there.
        m.d.sync += [
            self.spare.eq(Mux(self.take, self.spare - ~self.free, self.spare + self.free)),
            self.used.eq(Mux(self.take, self.used + ~self.free, self.used - self.free)),
        ]
        with m.If(self.restart):
            m.d.sync += self.spare.eq(self.capacity - 1)
        return m
