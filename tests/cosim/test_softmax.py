"""Emitted Verilog in Icarus under back-pressure: bits of the golden model, cycles of the model."""

import re

import numpy as np
import pytest

from gen.design import Design, load_design
from gen.presets.softmax import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.runner import BenchError
from sim.bench.softmax import simulate
from sim.cycle.softmax import softmax_cycles
from sim.golden.softmax import softmax
from tests.support.softmax import random_rows

pytestmark = pytest.mark.cosim

LENGTHS = [1, 2, 3, 64, 5, 1, 1, 1, 7, 64, 33, 4, 12]
STALLS = (0.0, 0.3, 0.8)


def shortened(name: str) -> Design:
    return load_design(name, ["max_length=64"])


@pytest.fixture(scope="module", params=PRESETS)
def built(request, tmp_path_factory):
    design = shortened(request.param)
    folder = tmp_path_factory.mktemp(design.name)
    write_design(design, folder / "v", target=Target.PORTABLE)
    return design, folder


@pytest.mark.parametrize("stall", STALLS)
def test_verilog_equals_golden_under_back_pressure(built, stall):
    design, folder = built
    rows = random_rows(design.config, LENGTHS, seed=round(10 * stall))
    scores, visible = [row[0] for row in rows], [row[1] for row in rows]
    trace = simulate(
        design.config, folder / "v" / f"{design.name}.v", scores, visible,
        top=design.name, folder=folder / f"{stall}", stall=stall,
    )  # fmt: skip
    for got, empty, s, seen in zip(trace.p, trace.empty, scores, visible, strict=True):
        expected = softmax(design.description.numerics, s[None], seen[None])
        assert np.array_equal(got, expected.p[0])
        assert empty == expected.empty[0]
    assert not any(trace.refused)
    if stall == 0:
        cycles = softmax_cycles(design.config, [len(s) for s in scores])
        assert trace.accepted == list(cycles.accepted)
        assert trace.delivered == list(cycles.delivered)


def test_a_row_over_the_maximum_is_refused_and_the_next_is_right(built):
    design, folder = built
    rows = random_rows(design.config, [9, 200, 17], seed=5)
    scores, visible = [row[0] for row in rows], [row[1] for row in rows]
    trace = simulate(
        design.config, folder / "v" / f"{design.name}.v", scores, visible,
        top=design.name, folder=folder / "refused", stall=0.2,
    )  # fmt: skip
    assert trace.refused == [False, True, False]
    assert len(trace.p[1]) == 64
    assert not trace.p[1].any()
    for row in (0, 2):
        expected = softmax(design.description.numerics, scores[row][None], visible[row][None])
        assert np.array_equal(trace.p[row], expected.p[0])


def test_the_bench_notices_a_fault(built):
    """Negative control: the same bench on Verilog with wrong tables must not agree."""
    design, folder = built
    text = (folder / "v" / f"{design.name}.v").read_text()
    wrong = re.sub(r"(words\[\d+\] = )", r"\1~", text)
    assert wrong != text
    source = folder / "wrong.v"
    source.write_text(wrong)
    rows = random_rows(design.config, [64] * 12, seed=7)
    scores = [row[0] // 4 for row in rows]
    visible = [np.ones(64, bool) for _ in rows]
    try:
        trace = simulate(
            design.config, source, scores, visible, top=design.name, folder=folder / "wrong"
        )
    except (AssertionError, BenchError):
        return
    expected = softmax(design.description.numerics, np.stack(scores), np.stack(visible))
    assert not np.array_equal(np.stack(trace.p), expected.p)
