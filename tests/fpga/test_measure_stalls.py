"""The three pipelines of the trial do the same work, or the trial would compare nothing."""

import random

import pytest

from scripts.measure_stalls import DISCIPLINES, step_of_integer
from tests.support.netlist import run_amaranth


@pytest.mark.parametrize("discipline", DISCIPLINES.values())
@pytest.mark.parametrize("stages, width", [(1, 16), (4, 64), (8, 64)])
@pytest.mark.parametrize("busy", [0.3, 0.8, 1.0])
def test_every_word_comes_out_once_and_in_order(discipline, stages: int, width: int, busy: float):
    rng = random.Random(stages)
    stimulus = [
        {
            "i__valid": int(rng.random() < busy),
            "i__payload": rng.getrandbits(width),
            "o__ready": int(rng.random() < busy),
        }
        for _ in range(300)
    ]
    stimulus += [{"i__valid": 0, "o__ready": 1}] * (2 * stages + 4)
    trace = run_amaranth(discipline(stages, width), stimulus)
    sent, received = [], []
    for inputs, outputs in zip(stimulus, trace, strict=True):
        if inputs["i__valid"] and outputs["i__ready"]:
            word = inputs["i__payload"]
            for _ in range(stages):
                word = step_of_integer(word, width)
            sent.append(word)
        if outputs["o__valid"] and inputs["o__ready"]:
            received.append(outputs["o__payload"])
    assert received == sent
    if busy == 1.0:
        assert len(sent) == 300  # an interval of 1 when nothing stalls
