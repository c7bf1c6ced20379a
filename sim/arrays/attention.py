"""An attention layer's arrays: what a user gives, what comes out, the bits by the golden model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.arrays.files import check_mask, require
from sim.golden.attention import attention
from sim.golden.masks import (
    classes_of_bitmap,
    classes_of_columns,
    classes_of_expr,
    compile_bitmap,
    compile_columns,
)
from spec import Attention, SpecError
from spec.expr import Expr, TileClass
from spec.tiles import BlockBitmap, ColumnIntervals, TileGrid

__all__ = [
    "NAMES",
    "Heads",
    "Loaded",
    "Result",
    "Tiling",
    "check_ring",
    "golden",
    "lines",
    "read",
    "result",
    "summary",
    "visited_tiles",
]

NAMES = ("q", "k", "v", "mask")
"""Arrays that may be given."""

Loaded = BlockBitmap | ColumnIntervals | None
"""A head's mask: what is loaded, or None for the layer's own in gates."""


class Tiling(Protocol):
    """What of a core decides how a mask is loaded."""

    @property
    def rows(self) -> int:
        """Queries of a tile."""
        ...

    @property
    def columns(self) -> int:
        """Keys of a tile."""
        ...

    @property
    def partial_tiles(self) -> int:
        """Tiles visible in part that a bitmap may have."""
        ...


@dataclass(frozen=True)
class Heads:
    """Arrays of all heads, their mask if the user gave one, and what of it is loaded."""

    q: NDArray[np.int8]
    k: NDArray[np.int8]
    v: NDArray[np.int8]
    mask: NDArray[np.bool_] | None
    loaded: Sequence[Loaded]
    """One for every head, or one for all."""

    @property
    def nothing(self) -> bool:
        """Whether there is no query or no key, so that the core has nothing to do."""
        return 0 in (self.q.shape[1], self.k.shape[1])


class Result(NamedTuple):
    """What a run gives."""

    o: NDArray[np.signedinteger]
    """(heads, queries, value_dim), in units of out_scale."""
    empty: NDArray[np.bool_]
    """(heads, queries), True where a query sees no key."""
    cycles: int
    """From the first input to the last output, without stalls."""
    tiles: int
    """Tiles visited, of all heads."""
    stall_free_cycles: int
    """tiles · head_dim: what the score array needs by itself."""


def read(path: Path, arrays: Mapping[str, NDArray[Any]], layer: Attention, tiling: Tiling) -> Heads:
    """Operands and mask, checked against the layer and the core."""
    held = dict(arrays)
    q, k, v = (require(path, held, name) for name in "qkv")
    heads, kv_heads = layer.heads, layer.key_value_heads
    _check_operand(path, "q", q, ("heads", heads), ("queries", layer.queries), layer.head_dim)
    _check_operand(path, "k", k, ("kv_heads", kv_heads), ("keys", layer.keys), layer.head_dim)
    _check_operand(path, "v", v, ("kv_heads", kv_heads), ("keys", layer.keys), layer.columns)
    if k.shape[1] != v.shape[1]:
        raise SpecError(f"{path}: k has {k.shape[1]} keys, but v has {v.shape[1]}")
    mask = held.get("mask")
    if mask is None and "generator" not in layer.masks:
        raise SpecError(
            f"{path}: there is no array called mask, and the core has no mask of its own; "
            "give one, or --set masks=generator"
        )
    if mask is not None:
        _check_mask(path, mask, heads, q.shape[1], k.shape[1])
    if 0 in (q.shape[1], k.shape[1]):
        return Heads(q, k, v, mask, (None,))
    return Heads(q, k, v, mask, _load(path, layer, tiling, mask))


def check_ring(path: Path, tiling: Tiling, most: int, tiles: Sequence[NDArray[np.int64]]) -> None:
    """Refuse what the core would refuse, before it runs.

    Parameters
    ----------
    most
        Tiles that the core's score ring holds.
    tiles
        Of every head: (row blocks,) tiles that are visited.
    """
    for head, visited in enumerate(tiles):
        if visited.max() > most:
            raise SpecError(
                f"{path}: in head {head} queries from {int(visited.argmax()) * tiling.rows} see "
                f"{visited.max()} tiles, more than the score ring's score_tiles = {most}; "
                f"--set score_tiles={visited.max()} holds them"
            )


def visited_tiles(layer: Attention, tiling: Tiling, work: Heads) -> list[NDArray[np.int64]]:
    """Of every head: (row blocks,) tiles that are visited, as many as the gates visit."""
    heads, queries, keys = work.q.shape[0], work.q.shape[1], work.k.shape[1]
    grid = TileGrid(tiling.rows, tiling.columns, queries, keys)
    own = layer.mask_expr
    varies = own is not None and "h" in own.variables
    known: dict[tuple[int, int], NDArray[np.int64]] = {}
    found = []
    for head in range(heads):
        mask = work.loaded[0 if len(work.loaded) == 1 else head]
        key = (id(mask), head if mask is None and varies else 0)
        if key not in known:
            known[key] = _visited(own, grid, head, mask)
        found.append(known[key])
    return found


def _visited(own: Expr | None, grid: TileGrid, head: int, mask: Loaded) -> NDArray[np.int64]:
    match mask:
        case BlockBitmap():
            classes = classes_of_bitmap(mask)
        case ColumnIntervals():
            classes = classes_of_columns(mask, grid)
        case None:
            if own is None:
                return np.full(grid.row_blocks, grid.key_tiles, np.int64)
            classes = classes_of_expr(own, grid, h=head)
    return (classes != TileClass.EMPTY).sum(axis=1)


def golden(layer: Attention, work: Heads, cycles: int, tiles: int) -> Result:
    """Bits by the golden model; cycles and tiles that somebody else counted."""
    o, empty = attention(layer, work.q, work.k, work.v, work.mask)
    return result(layer, o, empty, cycles, tiles)


def result(
    layer: Attention,
    o: NDArray[np.int64],
    empty: NDArray[np.bool_],
    cycles: int,
    tiles: int,
) -> Result:
    """A result of integers in the type of the layer's outputs."""
    narrow = o.astype(np.int8 if layer.output_bits == 8 else np.int16)
    return Result(narrow, empty, cycles, tiles, tiles * layer.head_dim)


def summary(work: Heads, result: Result) -> dict[str, Any]:
    """Sizes, cycles and how much of them the tiles alone would take."""
    share = result.stall_free_cycles / result.cycles if result.cycles else 0
    return {
        "heads": work.q.shape[0],
        "queries": work.q.shape[1],
        "keys": work.k.shape[1],
        "empty_rows": int(result.empty.sum()),
        "cycles": result.cycles,
        "tiles": result.tiles,
        "stall_free_cycles": result.stall_free_cycles,
        "bound_by_tiles": round(share, 4),
    }


def lines(summary: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The same for a reader."""
    size = f"{summary['heads']} heads of {summary['queries']} queries, {summary['keys']} keys"
    told = [
        f"{summary['tiles']} tiles in {summary['cycles']} cycles with loading; the tiles alone "
        f"take {summary['stall_free_cycles']}, {summary['bound_by_tiles']} of them"
    ]
    if summary["empty_rows"]:
        told.append(f"{summary['empty_rows']} rows see no key and are zero")
    return size, told


def _check_operand(
    path: Path,
    name: str,
    array: NDArray[Any],
    heads: tuple[str, int],
    length: tuple[str, int],
    dims: int,
) -> None:
    """An int8 array of (heads, up to length, dims)."""
    where = f"{path}: {name}"
    if array.dtype != np.int8:
        raise SpecError(
            f"{where} must be int8, got {array.dtype}; quantise real values with "
            f"np.clip(np.round(x / {name}_scale), -128, 127).astype(np.int8)"
        )
    wanted = f"({heads[0]} = {heads[1]}, {length[0]} up to {length[1]}, {dims})"
    if array.ndim != 3 or array.shape[0] != heads[1] or array.shape[2] != dims:
        raise SpecError(f"{where} must have shape {wanted}, got {array.shape}")
    if array.shape[1] > length[1]:
        raise SpecError(
            f"{where} has {array.shape[1]} {length[0]}; the most is {length[0]} = {length[1]} "
            f"(--set {length[0]}=N takes up to 16384)"
        )


def _check_mask(path: Path, mask: NDArray[Any], heads: int, queries: int, keys: int) -> None:
    check_mask(path, mask)
    if mask.shape not in ((queries, keys), (heads, queries, keys)):
        raise SpecError(
            f"{path}: mask must have shape {(queries, keys)} or {(heads, queries, keys)}, "
            f"got {mask.shape}"
        )


def _load(
    path: Path, layer: Attention, tiling: Tiling, mask: NDArray[np.bool_] | None
) -> list[Loaded]:
    """The user's mask in a form that the core has a source for."""
    if mask is None:
        return [None]
    masks = layer.masks
    if "bitmap" not in masks and "columns" not in masks:
        raise SpecError(
            f"{path}: a mask is given, but the core has only its own; "
            "--set masks=generator,bitmap makes one that takes it"
        )
    return [_compile(path, layer, tiling, each) for each in (mask if mask.ndim == 3 else [mask])]


def _compile(path: Path, layer: Attention, tiling: Tiling, mask: NDArray[np.bool_]) -> Loaded:
    if "bitmap" not in layer.masks:
        try:
            return compile_columns(mask)
        except SpecError as error:
            raise SpecError(f"{path}: {error} (--set masks=bitmap takes any mask)") from None
    grid = TileGrid(tiling.rows, tiling.columns, *mask.shape)
    bitmap = compile_bitmap(mask, grid)
    partial = len(bitmap.token_words) // tiling.rows
    if partial > tiling.partial_tiles:
        raise SpecError(
            f"{path}: mask has {partial} partly visible tiles, more than partial_tiles = "
            f"{tiling.partial_tiles}; --set partial_tiles={partial} takes it"
        )
    return bitmap
