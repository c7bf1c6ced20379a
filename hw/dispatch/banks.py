"""The intervals of every key, in as many memories as keys are looked at in a cycle."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.dispatch.config import DispatchConfig, log2
from hw.dispatch.place import Place
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import Ram, RamConfig

__all__ = ["KeyBanks"]


class KeyBanks(wiring.Component):
    """Column words by key: bank j, address a holds key a * banks + j.

    Contract: words are loaded in the order of keys, from key 0 after each `last`. Words past the
    last key that there is room for are dropped. An address reads what was loaded at least three
    cycles before it is presented.

    *Timing*: latency `RamConfig.latency`, 2; interval 1.

    *Members*: ``load`` pushes of `DispatchConfig.column_word_shape`; ``address``; ``columns``, a
    `DispatchConfig.column_shape` of each bank.
    """

    load: Push
    address: Signal
    columns: Any

    def __init__(self, config: DispatchConfig, banks: int):
        self.config = config
        self.banks = banks
        keys = config.sizes.key_tiles * config.sizes.columns
        self.ram = RamConfig(width=4 * config.bound_shape.width, depth=keys // banks)
        super().__init__(
            {
                "load": In(PushSignature(config.column_word_shape)),
                "address": In(self.ram.address_width),
                "columns": Out(ArrayLayout(config.column_shape, banks)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an address to its words."""
        return self.ram.latency

    def elaborate(self, platform: object) -> Module:
        """Count the keys; the count's low bits say which bank is written."""
        m = Module()
        split = log2(self.banks)
        word: Any = self.load.payload
        place = Place(m, self.load, self.ram.depth * self.banks)
        key = Cat(place.at, Const(0, 1))[: split + self.ram.address_width]
        address = Signal(self.ram.address_width, reset_less=True)
        data = Signal(self.ram.width, reset_less=True)
        fields = (word.start0, word.end0, word.start1, word.end1)
        m.d.sync += [
            address.eq(key[split:]),
            data.eq(Cat(Value.cast(each) for each in fields)),
        ]
        for k in range(self.banks):
            m.submodules[f"bank{k}"] = bank = Ram(self.ram)
            enable = Signal(name=f"enable_{k}")
            m.d.sync += enable.eq(self.load.valid & place.free & (key[:split] == k))
            m.d.comb += [
                bank.write.enable.eq(enable),
                bank.write.address.eq(address),
                bank.write.data.eq(data),
                bank.read.address.eq(self.address),
                self.columns[k].eq(bank.read.data),
            ]
        return m
