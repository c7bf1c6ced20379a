"""A twiddle factor for every unit every cycle, from one quarter of the sines in all."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.ram import Rom, RomConfig
from spec.butterfly import twiddle

__all__ = [
    "FactorTables",
    "TwiddleConfig",
    "Twiddles",
    "factors_shape",
    "supply_factors",
    "turned_lanes",
]

PARTS = ("cos", "sin", "minus_cos", "minus_sin")
"""What is known of a factor's angle."""


@dataclass(frozen=True, kw_only=True)
class FactorTables(ABC):
    """Sizes of a supply of factors, each lane of which has a table of cosines and sines.

    Parameters
    ----------
    units
        Lanes, P: a power of two.
    stages
        Stages of the largest vector, of at least 2P points.
    coefficient_bits
        Width of a factor's cosine and sine, all but two after the point.
    """

    units: int
    stages: int
    coefficient_bits: int

    @abstractmethod
    def entries(self, lane: int) -> tuple[tuple[int, int], ...]:
        """Cosines and sines of a lane, by address."""

    @property
    def log2_units(self) -> int:
        """Bits of a lane's number, p."""
        return self.units.bit_length() - 1

    @property
    def heap_bits(self) -> int:
        """Bits of a heap's address: its stages, each with twice the entries of the one before."""
        return max(0, self.stages - 1 - self.log2_units)

    @cached_property
    def roms(self) -> tuple[RomConfig, ...]:
        """The table of each lane; the sine stands above the cosine, neither is negative."""
        bits = self.coefficient_bits - 1
        return tuple(
            RomConfig(
                width=2 * bits,
                entries=tuple(cos | sin << bits for cos, sin in self.entries(lane)),
            )
            for lane in range(self.units)
        )

    @property
    def latency(self) -> int:
        """Cycles from a stage and a place in it to factors: decode, address, table, negatives."""
        return 1 + 1 + self.roms[0].latency + 1

    @property
    def interval(self) -> int:
        """Cycles between factors."""
        return 1

    @property
    def place_shape(self) -> dict[str, ShapeLike]:
        """The stage, and which of a vector's cycles it is, P pairs each."""
        return {"stage": range(self.stages), "cycle": range(1 << self.heap_bits)}

    @property
    def o_shape(self) -> ArrayLayout:
        """Of each lane, cosine and sine of the angle less a quarter turn if it was `turned`."""
        return factors_shape(self.units, self.coefficient_bits)


@dataclass(frozen=True, kw_only=True)
class TwiddleConfig(FactorTables):
    """Sizes of a supply of twiddle factors: those of its tables."""

    @property
    def depth(self) -> int:
        """Entries of a lane: the heap, and the stages whose factor is the lane's alone."""
        return (1 << self.heap_bits) + max(0, self.log2_units - 1)

    def entries(self, lane: int) -> tuple[tuple[int, int], ...]:
        """Cosines and sines of a lane, by address."""
        frac, p = self.coefficient_bits - 2, self.log2_units
        found = [twiddle(0, 0, frac)]
        for level in range(self.heap_bits):
            stage = level + p + 1
            found += [twiddle(stage, (k << p) + lane, frac) for k in range(1 << level)]
        found += [twiddle(stage, lane & (1 << stage - 1) - 1, frac) for stage in range(2, p + 1)]
        return tuple(found)

    @property
    def i_shape(self) -> StructLayout:
        """The stage, and which of a vector's cycles it is."""
        return StructLayout(self.place_shape)


class Twiddles(wiring.Component):
    """Lane u's factor is W_{2^(stage+1)}^k, k = (cycle·P + u) mod 2^stage, as in spec.butterfly.

    It comes as cosine and sine of an angle below a quarter turn, with their negatives, and
    `turned`: then the factor's own are (−sin, cos), else (cos, sin).

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    i
        Push of {stage, cycle}.
    o
        Push of {cos, sin, minus_cos, minus_sin, turned} of each lane.

    *Source*: docs/butterfly.md, "Twiddles".
    """

    i: Push
    o: Push

    def __init__(self, config: TwiddleConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Address the tables, all alike, and negate."""
        m = Module()
        config, p = self.config, self.config.log2_units
        stage, levels = self.i.payload.stage, range(config.heap_bits)
        with Pipe(
            m,
            "twiddle",
            latency=config.latency,
            valid=self.i.valid,
            cycle=self.i.payload.cycle,
        ) as pipe:
            pipe.stage(
                "decode",
                at=Cat(stage == level + p + 1 for level in levels),
                below=Cat(stage > level + p + 1 for level in levels),
                extra=self._extra(stage),
                of_lane=turned_lanes(stage, config.units),
                keep=("cycle",),
            )
            cycle = Value.cast(pipe.cycle)[: config.heap_bits]
            heap = pipe.at | pipe.below & cycle
            address = Mux(pipe.extra.any(), pipe.extra, heap) if p > 1 else heap
            pipe.stage("address", address=address, turns=pipe.at & cycle, keep=("of_lane",))
            supply_factors(m, config, pipe, self.o)
        return m

    def _extra(self, stage: Value) -> Value:
        """The address of a stage whose factor is the lane's alone, else 0."""
        config = self.config
        base = 1 << config.heap_bits
        found: Value = Const(0, (config.depth - 1).bit_length() or 1)
        for number in range(2, config.log2_units + 1):
            found = Mux(stage == number, base + number - 2, found)
        return found


def factors_shape(units: int, coefficient_bits: int) -> ArrayLayout:
    """Of each lane, cosine and sine of the angle less a quarter turn if it was `turned`."""
    number = signed(coefficient_bits)
    factor = dict.fromkeys(PARTS, number)
    return ArrayLayout(StructLayout({**factor, "turned": 1}), units)


def turned_lanes(stage: Value, units: int) -> Value:
    """For each lane, whether the bit of k that is a quarter turn is a bit of the lane, and set."""
    return Cat(
        Cat(stage == bit + 1 for bit in range(lane.bit_length()) if lane >> bit & 1).any()
        if lane
        else Const(0, 1)
        for lane in range(units)
    )


def supply_factors(m: Module, config: FactorTables, pipe: Pipe, o: Push) -> None:
    """From each lane's address to its factor: the table, and the negatives.

    `pipe` holds `address`, `turns`, any of which makes all lanes turned, and `of_lane`.
    """
    words = []
    for lane, rom_config in enumerate(config.roms):
        m.submodules[f"lane{lane}"] = rom = Rom(rom_config)
        m.d.comb += rom.address.eq(pipe.address)
        words.append(rom.data)
    pipe.stage("turn", turned=pipe.turns.any(), keep=("of_lane",))
    pipe.through(config.roms[0].latency - 1, keep=("of_lane", "turned"))
    bits = config.coefficient_bits - 1
    parts: dict[str, Any] = {}
    for lane, word in enumerate(words):
        for name, part in (("cos", word[:bits]), ("sin", word[bits:])):
            parts[f"{name}{lane}"] = Cat(part, Const(0, 1)).as_signed()
            parts[f"minus_{name}{lane}"] = (-part)[: bits + 1].as_signed()
    turned = pipe.of_lane | pipe.turned.replicate(config.units)
    pipe.stage("negate", turned_lanes=turned, **parts)
    m.d.comb += o.valid.eq(pipe.valid)
    for lane in range(config.units):
        factor = o.payload[lane]
        m.d.comb += [
            factor.turned.eq(pipe.turned_lanes[lane]),
            *(factor[name].eq(getattr(pipe, f"{name}{lane}")) for name in PARTS),
        ]
