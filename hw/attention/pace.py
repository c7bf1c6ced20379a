"""When the next tile of an array may start, as far as the tiles before it decide."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SETTLE", "Pace"]

SETTLE = 4
"""Cycles from the last use of a head's operands to the next start, at least."""


class Pace(wiring.Component):
    """Opens `interval` cycles after a start, and `SETTLE` cycles after a head's operands are free.

    Contract: `start` only while `open`. Between an `ends`, a head's last start, and the `released`
    that follows it, in a later cycle, it stays shut.

    *Timing*: `open` is a register. After a `start` in t it may be high from t + interval on, after
    a `released` in t from t + `SETTLE` on.

    *Members*
    start, ends, released
        A tile starts; nothing of this head starts after this cycle; its operands are used no more.
    open
        A tile may start.

    `interval` is at least 1.
    """

    start: Signal
    ends: Signal
    released: Signal
    open: Signal

    def __init__(self, interval: int):
        self.interval = interval
        super().__init__({"start": In(1), "ends": In(1), "released": In(1), "open": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Count down both, and look a cycle ahead."""
        m = Module()
        # Its sign says that at most one cycle is left, and stops it.
        left = Signal(signed(self.interval.bit_length() + 1), init=-1)
        settling = Signal(range(SETTLE))
        settled, settles, opened = Signal(init=1), Signal(), Signal(init=1)
        m.d.comb += self.open.eq(opened)
        m.d.comb += settles.eq(~self.released & ~self.ends & (settled | (settling == 1)))
        m.d.sync += [
            left.eq(Mux(self.start, self.interval - 3, left - ~left[-1])),
            settling.eq(Mux(self.released, SETTLE - 1, settling - settling.any())),
            settled.eq(settles),
            opened.eq(Mux(self.start, self.interval == 1, left[-1]) & settles),
        ]
        return m
