"""A row operation as a whole: from the score ring to what the value array multiplies by."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, flipped

from hw.attention.block_ring import BlockRing, BlockRingConfig
from hw.attention.divide import Divide, DivideConfig
from hw.attention.row_ops import final_shape, weight_shape
from hw.attention.tile import TileWords
from hw.attention.weigher import Weigher, WeigherConfig, weight_word_shape
from hw.lib.credit import Push, PushSignature
from spec.rows import RowNumerics, TableRow

__all__ = ["RowWeights", "RowWeightsConfig"]


@dataclass(frozen=True, kw_only=True)
class RowWeightsConfig:
    """What is weighed, and how.

    Parameters
    ----------
    tile
        The words of a tile.
    operation
        The row operation.
    tiles
        Most tiles of a row block.
    divide_tiles
        Places for tiles in the second ring, at least `tiles`; only a table method has one.
    """

    tile: TileWords
    operation: RowNumerics
    tiles: int
    divide_tiles: int = 0

    def __post_init__(self) -> None:
        low = self.tiles if self.operation.divides_first else 0
        if self.divide_tiles < low:
            raise ValueError(
                f"RowWeightsConfig.divide_tiles must be at least tiles = {low}, "
                f"got {self.divide_tiles}"
            )

    @property
    def weigher(self) -> WeigherConfig:
        """The first pass."""
        return WeigherConfig(tile=self.tile, operation=self.operation, tiles=self.tiles)

    @property
    def ring(self) -> BlockRingConfig | None:
        """Where weights wait for their row's factor; None where they need not."""
        if not self.operation.divides_first:
            return None
        weights = self.weigher.o_weight_shape.members["weight"]
        return BlockRingConfig(
            tile=self.tile,
            word_shape=StructLayout({"weight": weights}),
            row_shape=self.weigher.o_factor_shape,
            tiles=self.divide_tiles,
        )

    @property
    def divide(self) -> DivideConfig | None:
        """The second pass; None where there is none."""
        if not isinstance(self.operation, TableRow):
            return None
        return DivideConfig(tile=self.tile, operation=self.operation)

    @property
    def o_weight_shape(self) -> StructLayout:
        """A word of weights."""
        return weight_word_shape(self.tile, weight_shape(self.operation))

    @property
    def o_factor_shape(self) -> StructLayout:
        """What a row's outputs are scaled by."""
        return final_shape(self.operation)


class RowWeights(wiring.Component):
    """Weights of every tile, and of every row of a row block what its outputs are scaled by.

    Contract: that of `hw.attention.weigher.Weigher`. For a table method its weights wait in a
    `hw.attention.block_ring.BlockRing`, and are divided by `hw.attention.divide.Divide`. A tile is
    sent only after `i_advance`, and `i_start` says that it is; likewise `advance` and `start`
    behind. Whole tiles leave for which `start` was given.

    *Timing*: without a division `start` is `i_start` and `i_advance` is `advance`, both in the same
    cycle, and words and factors come out as `Weigher` states. With one, `i_advance` is the second
    ring's `room`, a row block is announced to it `weigher.factor_latency` cycles after its last
    word, and its words pass `divide.latency` cycles after it gave them out.

    *Members*
    i
        Push of what the score ring gives out.
    i_advance, i_start
        There is room for a tile; the score ring starts one.
    advance, start
        The consumer has room for a tile; one is on its way, the consumer's room is taken.
    o_weight
        Push of {weight, row, row_end, end, first, last}.
    o_factor
        Push of {mantissa, exponent, empty}, for each row of a row block, in order.
    """

    i: Push
    i_advance: Signal
    i_start: Signal
    advance: Signal
    start: Signal
    o_weight: Push
    o_factor: Push

    def __init__(self, config: RowWeightsConfig, input_shape: StructLayout):
        self.config = config
        self.input_shape = input_shape
        super().__init__(
            {
                "i": In(PushSignature(input_shape)),
                "i_advance": Out(1),
                "i_start": In(1),
                "advance": In(1),
                "start": Out(1),
                "o_weight": Out(PushSignature(config.o_weight_shape)),
                "o_factor": Out(PushSignature(config.o_factor_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Weigh; where the method divides, wait for the row's factor and scale."""
        m = Module()
        config = self.config
        m.submodules.weigher = weigher = Weigher(config.weigher, self.input_shape)
        wiring.connect(m, flipped(self.i), weigher.i)
        last: Weigher | Divide = weigher
        if config.ring is None or config.divide is None:
            m.d.comb += [self.i_advance.eq(self.advance), self.start.eq(self.i_start)]
        else:
            m.submodules.ring = ring = BlockRing(config.ring)
            m.submodules.divide = last = Divide(config.divide, config.ring.o_shape)
            m.d.comb += [
                self.i_advance.eq(ring.room),
                ring.take.eq(self.i_start),
                ring.advance.eq(self.advance),
                self.start.eq(ring.start),
                ring.i.valid.eq(weigher.o_weight.valid),
                ring.i.payload.word.weight.eq(weigher.o_weight.payload.weight),
                ring.i.payload.last.eq(weigher.o_weight.payload.last),
                ring.i_block.valid.eq(weigher.o_block.valid),
                ring.i_block.payload.tiles.eq(weigher.o_block.payload.tiles),
            ]
            wiring.connect(m, weigher.o_factor, ring.i_row)
            wiring.connect(m, ring.o, last.i)
        wiring.connect(m, last.o_weight, flipped(self.o_weight))
        wiring.connect(m, last.o_factor, flipped(self.o_factor))
        return m
