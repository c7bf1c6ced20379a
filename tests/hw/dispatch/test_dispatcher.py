"""The dispatcher against the golden tiles and its cycle model: every source, length and stall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.dispatch.config import DispatchConfig, DispatchSizes
from hw.dispatch.core import DispatchTiming
from sim.cycle.dispatch import DispatchCycles
from sim.golden.masks import compile_bitmap
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
from spec.tiles import ColumnIntervals, TileGrid
from tests.support.bench import RandomStalls
from tests.support.dispatch import Head, dispatch
from tests.support.masks import SUITE, mask_case
from tests.support.strategies import stalls

SIDES = st.sampled_from([1, 2, 4, 8, 16])
PARTIAL_TILES = 64


def config_of(rows, columns, queries, keys, *, mask=None, heads=1, batches=1, **fields):
    sizes = DispatchSizes(
        rows=rows, columns=columns, queries=queries, keys=keys, heads=heads, batches=batches
    )
    expr = None
    if mask is not None:
        expr = mask.trace(heads=heads, queries=queries, keys=keys, batches=batches)
    if "bitmap" in fields.get("sources", ()):
        fields.setdefault("partial_tiles", PARTIAL_TILES)
    return DispatchConfig(sizes=sizes, mask=expr, **fields)


@pytest.mark.parametrize("name", SUITE)
def test_suite_from_every_source(name):
    case = mask_case(name, 64)
    rows, columns = 4, 2
    lengths = {"queries": case.queries, "keys": case.keys}
    loaded = {"generator": None, "columns": case.columns, "bitmap": case.bitmap(rows, columns)}
    for source, mask in loaded.items():
        if (case.mask if source == "generator" else mask) is None:
            continue
        own = case.mask if source == "generator" else None
        tiles = case.bitmap(rows, columns).partial_tiles
        fields = {"partial_tiles": max(1, tiles)} if source == "bitmap" else {}
        config = config_of(rows, columns, **lengths, mask=own, sources=(source,), **fields)
        dispatch(config, [Head(**lengths, mask=mask)])


MASKS = [
    full(),
    causal(),
    causal() & sliding_window(7, sinks=2),
    causal() | prefix(5),
    dilated(4, 3, both=True),
    sliding_window(3, ahead=2) | global_tokens(3),
    Mask(lambda b, h, q, k, offset: (q + offset - k < 2 + 3 * h) & (k != b)),
]


@settings(max_examples=25)
@given(data=st.data(), stalls_o=stalls(200), stalls_job=stalls())
def test_generator_at_any_size(data, stalls_o, stalls_job):
    rows, columns = data.draw(SIDES), data.draw(SIDES)
    queries, keys = data.draw(st.integers(1, 4 * rows)), data.draw(st.integers(1, 40 * columns))
    mask = data.draw(st.sampled_from([None, *MASKS]))
    config = config_of(
        rows,
        columns,
        queries,
        keys,
        mask=mask,
        heads=2,
        batches=2,
        max_tiles=data.draw(st.none() | st.integers(1, 40)),
        command_depth=data.draw(st.sampled_from([2, 3, 9, 32])),
    )
    head = st.builds(
        Head,
        queries=st.integers(0, queries),
        keys=st.integers(0, keys),
        b=st.integers(0, 1),
        h=st.integers(0, 1),
    )
    heads = data.draw(st.lists(head, min_size=1, max_size=4))
    dispatch(config, heads, stalls={"o": stalls_o, "i_job": stalls_job})


@pytest.mark.parametrize("mask", MASKS, ids=str)
@pytest.mark.parametrize(("queries", "keys"), [(13, 37), (37, 13)])
def test_every_mask_of_a_job_shorter_than_the_longest(mask, queries, keys):
    config = config_of(4, 2, 40, 40, mask=mask, heads=2, batches=2)
    dispatch(config, [Head(queries=queries, keys=keys, b=1, h=1)])


def test_documents():
    lengths = [5, 1, 1, 19, 3, 11]
    config = config_of(4, 1, 40, 40, mask=causal() & document(lengths))
    dispatch(config, [Head(queries=40, keys=40), Head(queries=17, keys=40)])


@st.composite
def intervals(draw, queries, keys):
    bound = st.integers(0, queries)
    ranges = st.tuples(st.tuples(bound, bound), st.tuples(bound, bound))
    few = draw(st.lists(ranges, min_size=1, max_size=6))
    runs = draw(st.lists(st.sampled_from(few), min_size=1, max_size=8))
    each = -(-keys // len(runs))
    hidden = [pair for pair in runs for _ in range(each)][:keys]
    return ColumnIntervals(queries, tuple(hidden), draw(st.booleans()))


@settings(max_examples=12)
@given(data=st.data(), stalls_o=stalls(200))
def test_columns_of_any_intervals(data, stalls_o):
    rows, columns = data.draw(SIDES), data.draw(SIDES)
    most_queries, most_keys = 4 * rows + 1, 34 * columns + 1
    config = config_of(rows, columns, most_queries, most_keys, sources=("columns",))
    queries = data.draw(st.integers(1, most_queries))
    keys = data.draw(st.integers(1, most_keys))
    mask = data.draw(intervals(queries, keys))
    heads = [Head(queries=queries, keys=keys, mask=mask)] * 2
    dispatch(config, heads, stalls={"o": stalls_o})


@settings(max_examples=30)
@given(data=st.data(), stalls_o=stalls(200))
def test_bitmap_of_any_tiles(data, stalls_o):
    rows, columns = data.draw(SIDES), data.draw(SIDES)
    config = config_of(rows, columns, 4 * rows, 40 * columns, sources=("bitmap",), max_tiles=20)
    queries = data.draw(st.integers(1, 4 * rows))
    keys = data.draw(st.integers(1, 40 * columns))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    dense = rng.random((queries, keys)) < data.draw(st.sampled_from([0.0, 0.002, 0.03, 1.0]))
    dense[:, : data.draw(st.integers(0, keys))] = False
    mask = compile_bitmap(dense, TileGrid(rows, columns, queries, keys))
    heads = [Head(queries=queries, keys=keys, mask=mask)] * 2
    dispatch(config, heads, stalls={"o": stalls_o})


def three_sources(**fields):
    """A core of all sources, and a head of each: causal, documents, and a few random tiles."""
    sources = ("bitmap", "generator", "columns")
    config = config_of(4, 2, 30, 70, mask=causal(), sources=sources, **fields)
    rng = np.random.default_rng(3)
    bitmap = compile_bitmap(rng.random((30, 69)) < 0.01, TileGrid(4, 2, 30, 69))
    columns = ColumnIntervals(29, tuple(((k // 3, k // 2), (0, 0)) for k in range(58)), True)
    heads = [
        Head(queries=30, keys=69, mask=bitmap),
        Head(queries=12, keys=70),
        Head(queries=29, keys=58, mask=columns),
    ]
    return config, heads


@pytest.mark.parametrize("probability", [0.0, 0.4, 0.9])
def test_three_sources_take_turns(probability):
    config, (bitmap, generator, columns) = three_sources()
    heads = [bitmap, columns, generator, generator, columns, bitmap, bitmap]
    stalled = RandomStalls(probability=probability, seed=1)
    dispatch(config, heads, stalls={"o": stalled, "i_job": stalled})


def test_sources_answer_at_the_same_time_whatever_their_order():
    for sources in (("columns", "bitmap"), ("bitmap", "columns"), ("generator", "bitmap")):
        config = config_of(2, 2, 16, 80, sources=sources)
        dense = np.random.default_rng(5).random((16, 80)) < 0.02
        bitmap = compile_bitmap(dense, TileGrid(2, 2, 16, 80))
        heads = [Head(queries=16, keys=80, mask=bitmap)]
        if "columns" in sources:
            hidden = tuple(((0, k % 17), (0, 0)) for k in range(80))
            heads.append(Head(queries=16, keys=80, mask=ColumnIntervals(16, hidden)))
        if "generator" in sources:
            heads.append(Head(queries=5, keys=3))
        dispatch(config, heads + heads)


def test_no_keys_and_no_queries_are_one_none():
    config = config_of(4, 2, 16, 16)
    heads = [Head(queries=13, keys=0), Head(queries=0, keys=16), Head(queries=0, keys=0)]
    result, _ = dispatch(config, [*heads, Head(queries=4, keys=2)])
    commands = result.outputs["o"]
    assert [each["row_block"] for each in commands] == [3, 0, 0, 0]
    assert [each["skips"] for each in commands] == [3, 0, 0, 0]
    assert [each["none"] for each in commands] == [1, 1, 1, 0]
    assert all(each["end"] for each in commands)


def test_a_row_block_of_more_tiles_than_the_ring_is_refused_and_the_others_are_not():
    config = config_of(2, 2, 16, 16, mask=causal(), max_tiles=3)
    result, _ = dispatch(config, [Head(queries=16, keys=16)] * 2)
    of_blocks = [[c for c in result.outputs["o"][:18] if c["row_block"] == k] for k in range(8)]
    assert [len(each) for each in of_blocks] == [1, 2, 3, 3, 3, 3, 3, 0]
    assert [each[-1]["refused"] for each in of_blocks[:-1]] == [0, 0, 0, 1, 1, 1, 1]
    assert all(each[-1]["last"] for each in of_blocks[:-1])


def test_no_job_is_lost_while_the_output_waits():
    config = config_of(2, 2, 4, 8, mask=causal(), command_depth=2)
    heads = [Head(queries=4, keys=0), Head(queries=1, keys=1), Head(queries=4, keys=8)] * 25
    dispatch(config, heads, stalls={"o": [True] * 400})


def test_the_first_command_comes_after_the_latency():
    for config in (config_of(2, 2, 4, 4), config_of(8, 8, 64, 64, mask=causal())):
        result, _ = dispatch(config, [Head(queries=1, keys=1)])
        assert result.cycles["o"][0] - result.cycles["i_job"][0] == DispatchTiming(config).latency


def test_a_dense_mask_is_one_command_a_cycle_across_row_blocks_and_jobs():
    config = config_of(2, 2, 16, 96)
    result, _ = dispatch(config, [Head(queries=16, keys=96)] * 3)
    first = result.cycles["o"][0]
    assert result.cycles["o"] == list(range(first, first + 3 * 8 * 48))


def walked(config, head):
    """Steps of both walks up to every command's tile, and to the end."""
    answers = head.answers(config)
    coarse, fine = np.asarray(answers.coarse), np.asarray(answers.fine)
    places, groups, tiles, seen = [], 0, 0, False
    for mays, row in zip(coarse, fine, strict=True):
        seen = False
        for index, may in enumerate(mays):
            groups += 1
            for each in row[16 * index : 16 * index + 16] if may else ():
                tiles += 1
                if each:
                    seen = True
                    places.append((groups, tiles))
        # A last group that is empty is still the end of its row block.
        tiles += not mays[-1]
    if not seen:
        places.append((groups, tiles))
    return [*places, (groups, tiles)]


def keeps_the_bound(config, head):
    """A command comes at most n + t + gap cycles after the one before, each taken at once."""
    cycles = DispatchCycles(config, [head.answers(config)])
    offered = []
    for number in range(cycles.count):
        offered.append(cycles.offered(number))
        cycles.taken(number, offered[-1])
    places, gap = walked(config, head), DispatchTiming(config).gap
    assert len(places) == len(offered) + 1
    slack = []
    for k in range(len(offered) - 1):
        groups, tiles = (b - a for a, b in zip(places[k], places[k + 2], strict=True))
        slack.append(groups + tiles + gap - (offered[k + 1] - offered[k]))
    assert min(slack, default=0) >= 0
    return slack


@pytest.mark.parametrize("name", SUITE)
def test_scan_bound_of_every_source(name):
    for n, sides in ((64, (4, 1)), (1024, (8, 8))):
        case = mask_case(name, n)
        lengths = {"queries": case.queries, "keys": case.keys}
        masks = {"generator": case.mask, "columns": case.columns, "bitmap": case.bitmap(*sides)}
        for source, mask in masks.items():
            if mask is not None:
                own, loaded = (mask, None) if source == "generator" else (None, mask)
                fields = {"partial_tiles": 1 << 14} if source == "bitmap" else {}
                config = config_of(*sides, **lengths, mask=own, sources=(source,), **fields)
                keeps_the_bound(config, Head(**lengths, mask=loaded))


@settings(max_examples=30)
@given(st.data())
def test_scan_bound_of_few_tiles_far_apart(data):
    config = config_of(2, 1, 64, 96, sources=("bitmap",))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    dense = np.zeros((64, 96), bool)
    count = data.draw(st.integers(0, 12))
    dense[rng.integers(0, 64, count), rng.integers(0, 96, count)] = True
    mask = compile_bitmap(dense, TileGrid(2, 1, 64, 96))
    keeps_the_bound(config, Head(queries=64, keys=96, mask=mask))


EMPTY = 16 * 60
"""Key tiles of a key each without a tile, before 16 that are visible."""


def late_tiles(source):
    """A configuration and a head whose one row block of two queries sees the last 16 keys only."""
    rows, keys = 2, EMPTY + 16
    own, mask = None, None
    if source == "generator":
        own = Mask(lambda b, h, q, k: k >= EMPTY)
    elif source == "columns":
        mask = ColumnIntervals(rows, tuple(((0, rows * (k < EMPTY)), (0, 0)) for k in range(keys)))
    else:
        dense = np.tile(np.arange(keys) >= EMPTY, (rows, 1))
        mask = compile_bitmap(dense, TileGrid(rows, 1, rows, keys))
    config = config_of(rows, 1, rows, keys, mask=own, sources=(source,))
    return config, Head(queries=rows, keys=keys, mask=mask)


@pytest.mark.parametrize("source", ["generator", "columns", "bitmap"])
def test_an_empty_group_costs_a_cycle(source):
    config, head = late_tiles(source)
    result, _ = dispatch(config, [head, head])
    assert len(result.cycles["o"]) == 32
    # The first tile is told when the second shows that it is not the last: no later than one that
    # is alone, but for the groups dropped before. Meanwhile the fine level has nothing to do.
    assert result.cycles["o"][16] - result.cycles["o"][0] == EMPTY // 16 + 1
    if source == "generator":
        waited = result.cycles["o"][0] - result.cycles["i_job"][0]
        assert waited == DispatchTiming(config).latency + EMPTY // 16


def coarse_of(source, mask):
    own, loaded = (mask, None) if source == "generator" else (None, mask)
    config = config_of(2, 1, 8, 32, mask=own, sources=(source,))
    answers = Head(queries=8, keys=32, mask=loaded).answers(config)
    return np.asarray(answers.coarse), np.asarray(answers.fine)


def test_what_a_source_cannot_see_of_a_group_costs_a_cycle_a_tile():
    # Row block 1 sees nothing in either case; the last ranges of the keys have nothing in common.
    for second, may in (((0, 0), False), ((6, 8), True)):
        hidden = tuple(((2, 4), second if k % 2 else (0, 0)) for k in range(32))
        coarse, fine = coarse_of("columns", ColumnIntervals(8, hidden))
        assert not fine[1].any() and (coarse[1] == may).all()
    # Bounded by intervals, the two factors are as large as they can be at the same key.
    for mask, may in (
        (Mask(lambda b, h, q, k: q >= 8 + k), False),
        (Mask(lambda b, h, q, k: k * (15 - k) > 100), True),
    ):
        coarse, fine = coarse_of("generator", mask)
        assert not fine[:, :16].any() and (coarse[:, 0] == may).all()
    dense = np.zeros((8, 32), bool)
    dense[3, 17] = True
    coarse, fine = coarse_of("bitmap", compile_bitmap(dense, TileGrid(2, 1, 8, 32)))
    assert coarse.tolist() == [[False, False], [False, True], [False, False], [False, False]]
