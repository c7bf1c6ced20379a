"""What no host should send: a job ends whatever it is given, and the next one is right."""

import dataclasses

import numpy as np
import pytest

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from sim.cycle.butterfly import butterfly_cycles
from spec import Butterfly
from tests.support.bench import run
from tests.support.butterfly import CONFIGS, expected, inputs, random_job, sizes

# 16 and 32 points only, but three bits of size: 1 to 128.
EIGHT = ButterflyConfig(butterfly=Butterfly(("fft", "inverse"), points=32), units=8, stream_words=4)


def ran(config, streams, expect):
    return run(ButterflyCore(config), streams, expect=expect, cycles_budget=4000)


@pytest.mark.parametrize(
    ("config", "told", "nearest"),
    [
        (CONFIGS["fft_smallest"], (0, 1), (3, 1)),
        (CONFIGS["fft_smallest"], (2, 3), (3, 3)),
        (CONFIGS["fft_smallest"], (3, 0), (3, 1)),
        (EIGHT, (3, 2), (4, 2)),
        (EIGHT, (7, 0), (5, 1)),
        (CONFIGS["bpmm_increasing"], (1, 0), (3, 1)),
        (CONFIGS["bpmm_increasing"], (7, 2), (5, 2)),
        (CONFIGS["all_1"], (6, 2), (4, 2)),
    ],
)
def test_a_job_that_is_not_allowed_is_the_nearest_that_is(config, told, nearest):
    stages, vectors = nearest
    jobs = [
        random_job(config, 1 << stages, vectors, seed=4),
        random_job(config, 1 << config.min_stages, 2, seed=7),
    ]
    streams = inputs(config, jobs)
    streams["i_job"][0] |= {"log2_points": told[0], "vectors": told[1]}
    want = expected(config, jobs)
    got = ran(config, streams, len(want))
    assert got.outputs["o"] == want
    cycles = butterfly_cycles(config, sizes(jobs))
    assert (got.cycles["i"], got.cycles["o"]) == (cycles.accepted, cycles.delivered)


@pytest.mark.parametrize(
    ("transform", "fields"),
    [
        ("bpmm", {"inverse": 1}),
        ("fft", {"increasing": 1}),
        ("inverse", {"increasing": 1, "keep": 1}),
    ],
)
def test_a_field_without_meaning_has_none(transform, fields):
    config = CONFIGS["all_2"]
    jobs = [
        random_job(config, 16, 2, transform=transform, order="decreasing", seed=1),
        random_job(config, 16, 1, transform="bpmm", order="decreasing", seed=2),
    ]
    streams = inputs(config, jobs)
    streams["i_job"][0] |= fields
    want = expected(config, jobs)
    assert ran(config, streams, len(want)).outputs["o"] == want


def test_imaginary_parts_of_a_product_count_as_zero():
    config = CONFIGS["all_1"]
    job = random_job(config, 16, 3, transform="bpmm", order="decreasing", seed=1)
    assert job.im.any()
    real = dataclasses.replace(job, im=np.zeros_like(job.im))
    found = [ran(config, inputs(config, [each]), 3 * 16).outputs["o"] for each in (job, real)]
    assert found[0] == found[1] == expected(config, [real])


def ended(lines):
    return [{**line, "last": int(k == len(lines) - 1)} for k, line in enumerate(lines)]


def heaviest(line):
    return {**line, "weight": [-(1 << 17)] * len(line["weight"])}


MATRICES = {
    "too short": lambda lines: lines[:3],
    "too long": lambda lines: lines * 4,
    "of weights of -2": lambda lines: [heaviest(line) for line in lines],
}


@pytest.mark.parametrize("name", ["bpmm_sets", "all_1"])
@pytest.mark.parametrize("what", MATRICES)
def test_a_job_with_a_matrix_that_is_wrong_ends_and_the_next_is_right(name, what):
    config = CONFIGS[name]
    points = config.butterfly.points
    bad, good = (
        random_job(config, points, 2, transform="bpmm", order="decreasing", seed=seed)
        for seed in (1, 2)
    )
    streams, alone = inputs(config, [bad, good]), inputs(config, [bad])["i_weights"]
    second = streams["i_weights"][len(alone) :]
    streams["i_weights"] = ended(MATRICES[what](alone)) + second
    want = expected(config, [bad, good])
    got = ran(config, streams, len(want)).outputs["o"]
    half = len(want) // 2
    assert [each["last"] for each in got] == [each["last"] for each in want]
    assert got[:half] != want[:half] or what == "too long"
    assert got[half:] == want[half:]
