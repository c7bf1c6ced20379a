"""A butterfly core's arrays: what a user gives, what comes out, the bits by the golden model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.golden import butterfly as golden_model
from sim.golden.division import transform
from spec import Butterfly, SpecError

__all__ = [
    "NAMES",
    "Multiplied",
    "Part",
    "Transformed",
    "Vectors",
    "check_integers",
    "golden",
    "lines",
    "multiplied",
    "read",
    "summary",
    "transformed",
]

Integers = NDArray[np.int64]

CheckPoints = Callable[[str, int], int]
"""Gives the size of a vector if the core takes it, else a `SpecError` that begins with a place."""

NAMES = ("x", "x_re", "x_im", "weights", "transform", "order")
"""Arrays that may be given."""


class Part(NamedTuple):
    """Vectors that go through a core in one run."""

    re: Integers
    im: Integers
    weights: Integers | None
    """(stages, points / 2, 2, 2), of a product."""


@dataclass(frozen=True)
class Vectors:
    """What is to be done with which vectors."""

    transform: str
    re: Integers
    im: Integers
    weights: Integers | None
    """Of a product: (stacks, stages, points / 2, 2, 2)."""
    order: str
    """Of its factors."""

    def parts(self) -> list["Part"]:
        """A part, or one for each matrix of a layer."""
        if self.weights is None:
            return [Part(self.re, self.im, None)]
        points = 2 * self.weights.shape[2]
        re = np.pad(self.re, ((0, 0), (0, points - self.re.shape[1])))
        return [Part(re, np.zeros_like(re), weights) for weights in self.weights]


class Transformed(NamedTuple):
    """What a run of an FFT or its inverse gives: (y_re + i·y_im) · 2^exponent."""

    y_re: NDArray[np.int16]
    """(vectors, points)."""
    y_im: NDArray[np.int16]
    exponent: NDArray[np.int16]
    """(vectors,)."""
    saturated: NDArray[np.bool_]
    """(vectors,), True where a component did not fit fixed shifts."""
    cycles: int
    """From the first transfer in to the last one out, without stalls."""


class Multiplied(NamedTuple):
    """What a run of products gives: y · 2^exponent."""

    y: NDArray[np.int16]
    """(vectors, outputs)."""
    exponent: NDArray[np.int16]
    """(vectors,), or (vectors, stacks) where several matrices are stacked."""
    saturated: NDArray[np.bool_]
    """Of the exponent's shape."""
    cycles: int
    """From the first transfer in to the last one out, without stalls."""


def read(
    path: Path, arrays: Mapping[str, NDArray[Any]], butterfly: Butterfly, check_points: CheckPoints
) -> Vectors:
    """Vectors and weights, checked against the description and the core."""
    transform, order = _transform(path, arrays, butterfly), _order(path, arrays, butterfly)
    re, im = _parts(path, arrays, butterfly)
    if transform == "bpmm":
        if im.any():
            raise SpecError(
                f"{path}: x_im must be zero for transform bpmm, which takes real vectors; "
                "leave it out"
            )
        return Vectors(
            transform, re, im, _weights(path, arrays, re, butterfly, check_points), order
        )
    check_points(f"{path}: points of x", re.shape[1])
    return Vectors(transform, re, im, None, order)


def golden(butterfly: Butterfly, work: Vectors, cycles: int) -> Transformed | Multiplied:
    """Bits by the golden model, and the cycles that somebody else counted."""
    if work.weights is None:
        inverse = work.transform == "inverse"
        found = transform(butterfly, work.re, work.im, inverse=inverse)
        return transformed(found.re, found.im, found.exponent, found.saturated, cycles)
    each = [
        golden_model.bpmm(butterfly, part.re, part.weights, work.order)
        for part in work.parts()
        if part.weights is not None
    ]
    return multiplied(
        butterfly,
        [product.y for product in each],
        [product.exponent for product in each],
        [product.saturated for product in each],
        cycles,
    )


def summary(work: Vectors, result: Any) -> dict[str, Any]:
    """Sizes, cycles, and vectors that were saturated."""
    vectors, points = work.re.shape
    return {
        "transform": work.transform,
        "vectors": vectors,
        "points": points,
        "saturated": int(result.saturated.sum()),
        "cycles": int(result.cycles),
        "cycles_per_vector": round(int(result.cycles) / vectors, 1),
    }


def lines(summary: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The same for a reader."""
    told = [f"{summary['cycles']} cycles with loading, {summary['cycles_per_vector']} a vector"]
    if many := summary["saturated"]:
        vectors = (
            "vector did not fit the shifts and is"
            if many == 1
            else ("vectors did not fit the shifts and are")
        )
        told.append(f"{many} {vectors} saturated")
    return f"{summary['transform']} of {summary['vectors']} x {summary['points']} words", told


def transformed(
    re: Integers, im: Integers, exponent: Integers, saturated: NDArray[np.bool_], cycles: int
) -> Transformed:
    """The results of a transform in the types of its result."""
    narrow = exponent.astype(np.int16)
    return Transformed(re.astype(np.int16), im.astype(np.int16), narrow, saturated, cycles)


def multiplied(
    butterfly: Butterfly,
    y: Sequence[Integers],
    exponent: Sequence[Integers],
    saturated: Sequence[NDArray[Any]],
    cycles: int,
) -> Multiplied:
    """The results of stacked matrices side by side, and what is beyond the outputs cut off."""
    stacked = np.hstack(list(y)).astype(np.int16)
    if butterfly.outputs is not None:
        stacked = stacked[:, : butterfly.outputs]
    if len(y) == 1:
        return Multiplied(stacked, exponent[0].astype(np.int16), saturated[0], cycles)
    exponents = np.stack(list(exponent), axis=1).astype(np.int16)
    return Multiplied(stacked, exponents, np.stack(list(saturated), axis=1), cycles)


def _transform(path: Path, arrays: Mapping[str, Any], butterfly: Butterfly) -> str:
    """The word, or a product where weights are given, or else the first other transform."""
    has = ", ".join(butterfly.transforms)
    others = [each for each in butterfly.transforms if each != "bpmm"]
    if "transform" in arrays:
        where = f"{path}: transform"
        chosen = butterfly.check_transform(where, _word(where, arrays["transform"]))
    else:
        chosen = "bpmm" if "weights" in arrays or not others else others[0]
    if chosen == "bpmm" and "weights" not in arrays:
        raise SpecError(f"{path}: there is no array called weights, which transform bpmm needs")
    if "weights" in arrays and "bpmm" not in butterfly.transforms:
        raise SpecError(
            f"{path}: weights are for transform bpmm, which the core was not generated with: it "
            f"has {has}; leave them out, or generate it with --set transforms={has},bpmm"
        )
    if "weights" in arrays and chosen != "bpmm":
        raise SpecError(f"{path}: weights are for transform bpmm, not {chosen}; leave them out")
    return chosen


def _order(path: Path, arrays: Mapping[str, Any], butterfly: Butterfly) -> str:
    """The word, or the first that the core has."""
    if "order" not in arrays:
        return butterfly.orders[0]
    if "weights" not in arrays:
        raise SpecError(
            f"{path}: order is that of a matrix, but there are no weights; leave it out"
        )
    where = f"{path}: order"
    return butterfly.check_order(where, _word(where, arrays["order"]))


def _word(where: str, array: NDArray[Any]) -> str:
    if array.shape != () or array.dtype.kind != "U":
        raise SpecError(f"{where} must be one word, got {array.dtype} of shape {array.shape}")
    return str(array)


def _parts(
    path: Path, arrays: Mapping[str, NDArray[Any]], butterfly: Butterfly
) -> tuple[Integers, Integers]:
    """Real and imaginary parts; zero where there are none."""
    if ("x" in arrays) == ("x_re" in arrays):
        raise SpecError(f"{path}: give either x, or x_re and x_im")
    if ("x_im" in arrays) != ("x_re" in arrays):
        raise SpecError(f"{path}: x_re and x_im belong together; a real vector is x")
    names = ("x",) if "x" in arrays else ("x_re", "x_im")
    parts = [_checked(f"{path}: {name}", arrays[name], butterfly) for name in names]
    if parts[0].shape != parts[-1].shape:
        raise SpecError(
            f"{path}: x_im must have the shape of x_re {parts[0].shape}, got {parts[-1].shape}"
        )
    return parts[0], parts[1] if len(parts) == 2 else np.zeros_like(parts[0])


def _checked(where: str, x: NDArray[Any], butterfly: Butterfly) -> Integers:
    check_integers(where, x, ~butterfly.data_max, butterfly.data_max)
    if x.ndim != 2 or 0 in x.shape:
        points = x.shape[-1] if x.ndim in (1, 2) else 0
        raise SpecError(
            f"{where} must have shape (vectors, points), at least one vector of at least one "
            f"point, got {x.shape}" + (f"; nearest is (1, {points})" if points else "")
        )
    if len(x) >= 1 << 16:
        raise SpecError(f"{where} must have at most 65535 vectors, got {len(x)}; run it in parts")
    return x.astype(np.int64)


def _weights(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    x: Integers,
    butterfly: Butterfly,
    check_points: CheckPoints,
) -> Integers:
    """Weights of every matrix of the layer that the description, or the vectors, ask for."""
    where, weights = f"{path}: weights", arrays["weights"]
    points, stacks = x.shape[1], 1
    if butterfly.inputs is not None or butterfly.outputs is not None:
        points, stacks = butterfly.layer_points, butterfly.layer_stacks
        inputs = butterfly.inputs or points
        if x.shape[1] != inputs:
            raise SpecError(
                f"{path}: x must have inputs = {inputs} words a vector, got {x.shape[1]}"
            )
    check_points(f"{path}: points of x", points)
    shape: Sequence[int] = (points.bit_length() - 1, points // 2, 2, 2)
    wanted = (stacks, *shape) if stacks > 1 else shape
    if weights.shape != tuple(wanted):
        raise SpecError(
            f"{where} must have shape {tuple(wanted)}: factors in the order in which they are "
            f"applied, blocks, rows, columns; got {weights.shape}"
        )
    check_integers(where, weights, -butterfly.weight_max, butterfly.weight_max)
    return weights.astype(np.int64).reshape(stacks, *shape)


def check_integers(where: str, array: NDArray[Any], low: int, high: int) -> None:
    """Refuse an array of anything but signed integers from `low` to `high`."""
    if array.dtype.kind != "i":
        raise SpecError(
            f"{where} must be signed integers from {low} to {high}, got {array.dtype}; quantise "
            f"real ones with np.clip(np.round(x * scale), {low}, {high}).astype(np.int32)"
        )
    outside = (array < low) | (array > high)
    if outside.any():
        at = tuple(int(index) for index in np.argwhere(outside)[0])
        value = int(array[at])
        nearest = min(max(value, low), high)
        raise SpecError(
            f"{where}[{', '.join(map(str, at))}] = {value} must be from {low} to {high}; "
            f"nearest is {nearest}"
        )
