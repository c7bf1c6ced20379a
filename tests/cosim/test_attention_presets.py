"""Every attention preset, made small, gives the golden bits and the models' cycles in Icarus."""

import numpy as np
import pytest

from gen.design import load_design
from gen.presets import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from sim.run.engines import run_arrays
from spec.tiles import TileGrid
from tests.support.attention import random_operands
from tests.support.netlist import cell_models

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

QUERIES = 13
SIDES = ("rows=2", "columns=4", "value_columns=2", "head_dim=8", f"queries={QUERIES}")
LENGTHS = {
    "attention_document_1024": (1024, 330),
    "attention_window_1024": (200, 197),
}
"""Most keys, and how many are given: enough to cross from one document or sink to the next."""
DEFINE = "`define NO_ICE40_DEFAULT_ASSIGNMENTS"
"""What Yosys' models of iCE40 cells need in Icarus."""

CELLS = {Target.PORTABLE: "", Target.ECP5: "MULT18X18D", Target.ICE40: "SB_MAC16"}
"""What each target's Verilog must hold."""

ATTENTION = [name for name in PRESETS if name.startswith("attention")]


def small(name, *settings):
    """The preset at a size for Icarus, and how many keys to give it."""
    most, keys = LENGTHS.get(name, (21, 21))
    logic = ["logic_rows=2"] if PRESETS[name].hardware.get("logic_rows") else []
    return load_design(name, (*SIDES, f"keys={most}", *logic, *settings)), keys


@pytest.mark.parametrize("name", ATTENTION)
def test_a_preset_gives_the_same_on_both_engines(name):
    design, keys = small(name, *(["heads=1"] if name in LENGTHS else []))
    arrays = dict(zip("qkv", random_operands(design.config, QUERIES, keys), strict=True))
    golden, rtl = run_arrays(design, arrays), run_arrays(design, arrays, "rtl")
    for field, wanted in golden._asdict().items():
        np.testing.assert_array_equal(getattr(rtl, field), wanted, err_msg=field)
    assert golden.o.any() and golden.tiles


@pytest.mark.parametrize("target", [Target.PORTABLE, Target.ECP5, Target.ICE40])
def test_a_core_for_any_mask_takes_every_source_on_every_target(target, tmp_path):
    design, keys = small("attention_any_mask", "heads=5", "compact=true")
    config, rng = design.config, np.random.default_rng(3)
    q, k, v = random_operands(config, QUERIES, keys)
    blocks = rng.random((QUERIES, keys)) < 0.2
    blocks[4:7] = False
    own = np.tri(QUERIES, keys, keys - QUERIES, dtype=bool)
    shared = own.copy()
    shared[6:, 3:9] = False
    grid = TileGrid(config.rows, config.columns, QUERIES, keys)
    bitmaps = [compile_bitmap(each, grid) for each in (blocks, ~blocks)]
    columns = compile_columns(shared)
    loaded = [None, columns, bitmaps[0], columns, bitmaps[1]]
    wanted = attention(config.layer, q, k, v, np.stack([own, shared, blocks, shared, ~blocks]))
    write_design(design, tmp_path / "verilog", target=target)
    verilog = tmp_path / "with_cells.v"
    text = (tmp_path / "verilog" / f"{design.name}.v").read_text()
    assert CELLS[target] in text
    models = (path.read_text() for path in cell_models(target))
    verilog.write_text("\n".join([DEFINE, text, *models]))
    trace = simulate(config, verilog, q, k, v, loaded, top=design.name, folder=tmp_path)
    np.testing.assert_array_equal(trace.o, wanted.o)
    np.testing.assert_array_equal(trace.empty, wanted.empty)
    assert wanted.empty.any() and not wanted.empty.all()
    assert trace.total == head_cycles(config, QUERIES, keys, loaded).total
