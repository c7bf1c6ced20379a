"""FFT, its inverse, 2-D mixing and butterfly matrices in float64: what the integers approximate."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bpmm", "factor", "fft", "inverse", "layer", "matrix", "mixing"]

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def fft(x: NDArray[np.complexfloating] | Reals) -> Complexes:
    """The discrete Fourier transform of each vector, (vectors, points)."""
    return np.fft.fft(x, axis=-1)


def inverse(x: NDArray[np.complexfloating] | Reals) -> Complexes:
    """The inverse transform of each vector, (vectors, points), with its 1/points."""
    return np.fft.ifft(x, axis=-1)


def mixing(x: Reals) -> Reals:
    """Re(FFT_N(FFT_D(x))) of a block (N, D), rows first: the token mixing of FNet.

    Source: Lee-Thorp, Ainslie, Eckstein, Ontañón, arXiv 2105.03824, equation 3.
    """
    return np.fft.fft(np.fft.fft(x, axis=1), axis=0).real


def factor(weights: Reals, stride: int) -> Reals:
    """One factor of a butterfly matrix, dense (points, points).

    Parameters
    ----------
    weights
        (points / 2, 2, 2): block b stands in the rows and columns i and i + stride, with
        i = 2·(b − b mod stride) + b mod stride.
    stride
        A power of two below `points`.
    """
    points = 2 * len(weights)
    block = np.arange(points // 2)
    first = 2 * (block - block % stride) + block % stride
    dense = np.zeros((points, points))
    for row in range(2):
        for column in range(2):
            dense[first + row * stride, first + column * stride] = weights[:, row, column]
    return dense


def strides(points: int, order: str) -> list[int]:
    """Strides of the factors in the order in which they are applied."""
    each = [1 << bit for bit in range(points.bit_length() - 1)]
    return each if order == "increasing" else each[::-1]


def matrix(weights: Reals, order: str = "decreasing") -> Reals:
    """A butterfly matrix, dense (points, points), from weights (stages, points / 2, 2, 2).

    The first weights are those of the factor applied first. Source: Dao, Gu, Eichhorn, Rudra, Ré,
    arXiv 1903.05895, definition 2.3; its matrices are the order ``increasing``.
    """
    points = 2 * weights.shape[1]
    product = np.eye(points)
    for stage, stride in enumerate(strides(points, order)):
        product = factor(weights[stage], stride) @ product
    return product


def bpmm(x: Reals, weights: Reals, order: str = "decreasing") -> Reals:
    """Each vector (vectors, points) times the butterfly matrix: y = M x."""
    return x @ matrix(weights, order).T


def layer(x: Reals, weights: Reals, outputs: int, order: str = "decreasing") -> Reals:
    """A rectangular layer of stacked matrices, (vectors, inputs) to (vectors, outputs).

    Parameters
    ----------
    weights
        (stacks, stages, points / 2, 2, 2); inputs are padded with zeros to `points`.
    """
    points = 2 * weights.shape[2]
    padded = np.pad(x, ((0, 0), (0, points - x.shape[1])))
    return np.hstack([bpmm(padded, each, order) for each in weights])[:, :outputs]
