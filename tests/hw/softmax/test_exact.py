"""The units of the exact method against the golden model's functions, cycle by cycle."""

import numpy as np
import pytest

from hw.softmax.exact import ExactAlign, ExactElement, ExactFactor, ExactScale
from sim.golden.softmax import _exact_element, _exact_factor, _exact_scale
from spec import Softmax
from spec.softmax import ExactNumerics
from tests.support.fixed import delays, per_cycle


def numerics(**fields: int) -> ExactNumerics:
    n = Softmax("exact", **fields).numerics
    assert isinstance(n, ExactNumerics)
    return n


def shuffled(values, seed=1):
    return np.random.default_rng(seed).permutation(values)


def distances(n):
    """All of them where they are few; else the nearest, the farthest and some between."""
    if n.score_bits <= 12:
        return shuffled(np.arange(1 << n.score_bits))
    some = np.random.default_rng(2).integers(0, 1 << n.score_bits, 500)
    ends = np.concatenate([np.arange(200), (1 << n.score_bits) - 1 - np.arange(100)])
    return shuffled(np.concatenate([some, ends]))


FORMATS = [
    {"score_bits": 8, "score_frac": 0},
    {"score_bits": 8, "score_frac": 7},
    {"score_bits": 9, "score_frac": 3, "weight_bits": 16},
    {"score_bits": 11, "score_frac": 10, "weight_bits": 11},
    {"score_bits": 12, "score_frac": 6},
    {"score_bits": 16, "score_frac": 0},
    {"score_bits": 16, "score_frac": 8},
    {"score_bits": 16, "score_frac": 15},
]


@pytest.mark.parametrize("fields", FORMATS, ids=str)
def test_element_of_every_distance(fields):
    n = numerics(**fields)
    distance = distances(n)
    visible = shuffled(np.arange(len(distance)) % 8 != 0)
    weight, addend = _exact_element(n, distance)
    inputs = per_cycle(distance=distance, visible=visible)
    outputs = per_cycle(weight=weight * visible, addend=addend * visible)
    assert delays(ExactElement(n), inputs, outputs) == [ExactElement.latency_of(n)]


def sums(n):
    """Both ends of every interval with a factor of its own, and some sums between."""
    lowest, highest = 1 << n.sum_weight_bits - 1, ((1 << n.sum_weight_bits) - 1) * n.max_length
    starts = []
    for exponent in range(n.max_exponent + 1):
        step = (lowest << exponent) >> n.reciprocal_index_bits
        starts.append((lowest << exponent) + step * np.arange(0, 1 << n.reciprocal_index_bits, 5))
    start = np.concatenate(starts)
    some = np.random.default_rng(3).integers(lowest, highest, 500)
    total = np.concatenate([start, start[1:] - 1, start + 1, some, [highest]])
    return shuffled(total[total <= highest])


@pytest.mark.parametrize("max_length", [1, 2, 3, 13, 64, 1000, 4096])
def test_factor_of_sums_at_both_ends_of_every_interval(max_length):
    n = numerics(max_length=max_length)
    total = sums(n)
    outputs = per_cycle(factor=_exact_factor(n, total))
    latency = ExactFactor.latency_of(n)
    assert delays(ExactFactor(n), per_cycle(total=total), outputs) == [latency]


@pytest.mark.parametrize("max_length", [1, 2, 64, 4096])
def test_align_of_every_factor(max_length):
    n = numerics(max_length=max_length)
    entry, k = np.meshgrid(sorted(set(n.reciprocal.entries)), np.arange(n.max_exponent + 1))
    order = shuffled(np.arange(entry.size))
    entry, k = entry.ravel()[order], k.ravel()[order]
    inputs = per_cycle(factor=entry | k << n.reciprocal_bits)
    outputs = per_cycle(aligned=(entry << n.aligned_bits - n.reciprocal_bits) >> k)
    assert delays(ExactAlign(n), inputs, outputs) == [ExactAlign.latency_of(n)]


@pytest.mark.parametrize("weight_bits", [11, 12, 16])
def test_scale_of_weights_by_the_factors_of_sums_that_hold_them(weight_bits):
    n = numerics(weight_bits=weight_bits, max_length=64)
    (heaviest,), (one,) = _exact_element(n, np.array([0]))
    every = np.append(np.arange(0, heaviest, max(1, heaviest >> 8)), heaviest)
    total = np.repeat([one, one + 1, 2 * one - 1, 3 * one, 64 * one], len(every))
    weight = np.tile(every, 5)
    order = shuffled(np.arange(len(weight)))
    weight, row = weight[order], _exact_factor(n, total)[order]
    entry, k = row & ((1 << n.reciprocal_bits) - 1), row >> n.reciprocal_bits
    aligned = (entry << n.aligned_bits - n.reciprocal_bits) >> k
    p = _exact_scale(n, weight, row)
    assert p.max() == n.full_scale
    inputs, outputs = per_cycle(weight=weight, aligned=aligned), per_cycle(p=p)
    assert delays(ExactScale(n), inputs, outputs) == [ExactScale.latency_of(n)]


def test_a_lone_maximum_is_full_scale():
    n = numerics(max_length=1)
    weight, addend = _exact_element(n, np.array([0]))
    assert _exact_scale(n, weight, _exact_factor(n, addend)).tolist() == [n.full_scale]
