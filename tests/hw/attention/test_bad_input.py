"""Heads that no host should send: the core does not hang, and the heads after them are right."""

from typing import Any

import numpy as np
import pytest

from hw.attention.core import AttentionCore
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from spec.masks import causal
from spec.tiles import TileGrid
from tests.hw.attention.test_core import core
from tests.support import attention as host
from tests.support.bench import run

SIZE = QUERIES, KEYS, DIMS = 6, 10, 4
"""Three row blocks by five key tiles: neither they nor the lengths are powers of two."""

SURELY = 300
"""Cycles in which a head surely passes."""


def words_of(config, q, k, v):
    """Operands of a head, stream by stream."""
    return {
        "i_q": host._by_dimension(q[0], config.rows),
        "i_k": host._by_dimension(k[0], config.columns),
        "i_v": host._by_key(v[0], config.columns, config.value_columns),
    }


def job_of(config, mask=None):
    (job,) = host._jobs(config, 1, QUERIES, KEYS, mask)
    return job


def heads(config, jobs, sets, masks=None, stalls=None):
    """Output words of every head, and a check that each of them ends."""
    cycles = SURELY * len(jobs)
    done = run(
        AttentionCore(config),
        {
            "i_job": jobs,
            **{name: host._sets(each[name] for each in sets) for name in sets[0]},
            **(masks or {}),
        },
        expect=0,
        stalls=stalls,
        settle_cycles=cycles,
        cycles_budget=3 * cycles,
    )
    found: list[list[Any]] = [[]]
    for word in done.outputs["o"]:
        found[-1].append(word)
        if word["last"]:
            found.append([])
    assert not found.pop() and len(found) == len(jobs), "every head ends"
    return found


def is_golden(config, words, operands, dense=None):
    """The words of a head are the golden model's rows."""
    q, k, v = operands
    wanted = attention(config.layer, q, k, v, dense).o[0]
    np.testing.assert_array_equal(
        np.array([word["value"] for word in words]).reshape(wanted.shape), wanted
    )


def test_lengths_that_the_layer_has_not():
    config = core((2, 2, 2), SIZE, mask=causal())
    operands = host.random_operands(config, QUERIES, KEYS)
    good = job_of(config)
    past = [(7, KEYS), (QUERIES, 15), (7, 15)]
    none = [(0, KEYS), (QUERIES, 0), (0, 0)]
    jobs = []
    for queries, keys in (*past, *none):
        jobs += [{**good, "queries": queries, "keys": keys}, good]
    found = heads(config, jobs, [words_of(config, *operands)] * len(jobs))
    for words in found[1::2]:
        is_golden(config, words, operands)
    for words in found[6::2]:
        assert all(word["empty"] and not np.any(word["value"]) for word in words)
    rows = [len(words) // config.groups for words in found[::2]]
    assert rows == [7, QUERIES, 7, 2, QUERIES, 2]


def test_operands_too_short_and_too_long():
    config = core((2, 2, 2), SIZE, mask=causal(), buffers=2)
    operands = host.random_operands(config, QUERIES, KEYS)
    right = words_of(config, *operands)
    sets = []
    for name in right:
        for wrong in (right[name][:1], [*right[name], *right[name], *right[name]]):
            sets += [{**right, name: wrong}, right]
    found = heads(config, [job_of(config)] * len(sets), sets)
    for words in found[1::2]:
        is_golden(config, words, operands)
    # Words past the last are dropped, so that a set too long is as good as a right one.
    for words in found[2::4]:
        is_golden(config, words, operands)


def two_loads(config, wrong, mask, operands, dense):
    """A head on what `wrong` loads, then one on the mask that takes its place."""
    good = host._mask_words(mask)
    wrong = {name: host._marked(words) for name, words in wrong.items()}
    stalls = {name: [False] * len(words) + [True] * SURELY for name, words in wrong.items()}
    found = heads(
        config,
        [job_of(config, mask)] * 2,
        [words_of(config, *operands)] * 2,
        {name: [*wrong[name], *good[name]] for name in good},
        {**stalls, "i_job": [False] + [True] * (2 * SURELY)},
    )
    is_golden(config, found[1], operands, dense)
    return found[0]


def bitmap_case():
    config = core((2, 2, 2), SIZE, masks=("bitmap",), partial_tiles=5, score_tiles=4)
    dense = np.zeros((QUERIES, KEYS), bool)
    dense[1, 2], dense[4, 8:], dense[5, 0] = True, True, True
    return config, compile_bitmap(dense, TileGrid(2, 2, QUERIES, KEYS)), dense


ALL = {"visible": 0xFFFF, "partial": 0xFFFF}
BITMAPS = {
    "too short": ([ALL], [1]),
    "too long": ([ALL] * 9, [1] * 30),
    "partial but not visible": ([{"visible": 0, "partial": 0xFFFF}] * 3, [1]),
    "more partial tiles than there is room for": ([{**ALL, "visible": 15}] * 3, [3] * 10),
}
"""Group words and token words that no bitmap has."""


@pytest.mark.parametrize("name", BITMAPS)
def test_a_bitmap_that_is_none(name):
    config, mask, dense = bitmap_case()
    groups, tokens = BITMAPS[name]
    wrong = {"i_bitmap": groups, "i_tokens": [{"bits": bits} for bits in tokens]}
    operands = host.random_operands(config, QUERIES, KEYS)
    words = two_loads(config, wrong, mask, operands, dense)
    if name == "partial but not visible":
        assert all(word["empty"] for word in words)


def test_columns_that_are_none():
    config = core((2, 2, 2), SIZE, masks=("columns",))
    dense = np.tri(QUERIES, KEYS, dtype=bool)
    bad = {"start0": 5, "end0": 2, "start1": 7, "end1": 7}
    operands = host.random_operands(config, QUERIES, KEYS)
    two_loads(config, {"i_columns": [bad] * 23}, compile_columns(dense), operands, dense)
