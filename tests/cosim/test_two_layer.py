"""Emitted Verilog of two layers in Icarus under back-pressure: golden bits, the model's cycles."""

import numpy as np
import pytest

from gen.design import load_design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.two_layer import block_sizes, simulate_blocks
from sim.cycle.two_layer import two_layer_cycles
from sim.golden.mixing import mixing
from tests.support.two_layer import random_blocks

pytestmark = pytest.mark.cosim

DESIGNS = {
    "small": (["points=16", "columns=8"], [(16, 8, 3), (8, 8, 1), (8, 8, 4)]),
    "flags": (["points=16", "columns=8", "shifts=0", "units=2"], [(8, 8, 3), (16, 8, 1)]),
}


def built(name, settings, folder):
    design = load_design(name, settings)
    write_design(design, folder / "v", target=Target.PORTABLE)
    return design, folder / "v" / f"{name}.v"


def agree(design, jobs, trace):
    want = [mixing(design.description, block) for job in jobs for block in job]
    return (
        all(np.array_equal(y, each.y) for y, each in zip(trace.y, want, strict=True))
        and trace.exponent == [each.exponent for each in want]
        and trace.saturated == [each.saturated for each in want]
    )


def check_cycles(design, jobs, trace):
    cycles = two_layer_cycles(design.config, block_sizes(design.config, jobs))
    start = cycles.jobs[0]
    for stream, each in (("i_job", "jobs"), ("i", "accepted"), ("o", "delivered")):
        want = [cycle - start for cycle in getattr(cycles, each)]
        assert trace.cycles[stream] == want, stream


@pytest.mark.parametrize("name", DESIGNS)
def test_mixing_equals_golden_under_back_pressure(name, tmp_path):
    settings, plan = DESIGNS[name]
    design, verilog = built("mixing_128x64", settings, tmp_path)
    jobs = random_blocks(design.config, plan, seed=3)
    for stall in (0.0, 0.3):
        trace = simulate_blocks(
            design.config, verilog, jobs, top=design.name, folder=tmp_path / f"{stall}", stall=stall
        )
        assert agree(design, jobs, trace), stall
        if not stall:
            check_cycles(design, jobs, trace)
