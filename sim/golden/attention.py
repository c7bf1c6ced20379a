"""Attention in NumPy integers, bit for bit what the gates compute.

Whole rows at once, a few at a time; an element function is worked out once for every score and
then looked up, because a score has at most 18 bits.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.golden import softmax as softmax_rows
from sim.golden.expr import evaluate
from spec.attention import Attention
from spec.rows import MANTISSA_BITS, ElementRow, ExactRow, FinalScale, RowNumerics, TableRow

__all__ = ["Output", "attention", "finish", "row_factors", "score_codes", "weigh"]

Integers = NDArray[np.int64]

CHUNK = 1 << 17
"""Scores worked on at once: they stay in a processor's cache."""


class Output(NamedTuple):
    """What a layer gives."""

    o: Integers
    """(heads, queries, value_dim), `output_bits` wide; 0 where a row is empty."""
    empty: NDArray[np.bool_]
    """(heads, queries), True where a query sees no key."""


def attention(
    layer: Attention,
    q: NDArray[np.integer],
    k: NDArray[np.integer],
    v: NDArray[np.integer],
    mask: NDArray[np.bool_] | None = None,
    *,
    b: int = 0,
) -> Output:
    """Outputs of all heads.

    Parameters
    ----------
    q, k, v
        (heads, queries, head_dim), (kv_heads, keys, head_dim), (kv_heads, keys, value_dim), int8.
    mask
        (queries, keys) or (heads, queries, keys), True = attend; the layer's own by default.
    b
        Index of the batch.

    Raises
    ------
    ValueError
        A shape or a type that the layer does not define.
    """
    _check(layer, q, k, v)
    heads, queries, keys = q.shape[0], q.shape[1], k.shape[1]
    o = np.zeros((heads, queries, layer.columns), np.int64)
    empty = np.ones((heads, queries), bool)
    if keys == 0:
        return Output(o, empty)
    step = max(1, CHUNK // keys)
    for h in range(heads):
        kv = h // layer.groups
        key, value = k[kv].astype(np.float64).T, v[kv].astype(np.float64)
        for start in range(0, queries, step):
            rows = slice(start, min(start + step, queries))
            index = {
                "b": np.int64(b),
                "h": np.int64(h),
                "q": np.arange(rows.start, rows.stop)[:, None],
                "k": np.arange(keys)[None, :],
            }
            index["offset"] = np.int64(keys - queries)
            visible = _visible(layer, index, None if mask is None else _of_head(mask, h)[rows])
            product = (q[h, rows].astype(np.float64) @ key).astype(np.int64)
            codes = score_codes(layer, product, visible, index)
            weight, total = weigh(layer.row_numerics, codes)
            # Sums of products stay below 2^53, so a float64 product of matrices is exact.
            sums = (weight.astype(np.float64) @ value).astype(np.int64)
            seen = codes.max(axis=1) > layer.score_format.min
            mantissa, exponent = row_factors(layer.row_numerics, total)
            done = finish(layer.row_numerics.final, layer.output_bits, sums, mantissa, exponent)
            o[h, rows] = np.where(seen[:, None], done, 0)
            empty[h, rows] = ~seen
    return Output(o, empty)


def score_codes(
    layer: Attention,
    product: Integers,
    visible: NDArray[np.bool_],
    index: Mapping[str, Any],
) -> Integers:
    """Scores of the products q·k, (rows, keys); the format's lowest code where masked."""
    scale, low, high = layer.score_scale, layer.score_min, layer.score_max
    half = (1 << scale.shift) >> 1
    scores = np.clip((product * scale.mantissa + half) >> scale.shift, low, high)
    if layer.score_expr is not None:
        given = {**index, "s": scores}
        used = {name: given[name] for name in layer.score_expr.variables}
        scores = evaluate(layer.score_expr, used)
    return np.where(visible, scores, layer.score_format.min)


def weigh(row: RowNumerics, codes: Integers) -> tuple[Integers, Integers]:
    """Weights (rows, keys) of score codes, and the rows' sums (rows,); masked ones weigh 0."""
    lowest = row.context.score.min
    if isinstance(row, ElementRow):
        weight = _element_table(row)[codes - lowest]
        return weight, np.abs(weight).sum(axis=1)
    distance = codes.max(axis=1, keepdims=True) - codes
    weight, addend = _distance_tables(row)
    masked = codes == lowest
    total = np.where(masked, 0, addend[distance]).sum(axis=1)
    weights = np.where(masked, 0, weight[distance])
    if isinstance(row, TableRow):
        factor = softmax_rows.factors(row.numerics, total)
        weights = np.where(masked, 0, softmax_rows.normalise(row.numerics, weights, factor))
    return weights, total


def row_factors(row: RowNumerics, total: Integers) -> tuple[Integers, Integers]:
    """Mantissas and exponents (rows,) of the final scale, from the rows' sums."""
    if row.final.mantissa is not None:
        return np.full_like(total, row.final.mantissa), np.zeros_like(total)
    assert not isinstance(row, TableRow)
    at_least = np.maximum(total, 1 << row.floor_bits)
    factor = softmax_rows.factors(row.factor, at_least << row.factor_shift)
    mantissa, exponent = factor & (1 << MANTISSA_BITS) - 1, factor >> MANTISSA_BITS
    if row.ratio_mantissa is not None:
        mantissa = mantissa * row.ratio_mantissa >> MANTISSA_BITS
    return mantissa, exponent


def finish(
    final: FinalScale, output_bits: int, sums: Integers, mantissa: Integers, exponent: Integers
) -> Integers:
    """Outputs (rows, value_dim) of sums of products, scaled, rounded half up and saturated."""
    shift = exponent[:, None] + final.align
    wide = np.where(shift < 0, sums << np.maximum(-shift, 0), sums >> np.maximum(shift, 0))
    top = 1 << MANTISSA_BITS - 1
    aligned = np.clip(wide, -top, top - 1)
    scaled = aligned * mantissa[:, None] + (1 << final.product_shift - 1) >> final.product_shift
    limit = 1 << output_bits - 1
    return np.clip(scaled, -limit, limit - 1)


def _of_head(mask: NDArray[np.bool_], h: int) -> NDArray[np.bool_]:
    return mask if mask.ndim == 2 else mask[h]


def _visible(
    layer: Attention, index: Mapping[str, Any], mask: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """The pairs of some rows that attend, broadcast against (rows, keys)."""
    if mask is not None:
        return mask
    if layer.mask_expr is None:
        return np.ones((1, 1), bool)
    used = {name: index[name] for name in layer.mask_expr.variables}
    return np.asarray(evaluate(layer.mask_expr, used), bool)


@lru_cache(maxsize=8)
def _element_table(row: ElementRow) -> Integers:
    """Weight of every code, from the lowest, which weighs 0."""
    low, high = row.context.score.min + 1, row.context.score.max
    scores = np.arange(low, high + 1)
    weight = np.broadcast_to(evaluate(row.expr, {"s": scores}), scores.shape)
    return np.concatenate([[0], weight])


@lru_cache(maxsize=8)
def _distance_tables(row: ExactRow | TableRow) -> tuple[Integers, Integers]:
    """Weight and addend of every distance to the maximum."""
    distance = np.arange(1 << row.context.score.width)
    if isinstance(row, TableRow):
        return softmax_rows.element(row.numerics, distance)
    _, exact = softmax_rows.element(row.element, distance)
    rounded = (exact + (1 << row.weight_shift - 1)) >> row.weight_shift
    weight = np.minimum(rounded, (1 << row.weight_bits) - 1)
    return weight, weight


def _check(
    layer: Attention,
    q: NDArray[np.integer],
    k: NDArray[np.integer],
    v: NDArray[np.integer],
) -> None:
    kv = layer.key_value_heads
    for name, array, shape, limit in (
        ("q", q, (layer.heads, None, layer.head_dim), layer.queries),
        ("k", k, (kv, None, layer.head_dim), layer.keys),
        ("v", v, (kv, k.shape[1], layer.columns), layer.keys),
    ):
        if array.dtype != np.int8:
            raise ValueError(f"{name} must be int8, got {array.dtype}")
        if array.ndim != 3 or any(
            n is not None and n != got for n, got in zip(shape, array.shape, strict=True)
        ):
            wanted = tuple("n" if n is None else n for n in shape)
            raise ValueError(f"{name} must have shape {wanted}, got {array.shape}")
        if array.shape[1] > limit:
            raise ValueError(f"{name} has {array.shape[1]} rows, more than {limit}")
