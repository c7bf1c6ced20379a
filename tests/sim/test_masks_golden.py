"""Masks in NumPy: every source against the dense mask, and tiles against their definition."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.golden.masks import (
    classes_of_columns,
    classes_of_dense,
    classes_of_expr,
    compile_bitmap,
    compile_columns,
    dense,
    dense_of_bitmap,
    dense_of_columns,
    tiles_of_bitmap,
    tiles_of_columns,
    tiles_of_dense,
    tiles_of_expr,
)
from spec.errors import SpecError
from spec.expr import TileClass, classify, per_head
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
from spec.tiles import GROUP, ColumnIntervals, Tile, TileGrid, bitmap_of_tiles

SIDES = (1, 2, 4, 8)
EMPTY, PARTIAL, FULL = (int(each) for each in TileClass)


def slow_classes(array, grid):
    """The class of every tile, from what each pair of it is."""
    found = []
    for block, tile in itertools.product(range(grid.row_blocks), range(grid.key_tiles)):
        rows, columns = slice(*grid.query_range(block)), slice(*grid.key_range(tile))
        part = array[rows, columns]
        whole = part.all() and not grid.overhangs(tile)
        found.append(FULL if whole else PARTIAL if part.any() else EMPTY)
    return np.array(found).reshape(grid.row_blocks, grid.key_tiles)


sizes = st.integers(1, 40)
sides = st.sampled_from(SIDES)


@st.composite
def dense_masks(draw):
    """Masks of every temper: single pairs, blocks, stripes."""
    queries, keys = draw(sizes), draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = rng.random((queries, keys)) < draw(st.sampled_from([0, 0.05, 0.5, 0.95, 1]))
    for _ in range(draw(st.integers(0, 3))):
        (a, b), (c, d) = (sorted(rng.integers(0, n + 1, 2)) for n in (queries, keys))
        array[a:b, c:d] = rng.random() < 0.5
    return array


@st.composite
def column_intervals(draw):
    queries = draw(sizes)
    bound = st.integers(0, queries)
    ranges = st.tuples(bound, bound)
    hidden = draw(st.lists(st.tuples(ranges, ranges), min_size=1, max_size=40))
    return ColumnIntervals(queries, tuple(hidden), draw(st.booleans()))


@given(dense_masks(), st.integers(1, 9), st.integers(1, 9))
def test_tiles_of_a_dense_mask(array, rows, columns):
    grid = TileGrid(rows, columns, *array.shape)
    classes = slow_classes(array, grid)
    assert np.array_equal(classes_of_dense(array, grid), classes)
    assert tiles_of_dense(array, grid) == [
        Tile(block, tile, bool(classes[block, tile] == PARTIAL))
        for block, tile in itertools.product(range(grid.row_blocks), range(grid.key_tiles))
        if classes[block, tile] != EMPTY
    ]


@given(dense_masks(), st.sampled_from([1, 3, 4, 8, 16, 70]), st.sampled_from([1, 3, 8, 9, 64, 70]))
def test_a_bitmap_is_its_dense_mask(array, rows, columns):
    grid = TileGrid(rows, columns, *array.shape)
    bitmap = compile_bitmap(array, grid)
    assert np.array_equal(dense_of_bitmap(bitmap), array)
    assert tiles_of_bitmap(bitmap) == tiles_of_dense(array, grid) == bitmap.tiles()
    assert bitmap_of_tiles(grid, bitmap.tiles(), bitmap.token_words) == bitmap
    assert compile_bitmap(array, grid, max_partial=bitmap.partial_tiles) == bitmap
    # Word by word, as it is laid out.
    partial = [tile for tile in bitmap.tiles() if tile.partial]
    for (number, tile), row in itertools.product(enumerate(partial), range(rows)):
        word = bitmap.token_words[number * rows + row]
        query = tile.row_block * rows + row
        for key in range(columns):
            at = query, tile.key_tile * columns + key
            exists = at[0] < grid.queries and at[1] < grid.keys
            assert bool(word >> key & 1) == bool(exists and array[at])


def test_a_long_bitmap_has_its_groups_in_order():
    rng = np.random.default_rng(3)
    array = rng.random((9, 500)) < 0.1
    grid = TileGrid(4, 8, 9, 500)
    bitmap = compile_bitmap(array, grid)
    assert grid.groups == 4 and len(bitmap.group_words) == 12
    for tile in tiles_of_dense(array, grid):
        word = bitmap.group_words[tile.row_block * 4 + tile.key_tile // GROUP]
        assert word >> tile.key_tile % GROUP & 1
        assert bool(word >> GROUP + tile.key_tile % GROUP & 1) == tile.partial
    assert np.array_equal(dense_of_bitmap(bitmap), array)


@given(column_intervals(), st.integers(1, 9), st.integers(1, 9))
def test_column_intervals_are_their_dense_mask(columns, rows, width):
    array = dense_of_columns(columns)
    every = itertools.product(range(columns.queries), range(columns.keys))
    assert [columns.sees(*pair) for pair in every] == array.ravel().tolist()
    grid = TileGrid(rows, width, *array.shape)
    assert np.array_equal(classes_of_columns(columns, grid), classes_of_dense(array, grid))
    assert tiles_of_columns(columns, grid) == tiles_of_dense(array, grid)


@given(column_intervals())
def test_a_mask_of_column_intervals_compiles_back(columns):
    array = dense_of_columns(columns)
    assert np.array_equal(dense_of_columns(compile_columns(array, columns.causal)), array)
    if not columns.causal:
        assert compile_columns(array, causal=False) == columns
    assert np.array_equal(dense_of_columns(compile_columns(array)), array)


@given(dense_masks())
def test_a_key_of_more_than_two_ranges_is_named(array):
    hidden = np.pad(~array, ((1, 1), (0, 0))).astype(int)
    begins = (np.diff(hidden, axis=0) == 1).sum(axis=0)
    if begins.max() <= 2:
        assert np.array_equal(dense_of_columns(compile_columns(array, causal=False)), array)
        return
    worst = int(np.flatnonzero(begins > 2)[0])
    with pytest.raises(SpecError) as caught:
        compile_columns(array, causal=False)
    assert str(caught.value) == (
        f"mask: key {worst} is hidden from {begins[worst]} ranges of queries; column intervals "
        "hold 2, load it as a block bitmap"
    )


def lengths_of(draw, keys):
    cuts = draw(st.lists(st.integers(1, keys), max_size=5))
    return np.diff(sorted({0, keys, *(cut for cut in cuts if cut < keys)})).tolist()


@st.composite
def exact_masks(draw, keys):
    """A mask that promises exactness."""
    wide = st.integers(1, keys + 4)
    few = st.integers(0, 6)
    steps = st.integers(1, 4)
    single = {
        "causal": lambda: causal(),
        "window": lambda: sliding_window(draw(wide)),
        "both": lambda: sliding_window(draw(wide), ahead=draw(few)),
        "document": lambda: document(lengths_of(draw, keys)),
        "sinks": lambda: sliding_window(draw(wide), sinks=draw(few)),
        "prefix": lambda: prefix(draw(few)),
        "dilated": lambda: dilated(draw(st.integers(1, 6)), draw(steps)),
        "dilated_both": lambda: dilated(draw(st.integers(1, 6)), draw(steps), both=True),
        "global": lambda: global_tokens(draw(few)),
        "full": lambda: full(),
        "empty": lambda: ~full(),
    }
    names = list(single)
    joined = causal() if draw(st.booleans()) else full()
    for name in draw(st.lists(st.sampled_from(names[:4]), min_size=1, max_size=3)):
        joined = joined & single[name]()
    another = single[draw(st.sampled_from(names))]()
    with_causal = causal() & single[draw(st.sampled_from(names[4:8]))]()
    mask = draw(st.sampled_from([joined, another, with_causal]))
    return mask | draw(st.sampled_from([~full(), joined, another, with_causal]))


@given(sizes, sizes, st.data())
def test_exact_masks_visit_exactly_what_is_not_empty(queries, keys, data):
    mask = data.draw(exact_masks(keys))
    expr = mask.trace(heads=1, queries=queries, keys=keys)
    array = dense(expr, queries, keys)
    for rows, columns in itertools.product(SIDES, SIDES):
        grid = TileGrid(rows, columns, queries, keys)
        bounded, exact = classes_of_expr(expr, grid), classes_of_dense(array, grid)
        assert np.array_equal(bounded > 0, exact > 0)
        assert not (bounded == FULL)[exact != FULL].any()


@given(sizes, st.integers(1, 300), sides, sides, st.data())
def test_any_mask_is_never_wrong(queries, keys, rows, columns, data):
    masks = [
        *(data.draw(exact_masks(keys)) for _ in range(2)),
        ~data.draw(exact_masks(keys)),
        document(ids=data.draw(st.lists(st.integers(0, 3), min_size=keys, max_size=keys))),
        Mask(lambda b, h, q, k: (q * 3 - k * 2) % 7 < 2),
        Mask(lambda b, h, q, k: q - k < per_head([3, 40, 9])(h)),
    ]
    a, b, c = (data.draw(st.sampled_from(masks)) for _ in range(3))
    expr = ((a & b) | c).trace(heads=3, queries=queries, keys=keys)
    grid = TileGrid(rows, columns, queries, keys)
    array = dense(expr, queries, keys, heads=3)
    for h in range(3):
        exact = classes_of_dense(array[h] if array.ndim == 3 else array, grid)
        bounded = classes_of_expr(expr, grid, h=h)
        assert not (bounded == EMPTY)[exact != EMPTY].any()
        assert not (bounded == FULL)[exact != FULL].any()


@pytest.mark.parametrize(("queries", "keys"), [(20, 20), (5, 300), (33, 170), (40, 9)])
@pytest.mark.parametrize("sides", [(2, 1), (4, 2), (8, 8)], ids=str)
def test_all_tiles_at_once_are_what_one_tile_after_another_is(queries, keys, sides):
    rows, columns = sides
    grid = TileGrid(rows, columns, queries, keys)
    slopes = per_head([3, 40])
    for mask in (
        causal() & sliding_window(9, sinks=2),
        document(ids=[each % 50 // 7 for each in range(keys)]) | global_tokens(1),
        causal() & ~prefix(3) & Mask(lambda b, h, q, k: q - k < slopes(h)),
        Mask(lambda b, h, q, k: (q * k) % 16 == 3),
    ):
        # Traced for longer jobs, as a core is.
        expr = mask.trace(heads=2, queries=queries, keys=keys)
        offset = {"offset": (keys - queries,) * 2, "b": (0, 0), "h": (1, 1)}

        def ask(block, number, width, expr=expr, offset=offset):
            first, end = grid.query_range(block)
            last = min((number + 1) * width, keys) - 1
            at = offset | {"q": (first, end - 1), "k": (number * width, last)}
            return classify(expr, at, {"q": rows, "k": width})

        wanted = np.zeros((grid.row_blocks, grid.key_tiles), int)
        for block, tile in itertools.product(range(grid.row_blocks), range(grid.key_tiles)):
            if ask(block, tile // GROUP, columns * GROUP) is not TileClass.EMPTY:
                fine = ask(block, tile, columns)
                hangs = fine is TileClass.FULL and grid.overhangs(tile)
                wanted[block, tile] = PARTIAL if hangs else fine
        assert np.array_equal(classes_of_expr(expr, grid, h=1), wanted)


def test_a_mask_traced_for_long_jobs_serves_shorter_ones():
    expr = (causal() & sliding_window(20)).trace(heads=1, queries=64, keys=96)
    for queries, keys in [(64, 96), (1, 1), (30, 90), (50, 20)]:
        array = dense(expr, queries, keys)
        assert np.array_equal(array, dense(causal() & sliding_window(20), queries, keys))
        grid = TileGrid(4, 8, queries, keys)
        assert np.array_equal(classes_of_expr(expr, grid) > 0, classes_of_dense(array, grid) > 0)


def test_heads_share_a_mask_that_does_not_ask_for_them():
    assert dense(causal(), 5, 7, heads=3).shape == (5, 7)
    by_head = Mask(lambda b, h, q, k: k % 3 == h + b)
    found = dense(by_head, 5, 7, heads=3, batches=2, b=1)
    assert found.shape == (3, 5, 7)
    for head in range(3):
        assert np.array_equal(found[head], np.broadcast_to(np.arange(7) % 3 == head + 1, (5, 7)))


def test_large_masks_take_seconds_at_most():
    n = 4096
    mask = causal() & sliding_window(512, sinks=4)
    start = time.perf_counter()
    grid = TileGrid(8, 8, n, n)
    expr = mask.trace(heads=1, queries=n, keys=n)
    array = dense(expr, n, n)
    wanted = tiles_of_dense(array, grid)
    assert tiles_of_expr(expr, grid) == wanted
    assert tiles_of_columns(compile_columns(array), grid) == wanted
    assert tiles_of_bitmap(compile_bitmap(array, grid)) == wanted
    assert time.perf_counter() - start < 20


EYE = np.eye(4, dtype=bool)
COMB = np.arange(8)[:, None] % 2 == np.zeros(3, int)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: classes_of_dense([[True]], TileGrid(1, 1, 1, 1)),  # type: ignore[arg-type]
            "mask must be a NumPy array, got list",
        ),
        (
            lambda: classes_of_dense(EYE.astype(int), TileGrid(1, 1, 4, 4)),
            "mask must be of bool, True where a query sees a key, got int64",
        ),
        (
            lambda: tiles_of_dense(EYE, TileGrid(1, 1, 4, 5)),
            "mask must have shape (4, 5), got (4, 4)",
        ),
        (
            lambda: compile_bitmap(EYE[0], TileGrid(1, 1, 4, 4)),
            "mask must have shape (4, 4), got (4,)",
        ),
        (
            lambda: compile_columns(EYE[:0]),
            "mask must have shape (queries, keys), got (0, 4)",
        ),
        (
            lambda: compile_bitmap(EYE, TileGrid(2, 2, 4, 4), max_partial=1),
            "mask has 2 partial tiles of 2 x 2, the core holds 1; generate it with max_partial=2",
        ),
        (
            lambda: compile_columns(EYE.T | np.tri(4, dtype=bool).T, causal=True),
            "mask is not causal: query 0 sees key 1",
        ),
        (
            lambda: compile_columns(COMB),
            "mask: key 0 is hidden from 4 ranges of queries; column intervals hold 2, load it as a "
            "block bitmap",
        ),
        (
            lambda: classes_of_columns(compile_columns(EYE), TileGrid(1, 1, 4, 5)),
            "ColumnIntervals are of 4 queries and 4 keys, but the grid is of 4 and 5",
        ),
        (
            lambda: tiles_of_expr(causal().trace(heads=1, queries=4, keys=4), TileGrid(3, 2, 4, 4)),
            "TileGrid.rows must be a power of two for a generated mask, got 3; nearest is 2",
        ),
        (
            lambda: tiles_of_expr(causal().trace(heads=1, queries=4, keys=4), TileGrid(2, 6, 4, 4)),
            "TileGrid.columns must be a power of two for a generated mask, got 6; nearest is 4",
        ),
        (
            lambda: tiles_of_expr(causal().trace(heads=1, queries=4, keys=4), TileGrid(2, 2, 5, 4)),
            "the mask was traced for at most 4 queries, got 5",
        ),
        (
            lambda: dense(causal().trace(heads=1, queries=4, keys=4), 4, 6),
            "the mask was traced for at most 4 keys, got 6",
        ),
    ],
)
def test_a_broken_rule_is_told_in_one_line(make, message):
    with pytest.raises(SpecError) as caught:
        make()
    assert str(caught.value) == message
