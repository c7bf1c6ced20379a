"""The core against the golden model and the cycle model, in Amaranth's simulator."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from hw.butterfly.timing import ButterflyTiming
from sim.cycle.butterfly import JobSize, butterfly_cycles
from spec import Butterfly, SpecError
from tests.support.butterfly import CONFIGS, expected, inputs, random_job, sizes
from tests.support.butterfly_run import STALLS, check_streams, run_core

STREAMS = {"i_job": "jobs", "i": "accepted", "i_weights": "weights", "o": "delivered"}


def ran(config, jobs, stalls=None, budget=20_000):
    want = expected(config, jobs)
    return run_core(ButterflyCore(config), inputs(config, jobs), want, stalls=stalls, budget=budget)


def check_cycles(config, jobs, got):
    """The streams that the core has keep to the model."""
    streams = {stream: field for stream, field in STREAMS.items() if stream in got.cycles}
    check_streams(got, butterfly_cycles(config, sizes(jobs)), streams)


def mixed_jobs(config):
    """The smallest and the largest vectors, one, a batch, and more; every transform in turn."""
    least, most = 1 << config.min_stages, config.butterfly.points
    full = ButterflyTiming(config).batch_vectors(config.stages)
    plan = [(least, 1), (most, min(full + 1, 6)), (most, 1), (least, 5), (least, 2), (most, 1)]
    return [
        random_job(config, points, vectors, seed=seed)
        for seed, (points, vectors) in enumerate(plan)
    ]


@pytest.mark.parametrize("name", CONFIGS)
def test_core_equals_golden_and_cycle_model(name):
    config = CONFIGS[name]
    jobs = mixed_jobs(config)
    check_cycles(config, jobs, ran(config, jobs))


@pytest.mark.parametrize(
    ("name", "stalled"),
    [
        *((name, "all") for name in ("fft_smallest", "bpmm_sets", "shifts_4")),
        *(("all_2", stalled) for stalled in STALLS),
    ],
)
def test_stalls_change_no_bit(name, stalled):
    config = CONFIGS[name]
    names = ["i_job", "i", "o", *(["i_weights"] if config.bpmm else [])]
    pattern = STALLS[stalled]
    stalls = dict.fromkeys(names, pattern) if stalled == "all" else pattern
    ran(config, mixed_jobs(config), stalls=stalls)


@pytest.mark.parametrize("name", ["fft_smallest", "inverse_odd"])
def test_more_vectors_than_a_batch_and_than_the_rings(name):
    config = CONFIGS[name]
    least = config.min_stages
    vectors = 2 * ButterflyTiming(config).batch_vectors(least) + 3
    jobs = [random_job(config, 1 << least, vectors, seed=1)]
    check_cycles(config, jobs, ran(config, jobs))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fft_lanes", "all_2"])
@settings(max_examples=6)
@given(
    plan=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_any_jobs_in_any_order(name, plan, seed):
    config = CONFIGS[name]
    allowed = list(config.sizes)
    jobs = [
        random_job(config, 1 << allowed[size % len(allowed)], vectors, seed=seed + k)
        for k, (size, vectors) in enumerate(plan)
    ]
    check_cycles(config, jobs, ran(config, jobs))


def kept_jobs(config, points, vectors, keep):
    """Products one after the other; a matrix is kept for the next or not."""
    jobs = []
    for k, kept in enumerate(keep):
        fresh = k == 0 or not keep[k - 1]
        job = random_job(
            config, points, vectors, transform="bpmm", order="decreasing",
            seed=10 + k, keep=kept, fresh=fresh,
        )  # fmt: skip
        jobs.append(job if fresh else dataclasses.replace(job, weights=jobs[-1].weights))
    return jobs


@pytest.mark.parametrize("name", ["bpmm_sets", "all_4"])
def test_a_matrix_is_kept_until_the_job_that_does_not(name):
    config = CONFIGS[name]
    jobs = kept_jobs(config, 16, 2, [True, True, False, False, True, False])
    if config.fft:
        jobs.insert(1, random_job(config, 16, 3, transform="fft", seed=3))
    check_cycles(config, jobs, ran(config, jobs))


def test_a_second_set_hides_the_loading_of_a_matrix():
    totals = []
    for sets in (1, 2):
        config = ButterflyConfig(butterfly=Butterfly("bpmm", points=64), weight_sets=sets)
        jobs = [JobSize(points=64, vectors=16, bpmm=True)] * 8
        totals.append(butterfly_cycles(config, jobs).total)
    # Only the first is waited for.
    lines = 6 * 8
    assert totals[0] - totals[1] >= 7 * lines


def test_saturation_is_told_of_the_vector_that_suffered_it():
    config = CONFIGS["shifts_1"]
    jobs = [random_job(config, 16, 12, transform="fft", seed=5)]
    quiet = dataclasses.replace(jobs[0], re=jobs[0].re >> 8, im=jobs[0].im >> 8)
    want = expected(config, [*jobs, quiet])
    assert {each["saturated"] for each in want[: len(want) // 2]} == {0, 1}
    assert {each["saturated"] for each in want[len(want) // 2 :]} == {0}
    ran(config, [*jobs, quiet])


def steady(config, points, few, more, **fields):
    """Share of cycles in which the units work, of the vectors beyond the first ones."""
    less, all_of = (
        butterfly_cycles(config, [JobSize(points=points, vectors=vectors, **fields)])
        for vectors in (few, more)
    )
    return (all_of.steps - less.steps) / (all_of.delivered[-1] - less.delivered[-1])


@pytest.mark.parametrize("bpmm", [False, True])
@pytest.mark.parametrize("points", [1 << n for n in range(6, 14)])
def test_four_units_never_rest(points, bpmm):
    config = ButterflyConfig(butterfly=Butterfly(("fft", "bpmm"), points=8192))
    assert steady(config, points, 320, 640, bpmm=bpmm) == 1.0
    own = ButterflyConfig(butterfly=Butterfly(("fft", "bpmm"), points=points))
    assert steady(own, points, 320, 640, bpmm=bpmm) == 1.0


@pytest.mark.parametrize("transform", ["fft", "bpmm"])
def test_gates_never_rest_either(transform):
    # All but the first batch's load, in the gates themselves.
    config = CONFIGS["all_4"]
    full = ButterflyTiming(config).batch_vectors(6)
    job = random_job(config, 64, 3 * full, transform=transform, order="decreasing", seed=1)
    got = ran(config, [job])
    check_cycles(config, [job], got)
    ends = got.cycles["o"][31::32]
    # From the last vector of one batch to that of the next.
    cycles = ends[3 * full - 1] - ends[2 * full - 1]
    assert cycles == full * 32 * 6 // config.units


@pytest.mark.slow
@pytest.mark.parametrize("points", [4096, 8192])
def test_the_longest_vectors(points):
    config = ButterflyConfig(butterfly=Butterfly(("fft", "bpmm"), points=points))
    jobs = [random_job(config, points, 2, transform="fft", seed=points)]
    check_cycles(config, jobs, ran(config, jobs, budget=100_000))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_size_hides_the_pipeline(name):
    timing = ButterflyTiming(CONFIGS[name])
    for stages in timing.config.sizes:
        vectors = timing.batch_vectors(stages)
        assert timing.stage_cycles(stages, vectors) == vectors * timing.vector_cycles(stages)
        assert vectors >= 2
        assert vectors << stages <= timing.batch_words


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": 3}, "units must be one of 1, 2, 4, 8, got 3; nearest is 2"),
        ({"stream_words": 3}, "stream_words must be one of 1, 2, 4, got 3; nearest is 2"),
        ({"units": 2, "stream_words": 4}, "stream_words must be at most units = 2, got 4; "
         "nearest is 2"),
        ({"weight_sets": 3}, "weight_sets must be one of 1, 2, got 3; nearest is 2"),
        ({"units": 8, "butterfly": Butterfly(points=8)},
         "units must be at most points / 2 = 4, got 8; nearest is 4"),
        ({"units": 8, "butterfly": Butterfly("bpmm", inputs=7)},
         "units must be at most 4, half the points of the matrices for Butterfly.inputs = 7, "
         "got 8; nearest is 4"),
        ({"stream_words": 4, "butterfly": Butterfly("bpmm", orders="increasing")},
         "stream_words must be at most 2 for order increasing, got 4; nearest is 2"),
        ({"butterfly": Butterfly(divided_from=64)},
         "Butterfly.divided_from has a core of its own, of two layers; leave it out"),
        ({"butterfly": Butterfly(("mixing", "fft"))},
         "Butterfly.transforms: mixing has a core of its own; name it alone or leave it out"),
    ],
)  # fmt: skip
def test_a_configuration_that_breaks_a_rule_is_refused(fields, message):
    with pytest.raises(SpecError) as caught:
        ButterflyConfig(**{"butterfly": Butterfly(), **fields})
    assert str(caught.value) == message


def test_eight_units_need_sixteen_points():
    config = ButterflyConfig(butterfly=Butterfly(points=64), units=8)
    with pytest.raises(SpecError) as caught:
        butterfly_cycles(config, [JobSize(points=8, vectors=1)])
    assert str(caught.value) == ("points must be at least 16 with 8 units, got 8; nearest is 16")


def test_timing_needs_no_gates():
    for config in CONFIGS.values():
        timing = ButterflyTiming(config)
        assert timing.step_distance > config.unit.latency
        assert np.log2(timing.batch_words) == timing.log2_batch_lines + config.log2_line
