"""When the next tile of an array may start, as far as the tiles before it decide."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DECISION", "LEAST_INTERVAL", "SETTLE", "Pace"]

DECISION = 1
"""Cycles from the decision for a start to the start."""

SETTLE = 4 + DECISION
"""Cycles from the last use of a head's operands to the next start, at least."""

LEAST_INTERVAL = 3 + DECISION
"""Cycles from a start to the next, at least: so long what it takes is not seen by the decision."""


class Pace(wiring.Component):
    """Lets starts follow `interval` cycles after another, and `SETTLE` after operands are free.

    Contract: a start is decided only while `open`, and follows `DECISION` cycles later. Between an
    `ends`, a head's last start, and the `released` that follows it, in a later cycle, it is shut.

    *Timing*: `open` is a register. After a `start` in t it may be high from t + interval -
    `DECISION` on, after a `released` in t from t + `SETTLE` - `DECISION` on. It does not know of a
    start that is decided.

    *Members*
    start, ends, released
        A tile starts; nothing of this head starts after this cycle; its operands are used no more.
    open
        The start of a tile may be decided.

    Raises `ValueError` for an `interval` below `LEAST_INTERVAL`.
    """

    start: Signal
    ends: Signal
    released: Signal
    open: Signal

    def __init__(self, interval: int):
        if interval < LEAST_INTERVAL:
            raise ValueError(f"Pace.interval must be at least {LEAST_INTERVAL}, got {interval}")
        self.interval = interval
        super().__init__({"start": In(1), "ends": In(1), "released": In(1), "open": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Count down both, and look a cycle ahead."""
        m = Module()
        # Its sign says that at most one cycle is left, and stops it.
        left = Signal(signed(self.interval.bit_length() + 1), init=-1)
        settling = Signal(range(SETTLE - DECISION))
        settled = Signal(init=1)
        settles = Signal()
        opened = Signal(init=1)
        m.d.comb += self.open.eq(opened)
        m.d.comb += settles.eq(~self.released & ~self.ends & (settled | (settling == 1)))
        m.d.sync += [
            left.eq(Mux(self.start, self.interval - DECISION - 3, left - ~left[-1])),
            settling.eq(Mux(self.released, SETTLE - DECISION - 1, settling - settling.any())),
            settled.eq(settles),
            opened.eq(~self.start & left[-1] & settles),
        ]
        return m
