"""Butterfly matrices fitted to a dense one by least squares: closed forms first, gradients then.

One matrix. Of a butterfly matrix with strides N/2 … 1, the upper half of the rows shows columns j
and j + N/2 as multiples of one vector, and so does the lower half. The nearest such matrix is known
in closed form, a singular value decomposition of each two columns, and what is left of them is two
matrices of half the size: go on with those. Source: Le, Zheng, Riccietti, Gribonval, "Fast learning
of fast transforms, with guarantees", ICASSP 2022.

Two matrices. In U · (A ⊕ D) · V, V turns the words j and j + N/2 by an angle each before, U after
them, and A and D do the halves by themselves. So strides go down to 1 and up again: a matrix of
decreasing strides, then one of increasing ones. U and V turn each 2 × 2 matrix of entries (i, j),
(i, j + N/2), (i + N/2, j), (i + N/2, j + N/2) into a diagonal one, as well as they can: an angle
that is best for all given ones of the other side is an eigenvector of 2 × 2 numbers, so the sides
take turns. They begin with angles that are right if any are: sum and difference of a row's and a
column's angle are phases of the 2 × 2 matrix, in all together a complex matrix of rank one.

What a level leaves out is the error, since rotations keep lengths: nothing is lost twice.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sim.reference.butterfly import strides
from spec import Butterfly

__all__ = [
    "Factored",
    "Reals",
    "cosines",
    "low_rank",
    "one_matrix",
    "refined",
    "squared_error",
    "two_matrices",
]

Reals = NDArray[np.float64]

TURNS = 100
"""Times that either side takes its turn, at most."""

QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


@dataclass(frozen=True)
class Factored:
    """A product of butterfly matrices: ``scale · M_last … M_first``.

    Parameters
    ----------
    orders
        Of the strides of each matrix, the one that is applied first first.
    weights
        (stages, points / 2, 2, 2) each, as `sim.golden.butterfly` takes them.
    scale
        A number for all.
    frac
        Bits of weights after the point, where they are integers.
    """

    orders: tuple[str, ...]
    weights: tuple[NDArray[Any], ...]
    scale: float = 1.0
    frac: int = 0

    @property
    def points(self) -> int:
        """Size of the matrices."""
        return 2 * self.weights[0].shape[1]

    @property
    def size(self) -> int:
        """Weights of all matrices."""
        return sum(weights.size for weights in self.weights)

    @property
    def factors(self) -> list[tuple[int, Reals]]:
        """Stride and real weights of each factor, the one that is applied first first."""
        each = zip(self.orders, self.weights, strict=True)
        return [
            factor
            for order, weights in each
            for factor in zip(strides(self.points, order), weights * 2.0**-self.frac, strict=True)
        ]

    def apply(self, x: NDArray[Any]) -> Reals:
        """The product with x (at most points, columns)."""
        x = np.pad(x.astype(np.float64), ((0, self.points - len(x)), (0, 0)))
        for stride, weights in self.factors:
            x = _apply(weights, stride, x)
        return self.scale * x

    def dense(self, rows: int, columns: int) -> Reals:
        """The first rows and columns of the matrix that it is."""
        return self.apply(np.eye(columns))[:rows]

    def error(self, matrix: Reals) -> float:
        """Norm of the difference from `matrix`, which may be smaller, by that of `matrix`."""
        return float(np.linalg.norm(self.dense(*matrix.shape) - matrix) / np.linalg.norm(matrix))

    def quantised(self, butterfly: Butterfly) -> "Factored":
        """The same in the integers of a core, each factor as large as they allow."""
        most = butterfly.weight_max
        tops = [np.abs(weights).max(axis=(1, 2, 3), keepdims=True) for weights in self.weights]
        return replace(
            self,
            weights=tuple(
                np.rint(weights / top * most).astype(np.int32)
                for weights, top in zip(self.weights, tops, strict=True)
            ),
            scale=self.scale
            * float(np.prod([top / most * 2**butterfly.coefficient_frac for top in tops])),
            frac=butterfly.coefficient_frac,
        )


def one_matrix(matrix: Reals) -> Factored:
    """The butterfly matrix of decreasing strides that the closed form gives for `matrix`.

    Parameters
    ----------
    matrix
        (rows, columns), each at most the power of two that it is filled up to with zeros.
    """
    blocks, scale = _filled(matrix)
    points = blocks.shape[1]
    weights = []
    while blocks.shape[2] > 1:
        count, rows, columns = blocks.shape
        # (block, half of the rows, column j or j + half, row)
        pieces = blocks.reshape(count, 2, rows // 2, 2, columns // 2).transpose(0, 1, 4, 2, 3)
        u, s, v = np.linalg.svd(pieces, full_matrices=False)
        weights.append(v[..., 0, :].transpose(0, 2, 1, 3).reshape(points // 2, 2, 2))
        blocks = (u[..., 0] * s[..., :1]).swapaxes(2, 3).reshape(-1, rows // 2, columns // 2)
    weights[-1] = weights[-1] * blocks.reshape(points // 2, 2, 1)
    return Factored(("decreasing",), (np.stack(weights),), scale)


def two_matrices(matrix: Reals) -> Factored:
    """A matrix of decreasing strides and then one of increasing ones, level by level.

    Parameters
    ----------
    matrix
        As of `one_matrix`.
    """
    blocks, scale = _filled(matrix)
    points = blocks.shape[1]
    before, after = [], []
    while blocks.shape[1] > 2:
        count, half = len(blocks), blocks.shape[1] // 2
        quads = blocks.reshape(count, 2, half, 2, half).transpose(0, 2, 4, 1, 3)
        u, v = _diagonalise(quads)
        kept = np.einsum("kiar,kijab,kjrb->krij", u, quads, v, optimize=True)
        before.append(v.reshape(points // 2, 2, 2))
        after.insert(0, u.reshape(points // 2, 2, 2))
        blocks = kept.reshape(2 * count, half, half)
    before.append(blocks)
    after.insert(0, np.tile(np.eye(2), (points // 2, 1, 1)))
    return Factored(("decreasing", "increasing"), (np.stack(before), np.stack(after)), scale)


def refined(fit: Factored, matrix: Reals, steps: int) -> Factored:
    """`fit` after some steps of L-BFGS on the squared distance to `matrix`, all weights at once.

    Rows and columns beyond those of `matrix` are free.
    """
    shape = fit.weights[0].shape

    def fitted(flat: Reals) -> Factored:
        return replace(fit, weights=tuple(flat.reshape(-1, *shape)))

    def loss(flat: Reals) -> tuple[float, Reals]:
        off, slopes = squared_error(fitted(flat), matrix)
        return off, slopes.ravel()

    start = np.concatenate([weights.ravel() for weights in fit.weights])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return fitted(found.x)


def squared_error(fit: Factored, matrix: Reals) -> tuple[float, Reals]:
    """The square of ``fit.error(matrix)``, and its slope for each weight, (factors, blocks, 2, 2).

    Weights must be real numbers.
    """
    rows, columns = matrix.shape
    target = matrix / fit.scale
    energy, inputs = float((target**2).sum()), [np.eye(fit.points, columns)]
    for stride, weights in fit.factors:
        inputs.append(_apply(weights, stride, inputs[-1]))
    back = inputs.pop()
    back[:rows] -= target
    back[rows:] = 0
    off, slopes = float((back**2).sum()) / energy, []
    for (stride, weights), x in zip(fit.factors[::-1], inputs[::-1], strict=True):
        outer = np.einsum("bisc,bjsc->bsij", _pairs(back, stride), _pairs(x, stride))
        slopes.append(2 / energy * outer.reshape(-1, 2, 2))
        back = _apply(weights.swapaxes(1, 2), stride, back)
    return off, np.stack(slopes[::-1])


def low_rank(matrix: Reals, size: int) -> tuple[int, float]:
    """The rank of a product of two matrices of at most `size` numbers, and its least error."""
    rank, values = size // sum(matrix.shape), np.linalg.svd(matrix, compute_uv=False)
    return rank, float(np.linalg.norm(values[rank:]) / np.linalg.norm(values))


def cosines(points: int) -> tuple[Reals, NDArray[np.intp], NDArray[np.intp]]:
    """The orthogonal discrete cosine transform (DCT-II) as a product of two butterfly matrices.

    C2(M), C4(M): transforms of kinds II and IV. Even outputs of C2(M) are C2(M/2) of the sums of
    words n and M − 1 − n, odd ones C4(M/2) of the differences. C4(M) turns words n and M − 1 − n
    by an angle, gives them to C2(M/2) and to a sine transform S2(M/2), and of their outputs k
    makes its own 2k − 1 and 2k; S2 and S4 go on alike. So pairs are joined before and after the
    halves, and if words stand where the halves want them, always at the stride of the level.

    Returns
    -------
    matrix
        (points, points), rows and columns in the order in which that is so.
    inputs, outputs
        (points,): word n of a vector stands at inputs[n], word k of its transform at outputs[k].
    """
    n = np.arange(points)
    matrix = np.cos(np.pi * np.outer(n, 2 * n + 1) / (2 * points)) * np.sqrt(2 / points)
    matrix[0] /= np.sqrt(2)
    inputs, outputs = n ^ n >> 1, _places(points, 2)
    placed = np.empty_like(matrix)
    placed[np.ix_(outputs, inputs)] = matrix
    return placed, inputs, outputs


def _places(points: int, kind: int) -> NDArray[np.intp]:
    """Where the outputs of a cosine transform of kind 2 or 4 stand."""
    k, half = np.arange(points), points // 2
    if points == 1:
        return k
    even = _places(half, 2)
    if kind == 4:
        return k % 2 * half + even[(k + 1) // 2 % half]
    return np.stack([even, half + _places(half, 4)], axis=1).ravel()


def _filled(matrix: Reals) -> tuple[Reals, float]:
    """(1, points, points) with zeros beyond `matrix`, brought to the length of an identity."""
    points = 1 << (max(matrix.shape) - 1).bit_length()
    rows, columns = matrix.shape
    scale = float(np.linalg.norm(matrix)) / np.sqrt(points)
    return np.pad(matrix / scale, ((0, points - rows), (0, points - columns)))[None], scale


def _pairs(x: Reals, stride: int) -> Reals:
    """(points / 2 stride, 2, stride, columns)."""
    return x.reshape(-1, 2, stride, x.shape[1])


def _apply(weights: Reals, stride: int, x: Reals) -> Reals:
    """A factor's product with x (points, columns)."""
    w, pairs = weights.reshape(-1, stride, 2, 2, 1), _pairs(x, stride)
    a, b = pairs[:, 0], pairs[:, 1]
    rows = [w[:, :, row, 0] * a + w[:, :, row, 1] * b for row in range(2)]
    return np.stack(rows, axis=1).reshape(x.shape)


def _diagonalise(quads: Reals) -> tuple[Reals, Reals]:
    """Rotations U_i, V_j that leave least off the diagonals of the U_iᵀ · quads_ij · V_jᵀ.

    Parameters
    ----------
    quads
        (blocks, i, j, 2, 2).

    Returns
    -------
    u, v
        (blocks, i, 2, 2), (blocks, j, 2, 2), so that quads_ij ≈ U_i · diagonal · V_j.
    """
    guesses = [_take_turns(quads, column) for column in _first_angles(quads)]
    off = np.stack([guess[2] for guess in guesses])
    best = np.argmin(off, axis=0), np.arange(len(quads))
    sides = (np.stack([guess[side] for guess in guesses])[best] for side in (0, 1))
    row, column = (np.stack([first, first @ QUARTER.T], axis=2) for first in sides)
    return row.swapaxes(2, 3), column


def _take_turns(quads: Reals, column: Reals) -> tuple[Reals, Reals, Reals]:
    """Rows and columns that are best for each other, from first columns on; and what stays off."""
    turned = quads.swapaxes(1, 2).swapaxes(3, 4)
    row, off = _best(quads, column)
    for _ in range(TURNS):
        before = off
        column, _ = _best(turned, row)
        row, off = _best(quads, column)
        if (off >= 0.9999 * before).all():
            break
    return row, column, off


def _best(quads: Reals, column: Reals) -> tuple[Reals, Reals]:
    """The best unit vector of each i for given ones (blocks, j, 2), and what stays off."""
    first = np.einsum("kijab,kjb->kija", quads, column)
    second = np.einsum("kijab,kjb->kija", quads, column @ QUARTER.T)
    form = second.swapaxes(2, 3) @ second
    form += QUARTER.T @ (first.swapaxes(2, 3) @ first) @ QUARTER
    values, vectors = np.linalg.eigh(form)
    return vectors[..., 0], np.maximum(values[..., 0], 0).sum(axis=1)


def _first_angles(quads: Reals) -> list[Reals]:
    """Two guesses of (blocks, j, 2) unit vectors, both right if the quads can be diagonal.

    (a + d) · e^(i·(φ − θ)) and (a − d) · e^(i·(φ + θ)) are sums of a quad's entries; squared, their
    signs are gone.
    """
    (a, b), (c, d) = quads.transpose(3, 4, 0, 1, 2)
    differences, sums = ((a + d) + 1j * (c - b)) ** 2, ((a - d) + 1j * (c + b)) ** 2
    guesses = []
    for main, other, sign in ((differences, sums, 1), (sums, differences, -1)):
        u, _, vh = np.linalg.svd(main)
        rows, columns = _phase(u[:, :, 0]), _phase(vh[:, 0])
        # Phases may be taken from the rows and given to the columns: the other matrix says how far.
        product = rows[:, :, None] * columns.conj()[:, None]
        common = _phase((other * product.conj()).sum(axis=(1, 2)))[:, None]
        angle = sign * (np.angle(common) / 2 - np.angle(columns)) / 2
        guesses.append(np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    return guesses


def _phase(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.exp(1j * np.angle(z))
