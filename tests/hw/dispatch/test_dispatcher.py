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


@settings(max_examples=40)
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


@settings(max_examples=20)
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


def ranks(config, head):
    """For every command but the last: the steps of both walks from it to the next one."""
    answers = head.answers(config)
    coarse = np.asarray(answers.coarse)
    place, groups, steps, walked = [], 0, 0, []
    for mays, row in zip(coarse, np.asarray(answers.fine), strict=True):
        for index, may in enumerate(mays):
            groups += 1
            tiles = row[16 * index : 16 * index + 16] if may else row[:0]
            for each in tiles:
                steps += 1
                if each:
                    place.append((groups, steps))
            ended = index == len(mays) - 1
            steps += ended and not may
        walked.append((groups, steps))
    return place, walked[-1]


@settings(max_examples=30)
@given(st.data())
def test_scan_bound(data):
    """Past n groups and t tiles of both walks the next command but one comes n + t + gap later."""
    config = config_of(2, 1, 64, 96, sources=("bitmap",))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    dense = np.zeros((64, 96), bool)
    count = data.draw(st.integers(1, 12))
    dense[rng.integers(0, 32, count) * 2, rng.integers(0, 96, count)] = True
    # Every row block has a tile, so that commands are tiles; some of them far from each other.
    dense[::2, 95 if data.draw(st.booleans()) else 0] = True
    dense[1::2] = dense[::2]
    head = Head(queries=64, keys=96, mask=compile_bitmap(dense, TileGrid(2, 1, 64, 96)))
    place, end = ranks(config, head)
    cycles = DispatchCycles(config, [head.answers(config)])
    offered = []
    for number in range(cycles.count):
        offered.append(cycles.offered(number))
        cycles.taken(number, offered[-1])
    assert len(place) == len(offered)
    place += [end]
    gap = DispatchTiming(config).gap
    for k in range(len(offered) - 1):
        groups, tiles = (b - a for a, b in zip(place[k], place[k + 2], strict=True))
        assert offered[k + 1] - offered[k] <= groups + tiles + gap


def test_a_run_of_empty_groups_costs_a_cycle_each():
    keys = 16 * 64
    config = config_of(1, 1, 1, keys, mask=Mask(lambda b, h, q, k: k >= keys - 16))
    result, _ = dispatch(config, [Head(queries=1, keys=keys)])
    assert len(result.cycles["o"]) == 16
    # The first tile is told when the second shows that it is not the last: no later than one that
    # is alone, but for the 63 groups dropped before.
    assert result.cycles["o"][0] - result.cycles["i_job"][0] == DispatchTiming(config).latency + 63
