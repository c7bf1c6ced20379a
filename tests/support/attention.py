"""An attention core in Amaranth's simulator, on arrays: what comes out, and when."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.attention.config import AttentionConfig
from hw.attention.core import AttentionCore
from sim.cycle.heads import Loaded, head_cycles, source_of
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals
from tests.support.bench import Stalls, run

__all__ = ["CoreRun", "random_operands", "run_core"]


class CoreRun(NamedTuple):
    """Outputs as the golden model gives them, and cycles from the first input's transfer."""

    o: NDArray[np.int64]
    empty: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    delivered: list[int]
    predicted: list[int]


def random_operands(config: AttentionConfig, queries: int, keys: int, seed: int = 0):
    """Int8 queries, keys and values over the whole range."""
    layer, rng = config.layer, np.random.default_rng(seed)
    kv = layer.key_value_heads
    shapes = (
        (layer.heads, queries, layer.head_dim),
        (kv, keys, layer.head_dim),
        (kv, keys, layer.columns),
    )
    return tuple(rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes)


def run_core(
    config: AttentionConfig,
    q: NDArray[np.int8],
    k: NDArray[np.int8],
    v: NDArray[np.int8],
    mask: Loaded = None,
    *,
    stalls: Stalls = None,
) -> CoreRun:
    """Run every head; `mask` is loaded once, or None for the layer's own."""
    heads, queries, keys = q.shape[0], q.shape[1], k.shape[1]
    cycles = head_cycles(config, queries, keys, [mask])
    inputs = {
        "i_job": _jobs(config, heads, queries, keys, mask),
        "i_q": _sets(_by_dimension(each, config.rows) for each in q),
        "i_k": _sets(_by_dimension(each, config.columns) for each in k),
        "i_v": _sets(_by_key(each, config.columns, config.value_columns) for each in v),
        **_mask_words(mask),
    }
    done = run(
        AttentionCore(config),
        inputs,
        expect={"o": len(cycles.delivered)},
        stalls=stalls,
        cycles_budget=10 * cycles.total + 4000,
    )
    first = min(each[0] for each in done.cycles.values() if each)
    delivered = [cycle - first for cycle in done.cycles["o"]]
    return _read(config, heads, queries, done.outputs["o"], delivered, cycles.delivered)


def _jobs(
    config: AttentionConfig, heads: int, queries: int, keys: int, mask: Loaded
) -> list[dict[str, int]]:
    groups = config.layer.groups
    known = {
        "batch": 0,
        "queries": queries,
        "keys": keys,
        "source": source_of(config, mask),
        "causal": int(isinstance(mask, ColumnIntervals) and mask.causal),
    }
    return [known | {"head": h, "keep": int(h % groups != groups - 1)} for h in range(heads)]


def _sets(sets: Any) -> list[dict[str, Any]]:
    return [
        {"data": word, "last": int(at == len(words) - 1)}
        for words in sets
        for at, word in enumerate(words)
    ]


def _padded(array: NDArray[np.int8], step: int) -> NDArray[np.uint8]:
    more = -len(array) % step
    return np.ascontiguousarray(np.pad(array, ((0, more), (0, 0)))).view(np.uint8)


def _by_dimension(array: NDArray[np.int8], lanes: int) -> list[list[int]]:
    blocks = _padded(array, lanes).reshape(-1, lanes, array.shape[1])
    return blocks.transpose(0, 2, 1).reshape(-1, lanes).tolist()


def _by_key(array: NDArray[np.int8], columns: int, lanes: int) -> list[list[int]]:
    return _padded(array, columns).reshape(-1, lanes).tolist()


def _marked(words: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    return [{**word, "last": int(at == len(words) - 1)} for at, word in enumerate(words)]


def _mask_words(mask: Loaded) -> dict[str, list[dict[str, int]]]:
    if isinstance(mask, BlockBitmap):
        low = (1 << GROUP) - 1
        groups = [{"visible": word & low, "partial": word >> GROUP} for word in mask.group_words]
        tokens = [{"bits": word} for word in mask.token_words or [0]]
        return {"i_bitmap": _marked(groups), "i_tokens": _marked(tokens)}
    if isinstance(mask, ColumnIntervals):
        names = ("start0", "end0", "start1", "end1")
        bounds = np.array(mask.hidden, np.int64).reshape(-1, 4).tolist()
        return {"i_columns": _marked([dict(zip(names, each, strict=True)) for each in bounds])}
    return {}


def _read(
    config: AttentionConfig,
    heads: int,
    queries: int,
    words: Sequence[dict[str, Any]],
    delivered: list[int],
    predicted: list[int],
) -> CoreRun:
    lanes = config.value_columns
    o = np.zeros((heads, queries, config.layer.columns), np.int64)
    empty, refused = (np.zeros((heads, queries), bool) for _ in range(2))
    head = row = group = 0
    for word in words:
        height = min(config.rows, queries - row) if word["skip"] else 1
        o[head, row, group * lanes : (group + 1) * lanes] = word["value"]
        empty[head, row : row + height] |= bool(word["empty"])
        refused[head, row] |= bool(word["refused"])
        group += 1
        assert bool(word["row_end"]) == (bool(word["skip"]) or group == config.groups)
        if word["row_end"]:
            group, row = 0, row + height
        assert bool(word["last"]) == (row == queries)
        if word["last"]:
            head, row = head + 1, 0
    assert head == heads
    return CoreRun(o, empty, refused, delivered, predicted)
