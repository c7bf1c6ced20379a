"""The softmax units against the golden model and the cycle model, in Amaranth's simulator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax, SoftmaxTiming, SoftmaxWeights
from sim.cycle.softmax import softmax_cycles
from sim.golden import softmax as golden
from spec import Softmax as Description
from tests.support.bench import RandomStalls, intervals, latency, run
from tests.support.configs import SOFTMAX
from tests.support.softmax import golden_transfers, random_rows, row_transfers
from tests.support.strategies import stalls

LENGTHS = [1, 2, 3, 16, 1, 1, 1, 5, 7, 16, 16, 9, 1, 4, 12, 13]


def rows_for(config, lengths, seed=1):
    """Random rows of these lengths, or as long as may be."""
    limit = config.numerics.max_length
    return random_rows(config, [min(length, limit) for length in lengths], seed)


def check_cycles(ran, config, lengths):
    """Every transfer happens in the very cycle that the model has for it."""
    expected = softmax_cycles(config, lengths)
    start = ran.cycles["i"][0]
    assert [cycle - start for cycle in ran.cycles["i"]] == list(expected.accepted)
    assert [cycle - start for cycle in ran.cycles["o"]] == list(expected.delivered)


@pytest.mark.parametrize("name", SOFTMAX)
def test_unit_equals_golden_and_cycle_model(name):
    config = SOFTMAX[name]
    rows = rows_for(config, LENGTHS * 2)
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=2000)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    check_cycles(ran, config, [len(scores) for scores, _ in rows])


STALLS = {
    "starved": {"i": RandomStalls(probability=0.7, seed=1), "o": None},
    "blocked": {"i": None, "o": RandomStalls(probability=0.7, seed=2)},
    "both": RandomStalls(probability=0.3, seed=3),
}


ONE_OF_EACH = ["exact_4", "lut2d_4_int16", "rexp_2_int16"]


@pytest.mark.parametrize(
    ("name", "stalled"),
    [
        *((name, "both") for name in SOFTMAX),
        *((name, stalled) for name in ONE_OF_EACH for stalled in ("starved", "blocked")),
    ],
)
def test_stalls_change_no_bit(name, stalled):
    config = SOFTMAX[name]
    rows = rows_for(config, LENGTHS, seed=2)
    x = row_transfers(config, rows)
    ran = run(Softmax(config), {"i": x}, stalls=STALLS[stalled], cycles_budget=3000)
    assert ran.outputs["o"] == golden_transfers(config, rows)


@pytest.mark.parametrize("name", ["exact_odd", "rexp_4_uint2"])
@settings(max_examples=6)
@given(
    lengths=st.lists(st.integers(1, 16), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
    stalls_i=stalls(),
    stalls_o=stalls(120),
)
def test_any_rows_under_any_stalls(name, lengths, seed, stalls_i, stalls_o):
    config = SOFTMAX[name]
    rows = rows_for(config, lengths, seed)
    x, pattern = row_transfers(config, rows), {"i": stalls_i, "o": stalls_o}
    ran = run(Softmax(config), {"i": x}, stalls=pattern, cycles_budget=3000)
    assert ran.outputs["o"] == golden_transfers(config, rows)


@pytest.mark.parametrize("name", SOFTMAX)
def test_latency_of_a_lone_row_of_one_word(name):
    config = SOFTMAX[name]
    rows = rows_for(config, [1])
    dut = Softmax(config)
    ran = run(dut, {"i": row_transfers(config, rows)}, cycles_budget=200)
    assert latency(ran) == dut.timing.latency


def longest(config):
    return config.numerics.max_length


STEADY = [
    (name, length)
    for name in ("exact_odd", "lut2d_2_uint2")
    for length in range(1, longest(SOFTMAX[name]) + 1)
]


@pytest.mark.parametrize(("name", "length"), STEADY)
def test_equal_rows_follow_each_other_without_a_bubble(name, length):
    config = SOFTMAX[name]
    words = -(-length // config.lanes)
    rows = rows_for(config, [length] * (40 // words))
    dut = Softmax(config)
    ran = run(dut, {"i": row_transfers(config, rows)}, cycles_budget=400)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    assert set(intervals(ran)) == set(intervals(ran, "o")) == {dut.timing.interval}
    assert latency(ran) == dut.timing.latency + 2 * (words - 1)


@pytest.mark.parametrize("name", ["lut2d_1", "exact_8"])
def test_a_longest_row_and_hundreds_of_short_ones(name):
    config = SOFTMAX[name]
    lengths = [longest(config), *[1] * 300, longest(config), *[1] * 5, longest(config)]
    rows = rows_for(config, lengths)
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=2000)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    check_cycles(ran, config, lengths)


@pytest.mark.parametrize("seed", range(2))
def test_cycles_of_mixed_rows_in_few_places(seed):
    # So long a row, in so few places for rows, that short ones wait behind it.
    numerics = Description("lut2d", output_bits=2, max_length=64).numerics
    config = SoftmaxConfig(numerics=numerics, lanes=1, rows_in_flight=2)
    rng = np.random.default_rng(seed)
    lengths = [int(length) for length in rng.choice([1, 1, 1, 2, 5, 40, 64], 60)]
    rows = rows_for(config, [*lengths, *[64, *[1] * 70]], seed)
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=3000)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    check_cycles(ran, config, [len(scores) for scores, _ in rows])
    assert max(intervals(ran)) > 1


def with_refused(config, rows, too_long):
    """Input and output transfers of `rows`, and of a row of `too_long` transfers after each."""
    rng = np.random.default_rng(5)
    into, out = [], []
    for row in rows:
        into += row_transfers(config, [row])
        out += golden_transfers(config, [row])
        low, high = -(1 << config.numerics.score_bits - 1), 1 << config.numerics.score_bits - 1
        scores = rng.integers(low, high, too_long * config.lanes)
        into += row_transfers(config, [(scores, np.ones(len(scores), bool))])
        zeros = {"p": [0] * config.lanes, "empty": 0, "refused": 1}
        out += [
            {**zeros, "last": int(word == config.max_words - 1)} for word in range(config.max_words)
        ]
    return into, out


@pytest.mark.parametrize(
    ("name", "more", "stalled"),
    [
        ("exact_smallest", 1, None),
        ("exact_smallest", 2, RandomStalls(probability=0.3, seed=7)),
        ("exact_4", 1, RandomStalls(probability=0.3, seed=8)),
        ("exact_4", 30, None),
        ("lut2d_2_uint4", 2, None),
        ("rexp_4_512", 1, None),
    ],
)
def test_a_row_that_is_too_long_is_refused_and_touches_no_other(name, more, stalled):
    config = SOFTMAX[name]
    x, y = with_refused(config, rows_for(config, [16, 3, 1, 1]), config.max_words + more)
    ran = run(Softmax(config), {"i": x}, stalls=stalled, expect=len(y), cycles_budget=2000)
    assert ran.outputs["o"] == y


@pytest.mark.parametrize("name", SOFTMAX)
def test_rows_without_a_visible_element_are_zeros_and_say_so(name):
    config = SOFTMAX[name]
    rows = rows_for(config, [7, 1, 1, 16, 2, 3], seed=3)
    rows = [
        (scores, np.zeros(len(scores), bool) if index % 2 else np.ones(len(scores), bool))
        for index, (scores, _) in enumerate(rows)
    ]
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=500)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    empty = [each for each in ran.outputs["o"] if each["empty"]]
    assert len(empty) == sum(-(-len(scores) // config.lanes) for scores, _ in rows[1::2])
    assert not any(any(each["p"]) for each in empty)


def golden_weights(config, rows):
    """Transfers of weights and of rows as the golden model has them."""
    out, factors = [], []
    for scores, visible in rows:
        weight, total = golden.weights(config.numerics, scores[None], visible[None])
        padded = [int(value) for value in weight[0]] + [0] * (-len(scores) % config.lanes)
        starts = range(0, len(padded), config.lanes)
        parts = [padded[start : start + config.lanes] for start in starts]
        out += [{"weight": part, "last": int(part is parts[-1])} for part in parts]
        (factor,) = golden.factors(config.numerics, total)
        factors.append({"factor": int(factor), "empty": int(not visible.any()), "refused": 0})
    return out, factors


WEIGHT_STALLS = {
    "none": None,
    "all": RandomStalls(probability=0.3, seed=4),
    "weights": {"o_weight": RandomStalls(probability=0.8, seed=5)},
    "rows": {"o_row": RandomStalls(probability=0.95, seed=6)},
}


@pytest.mark.parametrize(
    ("name", "stalled"),
    [
        *((name, "all") for name in ("exact_smallest", "exact_8", "lut2d_2_uint2", "rexp_1")),
        *(("exact_4", stalled) for stalled in WEIGHT_STALLS),
    ],
)
def test_weights_and_factors_equal_golden(name, stalled):
    config = SOFTMAX[name]
    rows = rows_for(config, LENGTHS, seed=4)
    weight, row = golden_weights(config, rows)
    ran = run(
        SoftmaxWeights(config),
        {"i": row_transfers(config, rows)},
        stalls=WEIGHT_STALLS[stalled],
        expect={"o_weight": len(weight), "o_row": len(row)},
        cycles_budget=4000,
    )
    assert ran.outputs == {"o_weight": weight, "o_row": row}


def test_weights_of_a_refused_row_are_zeros():
    config = SOFTMAX["exact_4"]
    row = rows_for(config, [9])[0]
    weight, factor = golden_weights(config, [row])
    x, _ = with_refused(config, [row], config.max_words + 2)
    zeros = [
        {"weight": [0] * config.lanes, "last": int(word == config.max_words - 1)}
        for word in range(config.max_words)
    ]
    refused = {"factor": 0, "empty": 0, "refused": 1}
    y = {"o_weight": [*weight, *zeros, *weight], "o_row": [*factor, refused, *factor]}
    again = [*x, *row_transfers(config, [row])]
    expect = {name: len(each) for name, each in y.items()}
    ran = run(SoftmaxWeights(config), {"i": again}, expect=expect, cycles_budget=300)
    assert ran.outputs == y


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "lut2d", "rexp"])
def test_the_longest_row_there_is(method):
    config = SoftmaxConfig(numerics=Description(method, max_length=4096).numerics, lanes=4)
    rng = np.random.default_rng(6)
    everything = np.ones(4096, bool)
    rows = [
        (np.round(rng.normal(0, 500, 4096)).astype(np.int64), everything),
        (np.full(4096, -32768), everything),
        (np.where(np.arange(4096) == 4095, 32767, 30000), everything),
        (np.round(rng.normal(0, 500, 4096)).astype(np.int64), rng.random(4096) < 0.3),
    ]
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=20_000)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    check_cycles(ran, config, [4096] * len(rows))


def test_timing_needs_no_gates():
    for config in SOFTMAX.values():
        timing = SoftmaxTiming(config)
        assert timing.interval == 1
        assert timing.latency > timing.scale_latency > 0
