"""The mask suite: what attention is really asked for, in every form in which it can be given.

Lengths scale with n, so that tests can be quick: at n = 1024 a block is 64 tokens, windows are 512,
128 and +-256, there are 64 tree nodes. Every mask is a function of n and a seed alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.golden.masks import compile_bitmap, dense
from spec.masks import Mask, causal, document, full, global_tokens, prefix, sliding_window
from spec.masks import dilated as dilated_mask
from spec.tiles import BlockBitmap, ColumnIntervals, Range, TileGrid

__all__ = ["SUITE", "MaskCase", "mask_case"]

Bools = NDArray[np.bool_]
Hidden = tuple[Range, Range]
SEED = 2205
NONE: Range = (0, 0)


@dataclass(frozen=True)
class MaskCase:
    """One mask of the suite, its sources checked by the tests to be the same mask."""

    name: str
    dense: Bools
    mask: Mask | None = None
    columns: ColumnIntervals | None = None

    @property
    def queries(self) -> int:
        """How many queries there are."""
        return self.dense.shape[0]

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return self.dense.shape[1]

    def grid(self, rows: int, columns: int) -> TileGrid:
        """The mask's tiles."""
        return TileGrid(rows, columns, self.queries, self.keys)

    def bitmap(self, rows: int, columns: int) -> BlockBitmap:
        """The third source, which every mask has."""
        return compile_bitmap(self.dense, self.grid(rows, columns))


Made = tuple[Bools | None, Mask | None, ColumnIntervals | None]
Maker = Callable[[int, np.random.Generator], Made]
SUITE: dict[str, Maker] = {}
"""Name -> function of n and a random generator."""


def mask_case(name: str, n: int) -> MaskCase:
    """The mask `name` of the suite for n tokens, n a power of two of at least 64."""
    rng = np.random.default_rng([SEED, n, *name.encode()])
    array, mask, columns = SUITE[name](n, rng)
    if array is None:
        assert mask is not None
        array = dense(mask, n, n)
    return MaskCase(name, array, mask, columns)


def _suite(name: str) -> Callable[[Maker], Maker]:
    def enter(maker: Maker) -> Maker:
        SUITE[name] = maker
        return maker

    return enter


def _intervals(n: int, hidden: list[Hidden], *, is_causal: bool = False) -> ColumnIntervals:
    return ColumnIntervals(n, tuple(hidden), is_causal)


def _block(n: int) -> int:
    return n // 16 if n < 1024 else 64


def _of_blocks(blocks: Bools, side: int) -> Bools:
    return blocks.repeat(side, 0).repeat(side, 1)


@_suite("causal")
def _causal(n: int, rng: np.random.Generator) -> Made:
    return None, causal(), _intervals(n, [(NONE, NONE)] * n, is_causal=True)


def _filled(sizes: NDArray[np.integer], n: int) -> list[int]:
    """As many of these lengths as make n, the last one cut."""
    ends = np.minimum(np.cumsum(np.maximum(sizes, 1)), n)
    lengths = np.diff(ends, prepend=0)
    return [int(length) for length in lengths if length]


def _documents(n: int, lengths: list[int]) -> Made:
    hidden: list[Hidden] = []
    for length in lengths:
        hidden += [((len(hidden) + length, n), NONE)] * length
    return None, causal() & document(lengths), _intervals(n, hidden, is_causal=True)


@_suite("documents_poisson")
def _documents_poisson(n: int, rng: np.random.Generator) -> Made:
    return _documents(n, _filled(rng.poisson(n / 8, n), n))


@_suite("documents_heavy")
def _documents_heavy(n: int, rng: np.random.Generator) -> Made:
    return _documents(n, _filled((n / 64 * (1 + rng.pareto(1.1, n))).astype(int), n))


@_suite("window")
def _window(n: int, rng: np.random.Generator) -> Made:
    size = n // 2
    hidden: list[Hidden] = [((min(key + size, n), n), NONE) for key in range(n)]
    return None, causal() & sliding_window(size), _intervals(n, hidden, is_causal=True)


@_suite("window_sinks")
def _window_sinks(n: int, rng: np.random.Generator) -> Made:
    size, sinks = n // 8, 4
    hidden: list[Hidden] = [
        (NONE if key < sinks else (min(key + size, n), n), NONE) for key in range(n)
    ]
    mask = causal() & sliding_window(size, sinks=sinks)
    return None, mask, _intervals(n, hidden, is_causal=True)


@_suite("window_global")
def _window_global(n: int, rng: np.random.Generator) -> Made:
    reach, count = n // 4, n // 64
    hidden: list[Hidden] = [
        (NONE, NONE) if key < count else ((count, key - reach), (min(key + reach + 1, n), n))
        for key in range(n)
    ]
    mask = sliding_window(reach + 1, ahead=reach) | global_tokens(count)
    return None, mask, _intervals(n, hidden)


@_suite("prefix")
def _prefix(n: int, rng: np.random.Generator) -> Made:
    length = n * 3 // 16
    hidden: list[Hidden] = [((0, 0 if key < length else key), NONE) for key in range(n)]
    return None, causal() | prefix(length), _intervals(n, hidden)


@_suite("dilated")
def _dilated(n: int, rng: np.random.Generator) -> Made:
    return None, dilated_mask(n // 8, 2), None


@_suite("bigbird")
def _bigbird(n: int, rng: np.random.Generator) -> Made:
    """Per block row 3 neighbours and 3 random blocks; 2 global block rows and columns."""
    side = _block(n)
    count = n // side
    row, column = np.indices((count, count))
    blocks = (np.abs(row - column) <= 1) | (row < 2) | (column < 2)
    for each in range(2, count):
        rest = np.flatnonzero(~blocks[each])
        blocks[each, rng.choice(rest, min(3, len(rest)), replace=False)] = True
    return _of_blocks(blocks, side), None, None


@_suite("share_question")
def _share_question(n: int, rng: np.random.Generator) -> Made:
    """A question, then answers that see it and themselves."""
    question = n // 4
    ends = [
        question,
        *(question + np.cumsum(_filled(rng.poisson(n / 8, n), n - question))).tolist(),
    ]
    answer = np.searchsorted(ends, np.arange(n), side="right")
    seen = (answer[None, :] == 0) | (answer[:, None] == answer[None, :])
    hidden: list[Hidden] = [((ends[each], n) if each else NONE, NONE) for each in answer.tolist()]
    return seen & np.tri(n, dtype=bool), None, _intervals(n, hidden, is_causal=True)


def _tree(nodes: int, before: int, rng: np.random.Generator) -> Made:
    """Nodes in depth-first order that see their ancestors, themselves and all of the prefix."""
    parent = [-1] * nodes
    for node in range(1, nodes):
        # From the last node upwards: this keeps the order depth-first.
        up = node - 1
        while parent[up] >= 0 and rng.random() < 0.4:
            up = parent[up]
        parent[node] = up
    end = list(range(1, nodes + 1))
    seen = np.eye(nodes, dtype=bool)
    for node in range(nodes - 1, 0, -1):
        end[parent[node]] = max(end[parent[node]], end[node])
    for node in range(1, nodes):
        seen[node] |= seen[parent[node]]
    hidden: list[Hidden] = [(NONE, NONE)] * before + [((each, nodes), NONE) for each in end]
    columns = ColumnIntervals(nodes, tuple(hidden), causal=True)
    return np.concatenate([np.ones((nodes, before), bool), seen], axis=1), None, columns


@_suite("tree")
def _tree_alone(n: int, rng: np.random.Generator) -> Made:
    return _tree(n // 16, 0, rng)


@_suite("tree_prefix")
def _tree_prefix(n: int, rng: np.random.Generator) -> Made:
    return _tree(n // 16, n, rng)


@_suite("butterfly")
def _butterfly(n: int, rng: np.random.Generator) -> Made:
    """Block-butterfly (arXiv 2112.00029): i = j, or they differ in one bit."""
    side = _block(n)
    row, column = np.indices((n // side, n // side))
    differ = row ^ column
    return _of_blocks(differ & (differ - 1) == 0, side), None, None


def _random_blocks(n: int, share: float, rng: np.random.Generator) -> Made:
    side = _block(n)
    count = (n // side) ** 2
    blocks = np.zeros(count, bool)
    blocks[rng.choice(count, max(1, round(share * count)), replace=False)] = True
    return _of_blocks(blocks.reshape(n // side, -1), side), None, None


@_suite("random_10")
def _random_10(n: int, rng: np.random.Generator) -> Made:
    return _random_blocks(n, 0.1, rng)


@_suite("random_1")
def _random_1(n: int, rng: np.random.Generator) -> Made:
    return _random_blocks(n, 0.01, rng)


@_suite("empty")
def _empty(n: int, rng: np.random.Generator) -> Made:
    return None, ~full(), _intervals(n, [((0, n), NONE)] * n)


@_suite("single")
def _single(n: int, rng: np.random.Generator) -> Made:
    row, column = (int(each) for each in rng.integers(0, n, 2))
    hidden: list[Hidden] = [((0, n), NONE)] * n
    hidden[column] = (0, row), (row + 1, n)
    mask = Mask(lambda b, h, q, k: (q == row) & (k == column))
    return None, mask, _intervals(n, hidden)


@_suite("full")
def _full(n: int, rng: np.random.Generator) -> Made:
    return None, full(), _intervals(n, [(NONE, NONE)] * n)
