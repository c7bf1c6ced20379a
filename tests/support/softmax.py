"""Rows of scores to the transfers of a softmax unit, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.softmax.config import SoftmaxConfig
from sim.golden import softmax as golden

__all__ = ["Row", "golden_transfers", "random_rows", "row_transfers"]

Row = tuple[NDArray[np.int64], NDArray[np.bool_]]
"""Scores and their visibility, both (length,)."""


def row_transfers(config: SoftmaxConfig, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Input transfers of rows; elements past a row's end are invisible."""
    transfers = []
    for scores, visible in rows:
        for start in range(0, len(scores), config.lanes):
            part = [int(s) for s in scores[start : start + config.lanes]]
            seen = sum(int(v) << i for i, v in enumerate(visible[start : start + config.lanes]))
            part += [0] * (config.lanes - len(part))
            last = int(start + config.lanes >= len(scores))
            transfers.append({"score": part, "visible": seen, "last": last})
    return transfers


def golden_transfers(config: SoftmaxConfig, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Output transfers as the golden model has them."""
    transfers = []
    for scores, visible in rows:
        p, empty = golden.softmax(config.numerics, scores[None], visible[None])
        padded = [int(value) for value in p[0]] + [0] * (-len(scores) % config.lanes)
        for start in range(0, len(padded), config.lanes):
            transfers.append(
                {
                    "p": padded[start : start + config.lanes],
                    "last": int(start + config.lanes >= len(padded)),
                    "empty": int(empty[0]),
                    "refused": 0,
                }
            )
    return transfers


def random_rows(config: SoftmaxConfig, lengths: Sequence[int], seed: int) -> list[Row]:
    """Rows of many temperaments: flat, peaked, at the format's ends, partly or wholly masked."""
    rng = np.random.default_rng(seed)
    top = 1 << config.numerics.score_bits - 1
    rows = []
    for length in lengths:
        spread = float(rng.choice([0.0, 1.0, 8.0, 64.0, top / 8, top]))
        centre = int(rng.integers(-top, top))
        scores = np.clip(np.round(rng.normal(centre, spread, length)), -top, top - 1)
        visible = rng.random(length) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0, 1.0, 1.0])
        rows.append((scores.astype(np.int64), visible))
    return rows
