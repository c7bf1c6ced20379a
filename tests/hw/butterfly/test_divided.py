"""Vectors in two layers against the golden model and the cycle model."""

import dataclasses

import numpy as np
import pytest

from hw.butterfly.divided import DividedConfig
from hw.butterfly.two_layer import TwoLayerCore
from sim.cycle.two_layer import BlockSize, two_layer_cycles
from spec import Butterfly, SpecError
from spec.butterfly import division
from tests.support.butterfly import expected, inputs, random_job
from tests.support.butterfly_run import STALLS, check_streams, run_core
from tests.support.two_layer import DIVIDED

SLOW = pytest.mark.slow
STREAMS = {"i_job": "jobs", "i": "accepted", "o": "delivered"}


def ran(config, jobs, stalls=None):
    want, given = expected(config, jobs), inputs(config, jobs)
    return run_core(TwoLayerCore(config), given, want, stalls=stalls, budget=2000 + 40 * len(want))


def block_sizes(config, jobs):
    return [BlockSize(shape=config.shape_of(job.points), blocks=job.vectors) for job in jobs]


def check_cycles(config, jobs, got):
    check_streams(got, two_layer_cycles(config, block_sizes(config, jobs)), STREAMS)


def jobs_of(config):
    """The smallest and the largest vectors; one alone, two, and more; each transform in turn."""
    least, most = config.butterfly.divided_from, config.butterfly.points
    plan = [(least, 1), (most, 3), (min(2 * least, most), 2), (least, 2)]
    return [
        random_job(config, points, vectors, seed=seed)
        for seed, (points, vectors) in enumerate(plan)
    ]


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("smallest", "four", "clips") else pytest.param(name, marks=SLOW)
        for name in DIVIDED
    ],
)
def test_divided_vectors_equal_golden_and_cycle_model(name):
    config = DIVIDED[name]
    jobs = jobs_of(config)
    check_cycles(config, jobs, ran(config, jobs))


@pytest.mark.parametrize(
    ("name", "stalled"),
    [
        ("four", "all"),
        pytest.param("shifts", "starved", marks=SLOW),
        pytest.param("two", "blocked", marks=SLOW),
    ],
)
def test_stalls_change_no_bit_of_a_divided_vector(name, stalled):
    config = DIVIDED[name]
    ran(config, jobs_of(config), stalls=STALLS[stalled])


def test_saturation_is_told_of_the_vector_that_suffered_it():
    config = DIVIDED["clips"]
    noise = random_job(config, 64, 2, transform="fft", seed=5)
    loud = dataclasses.replace(noise, re=np.where(noise.re < 0, -30000, 30000))
    quiet = dataclasses.replace(noise, re=loud.re >> 9, im=loud.im >> 9)
    want = expected(config, [loud, quiet])
    assert {each["saturated"] for each in want[: len(want) // 2]} == {1}
    assert {each["saturated"] for each in want[len(want) // 2 :]} == {0}
    ran(config, [loud, quiet])


@SLOW
@pytest.mark.parametrize("points", [4096, 8192])
def test_the_longest_vectors_in_two_layers(points):
    config = DividedConfig(butterfly=Butterfly(("fft", "inverse"), points=8192, divided_from=64))
    jobs = [random_job(config, points, 1, transform="inverse", seed=points)]
    check_cycles(config, jobs, ran(config, jobs))


@SLOW
def test_gates_never_rest_in_a_stream_of_vectors():
    # The first sizes whose layers outlast loading and storing, in the gates themselves.
    config = DividedConfig(butterfly=Butterfly(points=512, divided_from=64), stream_words=4)
    jobs = [random_job(config, 512, 5, transform="fft", seed=1)]
    got = ran(config, jobs)
    check_cycles(config, jobs, got)
    ends = got.cycles["o"][127::128]
    assert ends[3] - ends[2] == ends[2] - ends[1] == 512 * 9 // 8


def steady(config, points, few=4, more=12):
    """Share of cycles in which the units work, of the vectors beyond the first ones."""
    shape = config.shape_of(points)
    less, all_of = (
        two_layer_cycles(config, [BlockSize(shape=shape, blocks=vectors)])
        for vectors in (few, more)
    )
    return (all_of.steps - less.steps) / (all_of.delivered[-1] - less.delivered[-1])


@pytest.mark.parametrize(("points", "least"), [(1024, 0.89), (2048, 1), (4096, 1), (8192, 1)])
def test_four_units_never_rest_on_long_vectors(points, least):
    config = DividedConfig(butterfly=Butterfly(points=8192, divided_from=64))
    assert least <= steady(config, points) <= 1
    wide = DividedConfig(butterfly=Butterfly(points=8192, divided_from=64), stream_words=4)
    assert steady(wide, points) == 1


@pytest.mark.parametrize("points", [1 << n for n in range(6, 14)])
def test_the_layers_do_the_butterflies_of_one(points):
    stages, log2_vectors = division(points)
    assert stages + log2_vectors == points.bit_length() - 1
    config = DividedConfig(butterfly=Butterfly(points=8192, divided_from=64))
    assert config.shape_of(points).butterflies == points // 2 * (points.bit_length() - 1)
    # Vectors and words of every scratchpad fit, and so does what is skipped.
    assert config.shape_of(points).skipped in (0, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"butterfly": Butterfly()},
         "Butterfly.divided_from must be given, got None; nearest is 64"),
        ({"units": 8}, "units must be at most 4 where vectors of 64 points are divided, got 8; "
         "nearest is 4"),
        ({"weight_sets": 2}, "weight_sets is for transform bpmm, got 2; nearest is 1"),
        ({"units": 1}, "stream_words must be at most units = 1, got 2; nearest is 1"),
    ],
)  # fmt: skip
def test_a_configuration_that_breaks_a_rule_is_refused(fields, message):
    with pytest.raises(SpecError) as caught:
        DividedConfig(**{"butterfly": Butterfly(divided_from=64), **fields})
    assert str(caught.value) == message
