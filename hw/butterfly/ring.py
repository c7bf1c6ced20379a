"""How many places of a ring of vectors are taken: whether it is full, and whether empty."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RingCount"]


class RingCount(wiring.Component):
    """Places taken and given back.

    Contract: `take` is legal only in a cycle without `full`, `free` only while a place is taken,
    `restart` only while none is, and without a take; `most` is at least 2. `full` comes from a
    register and holds for what happened in the cycles before; so does `empty`, but it is a cycle
    later. Until the first restart the ring is full.

    Members
    -------
    capacity
        Places there are from the next restart on, at least 1: a one at their number.
    restart
        The capacity counts from now on.
    take, free
        A place is taken, or given back.
    full, empty
        All are taken, or none.

    `spare`, `used`, `took` and `freed` are its state, for proofs to refer to: a one at the number
    of free places, and one less than are taken, both a cycle late; and what is to be counted there.
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
                "capacity": In(most + 1),
                "restart": In(1),
                "take": In(1),
                "free": In(1),
                "full": Out(1),
                "empty": Out(1),
            }
        )
        # A shift register has no carry, and is a cycle late: a late take goes through one gate.
        self.spare = Signal(most + 1, init=1)
        # One less than it means, so that the sign alone says "none".
        self.used = Signal(signed((most - 1).bit_length() + 1), init=-1)
        self.took = Signal()
        self.freed = Signal()

    def elaborate(self, platform: object) -> Module:
        """Shift one way or the other, and count."""
        m = Module()
        full = Signal(init=1)
        m.d.comb += [self.full.eq(full), self.empty.eq(self.used[-1])]
        less, more = self.took & ~self.freed, self.freed & ~self.took
        # Whether one place is free, of registers alone.
        one = Mux(less, self.spare[2], Mux(more, self.spare[0], self.spare[1]))
        m.d.sync += [
            self.took.eq(self.take),
            self.freed.eq(self.free),
            self.used.eq(
                self.used + Cat(self.took ^ self.freed, self.freed & ~self.took).as_signed()
            ),
        ]
        m.d.sync += full.eq(~self.restart & ~self.free & (full | self.take & one))
        with m.If(self.restart):
            m.d.sync += self.spare.eq(self.capacity)
        with m.Elif(less):
            m.d.sync += self.spare.eq(self.spare >> 1)
        with m.Elif(more):
            m.d.sync += self.spare.eq(self.spare << 1)
        return m
