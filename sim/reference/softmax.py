"""Softmax in float64: the mathematics that the integers approximate."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["softmax"]


def softmax(
    scores: NDArray[np.floating] | NDArray[np.integer],
    visible: NDArray[np.bool_] | None = None,
    *,
    score_frac: int = 0,
) -> NDArray[np.float64]:
    """Softmax of each row, ``e^x / sum e^x`` with x = scores / 2^score_frac.

    Parameters
    ----------
    scores
        (rows, length), real or integer.
    visible
        (rows, length), True where an element takes part. A row without any gives zeros.
    score_frac
        Fraction bits of integer scores.

    Returns
    -------
    NDArray[np.float64]
        (rows, length); each row with a visible element sums to 1.
    """
    seen = np.ones(scores.shape, bool) if visible is None else visible
    x = np.where(seen, scores.astype(np.float64) / 2.0**score_frac, -np.inf)
    top = x.max(axis=1, keepdims=True)
    e = np.where(seen, np.exp(x - np.where(np.isfinite(top), top, 0.0)), 0.0)
    total = e.sum(axis=1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)
