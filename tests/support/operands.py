"""Queries, keys and values of every kind that an attention core must get right."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "operands"]

Int8 = NDArray[np.int8]
Operands = tuple[Int8, Int8, Int8]


def _int8(real: NDArray[np.floating]) -> Int8:
    return np.clip(np.round(real), -128, 127).astype(np.int8)


def _gaussian(rng: np.random.Generator, n: int, dims: int) -> Operands:
    q, k, v = (_int8(rng.normal(0, 32, (1, n, dims))) for _ in range(3))
    return q, k, v


def _peaked(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """Every query is nearly one of the keys, so that this key takes almost everything."""
    k = _int8(rng.normal(0, 45, (1, n, dims)))
    q = _int8(k[:, rng.permutation(n)] * 1.3 + rng.normal(0, 6, (1, n, dims)))
    return q, k, _int8(rng.normal(0, 50, (1, n, dims)))


def _flat(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """Scores that are almost the same."""
    q, k = (_int8(rng.normal(0, 1, (1, n, dims))) for _ in range(2))
    return q, k, _int8(rng.normal(0, 60, (1, n, dims)))


def _equal(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """All keys alike; values at both ends of the range."""
    k = np.broadcast_to(_int8(rng.normal(0, 40, (1, 1, dims))), (1, n, dims))
    q = _int8(rng.normal(0, 40, (1, n, dims)))
    return q, k.copy(), rng.choice([-128, 127], (1, n, dims)).astype(np.int8)


def _dominant(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """One key far above the others, whose values all lie at the other end."""
    k = _int8(rng.normal(0, 4, (1, n, dims)))
    k[0, n // 2] = 64
    q = np.full((1, n, dims), 60, np.int8)
    v = np.full((1, n, dims), 127, np.int8)
    v[0, n // 2] = -128
    return q, k, v


def _alternating(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """±127 in turn, in every operand."""
    sign = np.where(np.arange(n) % 2, -127, 127)[None, :, None]
    q = np.broadcast_to(sign, (1, n, dims)).astype(np.int8)
    k = np.broadcast_to(sign * np.where(np.arange(dims) % 2, -1, 1), (1, n, dims)).astype(np.int8)
    v = np.broadcast_to(sign, (1, n, dims)).astype(np.int8)
    return q, k, v


def _two_peaks(rng: np.random.Generator, n: int, dims: int) -> Operands:
    """Two keys of nearly equal score, values at both ends: where a score's rounding shows most."""
    k = _int8(rng.normal(0, 3, (1, n, dims)))
    k[0, 0], k[0, -1] = 50, _int8(50 + rng.normal(0, 1, dims))
    q = _int8(rng.normal(60, 5, (1, n, dims)))
    v = rng.integers(-128, 128, (1, n, dims)).astype(np.int8)
    v[0, 0], v[0, -1] = 127, -127
    return q, k, v


KINDS: dict[str, Callable[[np.random.Generator, int, int], Operands]] = {
    "gaussian": _gaussian,
    "peaked": _peaked,
    "flat": _flat,
    "equal": _equal,
    "dominant": _dominant,
    "alternating": _alternating,
    "two_peaks": _two_peaks,
}
"""Name -> one head of n tokens."""


def operands(kind: str, n: int, dims: int = 64, seed: int = 0) -> Operands:
    """Int8 arrays (1, n, dims): queries, keys, values."""
    return KINDS[kind](np.random.default_rng(seed), n, dims)
