"""Fitted butterfly matrices: what is one is found exactly, and the cosine transform is two."""

import numpy as np
import pytest
from scipy.fft import dct

from examples.support.chained import run_chained
from examples.support.factors import (
    Factored,
    cosines,
    low_rank,
    one_matrix,
    refined,
    squared_error,
    two_matrices,
)
from sim.reference import butterfly as reference
from spec import Butterfly

SIZES = (8, 16, 32)


def some(shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def rotations(points, seed):
    """Weights of a butterfly matrix that turns every pair by some angle."""
    angle = np.random.default_rng(seed).uniform(-4, 4, (points.bit_length() - 1, points // 2))
    return np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1).reshape(
        *angle.shape, 2, 2
    )


@pytest.mark.parametrize("points", SIZES)
def test_weights_mean_what_they_mean_to_the_core(points):
    shape = (points.bit_length() - 1, points // 2, 2, 2)
    fit = Factored(("decreasing", "increasing"), (some(shape), some(shape, 2)), 0.5)
    want = reference.matrix(fit.weights[1], "increasing") @ reference.matrix(fit.weights[0])
    np.testing.assert_allclose(fit.dense(points, points), 0.5 * want, atol=1e-9)
    np.testing.assert_allclose(fit.dense(5, 3), 0.5 * want[:5, :3], atol=1e-9)
    assert fit.size == 2 * np.prod(shape)


@pytest.mark.parametrize("points", SIZES)
def test_a_butterfly_matrix_is_found_by_the_closed_form(points):
    matrix = reference.matrix(some((points.bit_length() - 1, points // 2, 2, 2)))
    assert one_matrix(matrix).error(matrix) < 1e-12


@pytest.mark.parametrize("points", SIZES)
def test_two_matrices_of_rotations_are_found_by_the_closed_form(points):
    first, second = rotations(points, 1), rotations(points, 2)
    matrix = 3 * reference.matrix(second, "increasing") @ reference.matrix(first)
    assert two_matrices(matrix).error(matrix) < 1e-12
    assert one_matrix(matrix).error(matrix) > 0.2


@pytest.mark.parametrize("points", [8, 64, 128])
def test_the_cosine_transform_is_two_butterfly_matrices(points):
    matrix, inputs, outputs = cosines(points)
    x, placed = some((3, points)), np.empty((3, points))
    placed[:, inputs] = x
    want = np.asarray(dct(x, norm="ortho"))
    np.testing.assert_allclose((placed @ matrix.T)[:, outputs], want, atol=1e-12)
    assert two_matrices(matrix).error(matrix) < 1e-12
    assert one_matrix(matrix).error(matrix) > 0.25


@pytest.mark.parametrize("fitted", [one_matrix, two_matrices])
def test_gradient_steps_bring_a_rectangle_nearer(fitted):
    matrix = some((11, 14))
    closed = fitted(matrix)
    assert (closed.points, closed.dense(11, 14).shape) == (16, (11, 14))
    few, more = refined(closed, matrix, 10), refined(closed, matrix, 40)
    assert closed.error(matrix) > few.error(matrix) > more.error(matrix)


def test_slopes_are_those_of_the_error():
    matrix = some((11, 14))
    fit = two_matrices(matrix)
    off, slopes = squared_error(fit, matrix)
    assert off == pytest.approx(fit.error(matrix) ** 2)
    flat, shape = np.stack(fit.weights).ravel(), fit.weights[0].shape

    def error_at(at, by):
        moved = flat.copy()
        moved[at] += by
        return Factored(fit.orders, tuple(moved.reshape(-1, *shape)), fit.scale).error(matrix) ** 2

    for at in np.random.default_rng(3).integers(0, flat.size, 30):
        # The error is a parabola in any one weight, so this is exact.
        slope = (error_at(at, 0.5) - error_at(at, -0.5)) / 1.0
        assert slopes.ravel()[at] == pytest.approx(slope, abs=1e-9)


def test_no_product_of_two_matrices_is_nearer_than_low_rank_says():
    matrix = some((20, 3)) @ some((3, 12), 2)
    assert low_rank(matrix, 3 * 32 + 31) == (3, pytest.approx(0, abs=1e-12))
    rank, error = low_rank(matrix, 2 * 32)
    u, s, v = np.linalg.svd(matrix)
    nearest = (u[:, :2] * s[:2]) @ v[:2]
    assert rank == 2
    assert error == pytest.approx(np.linalg.norm(matrix - nearest) / np.linalg.norm(matrix))


def test_integers_fill_their_range_and_lose_their_last_bit_only():
    matrix, butterfly = some((13, 16)), Butterfly("bpmm", points=16)
    fit = two_matrices(matrix)
    integers = fit.quantised(butterfly)
    for weights in integers.weights:
        assert weights.dtype == np.int32
        assert (np.abs(weights).max(axis=(1, 2, 3)) == butterfly.weight_max).all()
    off = np.abs(integers.dense(13, 16) - fit.dense(13, 16)).max()
    assert 0 < off < 1e-4 * np.abs(matrix).max()


def test_cores_one_after_the_other_give_the_product():
    matrix = some((13, 10))
    fit = two_matrices(matrix).quantised(Butterfly("bpmm"))
    x = np.random.default_rng(5).integers(-32767, 32768, (6, 10)).astype(np.int16)
    y = run_chained(fit, x, 13, "golden").y * fit.scale
    exact = fit.apply(x.T)[:13].T
    assert y.shape == (6, 13)
    assert np.abs(y - exact).max() < 1e-3 * np.abs(exact).max()
