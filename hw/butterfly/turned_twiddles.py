"""Twiddle factors of the second layer of a divided vector, each vector's turned by its number."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.twiddles import FactorTables, supply_factors, turned_lanes
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from spec.butterfly import twiddle

__all__ = ["TurnedTwiddleConfig", "TurnedTwiddles"]


@dataclass(frozen=True, kw_only=True)
class TurnedTwiddleConfig(FactorTables):
    """Sizes of a supply of turned twiddle factors: those of its tables, and of a turn.

    A heap's address stands above the turn; its stages are those with bits above the lane's.

    Parameters
    ----------
    turn_bits
        Bits of a turn, at least 1: a fraction of the step of a stage.
    """

    turn_bits: int

    @property
    def depth(self) -> int:
        """Entries of a lane: the heap, and the stages whose bits are the lane's alone."""
        return (1 << self.heap_bits) + self.log2_units << self.turn_bits

    def entries(self, lane: int) -> tuple[tuple[int, int], ...]:
        """Cosines and sines of a lane, by address: a quarter of each stage's."""
        frac, p, f = self.coefficient_bits - 2, self.log2_units, self.turn_bits
        turns = range(1 << f)
        # A half of these is not used: stage 0 needs no more than a quarter turn.
        found = [twiddle(f, turn, frac) for turn in range(1 << f - 1)] * 2
        for level in range(self.heap_bits):
            stage = level + p + 1 + f
            found += [
                twiddle(stage, ((k << p) + lane << f) + turn, frac)
                for k in range(1 << level)
                for turn in turns
            ]
        for stage in range(1, p + 1):
            k = lane & (1 << stage - 1) - 1
            found += [twiddle(stage + f, (k << f) + turn, frac) for turn in turns]
        return tuple(found)

    @property
    def i_shape(self) -> StructLayout:
        """The stage, which of a vector's cycles it is, and the vector's turn."""
        return StructLayout({**self.place_shape, "turn": self.turn_bits})


class TurnedTwiddles(wiring.Component):
    """Lane u's factor is W_{2^(stage+1)}^(k + turn / 2^f), k = (cycle·P + u) mod 2^stage.

    It comes as `hw.butterfly.twiddles.Twiddles` gives it. Without a turn it is the same.

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    i
        Push of {stage, cycle, turn}.
    o
        Push of {cos, sin, minus_cos, minus_sin, turned} of each lane.

    *Source*: docs/butterfly.md, "Multi-layer division".
    """

    i: Push
    o: Push

    def __init__(self, config: TurnedTwiddleConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Address the tables, all alike, and negate."""
        m = Module()
        config, p, f = self.config, self.config.log2_units, self.config.turn_bits
        stage, levels = self.i.payload.stage, range(config.heap_bits)
        with Pipe(
            m,
            "twiddle",
            latency=config.latency,
            valid=self.i.valid,
            cycle=self.i.payload.cycle,
            turn=self.i.payload.turn,
        ) as pipe:
            pipe.stage(
                "decode",
                at=Cat(stage == level + p + 1 for level in levels),
                below=Cat(stage > level + p + 1 for level in levels),
                extra=self._extra(stage),
                first=stage == 0,
                of_lane=turned_lanes(stage, config.units),
                keep=("cycle", "turn"),
            )
            cycle = Value.cast(pipe.cycle)[: config.heap_bits]
            heap = pipe.at | pipe.below & cycle
            # Of stage 0 the turn's top bit is the quarter.
            quarter = pipe.first & pipe.turn[-1]
            place = Cat(pipe.turn[: f - 1], pipe.turn[-1] & ~pipe.first)
            above = Mux(pipe.extra.any(), pipe.extra, heap) if p else heap
            pipe.stage(
                "address",
                address=Cat(place, above),
                turns=Cat(pipe.at & cycle, quarter),
                keep=("of_lane",),
            )
            supply_factors(m, config, pipe, self.o)
        return m

    def _extra(self, stage: Value) -> Value:
        """What stands above the turn in a stage whose bits are the lane's alone, else 0."""
        config = self.config
        base = 1 << config.heap_bits
        found: Value = Const(0, (base + config.log2_units).bit_length())
        for number in range(1, config.log2_units + 1):
            found = Mux(stage == number, base + number - 1, found)
        return found
