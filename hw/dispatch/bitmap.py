"""The mask source of a block bitmap: two bits a tile, loaded at run time."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.dispatch.config import DispatchConfig
from hw.dispatch.place import write_in_order
from hw.dispatch.source import SourceLatency, source_members
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import delay
from hw.prim.ram import Ram, RamConfig
from spec.tiles import GROUP

__all__ = ["BitmapSource"]


class BitmapSource(wiring.Component):
    """A tile is what its two bits say: visible or not, and if so, partial or not.

    Contract: words are loaded in the order of row blocks, then of groups, from the first one after
    each `last`; a job has as many groups as the mask that was loaded. Words past the last that
    there is room for are dropped; those that were not loaded are as they were before. Both answers
    are exact. The hint of a group is its word, so that the fine level needs no memory.

    *Timing*: latency ``latency_of(config)`` and, at the coarse level, `wait` cycles more; interval
    1.

    *Members*: those of `source_members`; ``load``, pushes of `DispatchConfig.bitmap_word_shape`.
    """

    load: Push
    coarse: Any
    coarse_answer: Any
    fine: Any
    fine_answer: Any

    def __init__(self, config: DispatchConfig, wait: int = 0):
        self.config = config
        self.wait = wait
        self.ram = RamConfig(width=2 * GROUP, depth=config.sizes.row_blocks * config.groups)
        super().__init__(
            {"load": In(PushSignature(config.bitmap_word_shape)), **source_members(config)}
        )

    @staticmethod
    def latency_of(config: DispatchConfig) -> SourceLatency:
        """Read and test; pick."""
        return SourceLatency(coarse=RamConfig(width=1, depth=2).latency + 1, fine=1)

    def elaborate(self, platform: object) -> Module:
        """Write in order; read by number; test a word, and pick bits from it."""
        m = Module()
        m.submodules.ram = ram = Ram(self.ram)
        word: Any = self.load.payload
        write_in_order(m, ram, self.load, Cat(word.visible, word.partial))
        m.d.comb += ram.read.address.eq(delay(m, "number", self.coarse.number, self.wait))
        m.d.sync += [
            self.coarse_answer.may.eq(ram.read.data[:GROUP].any()),
            self.coarse_answer.hint.eq(ram.read.data),
        ]
        bit = self.fine.tile[: GROUP.bit_length() - 1]
        hint = self.fine.hint
        m.d.sync += [
            self.fine_answer.may_be_true.eq(hint[:GROUP].bit_select(bit, 1)),
            self.fine_answer.may_be_false.eq(hint[GROUP:].bit_select(bit, 1)),
        ]
        return m
