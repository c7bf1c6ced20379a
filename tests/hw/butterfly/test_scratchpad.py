"""The scratchpad: no two words of a group in one bank, and what was written is what is read."""

import random

import pytest

from hw.butterfly.common_exponent import CommonExponent
from hw.butterfly.scratchpad import (
    Scratchpad,
    ScratchpadConfig,
    scratchpad_bank,
    scratchpad_line,
)
from hw.butterfly.walk import MirrorWalk, Walk
from tests.support.react import react


@pytest.mark.parametrize("log2_stream", [0, 1, 2])
@pytest.mark.parametrize("log2_words", range(3, 14))
def test_rows_and_columns_fall_into_all_banks(log2_words, log2_stream):
    """Exhaustive: every shape N1 × N2 from 8 × 8 to 8192 words, every group of both kinds."""
    words = 1 << log2_stream
    banks = set(range(words))
    for log2_vectors in range(3, 17 - log2_words):
        size = 1 << log2_vectors + log2_words
        bank = [scratchpad_bank(index, log2_stream) for index in range(size)]
        # The places of a bank's words: one to one.
        places = {(bank[index], scratchpad_line(index, log2_stream)) for index in range(size)}
        assert len(places) == size
        for start in range(0, size, words):
            group = bank[start : start + words]
            assert set(group) == banks
            # All words written in a cycle lie at one line.
            assert len({scratchpad_line(start + k, log2_stream) for k in range(words)}) == 1
        vector = 1 << log2_words
        for first in range(0, 1 << log2_vectors, words):
            for word in range(vector):
                assert {bank[(first + k) * vector + word] for k in range(words)} == banks


CONFIGS = [
    ScratchpadConfig(log2_vectors=3, log2_words=3, log2_stream=0, width=5),
    ScratchpadConfig(log2_vectors=2, log2_words=4, log2_stream=1, width=8, buffers=2),
    ScratchpadConfig(log2_vectors=4, log2_words=3, log2_stream=2, width=7, buffers=2),
    ScratchpadConfig(log2_vectors=3, log2_words=4, log2_stream=2, width=7),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_block_is_turned_round(config):
    rng = random.Random(config.log2_words)
    words, width = config.stream_words, config.width
    vectors, length = 1 << config.log2_vectors, 1 << config.log2_words
    blocks = [
        [[rng.randrange(1 << width) for _ in range(length)] for _ in range(vectors)]
        for _ in range(config.buffers)
    ]
    writes = [
        {
            "write": 1,
            "write_buffer": buffer,
            "write_vector": vector,
            "write_group": group,
            "write_data": sum(
                blocks[buffer][vector][group * words + k] << width * k for k in range(words)
            ),
        }
        for buffer in range(config.buffers)
        for vector in range(vectors)
        for group in range(length // words)
    ]
    reads = [
        {"write": 0, "read_buffer": buffer, "read_group": group, "read_word": word}
        for buffer in range(config.buffers)
        for word in range(length)
        for group in range(vectors // words)
    ]
    # The last word written may be read as soon as the contract allows.
    quiet = [{"write": 0}] * config.write_latency
    inputs = [*writes, *quiet, *reads, *[{"write": 0}] * config.latency]
    trace = react(Scratchpad(config), len(inputs), lambda before: inputs[len(before)])
    start = len(writes) + len(quiet) + config.latency
    for row, read in zip(trace[start:], reads, strict=True):
        want = [
            blocks[read["read_buffer"]][read["read_group"] * words + k][read["read_word"]]
            for k in range(words)
        ]
        got = [row["read_data"] >> width * k & (1 << width) - 1 for k in range(words)]
        assert got == want, read


@pytest.mark.parametrize("buffers", [1, 2])
def test_every_vector_is_told_its_distance_to_the_greatest_exponent(buffers):
    rng = random.Random(buffers)
    config = ScratchpadConfig(log2_vectors=3, log2_words=3, log2_stream=1, width=8, buffers=buffers)
    told = [
        {
            "write": 1,
            "write_buffer": buffer,
            "write_vector": vector,
            "write_exponent": rng.randrange(-8, 8),
            "write_saturated": int(rng.random() < 0.1 * buffer),
        }
        for buffer in range(buffers)
        for vector in range(8)
    ]
    asked = [
        {"write": 0, "read_buffer": buffer, "read_group": group}
        for buffer in range(buffers)
        for group in range(4)
    ]
    # A buffer is asked about the other in the very next cycle.
    asked += asked[::-1]
    inputs = [*told, {"write": 0}, *asked, *[{"write": 0}] * config.latency]
    # As in the core, the place of the last read stays on the port.
    unit = CommonExponent(config, range(-8, 8))
    trace = react(unit, len(inputs), lambda before: inputs[len(before)])
    start = len(told) + 1
    for k, ask in enumerate(asked):
        exponents = [
            each["write_exponent"] for each in told if each["write_buffer"] == ask["read_buffer"]
        ]
        flags = [
            each["write_saturated"] for each in told if each["write_buffer"] == ask["read_buffer"]
        ]
        now, later = trace[start + k], trace[start + k + config.latency]
        assert now["common"] == max(exponents)
        assert now["saturated"] == max(flags)
        for neighbour in range(2):
            down = later["down"] >> 4 * neighbour & 15
            assert down == max(exponents) - exponents[2 * ask["read_group"] + neighbour]


def walked(unit, limits, reads, names):
    rng = random.Random(3)

    def inputs_of(trace):
        return {"start": int(len(trace) == 2), "go": int(rng.random() < 0.7), **limits}

    trace = react(unit, 3 * reads + 20, inputs_of)
    found = [
        (row["word"], row["group"], *(row[name] for name in names))
        for row in trace
        if row["busy"] and row["go"]
    ]
    assert not trace[-1]["busy"]
    return found


@pytest.mark.parametrize(("columns", "groups"), [(8, 1), (16, 4), (32, 2)])
def test_pairs_visit_every_word_of_every_vector_once(columns, groups):
    limits = {
        "last_word": columns // 2 - 1,
        "last_group": groups - 1,
        "paired": 1,
        "partner": columns // 2,
        "top": columns - 1,
    }
    unit = Walk(5, 2, descending=True)
    found = walked(unit, limits, columns * groups, ("second", "zero", "last"))
    want = [
        (
            word,
            group,
            second,
            int(k == 0),
            int(k == columns // 2 - 1 and second and group + 1 == groups),
        )
        for k in range(columns // 2)
        for group in range(groups)
        for second, word in enumerate((k, columns - k if k else columns // 2))
    ]
    assert found == want
    assert len({each[:2] for each in found}) == columns * groups == len(found)


@pytest.mark.parametrize(("words", "groups", "paired"), [(8, 4, 0), (8, 1, 1), (16, 2, 1)])
def test_words_of_divided_vectors_are_visited_once(words, groups, paired):
    """Words r of all vectors, or words r and r + V in turn, for every r below V."""
    limits = {
        "last_word": words - 1,
        "last_group": groups - 1,
        "paired": paired,
        "partner": words,
    }
    unit = Walk(5, 2, descending=False)
    found = walked(unit, limits, 2 * words * groups, ("second", "last"))
    want = [
        (word, group, second, int((r, group, second) == (words - 1, groups - 1, paired)))
        for r in range(words)
        for group in range(groups)
        for second, word in enumerate((r, r + words)[: 1 + paired])
    ]
    assert found == want
    assert len({each[:2] for each in found}) == len(found) == (1 + paired) * words * groups


@pytest.mark.parametrize(("rows", "groups"), [(8, 1), (16, 4)])
def test_rows_and_their_mirror_images_are_each_visited_once(rows, groups):
    limits = {"last_word": rows - 1, "last_group": groups - 1}
    found = walked(MirrorWalk(4, 2), limits, rows * (2 * groups + 1), ("head", "back", "last"))
    want = []
    for row in range(rows):
        mirrored = -row % rows
        want.append((mirrored, 0, 1, 0, 0))
        want += [(row, group, 0, 0, 0) for group in range(groups)]
        want += [
            (mirrored, group, 0, 1, int(row == rows - 1 and group == 0))
            for group in reversed(range(groups))
        ]
    assert found == want
    for back in (0, 1):
        places = {each[:2] for each in found if each[3] == back and not each[2]}
        assert len(places) == rows * groups
