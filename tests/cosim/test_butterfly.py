"""Emitted Verilog in Icarus under back-pressure: bits of the golden model, cycles of the model."""

import pytest

from gen.design import load_design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.butterfly import simulate
from tests.support.butterfly_cosim import agree, check_cycles, random_bench_job

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
    return [
        random_bench_job(config, points, vectors, seed=seed)
        for seed, (points, vectors) in enumerate(plan)
    ]


def run(design, verilog, folder, **how):
    config, jobs = design.config, jobs_of(design.config)
    return jobs, simulate(config, verilog, jobs, top=design.name, folder=folder, **how)


@pytest.mark.parametrize("stall", STALLS)
def test_verilog_equals_golden_under_back_pressure(built, stall):
    design, folder = built
    verilog = folder / "v" / f"{design.name}.v"
    jobs, trace = run(design, verilog, folder / f"{stall}", stall=stall)
    assert agree(design.config, jobs, trace)
    if stall == 0:
        check_cycles(design.config, jobs, trace)


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
