"""Every size, depth and latency of the attention core, from its configuration alone."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Shape
from amaranth.lib.data import StructLayout

from hw.attention.block_ring import BlockRingConfig
from hw.attention.config import AttentionConfig
from hw.attention.divide import DivideConfig
from hw.attention.normalise import NormaliserConfig
from hw.attention.output import OutputConfig
from hw.attention.pace import DECISION
from hw.attention.row_max import TileRowMaxConfig
from hw.attention.row_ops import final_shape, weight_shape
from hw.attention.score_alu import ScoreAluConfig
from hw.attention.score_array import ScoreArrayConfig
from hw.attention.score_sequencer import ScoreSequencerConfig, head_shape, record_shape
from hw.attention.value_array import ValueArrayConfig
from hw.attention.value_sequencer import ValueSequencerConfig
from hw.attention.weigher import WeigherConfig
from hw.attention.weight_tiles import WeightTilesConfig
from hw.dispatch.config import DispatchConfig, DispatchSizes
from hw.dispatch.tokens import TokenMask
from hw.lib.operand import OperandConfig
from hw.lib.ram_fifo import RamFifoConfig
from hw.prim.ram import RamConfig
from spec.rows import TableRow

__all__ = ["AttentionTiming"]

SMALL_ARRAY = 8
"""Multipliers of a score array all of whose neighbours are near."""

LANES_A_PART = 2
"""Operands of a word that lie in one memory: the longest ones fill eight block RAMs of ECP5."""

OUTPUT_BLOCKS = 4
"""Row blocks that wait to leave: two would do for equal ones."""

HEADS_WAITING = 64
"""Heads whose jobs were accepted and whose tiles have not all started; never so many, because each
has a command in the dispatcher's queue or on its way there."""


@dataclass(frozen=True)
class AttentionTiming:
    """Configurations of the core's parts, and the cycles between them."""

    config: AttentionConfig

    @cached_property
    def dispatch(self) -> DispatchConfig:
        """The dispatcher."""
        config, layer = self.config, self.config.layer
        sizes = DispatchSizes(
            rows=config.rows,
            columns=config.columns,
            queries=layer.queries,
            keys=layer.keys,
            heads=layer.heads,
            batches=layer.batches,
        )
        return DispatchConfig(
            sizes=sizes,
            mask=layer.mask_expr,
            sources=layer.masks,
            max_tiles=config.most_tiles,
            partial_tiles=config.partial_tiles if "bitmap" in layer.masks else 0,
        )

    def operand(self, lanes: int, words: int) -> OperandConfig:
        """A memory of `words` words of `lanes` bytes a set."""
        parts = max(1, lanes // LANES_A_PART)
        return OperandConfig(width=8 * lanes, depth=words, sets=self.config.buffers, parts=parts)

    @cached_property
    def query(self) -> OperandConfig:
        """Queries: a dimension of a row block in each word."""
        config = self.config
        return self.operand(config.rows, config.row_blocks * config.layer.head_dim)

    @cached_property
    def key(self) -> OperandConfig:
        """Keys: a dimension of a key tile in each word."""
        config = self.config
        return self.operand(config.columns, config.key_tiles * config.layer.head_dim)

    @cached_property
    def value(self) -> OperandConfig:
        """Values: a column group of a key in each word."""
        config = self.config
        words = config.key_tiles * config.columns * config.groups
        return self.operand(config.value_columns, words)

    @cached_property
    def array(self) -> ScoreArrayConfig:
        """The score array."""
        config = self.config
        return ScoreArrayConfig(
            rows=config.rows,
            columns=config.columns,
            lanes=config.lanes,
            head_dim=config.layer.head_dim,
            logic_rows=config.logic_rows,
        )

    @cached_property
    def score_sequencer(self) -> ScoreSequencerConfig:
        """The sequencer of the score array."""
        return ScoreSequencerConfig(self.config, self.array.tile_interval)

    @property
    def read_latency(self) -> int:
        """Cycles from the reading of an operand to its push into an array."""
        return max(self.query.latency, self.key.latency)

    @property
    def value_read_latency(self) -> int:
        """Cycles from the reading of a key's weights and values to their push into the array."""
        return max(self.value.latency, self.weights.latency)

    @property
    def score_start(self) -> int:
        """Cycles from a tile's start to its first word of products."""
        return 1 + self.config.layer.head_dim + self.read_latency + self.array.latency

    @cached_property
    def alu(self) -> ScoreAluConfig:
        """The score ALU."""
        tokens = None
        if self.dispatch.loadable:
            question = TokenMask.question_of(self.dispatch, self.config.lanes)
            tokens = question, TokenMask.latency_of(self.dispatch)
        return ScoreAluConfig(
            self.config,
            self.array,
            self.score_sequencer.tile_shape,
            start_latency=self.score_start,
            tokens=tokens,
        )

    @cached_property
    def row_max(self) -> TileRowMaxConfig:
        """Row maxima, where the row operation needs them."""
        return TileRowMaxConfig(
            tile=self.config.tile,
            score_bits=self.config.layer.score_bits,
            tiles=self.config.ring_tiles,
            whole_blocks=self.config.layer.row_numerics.needs_max,
        )

    @cached_property
    def scores(self) -> BlockRingConfig:
        """The score ring."""
        return BlockRingConfig(
            tile=self.config.tile,
            word_shape=self.row_max.word_shape,
            row_shape=self.row_max.row_shape,
            tiles=self.config.ring_tiles,
        )

    @cached_property
    def weigher(self) -> WeigherConfig:
        """The weigher."""
        return WeigherConfig(
            tile=self.config.tile,
            operation=self.config.layer.row_numerics,
            tiles=self.config.ring_tiles,
        )

    @cached_property
    def divide(self) -> DivideConfig | None:
        """What divides before the value product, where the row operation does."""
        operation = self.config.layer.row_numerics
        if not isinstance(operation, TableRow):
            return None
        return DivideConfig(tile=self.config.tile, operation=operation)

    @cached_property
    def undivided(self) -> BlockRingConfig | None:
        """The ring of weights that wait for their row's sum, where there is one."""
        if self.divide is None:
            return None
        units = self.weigher.units
        shape = StructLayout({"weight": self.weigher.o_weight_shape["weight"].shape})
        return BlockRingConfig(
            tile=self.config.tile,
            word_shape=shape,
            row_shape=units.row,
            tiles=self.config.ring_tiles,
        )

    @property
    def weight_latency(self) -> int:
        """Cycles from a word of the last ring to its weights."""
        return self.divide.latency if self.divide else self.weigher.weight_latency

    @property
    def far(self) -> bool:
        """Whether the dispatcher lies so far from the arrays that commands wait on their way."""
        return self.config.rows * self.config.columns > SMALL_ARRAY

    @property
    def hop(self) -> int:
        """Cycles in which room is told to a ring, and a start of the ring to what has the room.

        The two lie far apart. The second start after one must know of it: tiles of fewer words than
        three follow each other too quickly.
        """
        return 1 if self.config.tile.words > 2 else 0

    @property
    def settle(self) -> int:
        """Cycles from a tile's last weights to the factor of its last row, and one more."""
        if self.divide:
            return 2
        return max(2, self.weigher.factor_latency - self.weigher.weight_latency + 2)

    @cached_property
    def weights(self) -> WeightTilesConfig:
        """Tiles of weights: as many as there are between the start of one and its release."""
        loop = (
            self.scores.latency
            + self.weight_latency
            + self.config.tile.words
            + self.settle
            + self.value_sequencer.interval
            + self.hop
            + WEIGHT_LOOP
        )
        pace = max(
            self.score_sequencer.interval, self.config.tile.words, self.value_sequencer.interval
        )
        tiles = -(-loop // pace)
        return WeightTilesConfig(
            tile=self.config.tile,
            weight_shape=self.weight_shape,
            tiles=1 << (tiles - 1).bit_length(),
            settle=self.settle,
        )

    @property
    def weight_shape(self) -> Shape:
        """Shape of what a value is weighed by."""
        return weight_shape(self.config.layer.row_numerics)

    @cached_property
    def factors(self) -> RamConfig:
        """Factors of the row blocks whose weights wait, and of two more."""
        width = final_shape(self.config.layer.row_numerics).size
        blocks = 2 * self.weights.tiles
        return RamConfig(width=width, depth=blocks * self.config.rows)

    @cached_property
    def log(self) -> RamFifoConfig:
        """Records of all tiles between the score array and the value array."""
        tiles = self.config.ring_tiles * (2 if self.divide else 1)
        return RamFifoConfig(
            shape=record_shape(self.config), depth=tiles + 2 * self.weights.tiles + LOG_SLACK
        )

    @cached_property
    def heads(self) -> RamFifoConfig:
        """What is known of heads that wait for the score array."""
        return RamFifoConfig(shape=head_shape(self.config), depth=HEADS_WAITING)

    @cached_property
    def values(self) -> ValueArrayConfig:
        """The value array."""
        config = self.config
        return ValueArrayConfig(
            rows=config.rows,
            columns=config.columns,
            value_columns=config.value_columns,
            groups=config.groups,
            weight_bits=self.weight_shape.width,
            weight_signed=self.weight_shape.signed,
            max_keys=config.layer.keys,
        )

    @cached_property
    def value_sequencer(self) -> ValueSequencerConfig:
        """The sequencer of the value array."""
        return ValueSequencerConfig(self.config, self.values.tile_interval)

    @cached_property
    def normaliser(self) -> NormaliserConfig:
        """The normaliser."""
        layer = self.config.layer
        place = StructLayout(
            {
                "row": range(self.config.rows),
                "group": range(self.config.groups),
                "empty": 1,
                "end": 1,
            }
        )
        return NormaliserConfig(
            sum_bits=self.values.sum_bits,
            lanes=self.config.value_columns,
            exponent_bits=layer.row_numerics.exponent_bits,
            base_shift=layer.row_numerics.final.align,
            product_shift=layer.row_numerics.final.product_shift,
            output_bits=layer.output_bits,
            tag_shape=place,
        )

    @cached_property
    def output(self) -> OutputConfig:
        """The output memory."""
        config = self.config
        return OutputConfig(
            rows=config.rows,
            groups=config.groups,
            lanes=config.value_columns,
            output_bits=config.layer.output_bits,
            blocks=OUTPUT_BLOCKS,
            row_blocks=config.row_blocks,
            compact=config.compact,
        )


WEIGHT_LOOP = 9 + DECISION
"""Cycles of the loop from a place among the weight tiles to its release that are in no part."""

LOG_SLACK = 16
"""Records of heads without a tile."""
