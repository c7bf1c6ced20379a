"""Tiles of a mask, and the words in which a mask is loaded: what host, models and gates agree on.

A score tile is R queries by C keys: row block times key tile. The dispatcher scans a row block's
key tiles in groups of `GROUP`. Three layouts are loaded at run time, all little-endian in bits:

- *group word* of a `BlockBitmap`, number ``row_block * groups + g``: bit i says that key tile
  ``GROUP * g + i`` is visible, bit ``GROUP + i`` that it is partial. A partial tile is visible.
- *token word* of a `BlockBitmap`, number ``p * rows + r`` for row r of the p-th partial tile in
  order of row blocks, then of key tiles: bit j says that the row sees key ``key_tile * columns +
  j``. Rows and keys that do not exist have zeros.
- *column word* of `ColumnIntervals`, one a key: the bounds ``start, end, start, end`` of its two
  hidden ranges, as many bits each as ``queries`` needs, the first lowest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import NamedTuple

from spec.errors import SpecError, check_range

__all__ = [
    "GROUP",
    "BlockBitmap",
    "ColumnIntervals",
    "Range",
    "Tile",
    "TileGrid",
    "bitmap_of_tiles",
    "check_ring",
]

GROUP = 16
"""Key tiles in a coarse group."""

MAX_LENGTH = 1 << 20
MAX_SIDE = 1 << 12

Range = tuple[int, int]
"""Start and end, the end not included; ``(0, 0)`` where nothing is in it."""


class Tile(NamedTuple):
    """A tile that at least one query sees something of."""

    row_block: int
    key_tile: int
    partial: bool
    """Not all that is in it may be seen: the mask is evaluated score by score."""


@dataclass(frozen=True)
class TileGrid:
    """A mask of `queries` by `keys` cut into tiles of `rows` by `columns`.

    The last row block may hang over the queries and the last key tile over the keys. Keys that do
    not exist are never seen, so an overhanging key tile is partial at least; queries that do not
    exist have no say in anything.
    """

    rows: int
    columns: int
    queries: int
    keys: int

    def __post_init__(self) -> None:
        check_range("TileGrid.rows", self.rows, 1, MAX_SIDE)
        check_range("TileGrid.columns", self.columns, 1, MAX_SIDE)
        check_range("TileGrid.queries", self.queries, 1, MAX_LENGTH)
        check_range("TileGrid.keys", self.keys, 1, MAX_LENGTH)

    @property
    def row_blocks(self) -> int:
        """Row blocks, the last one possibly overhanging."""
        return -(-self.queries // self.rows)

    @property
    def key_tiles(self) -> int:
        """Key tiles of a row block, the last one possibly overhanging."""
        return -(-self.keys // self.columns)

    @property
    def groups(self) -> int:
        """Coarse groups of a row block, the last one possibly short."""
        return -(-self.key_tiles // GROUP)

    @property
    def tiles(self) -> int:
        """Tiles of a dense mask."""
        return self.row_blocks * self.key_tiles

    def query_range(self, row_block: int) -> Range:
        """The existing queries of a row block."""
        return row_block * self.rows, min((row_block + 1) * self.rows, self.queries)

    def key_range(self, key_tile: int) -> Range:
        """The existing keys of a key tile."""
        return key_tile * self.columns, min((key_tile + 1) * self.columns, self.keys)

    def group_tiles(self, group: int) -> Range:
        """The key tiles of a coarse group."""
        return group * GROUP, min((group + 1) * GROUP, self.key_tiles)

    def overhangs(self, key_tile: int) -> bool:
        """Whether some keys of a tile do not exist."""
        return (key_tile + 1) * self.columns > self.keys


@dataclass(frozen=True)
class ColumnIntervals:
    """Per key two ranges of queries that may not see it.

    Construction puts the ranges of a key in order, joins those that touch, and writes an absent
    one as ``(0, 0)``, the second before the first. So two equal lists of hidden queries are equal.

    Parameters
    ----------
    queries
        How many queries there are.
    hidden
        Per key up to two `Range`; one with start >= end hides nothing.
    causal
        Besides, query q sees key k only if ``k <= q + keys - queries``: the last query sees all.

    Raises
    ------
    SpecError
        A bound lies outside of the queries, or a key has more than two ranges.
    """

    queries: int
    hidden: tuple[tuple[Range, Range], ...]
    causal: bool = False

    def __post_init__(self) -> None:
        check_range("ColumnIntervals.queries", self.queries, 1, MAX_LENGTH)
        check_range("ColumnIntervals: number of keys", len(self.hidden), 1, MAX_LENGTH)
        pairs = tuple(self._canonical(key, ranges) for key, ranges in enumerate(self.hidden))
        object.__setattr__(self, "hidden", pairs)

    def _canonical(self, key: int, ranges: Sequence[Range]) -> tuple[Range, Range]:
        try:
            pairs = sorted((index(start), index(end)) for start, end in ranges)
        except (TypeError, ValueError):
            raise SpecError(
                f"ColumnIntervals: key {key} needs pairs (start, end) of integers, got {ranges!r}"
            ) from None
        if len(pairs) > 2:
            raise SpecError(f"ColumnIntervals: key {key} has {len(pairs)} ranges; at most 2 fit")
        kept: list[Range] = []
        for start, end in pairs:
            if start >= end:
                continue
            if start < 0 or end > self.queries:
                raise SpecError(
                    f"ColumnIntervals: key {key} hides [{start}, {end}), outside of "
                    f"the {self.queries} queries; nearest is "
                    f"[{max(start, 0)}, {min(end, self.queries)})"
                )
            if kept and start <= kept[-1][1]:
                kept[-1] = kept[-1][0], max(end, kept[-1][1])
            else:
                kept.append((start, end))
        first, second = (*kept, (0, 0), (0, 0))[:2]
        return first, second

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self.hidden)

    def before(self, key: int) -> int:
        """Queries below this one are before the key: causality hides it from them."""
        late = key - (self.keys - self.queries)
        return min(max(late, 0), self.queries) if self.causal else 0

    def sees(self, query: int, key: int) -> bool:
        """Whether a query may see a key."""
        return query >= self.before(key) and not any(a <= query < b for a, b in self.hidden[key])

    def hides_all(self, key: int, start: int, end: int) -> bool:
        """Whether none of the queries [start, end) sees a key."""
        seen = max(start, self.before(key))
        for a, b in self.hidden[key]:
            # In order of their starts; an absent one ends at 0 and moves nothing.
            if a <= seen:
                seen = max(seen, b)
        return seen >= end

    def hides_some(self, key: int, start: int, end: int) -> bool:
        """Whether one of the queries [start, end) does not see a key."""
        ranges = ((0, self.before(key)), *self.hidden[key])
        return any(max(a, start) < min(b, end) for a, b in ranges)

    def column_words(self, bound_bits: int) -> tuple[int, ...]:
        """What the memory of a core holds."""
        return tuple(_join((*first, *second), bound_bits) for first, second in self.hidden)


def _join(fields: Iterable[int], bits: int) -> int:
    return sum(field << bits * place for place, field in enumerate(fields))


@dataclass(frozen=True)
class BlockBitmap:
    """Which tiles are visible and which of these are partial, and the tokens of the partial ones.

    Parameters
    ----------
    grid
        The tiles.
    group_words, token_words
        As laid out at the head of this module.

    Raises
    ------
    SpecError
        A list has not the length that the grid and the partial tiles ask for, or a word says what
        cannot be.
    """

    grid: TileGrid
    group_words: tuple[int, ...]
    token_words: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        grid = self.grid
        wanted = grid.row_blocks * grid.groups
        if len(self.group_words) != wanted:
            raise SpecError(
                f"BlockBitmap.group_words must be {wanted} words, {grid.groups} for each of "
                f"{grid.row_blocks} row blocks, got {len(self.group_words)}"
            )
        for number, word in enumerate(self.group_words):
            self._check_group(number, word)
        wanted = self.partial_tiles * grid.rows
        if len(self.token_words) != wanted:
            raise SpecError(
                f"BlockBitmap.token_words must be {wanted} words, {grid.rows} for each of "
                f"{self.partial_tiles} partial tiles, got {len(self.token_words)}"
            )
        # One pass in C; a Python loop only to name the word that is wrong.
        if wanted and not 0 <= min(self.token_words) <= max(self.token_words) < 1 << grid.columns:
            for number, word in enumerate(self.token_words):
                if not 0 <= word < 1 << grid.columns:
                    raise SpecError(
                        f"BlockBitmap.token_words[{number}] must have {grid.columns} bits, "
                        f"got {word:#x}"
                    )

    def _check_group(self, number: int, word: int) -> None:
        block, group = divmod(number, self.grid.groups)
        first, end = self.grid.group_tiles(group)
        visible, partial = word & (1 << GROUP) - 1, word >> GROUP
        where = f"BlockBitmap.group_words[{number}] (row block {block}, group {group})"
        if not 0 <= word < 1 << 2 * GROUP:
            raise SpecError(f"{where} must have {2 * GROUP} bits, got {word:#x}")
        if visible >> end - first:
            tile = first + visible.bit_length() - 1
            raise SpecError(f"{where} has key tile {tile}; the last is {self.grid.key_tiles - 1}")
        if partial & ~visible:
            tile = first + (partial & ~visible).bit_length() - 1
            raise SpecError(f"{where}: key tile {tile} is partial but not visible")
        last = self.grid.key_tiles - 1
        if end > last and self.grid.overhangs(last) and (visible & ~partial) >> last - first & 1:
            raise SpecError(
                f"{where}: key tile {last} hangs over the {self.grid.keys} keys and must be partial"
            )

    @property
    def partial_tiles(self) -> int:
        """How many tiles have token words."""
        return sum((word >> GROUP).bit_count() for word in self.group_words)

    def tiles(self) -> list[Tile]:
        """The visible tiles, row blocks in order and in each of them key tiles in order."""
        found: list[Tile] = []
        for number, word in enumerate(self.group_words):
            block, group = divmod(number, self.grid.groups)
            for i in range(GROUP if word else 0):
                if word >> i & 1:
                    found.append(Tile(block, GROUP * group + i, bool(word >> GROUP + i & 1)))
        return found


def bitmap_of_tiles(
    grid: TileGrid, tiles: Sequence[Tile], token_words: Sequence[int] = ()
) -> BlockBitmap:
    """The bitmap of a list of tiles.

    Raises
    ------
    SpecError
        A tile lies outside of the grid, or comes after one that it must come before.
    """
    words = [0] * (grid.row_blocks * grid.groups)
    last = (-1, -1)
    for number, (block, tile, partial) in enumerate(tiles):
        check_range(f"tile {number}: row_block", block, 0, grid.row_blocks - 1)
        check_range(f"tile {number}: key_tile", tile, 0, grid.key_tiles - 1)
        if (block, tile) <= last:
            raise SpecError(
                f"tile {number}: row block {block}, key tile {tile} comes after {last[0]}, "
                f"{last[1]}; tiles go by row block, then by key tile, each once"
            )
        last = block, tile
        group, i = divmod(tile, GROUP)
        words[block * grid.groups + group] |= (1 | int(partial) << GROUP) << i
    return BlockBitmap(grid, tuple(words), tuple(token_words))


def check_ring(who: str, tiles: int, most: int) -> None:
    """Refuse a row block of more tiles than the score ring holds.

    Parameters
    ----------
    who
        Whose they are, up to the verb, such as ``a row block sees``.
    tiles
        That are visible to it.
    most
        That the ring holds.

    Raises
    ------
    SpecError
        They are too many.
    """
    if tiles > most:
        raise SpecError(
            f"{who} {tiles} tiles, more than the score ring's score_tiles = {most}; "
            f"--set score_tiles={tiles} holds them"
        )
