"""Weights and factors of row blocks against the golden model, cycle by cycle."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.block_ring import BlockRingConfig
from hw.attention.row_max import TileRowMaxConfig
from hw.attention.tile import TileWords
from hw.attention.weigher import Weigher, WeigherConfig
from sim.golden import softmax as softmax_rows
from sim.golden.attention import row_factors, weigh
from spec.rows import ExactRow, TableRow
from tests.support.netlist import run_amaranth
from tests.support.row_operations import OPERATIONS, operation_of
from tests.support.tile_words import present, pushed, random_blocks, rows_of, tile_words

SIZES = [(1, 1, 1), (1, 4, 1), (8, 1, 1), (4, 2, 2), (2, 1, 8), (2, 8, 1)]
"""Rows, words of a row's segment, lanes."""


def unit_of(operation, tile, tiles):
    scores = TileRowMaxConfig(
        tile=tile,
        score_bits=operation.context.score.width,
        tiles=tiles,
        whole_blocks=operation.needs_max,
    )
    ring = BlockRingConfig(
        tile=tile, word_shape=scores.word_shape, row_shape=scores.row_shape, tiles=tiles
    )
    config = WeigherConfig(tile=tile, operation=operation, tiles=tiles)
    return Weigher(config, ring.o_shape)


def golden(operation, codes):
    """Weights (rows, keys), and what is known of each row: None where it is not defined."""
    empty = codes.max(axis=1) == operation.context.score.min
    if isinstance(operation, TableRow):
        distance = codes.max(axis=1, keepdims=True) - codes
        element, addend = softmax_rows.element(operation.numerics, distance)
        masked = codes == operation.context.score.min
        total = np.where(masked, 0, addend).sum(axis=1)
        factor = softmax_rows.factors(operation.numerics, total)
        known = [{"factor": int(each)} for each in factor]
        weight = np.where(masked, 0, element)
    else:
        weight, total = weigh(operation, codes)
        factor = zip(*row_factors(operation, total), strict=True)
        known = [{"mantissa": int(mantissa), "exponent": int(k)} for mantissa, k in factor]
    return weight, [
        {"empty": 1} if nothing else {**each, "empty": 0}
        for each, nothing in zip(known, empty, strict=True)
    ]


def check(operation, tile, blocks, gaps=()):
    unit = unit_of(operation, tile, max(len(block) for block in blocks))
    config = unit.config
    words, weights, factors = [], [], []
    for block in blocks:
        codes = rows_of(block)
        weight, known = golden(operation, codes)
        shape = (tile.rows, len(block), tile.columns)
        weights += tile_words(tile, [weight.reshape(shape).transpose(1, 0, 2)])
        for word in tile_words(tile, [block]):
            row = {"row_max": int(codes.max(axis=1)[word["row_index"]])}
            words.append({**word, "word": {"score": word["score"]}, "row": row})
            last = word["row_end"] and word["last"]
            factors.append((known[word["row_index"]], len(block)) if last else None)
    if not operation.needs_max:
        words = [{key: each for key, each in word.items() if key != "row"} for word in words]

    stimulus, cycles = present(unit, "i", words, gaps)
    trace = run_amaranth(unit, stimulus + [{"i__valid": 0}] * (config.factor_latency + 3))
    flags = ("row_end", "end", "first", "last")
    assert pushed(unit, trace, "o_weight") == {
        cycle + config.weight_latency: {
            "weight": word["score"],
            "row": word["row_index"],
            **{flag: word[flag] for flag in flags},
        }
        for cycle, word in zip(cycles, weights, strict=True)
    }
    late = [cycle + config.factor_latency for cycle in cycles]
    wanted = {cycle: each[0] for cycle, each in zip(late, factors, strict=True) if each}
    found = pushed(unit, trace, "o_factor")
    assert {
        cycle: {key: known[key] for key in wanted.get(cycle, known)}
        for cycle, known in found.items()
    } == wanted
    if operation.divides_first:
        ends = zip(late, words, factors, strict=True)
        assert pushed(unit, trace, "o_block") == {
            cycle: {"tiles": each[1]} for cycle, word, each in ends if each and word["end"]
        }


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=6)
@given(data=st.data())
def test_weights_and_factors_of_any_row_blocks(name, data):
    rows, row_words, lanes = data.draw(st.sampled_from(SIZES))
    tile = TileWords(rows=rows, row_words=row_words, lanes=lanes)
    tiles = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    operation = operation_of(name, keys=4 * tile.columns)
    score = operation.context.score
    seed = data.draw(st.integers(0, 99))
    blocks = random_blocks(tile, score.width, tiles, seed, step=2.0**score.frac)
    gaps = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 5]), max_size=60))
    check(operation, tile, blocks, gaps)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [(1, 1, 1), (8, 2, 4)])
def test_many_blocks_without_a_gap(name, size):
    tile = TileWords(rows=size[0], row_words=size[1], lanes=size[2])
    operation = operation_of(name, keys=6 * tile.columns)
    score = operation.context.score
    tiles = [1, 1, 3, 1, 6, 2, 1]
    check(operation, tile, random_blocks(tile, score.width, tiles, 5, step=2.0**score.frac))


@pytest.mark.parametrize("name", OPERATIONS)
def test_extremes(name):
    tile = TileWords(rows=2, row_words=2, lanes=4)
    operation = operation_of(name, keys=4 * tile.columns)
    masked, high = operation.context.score.min, operation.context.score.max
    shape = (4, 2, 8)
    equal = [np.full(shape, each) for each in (masked, high, masked + 1, 0, masked)]
    one = np.full(shape, masked)
    one[3, 1, 7] = masked + 1
    far = np.full(shape, masked + 1)
    far[0, 0, 0] = high
    check(operation, tile, [*equal, one, far, equal[0]])


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_greatest_sum_of_the_longest_row(name):
    tile = TileWords(rows=1, row_words=2, lanes=8)
    operation = operation_of(name, keys=4096)
    flat = np.full((256, 1, 16), operation.context.score.max)
    check(operation, tile, [flat, -flat, flat[:1]])


def test_latencies_of_the_default():
    tile = TileWords(rows=8, row_words=8, lanes=1)
    operation = operation_of("exact_18", keys=1024)
    config = WeigherConfig(tile=tile, operation=operation, tiles=132)
    assert (config.weight_latency, config.factor_latency) == (15, 33)
    ratio = operation_of("exact_18", keys=1024, ratio=Fraction(2, 3))
    other = WeigherConfig(tile=tile, operation=ratio, tiles=132)
    assert (other.weight_latency, other.factor_latency) == (15, 35)
    assert isinstance(ratio, ExactRow)
    assert ratio.ratio_mantissa is not None
