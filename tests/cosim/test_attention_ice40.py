"""The preset for an iCE40 UP5K: filled with its cells, and what synthesis makes of them."""

from pathlib import Path

import numpy as np
import pytest

from fpga.flow import ICE40_UP5K
from gen.design import load_design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.golden.attention import attention
from tests.support.attention import random_operands
from tests.support.netlist import cell_models, yosys

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

NAME = "attention_tiny"
QUERIES, KEYS = 7, 9
SETTINGS = (f"queries={QUERIES}",)
"""Room for more keys than there are: as many as make their memories SPRAM."""
DEFINE = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n"


def check(design, source: Path, folder: Path) -> None:
    """A Verilog file, with the models of the cells in it, has the bits of the golden model."""
    models = "".join(model.read_text() for model in cell_models(Target.ICE40))
    whole = folder / "whole.v"
    whole.write_text(DEFINE + models + source.read_text())
    q, k, v = random_operands(design.config, QUERIES, KEYS)
    golden = attention(design.config.layer, q, k, v)
    arrays = q, k, v
    trace = simulate(
        design.config, whole, *arrays, top=NAME, folder=folder, stall=0.3, seed=5
    )  # fmt: skip
    np.testing.assert_array_equal(trace.o, golden.o)
    np.testing.assert_array_equal(trace.empty, golden.empty)


def test_the_cells_of_an_ice40_give_golden_bits(tmp_path: Path):
    design = load_design(NAME, SETTINGS)
    write_design(design, tmp_path / "verilog", target=Target.ICE40)
    check(design, tmp_path / "verilog" / f"{NAME}.v", tmp_path)


@pytest.mark.netlist
def test_the_synthesised_netlist_gives_golden_bits(tmp_path: Path):
    design = load_design(NAME, SETTINGS)
    write_design(design, tmp_path / "verilog", target=Target.ICE40)
    yosys(
        [
            f"read_verilog verilog/{NAME}.v",
            *(f"hierarchy -top {NAME}", "proc", "flatten", "opt_clean -purge"),
            # Afresh: Yosys 0.70 goes back to the Verilog at the end, and finds it gone.
            *("write_rtlil flat.il", "design -reset", "read_rtlil flat.il"),
            f"{ICE40_UP5K.synthesis} -top {NAME}",
            "select -assert-count 8 t:SB_MAC16",
            "select -assert-min 1 t:SB_SPRAM256KA",
            "write_verilog -noattr netlist.v",
        ],
        tmp_path,
    )
    check(design, tmp_path / "netlist.v", tmp_path)
