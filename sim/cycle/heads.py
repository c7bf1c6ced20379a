"""Heads as the cycle model wants them: what the mask source answers for every tile, and loading.

The dispatcher asks its source about groups of key tiles, then about the tiles of the groups that
may hold something. Arrays of both answers are what the cycle models take for a mask.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.attention.config import AttentionConfig
from hw.dispatch.jobs import LOAD_SETTLES
from sim.cycle.attention import AttentionCycles, Job, attention_cycles
from sim.cycle.dispatch import DispatchJob, coarse_of_classes
from sim.golden.expr import evaluate
from sim.golden.masks import classes_of_bitmap, classes_of_columns
from spec.expr import Expr, TileClass, symbolic_class, variable
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, TileGrid

__all__ = [
    "Loaded",
    "columns_answers",
    "exact_answers",
    "generator_answers",
    "head_answers",
    "head_cycles",
    "source_of",
    "visible_tiles",
]

Classes = NDArray[np.uint8]

Loaded = BlockBitmap | ColumnIntervals | None
"""A head's mask: what is loaded, or None for the layer's own in gates."""


def grid_of(config: AttentionConfig, queries: int, keys: int) -> TileGrid:
    """The tiles of a mask of this size in a core's arrays."""
    return TileGrid(config.rows, config.columns, queries, keys)


def generator_answers(mask: Expr | None, grid: TileGrid, b: int, h: int) -> DispatchJob:
    """Answers of the mask's gates: conservative where its expression cannot be bounded exactly."""
    may, _ = _bounded(mask, grid, grid.columns * GROUP, grid.groups, b, h)
    true, false = _bounded(mask, grid, grid.columns, grid.key_tiles, b, h)
    false[:, -1] |= grid.overhangs(grid.key_tiles - 1)
    fine = np.where(true, np.where(false, TileClass.PARTIAL, TileClass.FULL), TileClass.EMPTY)
    return DispatchJob(coarse=may, fine=fine)


def exact_answers(classes: Classes) -> DispatchJob:
    """Answers of a source that is exact at both levels, such as a bitmap."""
    return DispatchJob(coarse=coarse_of_classes(classes, GROUP), fine=classes)


def columns_answers(columns: ColumnIntervals, grid: TileGrid) -> DispatchJob:
    """Answers of column intervals: exact for tiles, for groups from a summary of their keys."""
    classes = classes_of_columns(columns, grid)
    hidden = np.array(columns.hidden, np.int64)
    (start0, end0), (start1, end1) = hidden[:, 0].T, hidden[:, 1].T
    first = np.arange(0, columns.keys, grid.columns * GROUP)
    head = np.minimum.reduceat(np.where(start0 == 0, end0, 0), first)
    start = np.maximum.reduceat(np.where(end1 == 0, start0, start1), first)
    end = np.minimum.reduceat(np.where(end1 == 0, end0, end1), first)
    low = np.arange(grid.row_blocks)[:, None] * grid.rows
    high = np.minimum(low + grid.rows, grid.queries) - 1
    never = (head > high) | ((start <= low) & (end > high))
    if columns.causal:
        never |= first - (columns.keys - columns.queries) > high
    return DispatchJob(coarse=~never, fine=classes)


def answers_of(
    config: AttentionConfig, grid: TileGrid, b: int, h: int, mask: Loaded
) -> DispatchJob:
    """What a head's mask source answers; without a loaded mask that is the generator."""
    match mask:
        case BlockBitmap():
            return exact_answers(classes_of_bitmap(mask))
        case ColumnIntervals():
            return columns_answers(mask, grid)
        case None:
            return generator_answers(config.layer.mask_expr, grid, b, h)


def visible_tiles(answers: DispatchJob) -> NDArray[np.int64]:
    """(row blocks,) tiles that the dispatcher commands where the score ring has room for all."""
    fine = np.asarray(answers.fine) != TileClass.EMPTY
    may = np.repeat(np.asarray(answers.coarse), GROUP, axis=1)[:, : fine.shape[1]]
    return (fine & may).sum(axis=1)


def head_answers(
    config: AttentionConfig, queries: int, keys: int, masks: Sequence[Loaded], b: int = 0
) -> list[DispatchJob]:
    """Every head's answers; heads with the same mask share them."""
    grid = grid_of(config, queries, keys)
    own = config.layer.mask_expr
    varies = own is not None and "h" in own.variables
    known: dict[tuple[int, int], DispatchJob] = {}
    found = []
    for h, mask in enumerate(masks):
        key = (id(mask), h if mask is None and varies else 0)
        if key not in known:
            known[key] = answers_of(config, grid, b, h, mask)
        found.append(known[key])
    return found


def head_cycles(
    config: AttentionConfig, queries: int, keys: int, masks: Sequence[Loaded], *, b: int = 0
) -> AttentionCycles:
    """Cycles of every head in turn, everything offered as early as it may be.

    A mask that takes the place of another is offered in the cycle after the last output of the
    jobs before it, and the job that uses it when it has been accepted.

    Parameters
    ----------
    masks
        Of every head, or one for all.
    """
    heads, groups = config.layer.heads, config.layer.groups
    of_head = list(masks) * heads if len(masks) == 1 else list(masks)
    answers = head_answers(config, queries, keys, of_head, b)
    jobs: list[Job] = []
    held: dict[type, Loaded] = {}
    offered = 0
    for h, (mask, tiles) in enumerate(zip(of_head, answers, strict=True)):
        loaded = 0
        if mask is not None and held.get(type(mask)) is not mask:
            start = 0
            if type(mask) in held:
                start = attention_cycles(config, jobs).total
            end = start + _load_words(mask)
            loaded = end - 1 + LOAD_SETTLES
            if type(mask) in held:
                offered = end
            held[type(mask)] = mask
        tiles = replace(tiles, offered=offered, loaded=loaded)
        keep = h % groups != groups - 1
        jobs.append(Job(queries=queries, keys=keys, tiles=tiles, keep=keep))
    return attention_cycles(config, jobs)


def source_of(config: AttentionConfig, mask: Loaded) -> int:
    """The place of a mask's source among those of the layer."""
    names = {BlockBitmap: "bitmap", ColumnIntervals: "columns", type(None): "generator"}
    return config.layer.masks.index(names[type(mask)])


def _load_words(mask: BlockBitmap | ColumnIntervals) -> int:
    """Words of the longest of a mask's streams."""
    if isinstance(mask, ColumnIntervals):
        return mask.keys
    return max(len(mask.group_words), len(mask.token_words))


def _bounded(
    mask: Expr | None, grid: TileGrid, columns: int, count: int, b: int, h: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(may be true, may be false) of every row block by `count` ranges of `columns` keys."""
    shape = (grid.row_blocks, count)
    if mask is None:
        return np.ones(shape, bool), np.zeros(shape, bool)
    used = mask.variables
    ends: dict[str, tuple[Any, Any]] = {name: (used[name], used[name]) for name in used}
    q, k = np.arange(grid.row_blocks)[:, None] * grid.rows, np.arange(count)[None] * columns
    values: dict[str, Any] = {"b": b, "h": h, "offset": grid.keys - grid.queries}
    for name, low, high in (
        ("q", q, np.minimum(q + grid.rows, grid.queries) - 1),
        ("k", k, np.minimum(k + columns, grid.keys) - 1),
    ):
        if name in used:
            bounds = used[name].data[1:]
            ends[name] = variable(f"{name}_low", *bounds), variable(f"{name}_high", *bounds)
            values[f"{name}_low"], values[f"{name}_high"] = low, high
    pair = symbolic_class(mask, ends, {"q": grid.rows, "k": columns})
    true, false = (np.broadcast_to(evaluate(each, values), shape) for each in pair)
    return true.copy(), false.copy()
