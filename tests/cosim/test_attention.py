"""Every attention preset, made small: golden bits from emitted Verilog that is held up."""

import numpy as np
import pytest

from gen.design import load_design
from gen.presets import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.golden.attention import attention
from tests.support.attention import random_operands
from tests.support.netlist import cell_models

pytestmark = pytest.mark.cosim

QUERIES = 7
SMALL = ("rows=2", "columns=4", "value_columns=2", "head_dim=8", f"queries={QUERIES}")
QUICK = ("attention_causal_256", "attention_alibi_softcap", "attention_sigmoid")
LENGTHS = {"attention_document_1024": (1024, 304), "attention_window_1024": (150, 141)}
"""Most keys, and how many are given: enough to cross a document, or to leave sinks behind."""

PRESETS_HELD_UP = [
    pytest.param(name, id=name, marks=() if name in QUICK else pytest.mark.slow)
    for name in PRESETS
    if name.startswith("attention")
]


def check(name, settings, target, folder):
    """Golden bits, with inputs and outputs that stall three cycles in ten."""
    most, keys = LENGTHS.get(name, (13, 13))
    heads = ("heads=1",) if name in LENGTHS else ()
    logic = ["logic_rows=2"] if PRESETS[name].hardware.get("logic_rows") else []
    design = load_design(name, (*SMALL, f"keys={most}", *heads, *logic, *settings))
    write_design(design, folder / "verilog", target=target)
    verilog = folder / "with_cells.v"
    text = (folder / "verilog" / f"{name}.v").read_text()
    verilog.write_text("\n".join([text, *(path.read_text() for path in cell_models(target))]))
    q, k, v = random_operands(design.config, QUERIES, keys)
    golden = attention(design.config.layer, q, k, v)
    trace = simulate(
        design.config, verilog, q, k, v, top=name, folder=folder, stall=0.3, seed=7
    )  # fmt: skip
    np.testing.assert_array_equal(trace.o, golden.o)
    np.testing.assert_array_equal(trace.empty, golden.empty)
    assert golden.o.any()
    return text, golden


@pytest.mark.parametrize("name", PRESETS_HELD_UP)
def test_a_preset_gives_golden_bits_under_back_pressure(name, tmp_path):
    check(name, (), Target.PORTABLE, tmp_path)


@pytest.mark.slow
def test_outputs_of_16_bits(tmp_path):
    settings = ("output_bits=16", "out_scale=1/4096")
    _, golden = check("attention_causal_256", settings, Target.PORTABLE, tmp_path)
    assert np.abs(golden.o).max() > 127


@pytest.mark.slow
def test_rows_of_products_in_logic_beside_those_in_cells(tmp_path):
    text, _ = check("attention_causal_256", ("logic_rows=1",), Target.ECP5, tmp_path / "some")
    whole, _ = check("attention_causal_256", (), Target.ECP5, tmp_path / "none")
    # The cells that are left are fewer, but there are some.
    assert 0 < text.count("MULT18X18D ") < whole.count("MULT18X18D ")
