"""What ships: a bitstream, decoded to Verilog again, passes the bench of the emitted text."""

import re
from pathlib import Path

import numpy as np
import pytest

from gen.design import Design
from sim.bench import softmax as softmax_bench
from sim.bench.runner import BenchError
from sim.cycle.softmax import softmax_cycles
from sim.golden.softmax import softmax
from tests.support.decoded import Shipped, needs_decoder, shipped
from tests.support.softmax import random_rows

pytestmark = [
    pytest.mark.cosim,
    pytest.mark.netlist,
    pytest.mark.pnr,
    needs_decoder,
]

LENGTHS = [1, 16, 5, 16, 3]


@pytest.fixture(scope="module")
def of_softmax(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    return shipped("softmax_ice40", ["max_length=16"], tmp_path_factory.mktemp("bitstream"))


def run(design: Design, source: Path, stall: float) -> softmax_bench.SoftmaxTrace:
    rows = random_rows(design.config, LENGTHS, seed=3)
    return softmax_bench.simulate(
        design.config, source, [row[0] for row in rows], [row[1] for row in rows],
        top=design.name, folder=source.parent, stall=stall,
    )  # fmt: skip


def is_golden(design: Design, trace: softmax_bench.SoftmaxTrace) -> bool:
    rows = random_rows(design.config, LENGTHS, seed=3)
    golden = [softmax(design.description.numerics, s[None], seen[None]) for s, seen in rows]
    return all(
        np.array_equal(p, expected.p[0]) and empty == expected.empty[0]
        for p, empty, expected in zip(trace.p, trace.empty, golden, strict=True)
    )


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_a_softmax_has_golden_bits_and_the_models_cycles(of_softmax: Shipped, stall: float):
    design = of_softmax.design
    trace = run(design, of_softmax.source(f"{stall}"), stall)
    assert is_golden(design, trace)
    if stall == 0:
        cycles = softmax_cycles(design.config, LENGTHS)
        assert trace.accepted == list(cycles.accepted)
        assert trace.delivered == list(cycles.delivered)


def test_other_bits_in_the_memories_are_noticed(of_softmax: Shipped):
    """Negative control: the same chip with its memories' contents inverted."""
    design, verilog, _ = of_softmax

    def inverted(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2], 16) ^ (1 << 256) - 1:064x}"

    wrong = re.sub(r"(\.INIT_[0-9A-F]\(256'h)([0-9a-fA-F]+)", inverted, verilog)
    assert wrong != verilog
    try:
        trace = run(design, of_softmax.source("wrong", wrong), 0.0)
    except (AssertionError, BenchError):
        return
    assert not is_golden(design, trace)
