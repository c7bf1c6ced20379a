"""Parts of harnesses: values as they were, what counters mean, and a memory by its contract."""

from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.lib.credit import CreditFifo
from hw.prim.ram import RamConfig, RamRead, RamReadSignature, RamWrite, RamWriteSignature

__all__ = ["OneWordRam", "delayed", "fifo_state"]


def delayed(m: Module, value: Any, cycles: int) -> Signal:
    """`value` as it was `cycles` cycles ago."""
    bits = Value.cast(value)
    for _ in range(cycles):
        later = Signal(bits.shape(), name="delayed")
        m.d.sync += later.eq(bits)
        bits = later
    return bits  # type: ignore[return-value]


def fifo_state(m: Module, fifo: CreditFifo, taken: Value) -> Value:
    """Assert what the counters of `fifo` mean; `taken` places belong to no payload yet."""
    depth, reserve = fifo.config.depth, fifo.config.reserve
    inside = fifo.stored + 1
    after = fifo.read_at + inside
    m.d.comb += [
        Assert(~fifo.take | (fifo.spare + reserve >= 0), "takes only what is free"),
        Assert(~fifo.i.valid | fifo.take | (taken > 0), "pushes only what was taken"),
        Assert(inside >= 0, "holds nothing, or something"),
        Assert(fifo.spare + 1 + reserve + inside + taken == depth, "spare counts what is free"),
        Assert(fifo.spare + 1 + reserve >= 0, "no place is given twice"),
        Assert((fifo.write_at < depth) & (fifo.read_at < depth), "addresses in range"),
        Assert(Mux(after >= depth, after - depth, after) == fifo.write_at, "as far apart"),
    ]
    return inside


class OneWordRam(wiring.Component):
    """`hw.prim.ram.Ram` by its contract alone: it holds the word of one place, which is any.

    What the contract leaves undefined, and every other place, reads as `free`.
    """

    write: RamWrite
    read: RamRead

    def __init__(self, config: RamConfig):
        self.config = config
        self.spot, self.cell = Signal(config.address_width), Signal(config.width)
        self.free, self.now = Signal(config.width), Signal(config.width)
        super().__init__(
            {"write": In(RamWriteSignature(config)), "read": In(RamReadSignature(config))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        write, read = self.write, self.read
        started, before = Signal(), Signal.like(self.spot)
        writes = Cat(write.enable, write.address)
        recent = [delayed(m, writes, late) for late in range(self.config.write_latency)]
        same = Cat(each[0] & (each[1:] == read.address) for each in recent).any()
        m.d.sync += [started.eq(1), before.eq(self.spot)]
        m.d.comb += [
            Assume(~started | (self.spot == before), "one place for ever"),
            self.now.eq(Mux((read.address == self.spot) & ~same, self.cell, self.free)),
        ]
        with m.If(write.enable & (write.address == self.spot)):
            m.d.sync += self.cell.eq(write.data)
        m.d.comb += read.data.eq(delayed(m, self.now, self.config.latency))
        return m
