"""A softmax's arrays: what a user gives, what comes out, and the bits of it by the golden model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays.files import check_mask, require
from sim.golden.softmax import softmax
from spec import Softmax, SpecError

__all__ = ["NAMES", "Result", "Rows", "golden", "lines", "narrow", "read", "summary"]

NAMES = ("scores", "mask")
"""Arrays that may be given."""


class Rows(NamedTuple):
    """Rows of scores, and which of them are visible; (rows, length) each."""

    scores: NDArray[Any]
    mask: NDArray[np.bool_]


class Result(NamedTuple):
    """What a run gives."""

    p: NDArray[np.unsignedinteger]
    """(rows, length) probabilities; full scale stands for one."""
    empty: NDArray[np.bool_]
    """(rows,), True where a row has no visible element."""
    cycles: int
    """From the first transfer in to the last one out, without stalls."""


def read(path: Path, arrays: Mapping[str, NDArray[Any]], description: Softmax) -> Rows:
    """Scores and mask, checked against the description."""
    scores = require(path, dict(arrays), "scores")
    _check_scores(f"{path}: scores", scores, description)
    mask = arrays.get("mask", np.ones(scores.shape, bool))
    check_mask(path, mask)
    if mask.shape != scores.shape:
        raise SpecError(
            f"{path}: mask must have the shape of scores {scores.shape}, got {mask.shape}"
        )
    return Rows(scores, mask)


def golden(description: Softmax, work: Rows, cycles: int) -> Result:
    """Bits by the golden model, and the cycles that somebody else counted."""
    p, empty = softmax(description.numerics, work.scores, work.mask)
    return Result(narrow(description, p), empty, cycles)


def narrow(description: Softmax, p: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """Probabilities in the smallest type that holds them."""
    return p.astype(np.uint8 if description.output_bits <= 8 else np.uint16)


def summary(work: Rows, result: Result) -> dict[str, Any]:
    """Rows, empty ones, and cycles."""
    rows, length = work.scores.shape
    return {
        "rows": rows,
        "length": length,
        "empty_rows": int(result.empty.sum()),
        "cycles": result.cycles,
        "cycles_per_element": round(result.cycles / work.scores.size, 4),
    }


def lines(summary: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The same for a reader."""
    told = [f"{summary['cycles']} cycles, {summary['cycles_per_element']} an element"]
    if summary["empty_rows"]:
        told.append(f"{summary['empty_rows']} rows have no visible element and are zero")
    return f"{summary['rows']} rows of {summary['length']} elements", told


def _check_scores(where: str, scores: NDArray[Any], description: Softmax) -> None:
    low, high = description.score_min, description.score_max
    if scores.dtype.kind != "i":
        frac, bits = description.score_frac, description.score_bits
        raise SpecError(
            f"{where} must be signed integers, got {scores.dtype}; quantise real scores with "
            f"np.clip(np.round(x * 2**{frac}), {low}, {high})"
            f".astype(np.int{8 if bits == 8 else 16})"
        )
    if scores.ndim != 2 or 0 in scores.shape:
        raise SpecError(
            f"{where} must have shape (rows, length), both at least 1, got {scores.shape}"
        )
    if scores.shape[1] > description.max_length:
        raise SpecError(
            f"{where} have rows of {scores.shape[1]} elements; the longest row is max_length = "
            f"{description.max_length} (--set max_length=N takes up to 4096)"
        )
    outside = (scores < low) | (scores > high)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        value = int(scores[row, column])
        nearest = min(max(value, low), high)
        raise SpecError(
            f"{where}[{row}, {column}] = {value} must be from {low} to {high}; nearest is {nearest}"
        )
