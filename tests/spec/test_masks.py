"""What masks mean, what tiles are, and every rule of theirs that can be broken."""

import itertools

import pytest

from spec.errors import SpecError
from spec.expr import FALSE, TRUE, TileClass, classify, select
from spec.masks import (
    Mask,
    causal,
    dilated,
    document,
    full,
    global_tokens,
    prefix,
    sliding_window,
)
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, Tile, TileGrid, bitmap_of_tiles

POINTS = {"heads": 2, "queries": 6, "keys": 9}


def pairs(mask, *, h=0, **sizes):
    """The pairs that see each other: an expression of points is what a tile of one pair is."""
    sizes = POINTS | sizes
    expr = mask.trace(**sizes)
    offset = sizes["keys"] - sizes["queries"]
    found = set()
    for q, k in itertools.product(range(sizes["queries"]), range(sizes["keys"])):
        at = {name: (value, value) for name, value in zip("hqk", (h, q, k), strict=True)}
        kind = classify(expr, at | {"b": (0, 0), "offset": (offset, offset)})
        assert kind in (TileClass.EMPTY, TileClass.FULL)
        if kind is TileClass.FULL:
            found.add((q, k))
    return found


def meant(function, queries=6, keys=9):
    """The pairs (q, k) for which a function of position p and key k is true."""
    every = itertools.product(range(queries), range(keys))
    return {(q, k) for q, k in every if function(q + keys - queries, k)}


MEANING = [
    (causal(), lambda p, k: k <= p),
    (sliding_window(3), lambda p, k: p - k < 3),
    (causal() & sliding_window(3), lambda p, k: p - 3 < k <= p),
    (causal() & sliding_window(1), lambda p, k: k == p),
    (sliding_window(3, ahead=2), lambda p, k: p - 3 < k <= p + 2),
    (sliding_window(3, ahead=0), lambda p, k: p - 3 < k <= p),
    (causal() & sliding_window(2, sinks=1), lambda p, k: k <= p and (p - k < 2 or k == 0)),
    (prefix(2), lambda p, k: k < 2),
    (causal() | prefix(8), lambda p, k: k <= p or k < 8),
    (document([4, 1, 4]), lambda p, k: (max(p, 0) > 3) + (p > 4) == (k > 3) + (k > 4)),
    (
        document(ids=[5, 5, 5, 5, 2, 9, 9, 9, 9]),
        lambda p, k: (p > 3) + (p > 4) == (k > 3) + (k > 4),
    ),
    (document(ids=[1, 0] * 4 + [1]), lambda p, k: p % 2 == k % 2),
    (dilated(3, 2), lambda p, k: p - k in (0, 2, 4)),
    (dilated(3, 2, both=True), lambda p, k: p - k in (-4, -2, 0, 2, 4)),
    (dilated(4, 1), lambda p, k: 0 <= p - k < 4),
    (global_tokens(4), lambda p, k: p < 4 or k < 4),
    (full(), lambda p, k: True),
    (~full(), lambda p, k: False),
    (~(causal() & prefix(4)), lambda p, k: not (k <= p and k < 4)),
    (Mask(lambda b, h, q, k: q == k), lambda p, k: p - 3 == k),
    (Mask(lambda b, h, q, k, offset: k == q + offset), lambda p, k: p == k),
]


@pytest.mark.parametrize(("mask", "function"), MEANING, ids=[repr(mask) for mask, _ in MEANING])
def test_a_mask_means_what_it_says(mask, function):
    assert pairs(mask) == meant(function)


@pytest.mark.parametrize("queries", [1, 4, 9, 12])
def test_lengths_are_aligned_at_their_ends(queries):
    found = pairs(causal(), queries=queries)
    assert found == meant(lambda p, k: k <= p, queries)
    assert {(queries - 1, k) for k in range(9)} <= found


def test_a_position_before_every_key_belongs_to_the_first_document():
    found = pairs(document([4, 5]), queries=12)
    assert found == meant(lambda p, k: (p > 3) == (k > 3), queries=12)


def test_a_mask_may_ask_for_the_head():
    mask = causal() & Mask(lambda b, h, q, k: (h == 0) | (k < 2))
    assert pairs(mask, h=0) == meant(lambda p, k: k <= p)
    assert pairs(mask, h=1) == meant(lambda p, k: k < 2)


def test_a_mask_knows_the_lengths_of_the_job_at_hand():
    # Traced for the longest job; a shorter one tells by its offset.
    expr = causal().trace(heads=1, queries=64, keys=64)
    assert sorted(expr.variables) == ["k", "offset", "q"]
    inside = {"q": (0, 0), "k": (5, 5)}
    assert classify(expr, inside | {"offset": (4, 4)}) is TileClass.EMPTY
    assert classify(expr, inside | {"offset": (5, 5)}) is TileClass.FULL


def test_masks_of_nothing_and_of_everything_need_no_gates():
    assert full().trace(**POINTS) is TRUE
    assert (~full()).trace(**POINTS) is FALSE
    assert repr(causal() & ~sliding_window(4, sinks=1)) == (
        "(causal() & ~sliding_window(4, sinks=1))"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Mask(3),  # type: ignore[arg-type]
            "Mask needs a function of (b, h, q, k), got 3; use lambda b, h, q, k:",
        ),
        (
            lambda: Mask(causal()),  # type: ignore[arg-type]
            "Mask needs a function of (b, h, q, k), got causal(); use lambda",
        ),
        (lambda: causal() & 3, "& joins two masks, got 3; wrap a function of (b, h, q, k) in Mask"),
        (lambda: causal | full(), "| joins two masks, got the function causal; write causal("),
        (lambda: causal & full(), "write causal(...)"),
        (lambda: causal() and full(), "causal() is neither true nor false; join masks with & | ~"),
        (
            lambda: sliding_window(0),
            "sliding_window: size must be from 1 to 1048576, got 0; nearest",
        ),
        (lambda: sliding_window(4, ahead=-1), "sliding_window: ahead must be from 0 to 1048576"),
        (lambda: sliding_window(4, sinks=-1), "sliding_window: sinks must be from 0 to 1048576"),
        (
            lambda: sliding_window(4.0),  # type: ignore[arg-type]
            "sliding_window: size must be an integer from 1 to 1048576",
        ),
        (lambda: prefix(-1), "prefix: length must be from 0 to 1048576, got -1; nearest is 0"),
        (lambda: dilated(0, 2), "dilated: window must be from 1 to 1048576, got 0; nearest is 1"),
        (lambda: dilated(4, 0), "dilated: step must be from 1 to 1048576, got 0; nearest is 1"),
        (lambda: global_tokens(-1), "global_tokens: count must be from 0 to 1048576, got -1"),
        (lambda: document(), "document takes either lengths or ids"),
        (lambda: document([4], ids=[1]), "document takes either lengths or ids"),
        (
            lambda: document([4, 0]),
            "document: lengths[1] must be from 1 to 1048576, got 0; nearest",
        ),
        (
            lambda: document([4, 4]).trace(**POINTS),
            "document: lengths add up to 8, but there are 9 keys",
        ),
        (lambda: document(ids=[]).trace(**POINTS), "document: ids are 0, but there are 9 keys"),
        (
            lambda: causal().trace(heads=0, queries=1, keys=1),
            "heads must be from 1 to 65536, got 0",
        ),
        (lambda: causal().trace(heads=1, queries=0, keys=1), "queries must be from 1 to 1048576"),
        (lambda: causal().trace(heads=1, queries=1, keys=0), "keys must be from 1 to 1048576"),
        (
            lambda: Mask(lambda q, k: q < k).trace(**POINTS),
            "a function of 4 parameters (b, h, q, k)",
        ),
        (
            lambda: Mask(lambda b, h, q, k: q - k).trace(**POINTS),
            "a mask must return a truth value",
        ),
        (
            lambda: (full() & Mask(lambda b, h, q, k: select(q, k, 1) < 1)).trace(**POINTS),
            f"{__file__}:",
        ),
    ],
)
def test_a_broken_rule_of_a_mask_is_told_in_one_line(make, message):
    with pytest.raises(SpecError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


GRID = TileGrid(4, 8, queries=10, keys=150)


def test_a_grid_counts_what_hangs_over():
    assert (GRID.row_blocks, GRID.key_tiles, GRID.groups, GRID.tiles) == (3, 19, 2, 57)
    assert [GRID.query_range(block) for block in range(3)] == [(0, 4), (4, 8), (8, 10)]
    assert (GRID.key_range(0), GRID.key_range(18)) == ((0, 8), (144, 150))
    assert (GRID.group_tiles(0), GRID.group_tiles(1)) == ((0, GROUP), (GROUP, 19))
    assert [tile for tile in range(19) if GRID.overhangs(tile)] == [18]


def test_ranges_are_brought_into_one_form():
    hidden = (
        ((5, 7), (0, 2)),
        ((2, 4), (4, 6)),
        ((3, 3), (1, 9)),
        ((1, 5), (2, 3)),
        ((7, 2), (0, 0)),
    )
    assert ColumnIntervals(10, hidden).hidden == (
        ((0, 2), (5, 7)),
        ((2, 6), (0, 0)),
        ((1, 9), (0, 0)),
        ((1, 5), (0, 0)),
        ((0, 0), (0, 0)),
    )


@pytest.mark.parametrize("causal_too", [False, True])
def test_column_intervals_answer_about_ranges_of_queries(causal_too):
    ranges = [(a, b) for a in range(5) for b in range(a, 5)]
    hidden = tuple(itertools.product(ranges, ranges))
    columns = ColumnIntervals(4, hidden[:50], causal_too)
    for key, (start, end) in itertools.product(
        range(columns.keys), [(0, 4), (0, 1), (1, 3), (3, 4)]
    ):
        seen = [columns.sees(query, key) for query in range(start, end)]
        assert columns.hides_all(key, start, end) == (not any(seen))
        assert columns.hides_some(key, start, end) == (not all(seen))


def test_words_are_laid_out_as_told():
    columns = ColumnIntervals(10, (((1, 2), (5, 9)), ((0, 10), (0, 0))))
    assert columns.column_words(4) == (0x9521, 0x00A0)
    tiles = [Tile(0, 3, False), Tile(0, 17, True), Tile(2, 18, True)]
    tokens = [*range(4), *range(4, 8)]
    bitmap = bitmap_of_tiles(GRID, tiles, tokens)
    assert bitmap.group_words == (1 << 3, 2 | 2 << GROUP, 0, 0, 0, 4 | 4 << GROUP)
    assert (bitmap.partial_tiles, bitmap.tiles()) == (2, tiles)


TILE = [Tile(0, 1, False)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TileGrid(0, 8, 1, 1), "TileGrid.rows must be from 1 to 4096, got 0; nearest is 1"),
        (
            lambda: TileGrid(8, 0, 1, 1),
            "TileGrid.columns must be from 1 to 4096, got 0; nearest is 1",
        ),
        (
            lambda: TileGrid(8, 8, 0, 1),
            "TileGrid.queries must be from 1 to 1048576, got 0; nearest is 1",
        ),
        (
            lambda: TileGrid(8, 8, 1, 0),
            "TileGrid.keys must be from 1 to 1048576, got 0; nearest is 1",
        ),
        (
            lambda: ColumnIntervals(4, ()),
            "ColumnIntervals: number of keys must be from 1 to 1048576, got 0; nearest is 1",
        ),
        (
            lambda: ColumnIntervals(4, (((0, 0), (0, 0)), ((2, 5), (0, 0)))),
            "ColumnIntervals: key 1 hides [2, 5), outside of the 4 queries; nearest is [2, 4)",
        ),
        (
            lambda: ColumnIntervals(4, (((-1, 2), (0, 0)),)),
            "ColumnIntervals: key 0 hides [-1, 2), outside of the 4 queries; nearest is [0, 2)",
        ),
        (
            lambda: ColumnIntervals(4, (((0, 1), (2, 3), (3, 4)),)),  # type: ignore[arg-type]
            "ColumnIntervals: key 0 has 3 ranges; at most 2 fit",
        ),
        (
            lambda: ColumnIntervals(4, (3,)),  # type: ignore[arg-type]
            "ColumnIntervals: key 0 needs pairs (start, end) of integers, got 3",
        ),
        (
            lambda: ColumnIntervals(4, (((0.5, 2), (0, 0)),)),  # type: ignore[arg-type]
            "ColumnIntervals: key 0 needs pairs (start, end) of integers, got ((0.5, 2), (0, 0))",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [Tile(3, 0, False)]),
            "tile 0: row_block must be from 0 to 2, got 3; nearest is 2",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [*TILE, Tile(0, 19, False)]),
            "tile 1: key_tile must be from 0 to 18, got 19; nearest is 18",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [*TILE, *TILE]),
            "tile 1: row block 0, key tile 1 comes after 0, 1; tiles go by row block, then by key "
            "tile, each once",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [Tile(1, 0, False), *TILE]),
            "tile 1: row block 0, key tile 1 comes after 1, 0; tiles go by row block, then by key "
            "tile, each once",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [Tile(0, 18, False)]),
            "BlockBitmap.group_words[1] (row block 0, group 1): key tile 18 hangs over the "
            "150 keys and must be partial",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [Tile(0, 1, True)]),
            "BlockBitmap.token_words must be 4 words, 4 for each of 1 partial tiles, got 0",
        ),
        (
            lambda: bitmap_of_tiles(GRID, [Tile(0, 1, True)], [0, 1, 2, 256]),
            "BlockBitmap.token_words[3] must have 8 bits, got 0x100",
        ),
        (
            lambda: BlockBitmap(GRID, (0,) * 5),
            "BlockBitmap.group_words must be 6 words, 2 for each of 3 row blocks, got 5",
        ),
        (
            lambda: BlockBitmap(GRID, (0, 8, 0, 0, 0, 0)),
            "BlockBitmap.group_words[1] (row block 0, group 1) has key tile 19; the last is 18",
        ),
        (
            lambda: BlockBitmap(GRID, (0, 0, 1 << 32, 0, 0, 0)),
            "BlockBitmap.group_words[2] (row block 1, group 0) must have 32 bits, got 0x100000000",
        ),
        (
            lambda: BlockBitmap(GRID, (0, 0, 0, 1 | 6 << GROUP, 0, 0)),
            "BlockBitmap.group_words[3] (row block 1, group 1): key tile 18 is partial "
            "but not visible",
        ),
    ],
)
def test_a_broken_rule_of_tiles_is_told_in_one_line(make, message):
    with pytest.raises(SpecError) as caught:
        make()
    assert str(caught.value) == message
