"""Masks to the words and jobs of a dispatcher, run beside its cycle model and the golden tiles."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from amaranth.hdl import Module
from numpy.typing import NDArray

from hw.dispatch.config import DispatchConfig
from hw.dispatch.core import Dispatcher
from hw.dispatch.jobs import LOAD_SETTLES
from sim.cycle.dispatch import DispatchCycles, DispatchJob
from sim.cycle.heads import columns_answers, exact_answers, generator_answers
from sim.golden.masks import classes_of_bitmap, classes_of_columns, classes_of_expr, tile_list
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, TileGrid
from tests.support.bench import RandomStalls, Run, Stalls, run

__all__ = ["Head", "Used", "bitmap_words", "column_words", "dispatch", "due", "token_words"]

Fields = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Head:
    """A job and its mask: what is loaded, or None for the generator."""

    queries: int
    keys: int
    b: int = 0
    h: int = 0
    mask: BlockBitmap | ColumnIntervals | None = None

    @property
    def source(self) -> str:
        return {BlockBitmap: "bitmap", ColumnIntervals: "columns"}.get(type(self.mask), "generator")

    def job(self, config: DispatchConfig) -> Fields:
        return {
            "queries": self.queries,
            "keys": self.keys,
            "batch": self.b,
            "head": self.h,
            "source": config.sources.index(self.source),
            "causal": int(isinstance(self.mask, ColumnIntervals) and self.mask.causal),
        }

    def grid(self, config: DispatchConfig) -> TileGrid:
        return TileGrid(config.sizes.rows, config.sizes.columns, self.queries, self.keys)

    def classes(self, config: DispatchConfig) -> NDArray[np.uint8]:
        """Of every tile, as the golden model has them."""
        if not (self.queries and self.keys):
            return np.zeros((max(1, -(-self.queries // config.sizes.rows)), 1), np.uint8)
        grid = self.grid(config)
        match self.mask:
            case BlockBitmap():
                return classes_of_bitmap(self.mask)
            case ColumnIntervals():
                return classes_of_columns(self.mask, grid)
        if config.mask is None:
            full = np.full((grid.row_blocks, grid.key_tiles), 2, np.uint8)
            full[:, -1] -= grid.overhangs(grid.key_tiles - 1)
            return full
        return classes_of_expr(config.mask, grid, self.b, self.h)

    def answers(self, config: DispatchConfig) -> DispatchJob:
        """Of its mask's source, as the cycle model wants them."""
        if not (self.queries and self.keys):
            return exact_answers(self.classes(config))
        match self.mask:
            case BlockBitmap():
                return exact_answers(classes_of_bitmap(self.mask))
            case ColumnIntervals():
                return columns_answers(self.mask, self.grid(config))
        return generator_answers(config.mask, self.grid(config), self.b, self.h)


class Used(Dispatcher):
    """A dispatcher whose jobs are done with in the cycle after their last command was taken."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        if self.config.loadable:
            m.d.sync += self.done.eq(self.o.valid & self.o.ready & self.o.payload.end)
        return m


def due(config: DispatchConfig, heads: Sequence[Head]) -> list[dict[str, int | None]]:
    """The commands for `heads`, from the golden tile lists alone; None is what means nothing."""
    found: list[dict[str, int | None]] = []
    limit = config.ring_tiles or config.sizes.key_tiles
    for head in heads:
        classes = head.classes(config)
        skips, flags = 0, {"first": 1, "last": 1, "none": 1, "end": 1, "refused": 0}
        tiles, tokens, loaded = tile_list(classes), 0, head.source == "bitmap"
        for block in range(len(classes)):
            mine = [tile for tile in tiles if tile.row_block == block]
            final = block == len(classes) - 1
            for number, tile in enumerate(mine):
                last = number in (len(mine) - 1, limit - 1)
                if number < limit:
                    refused = int(last and number < len(mine) - 1)
                    end = int(last and final)
                    found.append(
                        {
                            "row_block": block,
                            "key_tile": tile.key_tile,
                            "partial": int(tile.partial),
                            "first": int(number == 0),
                            "last": int(last),
                            "none": 0,
                            "end": end,
                            "refused": refused,
                            "skips": 0 if number else skips,
                            "token_tile": tokens if loaded and tile.partial else None,
                        }
                    )
                tokens += tile.partial
            if final and not mine:
                none = {"row_block": block, "key_tile": 0, "partial": 0, **flags}
                found.append({**none, "skips": skips, "token_tile": None})
            skips = 0 if mine else skips + 1
    return found


def column_words(mask: ColumnIntervals) -> list[Fields]:
    """The column words of its keys."""
    names = ("start0", "end0", "start1", "end1")
    bounds = ((*first, *second) for first, second in mask.hidden)
    return _ended([dict[str, int](zip(names, each, strict=True)) for each in bounds])


def bitmap_words(mask: BlockBitmap) -> list[Fields]:
    """The group words of a bitmap."""
    low = (1 << GROUP) - 1
    return _ended([{"visible": w & low, "partial": w >> GROUP} for w in mask.group_words])


def token_words(mask: BlockBitmap) -> list[Fields]:
    """Its token words, or one of any bits."""
    return _ended([{"bits": word} for word in mask.token_words or (0,)])


def dispatch(
    config: DispatchConfig,
    heads: Sequence[Head],
    *,
    stalls: Mapping[str, Stalls] | None = None,
    cycles_budget: int = 20_000,
) -> tuple[Run, DispatchCycles]:
    """Run `heads`, of whose masks each source's first is loaded.

    Every command must be what is due, and every job and command be transferred in the very cycle
    that the cycle model says. Only `o` and `i_job` may be stalled.
    """
    words: dict[str, list[Fields]] = {}
    for head in heads:
        if isinstance(head.mask, ColumnIntervals):
            words.setdefault("i_columns", column_words(head.mask))
        if isinstance(head.mask, BlockBitmap):
            words.setdefault("i_bitmap", bitmap_words(head.mask))
            words.setdefault("i_tokens", token_words(head.mask))
    for source, names in (("columns", ("i_columns",)), ("bitmap", ("i_bitmap", "i_tokens"))):
        for name in names if source in config.sources else ():
            words.setdefault(name, [])
    expected = due(config, heads)
    result = run(
        Used(config),
        {"i_job": [head.job(config) for head in heads], **words},
        expect=len(expected),
        stalls=stalls or {},
        cycles_budget=cycles_budget,
    )
    assert len(result.outputs["o"]) == len(expected)
    for command, wanted in zip(result.outputs["o"], expected, strict=True):
        assert command | {k: None for k, v in wanted.items() if v is None} == wanted
    return result, _predicted(config, heads, result, stalls or {})


def _predicted(
    config: DispatchConfig, heads: Sequence[Head], result: Run, stalls: Mapping[str, Stalls]
) -> DispatchCycles:
    free = {name: _free_cycles(stalls.get(name), name, result.total) for name in ("o", "i_job")}
    there = {"generator": 0}
    for source, names in (("columns", ("i_columns",)), ("bitmap", ("i_bitmap", "i_tokens"))):
        last = [result.cycles[name][-1] for name in names if result.cycles.get(name)]
        there[source] = max(last, default=0) + LOAD_SETTLES
    jobs = []
    accepted = result.cycles["i_job"]
    for before, head in zip([-1, *accepted], heads, strict=False):
        answers = head.answers(config)
        offered, loaded = free["i_job"](before + 1), there[head.source]
        jobs.append(
            DispatchJob(coarse=answers.coarse, fine=answers.fine, offered=offered, loaded=loaded)
        )
    cycles = DispatchCycles(config, jobs)
    assert cycles.count == len(result.outputs["o"])
    taken: list[int] = []
    for number in range(cycles.count):
        taken.append(free["o"](cycles.offered(number)))
        cycles.taken(number, taken[-1])
    assert taken == result.cycles["o"]
    assert cycles.accepted == accepted
    return cycles


def _free_cycles(pattern: Stalls, name: str, total: int) -> Callable[[int], int]:
    """From a cycle to the first one from it on that is not stalled."""
    if isinstance(pattern, RandomStalls):
        stalled = list(islice(pattern.cycles(name), total))
    else:
        stalled = [*(pattern or ()), *[False] * total]
    free = [cycle for cycle, each in enumerate(stalled) if not each]
    return lambda cycle: free[bisect_left(free, cycle)]


def _ended(words: list[Fields]) -> list[Fields]:
    return [{**word, "last": int(k == len(words) - 1)} for k, word in enumerate(words)]
