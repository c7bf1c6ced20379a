"""Units of the row operations against the golden model's functions, cycle by cycle."""

import numpy as np
import pytest

from hw.attention.row_ops import ExprElement, RoundedElement, SumFactor
from sim.golden import softmax as softmax_rows
from sim.golden.attention import row_factors, weigh
from spec.rows import MANTISSA_BITS, ElementRow, ExactRow, TableRow
from tests.support.fixed import delays, per_cycle
from tests.support.row_operations import OPERATIONS, operation_of

EXACT = [name for name in OPERATIONS if name.startswith("exact")]
SUMMED = [*EXACT, "retention_16", "retention_18_ratio"]
TABLES = [name for name in OPERATIONS if name.startswith(("lut2d", "rexp"))]
ELEMENTS = [name for name in OPERATIONS if name.startswith(("sigmoid", "relu", "retention"))]


@pytest.mark.parametrize("name", EXACT)
def test_rounded_element_of_many_distances(name):
    operation = operation_of(name, keys=64)
    assert isinstance(operation, ExactRow)
    rng = np.random.default_rng(1)
    bits = operation.context.score.width
    top = (1 << bits) - 2
    near = np.abs(rng.normal(0, 8 << operation.context.score.frac, 500)).astype(np.int64)
    distance = np.concatenate([np.arange(300), np.minimum(near, top), top - np.arange(20)])
    # A row's first score is its maximum.
    score = (1 << bits - 1) - 1 - distance
    weight, _ = weigh(operation, score[None, :])
    visible = np.arange(len(distance)) % 7 != 3
    inputs = per_cycle(distance=distance, visible=visible)
    seen = weight[0] * visible
    outputs = per_cycle(weight=seen, addend=seen)
    assert weight[0, 0] >= (1 << operation.weight_bits) - 2
    unit = RoundedElement(operation)
    assert delays(unit, inputs, outputs) == [RoundedElement.latency_of(operation)]


@pytest.mark.parametrize("name", ELEMENTS)
def test_expression_of_many_scores(name):
    operation = operation_of(name, keys=64)
    assert isinstance(operation, ElementRow)
    rng = np.random.default_rng(2)
    low, high = operation.context.score.min, operation.context.score.max
    near = np.round(rng.normal(0, 4 << operation.context.score.frac, 600)).astype(np.int64)
    ends = np.concatenate([high - np.arange(50), low + np.arange(50), np.arange(-50, 50)])
    score = rng.permutation(np.concatenate([np.clip(near, low, high), ends]))
    weight, _ = weigh(operation, score[None, :])
    outputs = {"weight": weight[0]}
    outputs["addend"] = np.abs(weight[0]) if operation.absolute else np.zeros_like(score)
    inputs = per_cycle(score=score, visible=score > low)
    assert delays(ExprElement(operation), inputs, per_cycle(**outputs)) == [
        ExprElement.latency_of(operation)
    ]


@pytest.mark.parametrize("keys", [2, 100, 4096])
@pytest.mark.parametrize("name", SUMMED)
def test_factor_of_sums_of_every_size(name, keys):
    operation = operation_of(name, keys)
    assert not isinstance(operation, TableRow)
    rng = np.random.default_rng(3)
    # One less than 2^prob_bits is the greatest weight, two less where it is not rounded up.
    low = 0 if name.startswith("retention") else (1 << operation.weight_bits) - 2
    high = ((1 << operation.weight_bits) - 1) * keys
    some = np.exp(rng.uniform(np.log(low + 1), np.log(high), 500)).astype(np.int64)
    edges = np.array([1 << k for k in range(operation.sum_bits)])
    total = np.clip(np.concatenate([some, edges, edges - 1, [low, high]]), low, high)
    mantissa, exponent = row_factors(operation, total)
    outputs = per_cycle(factor=mantissa | exponent << MANTISSA_BITS)
    assert delays(SumFactor(operation), per_cycle(total=total), outputs) == [
        SumFactor.latency_of(operation)
    ]


@pytest.mark.parametrize("name", TABLES)
def test_a_weight_of_0_has_the_probability_0(name):
    operation = operation_of(name, keys=4096)
    assert isinstance(operation, TableRow)
    n = operation.numerics
    factors = np.unique(softmax_rows.factors(n, np.arange(0, n.max_sum + 1, n.full_scale // 2)))
    assert len(factors) > 10
    assert not softmax_rows.normalise(n, np.zeros((len(factors), 1), np.int64), factors).any()
