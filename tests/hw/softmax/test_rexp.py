"""The units of the reciprocal-exponential method against the golden model's functions."""

import numpy as np
import pytest

from hw.softmax.rexp import RexpElement, RexpFactor, RexpScale
from sim.golden.softmax import _rexp_element, _rexp_factor
from spec import Softmax
from spec.softmax import RexpNumerics
from tests.support.fixed import delays, per_cycle

WIDTHS = [2, 4, 8, 16]


def numerics(**fields: int) -> RexpNumerics:
    n = Softmax("rexp", **fields).numerics
    assert isinstance(n, RexpNumerics)
    return n


def shuffled(values, seed=1):
    return np.random.default_rng(seed).permutation(values)


@pytest.mark.parametrize(
    ("output_bits", "score_bits", "score_frac"),
    [(8, 12, 7), (8, 8, 0), *((width, 9, frac) for width in WIDTHS for frac in (3, 8))],
)
def test_element_of_every_distance(output_bits, score_bits, score_frac):
    n = numerics(output_bits=output_bits, score_bits=score_bits, score_frac=score_frac)
    distance = shuffled(np.arange(1 << score_bits))
    visible = shuffled(np.arange(len(distance)) % 8 != 0)
    weight, addend = _rexp_element(n, distance)
    inputs = per_cycle(distance=distance, visible=visible)
    outputs = per_cycle(weight=weight * visible, addend=addend * visible)
    assert delays(RexpElement(n), inputs, outputs) == [RexpElement.latency_of(n)]


@pytest.mark.parametrize("alpha_entries", [16, 256, 320, 512])
@pytest.mark.parametrize(("output_bits", "max_length"), [(2, 16), (4, 4096), (8, 1024), (16, 600)])
def test_factor_of_sums_around_every_half(output_bits, max_length, alpha_entries):
    n = numerics(output_bits=output_bits, max_length=max_length, alpha_entries=alpha_entries)
    highest = n.full_scale * max_length
    halves = n.full_scale * np.arange(0, min(max_length, alpha_entries + 2)) + n.full_scale // 2
    near = (halves[:, None] + np.arange(2)).ravel()
    some = np.random.default_rng(4).integers(0, highest + 1, 200)
    total = shuffled(np.concatenate([near, some, [0, highest]]))
    outputs = per_cycle(factor=_rexp_factor(n, total))
    assert delays(RexpFactor(n), per_cycle(total=total), outputs) == [RexpFactor.latency_of(n)]


@pytest.mark.parametrize("output_bits", WIDTHS)
def test_scale_is_the_product_over_one_rounded_to_nearest(output_bits):
    n = numerics(output_bits=output_bits)
    one = n.full_scale
    few = np.array(sorted({0, 1, one // 2, one - 1, one}))
    every = np.arange(one + 1) if one < 256 else np.random.default_rng(5).integers(0, one, 600)
    other = every if one < 16 else few
    weight, aligned = (each.ravel() for each in np.meshgrid(np.union1d(every, few), other))
    order = shuffled(np.arange(weight.size))
    weight, aligned = weight[order], aligned[order]
    p = (2 * weight * aligned + one) // (2 * one)
    inputs, outputs = per_cycle(weight=weight, aligned=aligned), per_cycle(p=p)
    assert delays(RexpScale(n), inputs, outputs) == [RexpScale.latency_of(n)]
