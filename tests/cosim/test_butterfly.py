"""Emitted Verilog in Icarus under back-pressure: bits of the golden model, cycles of the model."""

import numpy as np
import pytest

from gen.design import load_design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.butterfly import ButterflyJob, job_sizes, simulate
from sim.cycle.two_layer import vector_cycles
from sim.golden import butterfly as golden
from sim.golden.division import transform
from tests.support.butterfly import random_job

pytestmark = pytest.mark.cosim

STALLS = (0.0, 0.3)
DESIGNS = {
    "fft_256": ["points=64"],
    "butterfly_1024": ["points=32", "weight_sets=2", "orders=decreasing,increasing"],
    "butterfly_8192": ["points=128", "units=2"],
    "butterfly_ice40": ["points=32", "shifts=1,0,1,1,0"],
}


@pytest.fixture(scope="module", params=DESIGNS)
def built(request, tmp_path_factory):
    design = load_design(request.param, DESIGNS[request.param])
    folder = tmp_path_factory.mktemp(design.name)
    write_design(design, folder / "v", target=Target.PORTABLE)
    return design, folder


def jobs_of(config):
    """Every transform on the largest, the smallest and a middle size, one vector and several."""
    least, most = config.butterfly.divided_from or 8, config.butterfly.points
    plan = [(most, 5), (least, 3), (2 * least, 1), (most, 1), (2 * least, 9)]
    if least > 8:
        plan = plan[:4]
    jobs = []
    for seed, (points, vectors) in enumerate(plan):
        job = random_job(config, points, vectors, seed=seed)
        jobs.append(
            ButterflyJob(
                transform=job.transform, re=job.re, im=job.im, weights=job.weights, order=job.order
            )
        )
    return jobs


def golden_of(config, job):
    if job.weights is not None:
        product = golden.bpmm(config.butterfly, job.re, job.weights, job.order)
        return product.y, np.zeros_like(product.y), product.exponent, product.saturated
    inverse = job.transform == "inverse"
    spectrum = transform(config.butterfly, job.re, job.im, inverse=inverse)
    return spectrum.re, spectrum.im, spectrum.exponent, spectrum.saturated


def run(design, verilog, folder, **how):
    config, jobs = design.config, jobs_of(design.config)
    return jobs, simulate(config, verilog, jobs, top=design.name, folder=folder, **how)


def agree(config, jobs, trace):
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


@pytest.mark.parametrize("stall", STALLS)
def test_verilog_equals_golden_under_back_pressure(built, stall):
    design, folder = built
    verilog = folder / "v" / f"{design.name}.v"
    jobs, trace = run(design, verilog, folder / f"{stall}", stall=stall)
    assert agree(design.config, jobs, trace)
    if stall == 0:
        cycles = vector_cycles(design.config, job_sizes(jobs))
        start = cycles.jobs[0]
        expected = {"i_job": cycles.jobs, "i": cycles.accepted, "o": cycles.delivered}
        for stream, each in expected.items():
            assert trace.cycles[stream] == [cycle - start for cycle in each], stream


def test_the_bench_notices_a_fault(built):
    """Negative control: the same bench on Verilog whose rounding is wrong must not agree."""
    design, folder = built
    text = (folder / "v" / f"{design.name}.v").read_text()
    right = "unit_base0_"
    assert right in text
    at = text.index("assign", text.index(right))
    wrong = folder / "wrong.v"
    lines = text[at:].split(";", 1)
    left, value = lines[0].split("=", 1)
    wrong.write_text(f"{text[:at]}{left}= ~({value.strip()});{lines[1]}")
    try:
        jobs, trace = run(design, wrong, folder / "wrong")
    except AssertionError:
        return
    assert not agree(design.config, jobs, trace)
