"""An attention layer's arrays: what a user gives, what comes out, the bits by the golden model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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
from spec.tiles import BlockBitmap, ColumnIntervals, TileGrid, check_ring

if TYPE_CHECKING:
    from sim.golden.reorder import Reordering

__all__ = [
    "NAMES",
    "Heads",
    "Loaded",
    "Result",
    "Tiling",
    "check_rows",
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
    order: "Reordering | None" = None
    """Where q, k, v and mask are not in the user's order of tokens: outputs go back to it."""
    tiles_in_order: int | None = None
    """Tiles of all heads in the user's order, where another was asked for."""

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


def read(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    layer: Attention,
    tiling: Tiling,
    *,
    reorder: bool = False,
) -> Heads:
    """Operands and mask, checked against the layer and the core.

    Parameters
    ----------
    reorder
        Bring the tokens into the reverse Cuthill-McKee order of the mask, of all heads together,
        where that leaves fewer tiles; outputs come in the user's order all the same.
    """
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
    if reorder:
        _check_reorder(path, layer, mask)
    if 0 in (q.shape[1], k.shape[1]):
        return Heads(q, k, v, mask, (None,))
    if reorder and mask is not None:
        return _reordered(path, layer, tiling, Heads(q, k, v, mask, ()))
    return Heads(q, k, v, mask, _load(path, layer, tiling, mask))


def check_rows(path: Path, tiling: Tiling, most: int, tiles: Sequence[NDArray[np.int64]]) -> None:
    """Refuse what the core would refuse, before it runs.

    Parameters
    ----------
    most
        Tiles that the core's score ring holds.
    tiles
        Of every head: (row blocks,) tiles that are visited.
    """
    for head, visited in enumerate(tiles):
        first = int(visited.argmax()) * tiling.rows
        check_ring(f"{path}: in head {head} queries from {first} see", int(visited.max()), most)


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
    return result(layer, work, o, empty, cycles, tiles)


def result(
    layer: Attention,
    work: Heads,
    o: NDArray[np.int64],
    empty: NDArray[np.bool_],
    cycles: int,
    tiles: int,
) -> Result:
    """A result of integers in the type of the layer's outputs, in the user's order of tokens."""
    if work.order is not None:
        o, empty = work.order.undo(o), work.order.undo(empty, axis=-1)
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
        **({} if work.tiles_in_order is None else {"tiles_in_order": work.tiles_in_order}),
    }


def lines(summary: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The same for a reader."""
    size = f"{summary['heads']} heads of {summary['queries']} queries, {summary['keys']} keys"
    told = [
        f"{summary['tiles']} tiles in {summary['cycles']} cycles with loading; the tiles alone "
        f"take {summary['stall_free_cycles']}, {summary['bound_by_tiles']} of them"
    ]
    if (before := summary.get("tiles_in_order")) is not None:
        gain = "" if summary["tiles"] < before else ": no fewer in another, so it was kept"
        told.append(f"{before} tiles in the order that was given{gain}")
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


def _check_reorder(path: Path, layer: Attention, mask: NDArray[np.bool_] | None) -> None:
    """Refuse to reorder what is not the same in another order of tokens."""
    if mask is None:
        raise SpecError(
            f"{path}: there is no array called mask, and only such a mask can be reordered; give "
            "one, or leave --reorder out"
        )
    used = layer.score_expr.variables if layer.score_expr is not None else ()
    places = [name for name in ("q", "k") if name in used]
    if places:
        raise SpecError(
            f"{path}: Attention.score depends on {' and '.join(places)}, where a token stands, so "
            "another order would change its bits; leave --reorder out"
        )
    if mask.shape[-2] != mask.shape[-1]:
        raise SpecError(
            f"{path}: a mask to reorder must be square, its queries and keys the same tokens, got "
            f"{mask.shape[-2]} queries and {mask.shape[-1]} keys; leave --reorder out"
        )


def _reordered(path: Path, layer: Attention, tiling: Tiling, work: Heads) -> Heads:
    """The same work in an order of tokens that leaves fewer tiles, if there is such an order."""
    # Here, because nobody else needs SciPy, which takes its time to load.
    from sim.golden.reorder import reorder

    assert work.mask is not None
    masks = work.mask if work.mask.ndim == 3 else work.mask[None]
    order = reorder(np.asarray(masks.any(axis=0)))
    grid = TileGrid(tiling.rows, tiling.columns, *masks.shape[1:])
    counts = [order.tiles(each, grid) for each in masks]
    share = len(work.q) // len(masks)
    before, after = (share * sum(each) for each in zip(*counts, strict=True))
    if after >= before:
        loaded = _load(path, layer, tiling, work.mask)
        return replace(work, loaded=loaded, tiles_in_order=before)
    mask = np.stack([order.apply_mask(each) for each in masks])
    mask = mask if work.mask.ndim == 3 else mask[0]
    q, k, v = (order.apply(each) for each in (work.q, work.k, work.v))
    return Heads(q, k, v, mask, _load(path, layer, tiling, mask), order, before)
