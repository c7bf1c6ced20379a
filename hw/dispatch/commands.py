"""The third level: a tile is held back until it is known whether its row block has another."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.dispatch.config import DispatchConfig
from hw.lib.credit import Push, PushSignature

__all__ = ["Commands"]


class Commands(wiring.Component):
    """Tile commands from classified tiles.

    Contract: every visible tile becomes one command, in order, `first` and `last` of its row block
    marked. Row blocks without one are counted, and the next command tells in `skips` how many came
    right before its own; a job that ends with one ends with a command `none` for it. The last
    command of a job is the `end`. Where the ring holds fewer tiles than a row block has, the last
    that it holds is `last` and `refused`, and the rest is dropped. Partial tiles past those that
    the token memory holds are given its last one's tokens.

    *Timing*: a step a cycle. A command is pushed one cycle after what showed that it is its row
    block's last, or in the cycle of the next visible tile.

    *Members*
    i
        Steps, which cannot be refused.
    o
        Commands, without ready, at most one a cycle.
    give_back
        The step in this cycle will not become a command; it came with a place for one.
    """

    i: Push
    o: Push
    give_back: Signal

    def __init__(self, config: DispatchConfig):
        self.config = config
        super().__init__(
            {
                "i": In(PushSignature(config.step_shape)),
                "o": Out(PushSignature(config.command_shape)),
                "give_back": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hold one command, and count the tiles of the row block where that matters."""
        m = Module()
        i: Any = self.i.payload
        holds = Signal()
        held: Any = Signal(self.config.command_shape, reset_less=True)
        opened = Signal()
        full = Signal()
        visible, row_end = self.i.valid & i.visible, self.i.valid & i.row_end
        tile = Signal()
        empty = Signal()
        none = Signal()
        m.d.comb += [
            tile.eq(visible & ~full),
            empty.eq(row_end & ~i.visible & ~opened),
            none.eq(empty & i.final),
            self.give_back.eq(self.i.valid & ~tile & ~none),
            self.o.valid.eq(holds & (held.last | tile)),
            self.o.payload.eq(held),
        ]
        final = Signal(reset_less=True)
        # Row blocks without a visible tile since the last command, unless one told of them.
        skips = Signal(range(self.config.sizes.row_blocks))
        counted = Signal.like(skips)
        told = Signal(init=1)
        m.d.comb += skips.eq(Mux(told, 0, counted))
        token_tile = Signal(range(self.config.partial_tiles))
        with m.If(tile | none):
            m.d.sync += [
                holds.eq(1),
                held.row_block.eq(i.row_block),
                held.key_tile.eq(Mux(none, 0, i.key_tile)),
                held.partial.eq(i.partial & ~none),
                held.first.eq(~opened),
                held.last.eq(i.row_end),
                held.none.eq(none),
                held.end.eq(i.row_end & i.final),
                held.refused.eq(0),
                held.skips.eq(skips),
                held.token_tile.eq(token_tile),
                final.eq(i.final),
            ]
        with m.Elif(holds & held.last):
            m.d.sync += holds.eq(0)
        with m.Elif(visible | row_end):
            # Of the row block of the held one, if any, which is full or ends here.
            m.d.sync += [held.last.eq(1), held.end.eq(final), held.refused.eq(visible)]

        with m.If(tile | none):
            m.d.sync += told.eq(1)
        with m.Elif(empty):
            m.d.sync += told.eq(0)
        with m.If(empty):
            m.d.sync += counted.eq(skips + 1)
        with m.If(row_end):
            m.d.sync += opened.eq(0)
        with m.Elif(visible):
            m.d.sync += opened.eq(1)
        if (limit := self.config.ring_tiles) is not None:
            count = Signal(range(limit + 1))
            with m.If(row_end):
                m.d.sync += [count.eq(0), full.eq(0)]
            with m.Elif(tile):
                m.d.sync += [count.eq(count + 1), full.eq(count == limit - 1)]
        if "bitmap" in self.config.sources:
            with m.If(row_end & i.final):
                m.d.sync += token_tile.eq(0)
            with m.Elif(visible & i.partial & (token_tile != self.config.partial_tiles - 1)):
                m.d.sync += token_tile.eq(token_tile + 1)
        return m
