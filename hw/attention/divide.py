"""Probabilities of weights whose row's factor is known: the second half of a table method."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.row_ops import constant_factor, final_shape, weight_shape
from hw.attention.tile import TileWords
from hw.attention.weigher import weight_word_shape
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.softmax.methods import units_of
from spec.rows import TableRow

__all__ = ["Divide", "DivideConfig"]


@dataclass(frozen=True, kw_only=True)
class DivideConfig:
    """What is divided, and how.

    Parameters
    ----------
    tile
        The words of a tile.
    operation
        The row operation.
    """

    tile: TileWords
    operation: TableRow

    @property
    def latency(self) -> int:
        """Cycles from a word to its probabilities: the method's scaling."""
        n = self.operation.numerics
        return units_of(n).scale.latency_of(n)

    @property
    def o_weight_shape(self) -> StructLayout:
        """A word of probabilities."""
        return weight_word_shape(self.tile, weight_shape(self.operation))

    @property
    def o_factor_shape(self) -> StructLayout:
        """What a row's outputs are scaled by."""
        return final_shape(self.operation)


class Divide(wiring.Component):
    """p of every weight and its row's factor; the constant that a row's outputs are scaled by.

    Contract: words come as `hw.attention.block_ring.BlockRing` issues them. Every word leaves as
    one word of probabilities; the rows of a row block are told once each, in order. A masked
    score's weight is 0, and of a weight 0 both methods make the probability 0.

    *Timing*: both outputs `latency` cycles after their word, interval one cycle, never a stall.

    *Members*
    i
        Push of {word: {weight}, row: {factor, empty}, row_index, row_end, end, first, last}.
    o_weight
        Push of {weight, row, row_end, end, first, last}.
    o_factor
        Push of {mantissa, exponent, empty}, with a row's last word.
    """

    i: Push
    o_weight: Push
    o_factor: Push

    def __init__(self, config: DivideConfig, input_shape: StructLayout):
        self.config = config
        super().__init__(
            {
                "i": In(PushSignature(input_shape)),
                "o_weight": Out(PushSignature(config.o_weight_shape)),
                "o_factor": Out(PushSignature(config.o_factor_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Scale each lane."""
        m = Module()
        operation, payload = self.config.operation, self.i.payload
        numerics, units = operation.numerics, units_of(operation.numerics)
        o = self.o_weight.payload
        for lane in range(self.config.tile.lanes):
            m.submodules[f"scale{lane}"] = scale = units.scale(numerics)
            m.d.comb += [
                scale.weight.eq(payload.word.weight[lane]),
                scale.aligned.eq(payload.row.factor),
                o.weight[lane].eq(scale.p),
            ]
        flags = ("row_end", "end", "first", "last")
        with Pipe(
            m,
            "divide",
            latency=self.config.latency,
            valid=self.i.valid,
            row=payload.row_index,
            empty=payload.row.empty,
            **{flag: getattr(payload, flag) for flag in flags},
        ) as p:
            p.through(self.config.latency, keep=("row", "empty", *flags))
            m.d.comb += [
                self.o_weight.valid.eq(p.valid),
                Cat(o.row, o.row_end, o.end, o.first, o.last).eq(
                    Cat(p.row, p.row_end, p.end, p.first, p.last)
                ),
                self.o_factor.valid.eq(p.valid & p.row_end & p.last),
                self.o_factor.payload.eq(Cat(constant_factor(operation), p.empty)),
            ]
        return m
