"""The units of the 16-bit exact method against the golden model's functions, cycle by cycle."""

import numpy as np
import pytest

from hw.softmax.exact_wide import ExactWideElement, ExactWideFactor
from sim.golden.softmax import _exact_wide_element, _exact_wide_factor
from spec import Softmax
from spec.softmax import ExactWideNumerics
from tests.support.fixed import delays, per_cycle


def numerics(**fields: int) -> ExactWideNumerics:
    n = Softmax("exact", output_bits=16, **fields).numerics
    assert isinstance(n, ExactWideNumerics)
    return n


@pytest.mark.parametrize(
    ("score_bits", "score_frac"), [(8, 0), (10, 4), (12, 11), (16, 8), (16, 15)]
)
def test_element_of_many_distances(score_bits, score_frac):
    n = numerics(score_bits=score_bits, score_frac=score_frac)
    rng = np.random.default_rng(1)
    ends = np.concatenate([np.arange(200), (1 << score_bits) - 1 - np.arange(50)])
    distance = rng.permutation(np.concatenate([rng.integers(0, 1 << score_bits, 600), ends]))
    visible = rng.random(len(distance)) < 0.9
    weight, addend = _exact_wide_element(n, distance)
    inputs = per_cycle(distance=distance, visible=visible)
    outputs = per_cycle(weight=weight * visible, addend=addend * visible)
    assert delays(ExactWideElement(n), inputs, outputs) == [ExactWideElement.latency_of(n)]


@pytest.mark.parametrize("max_length", [1, 2, 100, 4096])
def test_factor_of_sums_of_every_size(max_length):
    n = numerics(max_length=max_length)
    rng = np.random.default_rng(2)
    low, high = 1 << n.sum_weight_bits - 1, ((1 << n.sum_weight_bits) - 1) * max_length
    some = np.exp(rng.uniform(np.log(low), np.log(high), 900)).astype(np.int64)
    edges = np.array([low << k for k in range(n.max_exponent + 1) if low << k <= high])
    total = np.concatenate([np.clip(some, low, high), edges, edges[1:] - 1, [high]])
    inputs, outputs = per_cycle(total=total), per_cycle(factor=_exact_wide_factor(n, total))
    assert delays(ExactWideFactor(n), inputs, outputs) == [ExactWideFactor.latency_of(n)]
