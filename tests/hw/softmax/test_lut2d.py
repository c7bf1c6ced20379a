"""The units of the two-dimensional-table method against the golden model's functions."""

import numpy as np
import pytest

from hw.softmax.lut2d import Lut2dElement, Lut2dFactor, Lut2dScale
from sim.golden.softmax import _lut2d_element, _lut2d_factor
from spec import Softmax
from spec.softmax import Lut2dNumerics
from spec.softmax.lut2d import QUOTIENT_ROWS
from tests.support.fixed import delays, per_cycle

WIDTHS = [2, 4, 8, 16]


def numerics(**fields: int) -> Lut2dNumerics:
    n = Softmax("lut2d", **fields).numerics
    assert isinstance(n, Lut2dNumerics)
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
    weight, addend = _lut2d_element(n, distance)
    inputs = per_cycle(distance=distance, visible=visible)
    outputs = per_cycle(weight=weight * visible, addend=addend * visible)
    assert delays(Lut2dElement(n), inputs, outputs) == [Lut2dElement.latency_of(n)]


@pytest.mark.parametrize("max_length", [2, 16, 4096])
@pytest.mark.parametrize("output_bits", WIDTHS)
def test_factor_of_sums_around_every_half(output_bits, max_length):
    n = numerics(output_bits=output_bits, max_length=max_length)
    highest = n.full_scale * max_length
    halves = n.full_scale * np.arange(0, min(max_length, 2 * n.sums)) + n.full_scale // 2
    near = (halves[:, None] + np.arange(-2, 3)).ravel()
    some = np.random.default_rng(4).integers(0, highest + 1, 200)
    total = np.concatenate([near, some, [0, highest]])
    total = shuffled(total[(total >= 0) & (total <= highest)])
    outputs = per_cycle(factor=_lut2d_factor(n, total))
    assert delays(Lut2dFactor(n), per_cycle(total=total), outputs) == [Lut2dFactor.latency_of(n)]


@pytest.mark.parametrize("output_bits", WIDTHS)
def test_scale_of_every_row_and_column(output_bits):
    n = numerics(output_bits=output_bits)
    order = shuffled(np.arange(QUOTIENT_ROWS * n.sums))
    weight, aligned = order // n.sums, order % n.sums
    # The table's own equation, in integers: round half up of one (i / 10) / j.
    double = 2 * n.full_scale * weight
    p = (double + 10 * (aligned + 1)) // (20 * (aligned + 1))
    inputs, outputs = per_cycle(weight=weight, aligned=aligned), per_cycle(p=p)
    assert delays(Lut2dScale(n), inputs, outputs) == [Lut2dScale.latency_of(n)]
