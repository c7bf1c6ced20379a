"""Attention in float64: the mathematics that every other model is measured against."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["attention", "relu", "retention", "sigmoid", "softmax"]

Reals = NDArray[np.floating]
Row = Callable[[Reals, NDArray[np.bool_]], Reals]


def softmax(scores: Reals, visible: NDArray[np.bool_]) -> Reals:
    """e^s / Σ e^s over the visible scores of each row; zeros where a row sees nothing."""
    shown = np.where(visible, scores, -np.inf)
    top = np.where(visible.any(-1, keepdims=True), shown.max(-1, keepdims=True), 0)
    weight = np.exp(shown - top)
    return weight / np.maximum(weight.sum(-1, keepdims=True), np.finfo(float).tiny)


def sigmoid(scores: Reals, visible: NDArray[np.bool_]) -> Reals:
    """1 / (1 + e^-s), not normalised (arXiv 2409.04431)."""
    return np.where(visible, 1 / (1 + np.exp(-scores)), 0)


def relu(scale: float) -> Row:
    """max(s, 0) · scale (arXiv 2309.08586 with scale 1 / keys)."""
    return lambda scores, visible: np.where(visible, np.maximum(scores, 0) * scale, 0)


def retention(scores: Reals, visible: NDArray[np.bool_]) -> Reals:
    """Scores by max(Σ |s|, 1) (arXiv 2307.08621, section 2.3)."""
    shown = np.where(visible, scores, 0)
    return shown / np.maximum(np.abs(shown).sum(-1, keepdims=True), 1)


def attention(
    q: Reals,
    k: Reals,
    v: Reals,
    visible: NDArray[np.bool_],
    *,
    softmax_scale: float,
    row: Row = softmax,
    score: Callable[..., Any] | None = None,
) -> Reals:
    """Outputs (heads, queries, value_dim) of real q (heads, ...), k and v (kv_heads, ...).

    `visible` is (queries, keys) or (heads, queries, keys); `score` maps (s, b, h, q, k), arrays,
    to scores.
    """
    groups = q.shape[0] // k.shape[0]
    o = np.empty((q.shape[0], q.shape[1], v.shape[2]))
    at_q, at_k = np.arange(q.shape[1])[:, None], np.arange(k.shape[1])[None, :]
    for h in range(q.shape[0]):
        s = q[h] @ k[h // groups].T * softmax_scale
        if score is not None:
            s = score(s, 0, h, at_q, at_k)
        seen = visible if visible.ndim == 2 else visible[h]
        o[h] = row(s, seen) @ v[h // groups]
    return o
