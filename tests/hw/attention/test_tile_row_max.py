"""Row maxima of row blocks against NumPy, cycle by cycle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.row_max import TileRowMax, TileRowMaxConfig
from hw.attention.tile import TileWords
from tests.support.netlist import run_amaranth
from tests.support.tile_words import present, pushed, random_blocks, rows_of, tile_words

SIZES = [(1, 1, 1), (1, 4, 1), (4, 1, 1), (8, 1, 4), (2, 4, 2), (4, 8, 1), (1, 2, 8)]
"""Rows, words of a row's segment, lanes."""
LOWEST = -128


def config_of(rows, row_words, lanes, score_bits=8, tiles=5, whole_blocks=True):
    tile = TileWords(rows=rows, row_words=row_words, lanes=lanes)
    return TileRowMaxConfig(
        tile=tile, score_bits=score_bits, tiles=tiles, whole_blocks=whole_blocks
    )


def check(config, blocks, gaps=()):
    unit = TileRowMax(config)
    words = list(tile_words(config.tile, blocks))
    stimulus, cycles = present(unit, "i", words, gaps)
    idle = [{"i__valid": 0}] * (config.row_latency + 3)
    trace = run_amaranth(unit, stimulus + idle)

    passed, rows, announced = {}, {}, {}
    block_of = iter(blocks)
    maxima = np.zeros(0)
    tiles = 0
    for cycle, word in zip(cycles, words, strict=True):
        passed[cycle + config.word_latency] = {
            "word": {"score": word["score"]},
            "last": word["last"],
        }
        if word["first"] and word["row_index"] == 0 and word["row_end"]:
            maxima = rows_of(next(block_of)).max(axis=1)
        if word["row_end"] and word["last"]:
            rows[cycle + config.row_latency] = {"row_max": int(maxima[word["row_index"]])}
        tiles += word["end"]
        if word["end"] and (word["last"] or not config.whole_blocks):
            announced[cycle + config.block_latency] = {"tiles": tiles}
            tiles = 0
    assert pushed(unit, trace, "o_word") == passed
    assert pushed(unit, trace, "o_block") == announced
    if config.whole_blocks:
        assert pushed(unit, trace, "o_row") == rows


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=12)
@given(data=st.data())
def test_maxima_of_any_row_blocks(size, data):
    config = config_of(*size, whole_blocks=data.draw(st.booleans()))
    tiles = data.draw(st.lists(st.integers(1, config.tiles), min_size=1, max_size=4))
    blocks = random_blocks(config.tile, 8, tiles, data.draw(st.integers(0, 99)))
    count = sum(tiles) * config.tile.words
    gaps = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 5]), max_size=count))
    check(config, blocks, gaps)


@pytest.mark.parametrize("score_bits", [2, 10, 18])
@pytest.mark.parametrize("size", SIZES)
def test_many_blocks_without_a_gap(size, score_bits):
    config = config_of(*size, score_bits=score_bits)
    check(config, random_blocks(config.tile, score_bits, [1, 1, 1, 2, 1, 5, 3, 1, 4], seed=3))


@pytest.mark.parametrize("place", range(8))
def test_the_maximum_is_found_wherever_it_stands(place):
    config = config_of(2, 2, 2, tiles=2)
    block = np.full((2, 2, 4), LOWEST)
    block[place // 4, 1, place % 4] = LOWEST + 1
    check(config, [np.full((1, 2, 4), 127), block, np.full((2, 2, 4), LOWEST)])


def test_extremes_do_not_wrap():
    config = config_of(2, 2, 2, score_bits=18, tiles=2)
    top = (1 << 17) - 1
    low, high = np.full((1, 2, 4), -top - 1), np.full((1, 2, 4), top)
    check(config, [np.concatenate(pair) for pair in ((low, high), (high, low), (low, low))])


@pytest.mark.parametrize("field", ["score_bits", "tiles"])
def test_rejections(field):
    good = config_of(1, 1, 1)
    values = {"tile": good.tile, "score_bits": 8, "tiles": 4, field: 0}
    low = {"score_bits": 2, "tiles": 1}[field]
    with pytest.raises(
        ValueError, match=rf"TileRowMaxConfig\.{field} must be at least {low}, got 0"
    ):
        TileRowMaxConfig(**values)


@pytest.mark.parametrize(("field", "value"), [("rows", 3), ("row_words", 0), ("lanes", 6)])
def test_a_tile_has_powers_of_two(field, value):
    values = {"rows": 1, "row_words": 1, "lanes": 1, field: value}
    with pytest.raises(
        ValueError, match=rf"TileWords\.{field} must be a power of two, got {value}"
    ):
        TileWords(**values)
