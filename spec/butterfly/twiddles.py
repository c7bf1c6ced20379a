"""Twiddle factors as integers."""

import math

__all__ = ["twiddle", "twiddles"]


def twiddle(stage: int, k: int, frac: int) -> tuple[int, int]:
    """Cosine and sine of 2π·k / 2^(stage+1), rounded to `frac` bits after the point.

    The twiddle factor is cos − i·sin. From a quarter turn on it is that of k − 2^(stage−1) turned,
    (cos, sin) → (−sin, cos), so that all is symmetric.

    Parameters
    ----------
    stage
        From 0.
    k
        0 to 2^stage − 1.
    """
    if not 0 <= k < 1 << stage:
        raise ValueError(f"stage {stage} has twiddles 0 to {(1 << stage) - 1}, not {k}")
    quarter = 1 << stage >> 1
    if quarter and k >= quarter:
        cos, sin = twiddle(stage, k - quarter, frac)
        return -sin, cos
    angle = 2 * math.pi * k / (2 << stage)
    return (
        math.floor(math.cos(angle) * 2**frac + 0.5),
        math.floor(math.sin(angle) * 2**frac + 0.5),
    )


def twiddles(stage: int, frac: int) -> tuple[tuple[int, int], ...]:
    """Every twiddle factor of a stage, k from 0 to 2^stage − 1; see `twiddle`."""
    return tuple(twiddle(stage, k, frac) for k in range(1 << stage))
