"""The preset for an iCE40 UP5K has room in one."""

from pathlib import Path

import pytest

from fpga.flow import ICE40_UP5K, BehindRegisters, place_and_route, synthesise
from scripts.measure_attention_ice40 import core

MULTIPLIERS = 8
MEMORIES = 30 + 4
LOGIC_CELLS = 5280


@pytest.mark.slow
def test_what_there_are_few_of_is_enough(tmp_path: Path):
    cells = synthesise(BehindRegisters(core({})), ICE40_UP5K, tmp_path).cells
    assert cells.multipliers <= MULTIPLIERS
    assert cells.block_rams <= MEMORIES
    # Each look-up table and register in a cell of its own would be too many; half of them share.
    assert cells.lut4 < LOGIC_CELLS * 0.6 and cells.flip_flops < LOGIC_CELLS * 0.75


@pytest.mark.pnr
def test_it_is_placed_and_routed(tmp_path: Path):
    synthesis = synthesise(BehindRegisters(core({})), ICE40_UP5K, tmp_path)
    routing = place_and_route(synthesis, ICE40_UP5K, goal_mhz=40)
    assert routing.used["ICESTORM_LC"] <= LOGIC_CELLS
    assert routing.fmax_mhz > 30, routing.critical_path
