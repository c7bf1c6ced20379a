"""An attention core at the other end of the link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpga.host.kinds.kind import Amount, CoreKind, Job
from fpga.host.packets import Stream
from fpga.link import Incompatible, RunFailed
from sim.arrays import attention as of
from sim.arrays.attention import Heads, Loaded, Result
from sim.arrays.layout import by_dimension, by_key
from spec.tiles import GROUP, ColumnIntervals

__all__ = ["AttentionHost"]

EMPTY, REFUSED, SKIP = 1, 2, 4
"""Bits that go with an output."""


@dataclass(frozen=True)
class Tiles:
    """How a core is cut into tiles."""

    rows: int
    columns: int
    partial_tiles: int


class AttentionHost(CoreKind):
    """``q``, ``k``, ``v`` int8, and ``mask`` bool, True = attend."""

    names = of.NAMES

    @property
    def _layer(self) -> Any:
        return self.core.description

    @property
    def _tiles(self) -> Tiles:
        built = self.core.configuration
        return Tiles(built["rows"], built["columns"], built["partial_tiles"])

    def read(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Heads:
        """Operands and mask."""
        return self._read(path, arrays, reorder=False)

    def read_reordered(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Heads:
        """The same with tokens in an order in which the mask leaves fewer tiles."""
        return self._read(path, arrays, reorder=True)

    def _read(self, path: Path, arrays: Mapping[str, NDArray[Any]], *, reorder: bool) -> Heads:
        work = of.read(path, arrays, self._layer, self._tiles, reorder=reorder)
        most = self.core.configuration["score_tiles"]
        if most is not None and not work.nothing and self._layer.row_numerics.needs_max:
            visited = of.visited_tiles(self._layer, self._tiles, work)
            of.check_rows(path, self._tiles, most, visited)
        return work

    def jobs(self, work: Heads) -> list[Job]:
        """One for all heads, or one for each run of heads that share a mask of their own."""
        if work.nothing:
            return []
        return [self._job(work, heads, mask) for heads, mask in self._shared(work)]

    def _shared(self, work: Heads) -> list[tuple[list[int], Loaded]]:
        """Heads that run with one mask, in order."""
        heads = range(work.q.shape[0])
        if len(work.loaded) == 1:
            return [([*heads], work.loaded[0])]
        found = groupby(heads, key=lambda head: work.loaded[head])
        return [([*members], mask) for mask, members in found]

    def _job(self, work: Heads, heads: Sequence[int], mask: Loaded) -> Job:
        tiles, groups, streams = self._tiles, self._layer.groups, self.core.streams
        sets = [h // groups for k, h in enumerate(heads) if k == 0 or h % groups == 0]
        dims = self._layer.head_dim
        lanes = streams["v"].lanes
        q = by_dimension(work.q[list(heads)], tiles.rows)
        k = by_dimension(work.k[sets], tiles.columns)
        v = by_key(work.v[sets], tiles.columns, lanes)
        loads, settings = self._load(mask)
        return Job(
            settings=self.settings(
                queries={"count": work.q.shape[1]},
                keys={"count": work.k.shape[1]},
                heads={"first": heads[0], "count": len(heads)},
                batch={"index": 0},
                **settings,
            ),
            loads=loads,
            sends={
                "q": _packed(streams["q"], q, dims),
                "k": _packed(streams["k"], k, dims),
                "v": _packed(streams["v"], v, self._layer.columns // lanes),
            },
            receives={"o": sum(words for words, _ in self._blocks(work, heads))},
        )

    def _load(self, mask: Loaded) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Words of a mask, and the settings about it."""
        streams = self.core.streams
        if mask is None:
            return {}, {"mask": {"source": "generator"}}
        if isinstance(mask, ColumnIntervals):
            bounds = np.array(mask.hidden, np.int64).reshape(-1, 1, 4)
            loads = {"columns": _packed(streams["columns"], bounds, 1)}
            return loads, {"mask": {"source": "columns", "causal": int(mask.causal)}}
        tiles, low = self._tiles, (1 << GROUP) - 1
        groups = np.array([[word & low, word >> GROUP] for word in mask.group_words], np.int64)
        tokens = np.array(mask.token_words or [0], np.int64)[:, None]
        partial = len(mask.token_words) // tiles.rows
        loads = {
            "bitmap": _packed(streams["bitmap"], groups, mask.grid.groups),
            "tokens": _packed(streams["tokens"], tokens, tiles.rows if partial else 1),
        }
        return loads, {"mask": {"source": "bitmap"}, "token_tiles": {"count": partial}}

    def _blocks(self, work: Heads, heads: Sequence[int]) -> list[tuple[int, int]]:
        """Words of every row block of these heads, and its queries."""
        rows, queries = self._tiles.rows, work.q.shape[1]
        groups = self._layer.columns // self.core.streams["o"].lanes
        sizes = [min(rows, queries - start) for start in range(0, queries, rows)]
        if not self.core.configuration["compact"]:
            return [(size * groups, size) for size in sizes] * len(heads)
        visited = of.visited_tiles(self._layer, self._tiles, work)
        return [
            (size * groups if tiles else 1, size)
            for head in heads
            for size, tiles in zip(sizes, visited[head], strict=True)
        ]

    def result(self, work: Heads, came: list[Mapping[str, bytes]], cycles: int) -> Result:
        """Outputs and empty rows."""
        heads, queries = work.q.shape[:2]
        o = np.zeros((heads, queries, self._layer.columns), np.int64)
        empty = np.ones((heads, queries), bool)
        if work.nothing:
            return of.result(self._layer, work, o, empty, cycles, 0)
        for (members, _), words in zip(self._shared(work), came, strict=True):
            values, flags = self._told(words["o"], self._blocks(work, members))
            shape = len(members), queries
            if (flags & REFUSED).any():
                row = int(np.argmax(flags & REFUSED > 0))
                raise RunFailed(
                    f"the core refused queries from {row % queries} of head "
                    f"{members[row // queries]}: they see more tiles than its score ring holds; "
                    "build it with a larger score_tiles, or give a sparser mask"
                )
            o[members] = values.reshape(*shape, -1)
            empty[members] = (flags & EMPTY).reshape(shape) > 0
        tiles = sum(int(each.sum()) for each in of.visited_tiles(self._layer, self._tiles, work))
        return of.result(self._layer, work, o, empty, cycles, tiles)

    def _told(self, words: bytes, blocks: Sequence[tuple[int, int]]) -> tuple[Any, Any]:
        """Values and flags of every query, from the words of row blocks."""
        data, _, user, last = self.core.streams["o"].fields(words)
        groups = self._layer.columns // self.core.streams["o"].lanes
        values, flags, ends, at = [], [], [], 0
        for count, size in blocks:
            part = slice(at, at + count)
            at += count
            if user[at - count] & SKIP:
                values.append(np.zeros((size, self._layer.columns), np.int64))
                flags.append(np.full(size, user[at - count]))
                ends.append([True])
            else:
                values.append(data[part].reshape(size, -1))
                flags.append(user[part].reshape(size, groups)[:, -1])
                ends.append(np.tile(np.arange(groups) == groups - 1, size))
            if len(ends[-1]) != count:
                raise Incompatible("stream o: the board skipped other queries than the mask does")
        if (np.concatenate(ends) != last).any():
            raise Incompatible("stream o: a row from the board ends out of place")
        return np.concatenate(values), np.concatenate(flags)

    def golden(self, work: Heads, cycles: int) -> Result:
        """Outputs by the golden model."""
        tiles = 0
        if not work.nothing:
            visited = of.visited_tiles(self._layer, self._tiles, work)
            tiles = sum(int(each.sum()) for each in visited)
        return of.golden(self._layer, work, cycles, tiles)

    def amount(self, work: Heads, result: Result) -> Amount:
        """Products of the tiles that are visited, for scores and for outputs."""
        a_tile = self._tiles.rows * self._tiles.columns
        return Amount(result.tiles * a_tile * (self._layer.head_dim + self._layer.columns), "MAC")

    def summary(self, work: Heads, result: Result) -> dict[str, Any]:
        """Sizes, cycles and tiles."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)


def _packed(stream: Stream, words: NDArray[Any], transfers: int) -> bytes:
    """(…, words, lanes) as rows of so many transfers; bytes of operands are signed."""
    rows = np.asarray(words).reshape(-1, transfers * stream.lanes)
    return stream.pack(rows.view(np.int8) if rows.dtype == np.uint8 else rows)
