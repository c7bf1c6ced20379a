"""Where the next word of a mask is written, of as many as there is room for."""

from amaranth.hdl import Module, Signal

from hw.lib.credit import Push

__all__ = ["Place"]


class Place:
    """Counts the words of a mask: up to `depth`, and from 0 again after each `last`.

    Attributes
    ----------
    at
        Address of the next word.
    free
        There is room for it: fewer than `depth` words came since the last `last`.
    """

    def __init__(self, m: Module, load: Push, depth: int):
        self.at = at = Signal(range(max(2, depth)), name="write_at")
        self.free = free = Signal(init=1, name="write_free")
        with m.If(load.valid):
            m.d.sync += [at.eq(at + 1), free.eq(free & (at != depth - 1))]
            with m.If(load.payload.last):
                m.d.sync += [at.eq(0), free.eq(1)]
