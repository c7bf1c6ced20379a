"""Expressions of `spec.expr` on NumPy arrays: integer in, integer out, bit for bit the gates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spec.expr import Entries, Expr, Op, apply, walk

__all__ = ["evaluate"]

MOST_BITS = 62
"""Integers of more bits might wrap in 64 on the way, and are refused."""


def evaluate(expr: Expr, values: Mapping[str, int | NDArray[Any]]) -> NDArray[Any]:
    """The integers of `expr`, or its truth values, where its variables have `values`.

    Shapes broadcast as NumPy does; a node used twice is computed once, and the memory of one is
    free when its last user is done. The result is int64 or bool.

    Raises
    ------
    ValueError
        A variable without a value or outside its declared range, or a node beyond 62 bits.
    """
    last_user = {arg: node for node in walk(expr) for arg in node.args}
    found: dict[Expr, Any] = {}
    for node in walk(expr):
        if max(-node.bounds[0], node.bounds[1]) >> MOST_BITS:
            raise ValueError(f"{node} is beyond {MOST_BITS} bits")
        match node.op:
            case Op.VARIABLE:
                found[node] = _value(node, values)
            case Op.CONSTANT:
                found[node] = np.bool_(node.data) if node.is_bool else np.int64(node.data)
            case _:
                found[node] = apply(node, [found[arg] for arg in node.args], _take)
        for arg in set(node.args):
            if last_user[arg] is node:
                del found[arg]
    return np.asarray(found[expr])


def _value(node: Expr, values: Mapping[str, int | NDArray[Any]]) -> NDArray[np.int64]:
    name, low, high = node.data
    if name not in values:
        raise ValueError(f"no value for {name}; got {sorted(values)}")
    given = np.asarray(values[name])
    if not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"{name} must be integers, got {given.dtype}")
    if given.size and not (low <= given.min() and given.max() <= high):
        raise ValueError(f"{name} must be from {low} to {high}, got {given.min()} to {given.max()}")
    return given.astype(np.int64)


def _take(entries: Entries, address: Any) -> Any:
    words = np.array(entries.values, np.int64)
    return words[np.clip(address - entries.offset, 0, len(words) - 1)]
