"""The softmax units against the golden model and the cycle model, in Amaranth's simulator."""

import pytest

from hw.softmax.core import Softmax
from sim.cycle.softmax import softmax_cycles
from tests.support.bench import run
from tests.support.configs import SOFTMAX
from tests.support.softmax import golden_transfers, random_rows, row_transfers

LENGTHS = [1, 2, 3, 16, 1, 1, 1, 5, 7, 16, 16, 9, 1, 4, 12, 13]


@pytest.mark.parametrize("name", SOFTMAX)
def test_unit_equals_golden_and_cycle_model(name):
    config = SOFTMAX[name]
    limit = config.numerics.max_length
    rows = random_rows(config, [min(length, limit) for length in LENGTHS * 2], seed=1)
    ran = run(Softmax(config), {"i": row_transfers(config, rows)}, cycles_budget=2000)
    assert ran.outputs["o"] == golden_transfers(config, rows)
    expected = softmax_cycles(config, [len(scores) for scores, _ in rows])
    start = ran.cycles["i"][0]
    assert [c - start for c in ran.cycles["i"]] == list(expected.accepted)
    assert [c - start for c in ran.cycles["o"]] == list(expected.delivered)
