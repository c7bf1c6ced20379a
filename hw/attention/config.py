"""The one configuration of the attention core, and the sizes and intervals that follow from it."""

from dataclasses import dataclass
from functools import cached_property

from hw.attention.mac_array import SIDES
from hw.attention.tile import TileWords
from spec.attention import Attention
from spec.errors import SpecError, check_range

__all__ = ["AttentionConfig"]

SLACK_TILES = 4
"""Places of the score ring beside a longest row block: what is on its way in or out."""


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """How an attention core is built: `layer` decides every bit, the rest only cycles and area.

    Parameters
    ----------
    layer
        What is computed.
    rows, columns
        Queries and keys of a score tile, R and C: powers of two from 1 to 16.
    value_columns
        Value dimensions worked on at once, E: such a power of two that divides the value dimension.
    score_tiles
        Tiles that the score ring holds, at least the visible tiles of any row block; None for
        those of a dense one and a few more. A row block of more is refused, never overwritten.
    buffers
        Sets of queries, keys and values on chip: 1, or 2 to load while the last head computes.
    partial_tiles
        Partial tiles whose token masks a core with the ``bitmap`` source holds.
    compact
        Whether a row block without a visible tile leaves as one transfer instead of its zeros.
    logic_rows
        Rows of the score array, the last ones, whose products are made of logic, where a chip has
        too few multipliers.
    """

    layer: Attention
    rows: int = 8
    columns: int = 8
    value_columns: int = 8
    score_tiles: int | None = None
    buffers: int = 1
    partial_tiles: int = 1024
    compact: bool = False
    logic_rows: int = 0

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "value_columns"):
            self._check_side(field)
        if self.layer.columns % self.value_columns:
            fits = max(side for side in SIDES if self.layer.columns % side == 0)
            raise SpecError(
                f"value_columns must divide the value dimension {self.layer.columns}, "
                f"got {self.value_columns}; nearest is {fits}"
            )
        check_range("buffers", self.buffers, 1, 2)
        check_range("partial_tiles", self.partial_tiles, 1, 1 << 16)
        if self.score_tiles is not None:
            check_range("score_tiles", self.score_tiles, 2, 1 << 16)
        if type(self.compact) is not bool:
            raise SpecError(f"compact must be true or false, got {self.compact!r}")
        check_range("logic_rows", self.logic_rows, 0, self.rows)

    def _check_side(self, field: str) -> None:
        value = getattr(self, field)
        if value not in SIDES or isinstance(value, bool):
            near = value if type(value) is int else 8
            near = min(SIDES, key=lambda side: abs(side - near))
            raise SpecError(
                f"{field} must be a power of two from 1 to 16, got {value!r}; nearest is {near}"
            )

    @property
    def row_blocks(self) -> int:
        """Row blocks of the longest queries."""
        return -(-self.layer.queries // self.rows)

    @property
    def key_tiles(self) -> int:
        """Key tiles of the longest keys."""
        return -(-self.layer.keys // self.columns)

    @property
    def ring_tiles(self) -> int:
        """Tiles that the score ring holds."""
        if self.score_tiles is not None:
            return self.score_tiles
        return SLACK_TILES + (self.key_tiles if self.layer.row_numerics.needs_max else SLACK_TILES)

    @property
    def most_tiles(self) -> int | None:
        """Visible tiles that a row block may have; None for as many as there are."""
        return self.ring_tiles if self.layer.row_numerics.needs_max else None

    @property
    def lanes(self) -> int:
        """Scores a cycle, L: the least power of two that keeps pace with the score array."""
        lanes = 1
        while lanes < self.columns and self.rows * self.columns > self.layer.head_dim * lanes:
            lanes *= 2
        return lanes

    @cached_property
    def tile(self) -> TileWords:
        """How a tile's words follow each other."""
        row_words = self.columns // self.lanes
        return TileWords(rows=self.rows, row_words=row_words, lanes=self.lanes)

    @property
    def groups(self) -> int:
        """Column groups of the value array, G."""
        return self.layer.columns // self.value_columns
