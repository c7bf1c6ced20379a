"""Where the next word of a mask is written, of as many as there is room for."""

from amaranth.hdl import Module, Signal, Value

from hw.lib.credit import Push
from hw.prim.ram import Ram

__all__ = ["Place", "write_in_order"]


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


def write_in_order(m: Module, ram: Ram, load: Push, data: Value) -> None:
    """Write each pushed word to the next place of `ram`, a cycle later: from registers."""
    place = Place(m, load, ram.config.depth)
    write = ram.write
    enable = Signal(name="write_enable")
    address = Signal.like(write.address, name="write_address", reset_less=True)
    word = Signal.like(write.data, name="write_data", reset_less=True)
    m.d.sync += [enable.eq(load.valid & place.free), address.eq(place.at), word.eq(data)]
    m.d.comb += [write.enable.eq(enable), write.address.eq(address), write.data.eq(word)]
