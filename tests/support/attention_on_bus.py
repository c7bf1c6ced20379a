"""A small attention core on a bus: settings, operands, masks, and what should come."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gen.design import Design
from sim.bench.attention import by_dimension, by_key
from sim.bench.axi import Frame, Poll, Receive, Send, Step
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, TileGrid
from tests.support.attention import random_operands
from tests.support.axi import elements, frame
from tests.support.bus_session import OnBus

__all__ = ["KEYS", "QUERIES", "SETTINGS", "AttentionOnBus"]

CYCLES = 40_000
QUERIES, KEYS = 9, 14
SETTINGS = [
    "rows=2", "columns=4", "value_columns=2", "head_dim=4", "value_dim=4", "heads=4", "kv_heads=2",
    "queries=11", "keys=17",
]  # fmt: skip
"""Of ``attention_any_mask``: odd sizes, grouped queries, tiles that are no squares."""


class AttentionOnBus(OnBus):
    """A small core for any mask, with operands and what it should give."""

    def __init__(self, design: Design, folder: Path, **more: Any):
        super().__init__(design, folder, cycles=CYCLES, **more)
        self.config = design.config
        self.q, self.k, self.v = random_operands(self.config, QUERIES, KEYS, seed=1)

    def start(self, first: int, count: int, source: str = "generator", **more: int) -> list[Step]:
        host = self.host
        return [
            host.write("queries", count=QUERIES),
            host.write("keys", count=KEYS),
            host.write("heads", first=first, count=count),
            host.write("mask", source=source, **more),
            host.write("control", start=1),
        ]

    def rows(self, name: str, words: Any, transfers: int) -> list[Frame]:
        """(words, lanes) as frames of so many transfers each."""
        values = np.asarray(words).astype(np.int64).reshape(-1, transfers, words.shape[-1])
        return [frame(self.inputs[name], row.reshape(-1)) for row in values]

    def operands(self, heads: Sequence[int]) -> dict[str, list[Frame]]:
        """Frames of each stream for a run of these query heads."""
        config, groups = self.config, self.config.layer.groups
        sets = [h // groups for k, h in enumerate(heads) if k == 0 or h % groups == 0]
        dims = config.layer.head_dim
        q = by_dimension(self.q[list(heads)], config.rows).reshape(-1, config.rows)
        k = by_dimension(self.k[sets], config.columns).reshape(-1, config.columns)
        v = by_key(self.v[sets], config.columns, config.value_columns)
        v = v.reshape(-1, config.value_columns)
        return {
            "q": self.rows("q", q, dims),
            "k": self.rows("k", k, dims),
            "v": self.rows("v", v, config.groups),
        }

    def send(self, heads: Sequence[int]) -> list[Step]:
        return [Send(name, frames) for name, frames in self.operands(heads).items()]

    def receive(self, count: int) -> list[Step]:
        return [Receive("o", count * QUERIES), self.idle(), self.host.read("error")]

    def idle(self) -> Poll:
        return self.host.until("status", busy=0)

    def load(self, mask: ColumnIntervals | BlockBitmap) -> list[Step]:
        """Settings, the command, and the words of a mask."""
        host = self.host
        lengths = [host.write("queries", count=QUERIES), host.write("keys", count=KEYS)]
        if isinstance(mask, ColumnIntervals):
            bounds = np.array(mask.hidden, np.int64).reshape(-1, 4)
            settings = [host.write("mask", source="columns")]
            words = {"columns": self.rows("columns", bounds, 1)}
        else:
            low = (1 << GROUP) - 1
            groups = np.array([[word & low, word >> GROUP] for word in mask.group_words])
            tokens = np.array(mask.token_words or [0]).reshape(-1, 1)
            tiles = len(mask.token_words) // self.config.rows
            settings = [
                host.write("mask", source="bitmap"), host.write("token_tiles", count=tiles)
            ]  # fmt: skip
            transfers = {"bitmap": -(-KEYS // self.config.columns // GROUP) or 1}
            words = {
                "bitmap": self.rows("bitmap", groups, transfers["bitmap"]),
                "tokens": self.rows("tokens", tokens, self.config.rows if tiles else 1),
            }
        sends = [Send(name, frames) for name, frames in words.items()]
        return [*lengths, *settings, host.write("control", load=1), *sends, self.idle()]

    def wanted(self, heads: Sequence[int], mask: Any = None) -> tuple[Any, Any]:
        o, empty = attention(self.config.layer, self.q, self.k, self.v, mask)
        return o[list(heads)], empty[list(heads)]

    def told(self, frames: list[dict[str, Any]], count: int) -> tuple[Any, Any]:
        """(heads, queries, value_dim) of what came, and whether each row is empty."""
        rows = [elements(self.outputs["o"], row) for row in frames]
        users = [row["user"] for row in frames]
        assert all(len(set(user)) == 1 and user[0] < 2 for user in users)
        o = np.array(rows).reshape(count, QUERIES, -1)
        return o, np.array([user[0] for user in users], bool).reshape(count, QUERIES)

    def masks(self) -> dict[str, Any]:
        """A mask for each source, as an array, and as it is loaded."""
        rng = np.random.default_rng(3)
        blocks = rng.random((QUERIES, KEYS)) < 0.3
        blocks[4:6] = False
        shared = np.ones((QUERIES, KEYS), bool)
        shared[5:, 2:9] = False
        grid = TileGrid(self.config.rows, self.config.columns, QUERIES, KEYS)
        return {
            "columns": (shared, compile_columns(shared)),
            "bitmap": (blocks, compile_bitmap(blocks, grid)),
        }
