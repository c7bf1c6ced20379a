"""The core of two layers against the golden model and the cycle model."""

import pytest

from gen.design import load_design
from hw.butterfly.mixing import MixingConfig
from hw.butterfly.two_layer import TwoLayerCore
from sim.cycle.two_layer import BlockSize, two_layer_cycles
from sim.golden.mixing import butterflies, plain_butterflies
from spec import Butterfly, SpecError
from tests.support.butterfly_run import STALLS, check_streams, run_core
from tests.support.two_layer import MIXING, expected, inputs, random_blocks, sizes

SLOW = pytest.mark.slow
STREAMS = {"i_job": "jobs", "i": "accepted", "o": "delivered"}


def ran(config, jobs, stalls=None):
    want, given = expected(config, jobs), inputs(config, jobs)
    return run_core(TwoLayerCore(config), given, want, stalls=stalls, budget=1000 + 40 * len(want))


def check_cycles(config, jobs, got):
    check_streams(got, two_layer_cycles(config, sizes(config, jobs)), STREAMS)


def plan_of(config):
    """The smallest, the largest and oblong blocks; one alone, two, and more than buffers."""
    least = 1 << config.core.min_stages
    rows, columns = config.butterfly.block
    return [(least, least, 1), (rows, columns, 3), (least, columns, 2), (least, least, 5)]


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("smallest", "two", "four", "flat") else pytest.param(name, marks=SLOW)
        for name in MIXING
    ],
)
def test_mixing_equals_golden_and_cycle_model(name):
    config = MIXING[name]
    jobs = random_blocks(config, plan_of(config))
    check_cycles(config, jobs, ran(config, jobs))


@pytest.mark.parametrize(
    ("name", "stalled"),
    [
        pytest.param("two", "starved", marks=SLOW),
        pytest.param("four", "blocked", marks=SLOW),
        ("shifts", "all"),
    ],
)
def test_stalls_change_no_bit_of_mixing(name, stalled):
    config = MIXING[name]
    ran(config, random_blocks(config, plan_of(config), seed=7), stalls=STALLS[stalled])


@SLOW
def test_the_mixing_preset_at_its_full_size():
    config = load_design("mixing_128x64").config
    jobs = random_blocks(config, [(128, 64, 1)], seed=4)
    check_cycles(config, jobs, ran(config, jobs))


def test_saturation_is_told_of_the_block_that_suffered_it():
    config = MIXING["shifts_4"]
    loud = random_blocks(config, [(16, 16, 3)], seed=5)[0]
    jobs = [loud, loud >> 9]
    want = expected(config, jobs)
    assert {each["saturated"] for each in want[: len(want) // 2]} == {1}
    assert {each["saturated"] for each in want[len(want) // 2 :]} == {0}
    ran(config, jobs)


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (16, 64), (128, 64), (1024, 512)])
def test_the_units_do_half_of_the_plain_methods_butterflies(rows, columns):
    config = MixingConfig(butterfly=Butterfly("mixing", points=1024, columns=512))
    job = BlockSize(shape=config.check_block("block", rows, columns), blocks=3)
    done = two_layer_cycles(config, [job]).steps * config.units
    assert done == 3 * butterflies(rows, columns)
    assert done <= 0.52 * 3 * plain_butterflies(rows, columns)


def steady(config, rows, columns, few=4, more=12):
    """Share of cycles in which the units work, of the blocks beyond the first ones."""
    shape = config.check_block("block", rows, columns)
    less, all_of = (
        two_layer_cycles(config, [BlockSize(shape=shape, blocks=blocks)]) for blocks in (few, more)
    )
    return (all_of.steps - less.steps) / (all_of.delivered[-1] - less.delivered[-1])


def test_square_blocks_keep_the_units_busy_and_oblong_ones_nearly():
    config = MixingConfig(butterfly=Butterfly("mixing", points=128))
    assert steady(config, 128, 128) == 1.0
    assert steady(load_design("mixing_128x64").config, 128, 64) >= 0.959


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": 3}, "units must be one of 1, 2, 4, 8, got 3; nearest is 2"),
        ({"stream_words": 3}, "stream_words must be one of 1, 2, 4, got 3; nearest is 2"),
        ({"units": 1}, "stream_words must be at most units = 1, got 2; nearest is 1"),
        ({"weight_sets": 2}, "weight_sets is for transform bpmm, got 2; nearest is 1"),
        ({"butterfly": Butterfly(("mixing", "fft"))},
         "Butterfly.transforms: mixing has a core of its own; name it alone or leave it out"),
        ({"units": 8, "butterfly": Butterfly("mixing", points=64, rows=8)},
         "units must be at most half of the rows and of the columns, 4, got 8; nearest is 4"),
    ],
)  # fmt: skip
def test_a_configuration_that_breaks_a_rule_is_refused(fields, message):
    with pytest.raises(SpecError) as caught:
        MixingConfig(**{"butterfly": Butterfly("mixing"), **fields})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ((12, 16), "x: rows must be a power of two, got 12; nearest is 16"),
        ((16, 4), "x: columns must be from 8 to 16, got 4; nearest is 8"),
        ((64, 16), "x: rows must be from 8 to 32, got 64; nearest is 32"),
        ((8, 32), "x: columns must be from 8 to 16, got 32; nearest is 16"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(sides, message):
    with pytest.raises(SpecError) as caught:
        MIXING["tall"].check_block("x", *sides)
    assert str(caught.value) == message
