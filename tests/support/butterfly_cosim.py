"""Jobs for the bench of a butterfly core's Verilog, and what should come of them, and when."""

from collections.abc import Sequence

import numpy as np

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from sim.bench.butterfly import ButterflyJob, ButterflyTrace, job_sizes
from sim.cycle.two_layer import vector_cycles
from tests.support.butterfly import golden_of, random_job

__all__ = ["agree", "check_cycles", "random_bench_job"]


def random_bench_job(
    config: ButterflyConfig | DividedConfig,
    points: int,
    vectors: int,
    *,
    transform: str | None = None,
    seed: int,
) -> ButterflyJob:
    """As `random_job`, for the bench."""
    job = random_job(config, points, vectors, transform=transform, seed=seed)
    return ButterflyJob(
        transform=job.transform, re=job.re, im=job.im, weights=job.weights, order=job.order
    )


def agree(
    config: ButterflyConfig | DividedConfig, jobs: Sequence[ButterflyJob], trace: ButterflyTrace
) -> bool:
    """Whether every vector, exponent and flag is that of the golden model."""
    re, im, exponent, saturated = ([] for _ in range(4))
    for job in jobs:
        for all_of, each in zip((re, im, exponent, saturated), golden_of(config, job), strict=True):
            all_of += list(each)
    return (
        all(np.array_equal(a, b) for a, b in zip(trace.re, re, strict=True))
        and all(np.array_equal(a, b) for a, b in zip(trace.im, im, strict=True))
        and trace.exponent == [int(each) for each in exponent]
        and trace.saturated == [bool(each) for each in saturated]
    )


def check_cycles(
    config: ButterflyConfig | DividedConfig, jobs: Sequence[ButterflyJob], trace: ButterflyTrace
) -> None:
    """Every transfer of a run without stalls happens in the very cycle that the model has."""
    cycles = vector_cycles(config, job_sizes(jobs))
    start = cycles.jobs[0]
    expected = {"i_job": cycles.jobs, "i": cycles.accepted, "o": cycles.delivered}
    for stream, each in expected.items():
        assert trace.cycles[stream] == [cycle - start for cycle in each], stream
