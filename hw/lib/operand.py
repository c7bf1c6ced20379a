"""A memory of operands that is filled word after word and read at random: one set or two."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.pipe import delay
from hw.prim.ram import Ram, RamConfig

__all__ = ["Operand", "OperandConfig"]


@dataclass(frozen=True, kw_only=True)
class OperandConfig:
    """Size of an operand memory.

    Parameters
    ----------
    width
        Bits of a word.
    depth
        Words of a set, at most.
    sets
        1, or 2 to fill one while the other is read.
    parts
        Equal parts of a word, each in a memory of its own that works a cycle after the one before:
        no register drives the addresses of more than one. A divisor of `width`.
    """

    width: int
    depth: int
    sets: int
    parts: int = 1

    def __post_init__(self) -> None:
        for field in ("width", "depth"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"OperandConfig.{field} must be at least 1, got {getattr(self, field)}"
                )
        if self.sets not in (1, 2):
            raise ValueError(f"OperandConfig.sets must be 1 or 2, got {self.sets}")
        if self.parts < 1 or self.width % self.parts:
            raise ValueError(
                f"OperandConfig.parts must divide width = {self.width}, got {self.parts}"
            )

    @property
    def ram(self) -> RamConfig:
        """The memory of a part of all sets, one after the other."""
        # A lone set is filled while it is not read.
        return RamConfig(
            width=self.width // self.parts,
            depth=self.depth * self.sets,
            exclusive=self.sets == 1,
        )

    @property
    def latency(self) -> int:
        """Cycles from an address to its word: a register for each part, and the memory."""
        return self.parts + self.ram.latency


class Operand(wiring.Component):
    """data = what was the word of index `address` in the oldest set.

    Contract: `i` fills a set word after word up to and with a `last`; it is accepted while a set
    is free. Words past `depth` are dropped, and make `overrun` high until the first word of the
    next set is accepted. `full` says that a whole set may be read; every address presented up to
    and in the cycle of `release` reads the oldest set, and later ones the next. `release` is
    legal only with `full`. A word that was not filled is not defined.

    *Timing*: `config.latency` cycles from an address to its word; `full` follows the last word by
    one cycle, and `i.ready` the release. `i.ready` comes from a register.

    *Members*
    i
        Stream of {data, last}.
    full, release
        A whole set may be read; the reader is done with it.
    address, data
        Index within the set, and its word.
    overrun
        The set being filled, or filled last, had too many words.

    `stored`, `filling` and `reading` are its state, for proofs to refer to: sets filled, and the
    first addresses of the sets being filled and read.
    """

    i: stream.Interface
    full: Signal
    release: Signal
    address: Signal
    data: Signal
    overrun: Signal

    def __init__(self, config: OperandConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(StructLayout({"data": config.width, "last": 1}))),
                "full": Out(1),
                "release": In(1),
                "address": In(range(config.depth)),
                "data": Out(config.width),
                "overrun": Out(1),
            }
        )
        self.stored = Signal(range(config.sets + 1))
        self.filling = Signal(config.ram.address_width)
        self.reading = Signal(config.ram.address_width)

    def elaborate(self, platform: object) -> Module:
        """Build the memories, a register before each of their ports, and the count of sets."""
        m = Module()
        config = self.config
        free = Signal(init=1)
        accept = self.i.valid & self.i.ready
        complete = accept & self.i.payload.last
        stored = self.stored + complete - self.release
        m.d.sync += [self.stored.eq(stored), free.eq(stored != config.sets)]
        m.d.comb += [self.i.ready.eq(free), self.full.eq(self.stored != 0)]

        # The other set's first address: with one set, the same.
        second = (config.sets - 1) * config.depth
        next_filling = Mux(self.filling == 0, second, 0)
        with m.If(self.release):
            m.d.sync += self.reading.eq(Mux(self.reading == 0, second, 0))

        # Fill: the sign of `left` says that there is no place for one more.
        left = Signal(signed((config.depth - 1).bit_length() + 1), init=config.depth - 1)
        at = Signal(config.ram.address_width)
        first = Signal(init=1)
        with m.If(accept):
            m.d.sync += [first.eq(0), at.eq(at + 1), left.eq(Mux(left[-1], left, left - 1))]
            m.d.sync += self.overrun.eq(left[-1] | self.overrun & ~first)
        with m.If(complete):
            m.d.sync += [first.eq(1), left.eq(config.depth - 1)]
            m.d.sync += [self.filling.eq(next_filling), at.eq(next_filling)]

        # A register before each port: a write is as late as a read, so that a set released in one
        # cycle may be filled from the next one on.
        # The next part's registers follow those of the part before.
        enable: Value = accept & ~left[-1]
        write_at: Value = at
        data: Value = self.i.payload.data
        read_at: Value = self.address + self.reading
        width, words = config.ram.width, []
        for part in range(config.parts):
            m.submodules[f"part_{part}"] = ram = Ram(config.ram)
            enable_here = Signal(name=f"enable_{part}")
            m.d.sync += enable_here.eq(enable)
            enable = enable_here
            write_at = delay(m, f"write_at_{part}", write_at, 1)
            read_at = delay(m, f"read_at_{part}", read_at[: config.ram.address_width], 1)
            data = delay(m, f"data_{part}", data, 1)
            m.d.comb += [
                ram.write.enable.eq(enable),
                ram.write.address.eq(write_at),
                ram.write.data.eq(data[:width]),
                ram.read.address.eq(read_at),
            ]
            data = data[width:]
            words.append(delay(m, f"word_{part}", ram.read.data, config.parts - 1 - part))
        m.d.comb += self.data.eq(Cat(words))
        return m
