"""Words and jobs that no mask has: a job ends whatever it is given, and the next one is right."""

import numpy as np
import pytest

from hw.dispatch.config import DispatchConfig, DispatchSizes
from sim.golden.masks import compile_bitmap
from spec.masks import causal
from spec.tiles import ColumnIntervals, TileGrid
from tests.support.bench import Run, run
from tests.support.dispatch import Head, Used, bitmap_words, column_words, due, token_words

QUERIES, KEYS = 12, 66
"""Three row blocks by 33 key tiles, in three groups: no power of two anywhere."""


def config_of(source, **fields):
    sizes = DispatchSizes(rows=4, columns=2, queries=QUERIES, keys=KEYS)
    return DispatchConfig(sizes=sizes, sources=(source,), **fields)


def bitmap_config():
    return config_of("bitmap", partial_tiles=7, max_tiles=20)


def good_bitmap():
    rng = np.random.default_rng(4)
    dense = rng.random((QUERIES, KEYS)) < 0.008
    return compile_bitmap(dense, TileGrid(4, 2, QUERIES, KEYS))


def good_columns():
    return ColumnIntervals(QUERIES, tuple(((k % 5, 3 + k // 7), (0, 0)) for k in range(KEYS)), True)


def loads(mask):
    if isinstance(mask, ColumnIntervals):
        return {"i_columns": column_words(mask)}
    return {"i_bitmap": bitmap_words(mask), "i_tokens": token_words(mask)}


def ended(words):
    return [{**word, "last": int(k == len(words) - 1)} for k, word in enumerate(words)]


def with_more(words):
    """A mask with as many words again, and as many once more, all of them ones."""
    junk = {name: (1 << 16) - 1 if name in ("visible", "partial") else 1 for name in words[0]}
    return ended([*words, *[junk] * (2 * len(words))])


def run_twice(config, bad, good):
    """A job on what `bad` loads, then one on the good mask that takes its place."""
    head = Head(queries=QUERIES, keys=KEYS, mask=good)
    first, second = loads(good) if bad is None else bad, loads(good)
    # The second mask is offered when the first job is surely done, the second job when it is there.
    wait = 500
    stalls = {name: [False] * len(words) + [True] * wait for name, words in first.items()}
    result = run(
        Used(config),
        {
            "i_job": [head.job(config)] * 2,
            **{name: [*words, *second[name]] for name, words in first.items()},
        },
        expect=0,
        stalls=stalls | {"i_job": [False] + [True] * (2 * wait)},
        settle_cycles=1500,
        cycles_budget=4000,
    )
    return split(result), due(config, [head])


def split(result: Run):
    """Commands by job."""
    jobs = [[]]
    for command in result.outputs["o"]:
        jobs[-1].append(command)
        if command["end"]:
            jobs.append([])
    assert not jobs.pop(), "the last job has no end"
    return jobs


def same(commands, wanted):
    assert len(commands) == len(wanted)
    for command, each in zip(commands, wanted, strict=True):
        assert command | {k: None for k, v in each.items() if v is None} == each


@pytest.mark.parametrize("source", ["bitmap", "columns"])
def test_words_past_the_last_are_dropped(source):
    good = good_bitmap() if source == "bitmap" else good_columns()
    config = bitmap_config() if source == "bitmap" else config_of("columns")
    long = {name: with_more(words) for name, words in loads(good).items()}
    (first, second), wanted = run_twice(config, long, good)
    same(first, wanted)
    same(second, wanted)


BITMAPS = {
    "too short": lambda words: words[:2],
    "partial but not visible": lambda words: [
        {**w, "visible": 0, "partial": 0xFFFF} for w in words
    ],
    "all visible": lambda words: [{**w, "visible": 0xFFFF, "partial": 0xFFFF} for w in words],
    "out of order": lambda words: words[::-1],
}


@pytest.mark.parametrize("name", BITMAPS)
def test_a_job_on_a_wrong_bitmap_ends_and_the_next_is_right(name):
    good = good_bitmap()
    words = loads(good)
    bad = {"i_bitmap": ended(BITMAPS[name](words["i_bitmap"])), "i_tokens": words["i_tokens"][:1]}
    (first, second), wanted = run_twice(
        bitmap_config(), {k: ended(v) for k, v in bad.items()}, good
    )
    assert first[-1]["end"]
    assert all(command["token_tile"] < 7 for command in first)
    assert all(c["key_tile"] < 33 and c["row_block"] < 3 for c in first)
    same(second, wanted)


COLUMNS = {
    "too short": lambda words: words[:2],
    "starts after the end": lambda words: [{**w, "start0": 9, "end0": 3} for w in words],
    "past the queries": lambda words: [{**w, "start1": 13, "end1": 15} for w in words],
    "two ranges that touch, the second first": lambda words: [
        {**w, "start0": 6, "end0": 12, "start1": 0, "end1": 6} for w in words
    ],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_job_on_wrong_columns_ends_and_the_next_is_right(name):
    good = good_columns()
    bad = {"i_columns": ended(COLUMNS[name](loads(good)["i_columns"]))}
    (first, second), wanted = run_twice(config_of("columns"), bad, good)
    assert all(c["key_tile"] < 33 and c["row_block"] < 3 for c in first)
    same(second, wanted)


@pytest.mark.parametrize(("queries", "keys"), [(15, 66), (12, 127), (15, 127)])
def test_a_job_over_the_maximum_ends_and_the_next_is_right(queries, keys):
    sizes = DispatchSizes(rows=4, columns=2, queries=QUERIES, keys=KEYS)
    mask = causal().trace(heads=1, queries=QUERIES, keys=KEYS)
    config = DispatchConfig(sizes=sizes, mask=mask, max_tiles=20)
    good = Head(queries=QUERIES, keys=KEYS)
    bad = {**good.job(config), "queries": queries, "keys": keys}
    result = run(
        Used(config),
        {"i_job": [bad, good.job(config)]},
        expect=0,
        settle_cycles=1500,
        cycles_budget=3000,
    )
    first, second = split(result)
    assert len(first) <= 4 * 20
    same(second, due(config, [good]))
