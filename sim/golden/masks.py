"""Masks in NumPy: dense arrays, the tiles of every source, and the compilers between them.

A dense mask is (queries, keys), True where a query sees a key. `classes` are (row blocks, key
tiles) of `TileClass` values. What the dispatcher emits is `tile_list` of them.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from sim.golden.expr import evaluate
from spec.errors import SpecError
from spec.expr import Expr, TileClass, symbolic_class, variable
from spec.masks import Mask
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, Range, Tile, TileGrid

__all__ = [
    "check_dense",
    "classes_of_bitmap",
    "classes_of_columns",
    "classes_of_dense",
    "classes_of_expr",
    "compile_bitmap",
    "compile_columns",
    "dense",
    "dense_of_bitmap",
    "dense_of_columns",
    "tile_list",
    "tiles_of_bitmap",
    "tiles_of_columns",
    "tiles_of_dense",
    "tiles_of_expr",
]

Bools = NDArray[np.bool_]
Classes = NDArray[np.uint8]
CHUNK = 1 << 20
"""Pairs worked on at once."""

EMPTY, PARTIAL, FULL = int(TileClass.EMPTY), int(TileClass.PARTIAL), int(TileClass.FULL)


def check_dense(dense: object, queries: int | None = None, keys: int | None = None) -> Bools:
    """Return a dense mask if it is one, of the size asked for.

    Raises
    ------
    SpecError
        It is no (queries, keys) array of bool.
    """
    if not isinstance(dense, np.ndarray):
        raise SpecError(f"mask must be a NumPy array, got {type(dense).__name__}")
    if dense.dtype != np.bool_:
        raise SpecError(f"mask must be of bool, True where a query sees a key, got {dense.dtype}")
    fits = dense.ndim == 2 and 0 not in dense.shape
    fits = fits and queries in (None, dense.shape[0]) and keys in (None, dense.shape[1])
    if not fits:
        sides = f"({queries or 'queries'}, {keys or 'keys'})"
        raise SpecError(f"mask must have shape {sides}, got {dense.shape}")
    return cast(Bools, dense)


def tile_list(classes: Classes) -> list[Tile]:
    """The visible tiles, row blocks in order and in each of them key tiles in order."""
    blocks, tiles = np.nonzero(classes)
    partial = classes[blocks, tiles] == PARTIAL
    listed = zip(blocks.tolist(), tiles.tolist(), partial.tolist(), strict=True)
    return [Tile(*each) for each in listed]


def classes_of_dense(dense: Bools, grid: TileGrid) -> Classes:
    """The exact class of every tile of a dense mask."""
    seen = _in_tiles(check_dense(dense, grid.queries, grid.keys), grid).sum(axis=3, dtype=np.uint16)
    seen = seen.sum(axis=1, dtype=np.uint32)
    heights = np.full(grid.row_blocks, grid.rows)
    heights[-1] = grid.queries - (grid.row_blocks - 1) * grid.rows
    full = seen == (heights * grid.columns)[:, None]
    return (seen > 0).astype(np.uint8) + full


def tiles_of_dense(dense: Bools, grid: TileGrid) -> list[Tile]:
    """The visible tiles of a dense mask."""
    return tile_list(classes_of_dense(dense, grid))


def _in_tiles(dense: Bools, grid: TileGrid) -> Bools:
    """A dense mask as (row blocks, rows, key tiles, columns); what hangs over is False."""
    height, width = grid.row_blocks * grid.rows, grid.key_tiles * grid.columns
    if dense.shape != (height, width):
        dense = np.pad(dense, ((0, height - grid.queries), (0, width - grid.keys)))
    return dense.reshape(grid.row_blocks, grid.rows, grid.key_tiles, grid.columns)


def _out_of_tiles(tiled: Bools, grid: TileGrid) -> Bools:
    height, width = grid.row_blocks * grid.rows, grid.key_tiles * grid.columns
    return tiled.reshape(height, width)[: grid.queries, : grid.keys]


def dense(
    mask: Mask | Expr, queries: int, keys: int, *, heads: int = 1, batches: int = 1, b: int = 0
) -> Bools:
    """The mask as an array: (queries, keys), or (heads, queries, keys) if it asks for the head.

    Parameters
    ----------
    mask
        A mask, or what `Mask.trace` made of it for these or greater lengths.
    queries, keys
        Lengths of the job.
    b
        Index of the batch.
    """
    if isinstance(mask, Mask):
        mask = mask.trace(heads=heads, queries=queries, keys=keys, batches=batches)
    _check_traced(mask, queries, keys)
    known = {"b": b, "k": np.arange(keys), "offset": keys - queries}
    if "h" in mask.variables:
        known["h"] = np.arange(heads)[:, None, None]
    found = np.empty((*(heads,) * ("h" in mask.variables), queries, keys), np.bool_)
    step = max(1, CHUNK // keys)
    for start in range(0, queries, step):
        rows = slice(start, min(start + step, queries))
        index = known | {"q": np.arange(rows.start, rows.stop)[:, None]}
        found[..., rows, :] = evaluate(mask, index)
    return found


def classes_of_expr(expr: Expr, grid: TileGrid, b: int = 0, h: int = 0) -> Classes:
    """The classes that the gates' two levels of interval analysis come to.

    A tile is visible if its coarse group may be, and it may be itself. So what is EMPTY is empty
    for certain, but a PARTIAL tile may be empty or full.

    Parameters
    ----------
    expr
        What `Mask.trace` made for the grid's lengths or greater ones.
    grid
        Its sides must be powers of two.
    b, h
        Indices of batch and head.
    """
    for field in ("rows", "columns"):
        side = getattr(grid, field)
        if side & (side - 1):
            near = 1 << side.bit_length() - 1
            raise SpecError(
                f"TileGrid.{field} must be a power of two for a generated mask, got {side}; "
                f"nearest is {near}"
            )
    _check_traced(expr, grid.queries, grid.keys)
    coarse, _ = _bound(expr, grid, grid.columns * GROUP, b, h)
    true, false = _bound(expr, grid, grid.columns, b, h)
    false[:, -1] |= grid.overhangs(grid.key_tiles - 1)
    visible = true & coarse.repeat(GROUP, axis=1)[:, : grid.key_tiles]
    return np.where(visible, np.where(false, PARTIAL, FULL), EMPTY).astype(np.uint8)


def _check_traced(expr: Expr, queries: int, keys: int) -> None:
    for name, what, size in (("q", "queries", queries), ("k", "keys", keys)):
        if name in expr.variables and (most := expr.variables[name].data[2] + 1) < size:
            raise SpecError(f"the mask was traced for at most {most} {what}, got {size}")


def tiles_of_expr(expr: Expr, grid: TileGrid, b: int = 0, h: int = 0) -> list[Tile]:
    """The tiles that the gates visit; see `classes_of_expr`."""
    return tile_list(classes_of_expr(expr, grid, b, h))


def _bound(expr: Expr, grid: TileGrid, width: int, b: int, h: int) -> tuple[Bools, Bools]:
    """May be true, may be false: of every row block by `width` keys, (row blocks, widths)."""
    ends: dict[str, tuple[Expr | int, Expr | int]] = {"b": (b, b), "h": (h, h)}
    ends["offset"] = grid.keys - grid.queries, grid.keys - grid.queries
    values: dict[str, NDArray[np.int64]] = {}
    for name, size, side in (("q", grid.queries, grid.rows), ("k", grid.keys, width)):
        if name in expr.variables:
            _, low, high = expr.variables[name].data
            first = np.arange(0, size, side)
            last = np.minimum(first + side, size) - 1
            if name == "q":
                first, last = first[:, None], last[:, None]
            values |= {f"{name}_low": first, f"{name}_high": last}
            ends[name] = variable(f"{name}_low", low, high), variable(f"{name}_high", low, high)
    shape = grid.row_blocks, -(-grid.keys // width)
    roots = symbolic_class(expr, ends, {"q": grid.rows, "k": width})
    true, false = (np.broadcast_to(evaluate(root, values), shape).copy() for root in roots)
    return true, false


def _hidden(columns: ColumnIntervals) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ranges (keys, 2, 2), and (keys,) the first query that causality lets see a key."""
    before = np.arange(columns.keys) - (columns.keys - columns.queries)
    before = np.clip(before, 0, columns.queries) if columns.causal else np.zeros_like(before)
    return np.array(columns.hidden, np.int64), before


def dense_of_columns(columns: ColumnIntervals) -> Bools:
    """The mask that column intervals stand for."""
    hidden, before = _hidden(columns)
    query = np.arange(columns.queries)[:, None]
    dense = query >= before
    for start, end in hidden.transpose(1, 2, 0):
        dense &= (query < start) | (query >= end)
    return dense


def classes_of_columns(columns: ColumnIntervals, grid: TileGrid) -> Classes:
    """The exact class of every tile of a mask given by column intervals."""
    if (columns.queries, columns.keys) != (grid.queries, grid.keys):
        raise SpecError(
            f"ColumnIntervals are of {columns.queries} queries and {columns.keys} keys, "
            f"but the grid is of {grid.queries} and {grid.keys}"
        )
    hidden, before = _hidden(columns)
    first = np.arange(grid.row_blocks)[:, None] * grid.rows
    end = np.minimum(first + grid.rows, grid.queries)
    # From the block's first query upwards: the first one that is not hidden by what came so far.
    seen = np.maximum(first, before)
    some = before > first
    for a, b in hidden.transpose(1, 2, 0):
        seen = np.where(a <= seen, np.maximum(seen, b), seen)
        some |= np.maximum(a, first) < np.minimum(b, end)
    beyond = ((0, 0), (0, grid.key_tiles * grid.columns - grid.keys))
    cut = (grid.row_blocks, grid.key_tiles, grid.columns)
    empty = np.pad(seen >= end, beyond, constant_values=True).reshape(cut).all(axis=2)
    partial = np.pad(some, beyond, constant_values=True).reshape(cut).any(axis=2)
    return np.where(empty, EMPTY, np.where(partial, PARTIAL, FULL)).astype(np.uint8)


def tiles_of_columns(columns: ColumnIntervals, grid: TileGrid) -> list[Tile]:
    """The visible tiles of a mask given by column intervals."""
    return tile_list(classes_of_columns(columns, grid))


def compile_columns(dense: Bools, causal: bool | None = None) -> ColumnIntervals:
    """The column intervals of a dense mask.

    Parameters
    ----------
    causal
        Leave what is after a query to causality; by default where the mask allows it, which never
        takes more ranges.

    Raises
    ------
    SpecError
        A key needs more than two ranges, or a query sees a key after it in spite of `causal`.
    """
    queries, keys = check_dense(dense).shape
    causal_part = np.tri(queries, keys, keys - queries, dtype=np.bool_)
    after = dense & ~causal_part
    if causal and after.any():
        query, key = np.argwhere(after)[0].tolist()
        raise SpecError(f"mask is not causal: query {query} sees key {key}")
    causal = not after.any() if causal is None else causal
    hidden = ~dense & causal_part if causal else ~dense
    # By key, then by query: where a range begins, and where it ended.
    padded = np.zeros((keys, queries + 2), np.bool_)
    padded[:, 1:-1] = hidden.T
    key, start = np.nonzero(padded[:, 1:] & ~padded[:, :-1])
    _, end = np.nonzero(~padded[:, 1:] & padded[:, :-1])
    counts = np.bincount(key, minlength=keys)
    if counts.max() > 2:
        worst = int(np.argmax(counts > 2))
        raise SpecError(
            f"mask: key {worst} is hidden from {counts[worst]} ranges of queries; column "
            "intervals hold 2, load it as a block bitmap"
        )
    ranges = np.zeros((keys, 2, 2), np.int64)
    place = np.arange(len(key)) - (np.cumsum(counts) - counts)[key]
    ranges[key, place] = np.stack([start, end], axis=1)
    pairs = [((a, b), (c, d)) for (a, b), (c, d) in ranges.tolist()]
    listed: tuple[tuple[Range, Range], ...] = tuple(pairs)
    return ColumnIntervals(queries, listed, causal)


def classes_of_bitmap(bitmap: BlockBitmap) -> Classes:
    """The classes that a bitmap's group words state."""
    grid = bitmap.grid
    words = np.array(bitmap.group_words, np.uint32).reshape(grid.row_blocks, grid.groups, 1)
    place = np.arange(GROUP, dtype=np.uint32)
    visible, partial = words >> place & 1, words >> place + GROUP & 1
    classes = np.where(partial, PARTIAL, visible * FULL).reshape(grid.row_blocks, -1)
    return classes[:, : grid.key_tiles].astype(np.uint8)


def tiles_of_bitmap(bitmap: BlockBitmap) -> list[Tile]:
    """The visible tiles of a bitmap."""
    return tile_list(classes_of_bitmap(bitmap))


def compile_bitmap(dense: Bools, grid: TileGrid, max_partial: int | None = None) -> BlockBitmap:
    """The bitmap of a dense mask.

    Parameters
    ----------
    max_partial
        How many partial tiles the core's memory holds.

    Raises
    ------
    SpecError
        There are more partial tiles.
    """
    classes = classes_of_dense(dense, grid)
    is_partial = classes == PARTIAL
    count = int(is_partial.sum())
    if max_partial is not None and count > max_partial:
        raise SpecError(
            f"mask has {count} partial tiles of {grid.rows} x {grid.columns}, the core holds "
            f"{max_partial}; generate it with max_partial={count}"
        )
    short = ((0, 0), (0, grid.groups * GROUP - grid.key_tiles))
    both = [np.pad(bits, short).reshape(-1, GROUP) for bits in (classes > 0, is_partial)]
    group_words = _words(np.concatenate(both, axis=1))
    tokens = _in_tiles(dense, grid).transpose(0, 2, 1, 3)[is_partial]
    return BlockBitmap(grid, group_words, _words(tokens.reshape(-1, grid.columns)))


def dense_of_bitmap(bitmap: BlockBitmap) -> Bools:
    """The mask that a bitmap stands for."""
    grid, classes = bitmap.grid, classes_of_bitmap(bitmap)
    tiled = np.empty((grid.row_blocks, grid.key_tiles, grid.rows, grid.columns), np.bool_)
    tiled[:] = (classes == FULL)[:, :, None, None]
    tokens = _bits(bitmap.token_words, grid.columns)
    tiled[classes == PARTIAL] = tokens.reshape(-1, grid.rows, grid.columns)
    return _out_of_tiles(tiled.transpose(0, 2, 1, 3), grid)


def _words(bits: Bools) -> tuple[int, ...]:
    """Rows of bits as integers, bit 0 first."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    if packed.shape[1] > 8:
        return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)
    full = np.zeros((len(packed), 8), np.uint8)
    full[:, : packed.shape[1]] = packed
    return tuple(full.view("<u8")[:, 0].tolist())


def _bits(words: tuple[int, ...], width: int) -> Bools:
    """The inverse of `_words`."""
    size = max(8, -(-width // 8))
    if size == 8:
        packed = np.array(words, "<u8").view(np.uint8)
    else:
        packed = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
    bits = np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little")
    return bits[:, :width].astype(np.bool_)
