from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.score_array import ScoreArray, ScoreArrayConfig
from tests.support.push import pushed

SIZES = [(1, 1, 1, 1), (1, 2, 1, 3), (2, 2, 2, 5), (4, 2, 1, 8), (2, 4, 4, 3), (4, 8, 2, 20)]


def config_of(rows, columns, lanes, head_dim):
    return ScoreArrayConfig(rows=rows, columns=columns, lanes=lanes, head_dim=head_dim)


def schedule(config, tiles, gaps):
    """Cycles of the pushes of every tile, a list of its dimensions, and of its words."""
    pushes, words, cycle, free = {}, {}, 0, 0
    gaps = iter(gaps)
    for tile in tiles:
        for index, (query, key) in enumerate(tile):
            last = index == len(tile) - 1
            cycle = max(cycle + next(gaps, 0), free if last else 0)
            pushes[cycle] = {"query": query, "key": key, "last": int(last)}
            cycle += 1
        free = cycle - 1 + max(config.words, 3)
        words |= {cycle - 1 + config.latency + w: word for w, word in golden(config, tile)}
    return pushes, words


def golden(config, tile):
    row_words = config.columns // config.lanes
    for w in range(config.words):
        row, first = w // row_words, w % row_words * config.lanes
        score = [
            sum(query[row] * key[first + lane] for query, key in tile)
            for lane in range(config.lanes)
        ]
        yield w, {"score": score, "row": row, "end": int(w == config.words - 1)}


def tiles_of(config, *, full=False):
    byte = st.sampled_from([-128, 127, -1, 0, 1]) | st.integers(-128, 127)
    dimension = st.tuples(
        st.lists(byte, min_size=config.rows, max_size=config.rows),
        st.lists(byte, min_size=config.columns, max_size=config.columns),
    )
    least = config.head_dim if full else 1
    tile = st.lists(dimension, min_size=least, max_size=config.head_dim)
    return st.lists(tile, min_size=1, max_size=4)


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=20)
@given(data=st.data(), gaps=st.lists(st.integers(0, 5), max_size=40))
def test_a_tile_is_the_exact_product_and_leaves_on_time(size, data, gaps):
    config = config_of(*size)
    pushes, words = schedule(config, data.draw(tiles_of(config)), gaps)
    cycles = config.latency + config.words + 4
    assert pushed(ScoreArray(config), pushes, cycles=cycles) == words


@pytest.mark.parametrize("size", SIZES)
def test_whole_tiles_follow_each_other_at_the_interval(size):
    config = config_of(*size)
    tile = [
        ([d * 5 - r for r in range(config.rows)], [c - d * 3 for c in range(config.columns)])
        for d in range(config.head_dim)
    ]
    other = [(key[: config.rows] * config.rows, query) for query, key in tile]
    other = [(list(map(lambda x: -x, query)), [7 - x for x in key]) for query, key in tile]
    pushes, words = schedule(config, [tile, other, tile, tile], [])
    lasts = [cycle for cycle, payload in pushes.items() if payload["last"]]
    assert {after - before for before, after in pairwise(lasts)} == {config.tile_interval}
    cycles = config.latency + config.words + 4
    assert pushed(ScoreArray(config), pushes, cycles=cycles) == words


@pytest.mark.parametrize("head_dim", [1, 7, 64])
@pytest.mark.parametrize("signs", [(-128, -128), (-128, 127), (127, 127)])
def test_extreme_sums_fit(head_dim, signs):
    config = config_of(2, 2, 1, head_dim)
    query, key = signs
    tile = [([query] * 2, [key] * 2)] * head_dim
    pushes, words = schedule(config, [tile] * 5, [])
    assert {score for word in words.values() for score in word["score"]} == {query * key * head_dim}
    assert pushed(ScoreArray(config), pushes, cycles=config.latency + 8) == words


def test_the_width_of_a_sum_is_the_least_that_holds_all():
    for head_dim in (1, 2, 3, 63, 64, 65, 128):
        largest = 128 * 128 * head_dim
        bits = config_of(1, 1, 1, head_dim).sum_bits
        assert largest < 1 << bits - 1 and largest >= 1 << bits - 2


def test_eight_by_eight_keeps_pace_with_one_lane():
    assert config_of(8, 8, 1, 64).tile_interval == 64
    assert config_of(8, 8, 1, 64).words == 64
    assert config_of(8, 8, 2, 32).tile_interval == 32


@pytest.mark.parametrize("field", ["rows", "columns", "lanes"])
@pytest.mark.parametrize("value", [0, 3, 32])
def test_sides_are_powers_of_two(field, value):
    good = {"rows": 2, "columns": 2, "lanes": 1, "head_dim": 4}
    with pytest.raises(
        ValueError,
        match=rf"ScoreArrayConfig\.{field} must be a power of two from 1 to 16, got {value}",
    ):
        ScoreArrayConfig(**{**good, field: value})


def test_rejections():
    with pytest.raises(ValueError, match="lanes must be at most columns = 2, got 4"):
        config_of(2, 2, 4, 4)
    with pytest.raises(ValueError, match="head_dim must be at least 1, got 0"):
        config_of(2, 2, 1, 0)
