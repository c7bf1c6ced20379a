"""What ships: the bitstream of an attention core, decoded, passes the bench of the emitted text."""

from pathlib import Path

import numpy as np
import pytest

from gen.design import Design
from sim.bench.attention import AttentionTrace, simulate
from sim.bench.runner import BenchError
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from tests.support.attention import random_operands
from tests.support.decoded import Shipped, needs_decoder, shipped, with_wrong_luts

pytestmark = [
    pytest.mark.cosim,
    pytest.mark.netlist,
    pytest.mark.pnr,
    pytest.mark.slow,
    needs_decoder,
]

QUERIES, KEYS = 3, 5
SETTINGS = [f"queries={QUERIES}", f"keys={KEYS}", "head_dim=4"]
"""Of ``attention_hx8k``: products in logic, and its core leaves room for a quick placement."""


@pytest.fixture(scope="module")
def of_attention(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    return shipped("attention_hx8k", SETTINGS, tmp_path_factory.mktemp("bitstream"))


def run(design: Design, source: Path, stall: float) -> AttentionTrace:
    q, k, v = random_operands(design.config, QUERIES, KEYS)
    return simulate(
        design.config, source, q, k, v, top=design.name, folder=source.parent, stall=stall
    )


def is_golden(design: Design, trace: AttentionTrace) -> bool:
    q, k, v = random_operands(design.config, QUERIES, KEYS)
    golden = attention(design.config.layer, q, k, v)
    assert golden.o.any()
    return np.array_equal(trace.o, golden.o) and np.array_equal(trace.empty, golden.empty)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_an_attention_core_has_golden_bits_and_the_models_cycles(
    of_attention: Shipped, stall: float
):
    design = of_attention.design
    trace = run(design, of_attention.source(f"{stall}"), stall)
    assert is_golden(design, trace)
    if stall == 0:
        assert trace.total == head_cycles(design.config, QUERIES, KEYS, [None]).total


def test_a_few_wrong_look_up_tables_are_noticed(of_attention: Shipped):
    """Negative control."""
    design, verilog, _ = of_attention
    wrong = with_wrong_luts(verilog)
    assert wrong != verilog
    try:
        trace = run(design, of_attention.source("wrong", wrong), 0.0)
    except (AssertionError, BenchError):
        return
    assert not is_golden(design, trace)
