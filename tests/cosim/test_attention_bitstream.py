"""What ships: the bitstream of an attention core, decoded, passes the bench of the emitted text."""

import os
from pathlib import Path

import numpy as np
import pytest

from gen.design import Design, load_design
from sim.bench.attention import AttentionTrace, simulate
from sim.bench.runner import BenchError
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from tests.support.attention import random_operands
from tests.support.decoded import DECODER, MISSING, bitstream_of, decoded, with_wrong_luts

pytestmark = [
    pytest.mark.cosim,
    pytest.mark.netlist,
    pytest.mark.pnr,
    pytest.mark.slow,
    pytest.mark.skipif(DECODER is None and not os.environ.get("CI"), reason=MISSING),
]

QUERIES, KEYS = 3, 5
SETTINGS = [f"queries={QUERIES}", f"keys={KEYS}", "head_dim=4"]
"""Of ``attention_hx8k``: products in logic, and its core leaves room for a quick placement."""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Design, str, Path]:
    design = load_design("attention_hx8k", SETTINGS)
    folder = tmp_path_factory.mktemp("bitstream")
    bitstream, pins = bitstream_of(design, folder / "build")
    return design, decoded(bitstream, pins, top=design.name, folder=folder / "back"), folder


def run(design: Design, verilog: str, folder: Path, stall: float) -> AttentionTrace:
    folder.mkdir()
    source = folder / "decoded.v"
    source.write_text(verilog)
    q, k, v = random_operands(design.config, QUERIES, KEYS)
    return simulate(design.config, source, q, k, v, top=design.name, folder=folder, stall=stall)


def is_golden(design: Design, trace: AttentionTrace) -> bool:
    q, k, v = random_operands(design.config, QUERIES, KEYS)
    golden = attention(design.config.layer, q, k, v)
    assert golden.o.any()
    return np.array_equal(trace.o, golden.o) and np.array_equal(trace.empty, golden.empty)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_an_attention_core_has_golden_bits_and_the_models_cycles(shipped, stall: float):
    design, verilog, folder = shipped
    trace = run(design, verilog, folder / f"{stall}", stall)
    assert is_golden(design, trace)
    if stall == 0:
        assert trace.total == head_cycles(design.config, QUERIES, KEYS, [None]).total


def test_a_few_wrong_look_up_tables_are_noticed(shipped):
    """Negative control."""
    design, verilog, folder = shipped
    wrong = with_wrong_luts(verilog)
    assert wrong != verilog
    try:
        trace = run(design, wrong, folder / "wrong", 0.0)
    except (AssertionError, BenchError):
        return
    assert not is_golden(design, trace)
