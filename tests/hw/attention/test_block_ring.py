"""The ring of tiles against the timing rules of its docstring, in every cycle."""

import itertools
import random
from collections import deque

import pytest
from amaranth.hdl import signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention import block_ring
from hw.attention.block_ring import BlockRing, BlockRingConfig
from hw.attention.tile import TileWords
from tests.support.netlist import run_amaranth
from tests.support.payload import encode
from tests.support.tile_words import pushed

WORD, ROW = signed(9), unsigned(7)
SIZES = [(1, 1, 1), (1, 1, 3), (1, 4, 2), (2, 1, 4), (4, 2, 5), (2, 8, 3)]
"""Rows, words of a row's segment, tiles."""
ALWAYS = itertools.repeat(True)


def config_of(rows, row_words, tiles, with_rows=True):
    return BlockRingConfig(
        tile=TileWords(rows=rows, row_words=row_words, lanes=1),
        word_shape=WORD,
        row_shape=ROW if with_rows else None,
        tiles=tiles,
    )


class Neighbours:
    """A writer and a reader that keep to the rules, and what the ring must answer.

    `want`, `push` and `advance` say in which cycles they would rather not. Without row values every
    tile is announced by itself.
    """

    def __init__(self, config, blocks, *, want, push, advance, seed=0):
        self.config, self.blocks = config, blocks
        self.flows = want, push, advance
        self.source = random.Random(seed)

    def run(self, longest=5000):
        """Stimulus, room and start of every cycle, and cycle -> word at `o`."""
        config = self.config
        tile = config.tile
        shape = config.i_shape
        values = {"word": lambda: self.source.randrange(-256, 256)}
        to_take = deque(
            (number, index, index == count - 1)
            for number, count in enumerate(self.blocks)
            for index in range(count)
        )
        to_write, to_read, rows_to_write, to_announce = deque(), deque(), deque(), deque()
        rows_of_block = {}
        free, freeing, ready, arriving, left = config.tiles, 0, 0, 0, 0
        stimulus, room, start, out = [], [], [], {}
        total = sum(self.blocks) * tile.words
        while len(out) < total:
            cycle = len(stimulus)
            assert cycle < longest
            want, push, advance = (next(flow) for flow in self.flows)
            now = {"take": 0, "i__valid": 0, "i_block__valid": 0, "advance": int(advance)}
            if config.row_shape is not None:
                now["i_row__valid"] = 0
            room.append(int(free > 0))
            started = advance and ready > 0 and left <= 1
            start.append(int(started))
            issued = left > 0
            freed = left == 1

            if want and free and to_take:
                now["take"] = 1
                number, index, last = to_take.popleft()
                to_write += [(number, index, last, word) for word in range(tile.words)]
            if push and to_write:
                number, index, last, word = to_write.popleft()
                payload = {"word": values["word"](), "last": int(last)}
                now |= {"i__valid": 1, "i__payload": encode(payload, shape)}
                row, place = divmod(word, tile.row_words)
                end = word == tile.words - 1
                row_end = place == tile.row_words - 1
                beside = {
                    "row_index": row,
                    "row_end": int(row_end),
                    "end": int(end),
                    "first": int(index == 0),
                    "last": int(last),
                }
                to_read.append((number, {"word": payload["word"], **beside}))
                if config.row_shape is None:
                    if end:
                        to_announce.append(1)
                elif last and row_end:
                    rows_to_write.append((number, end))
            if push and rows_to_write:
                number, ends = rows_to_write.popleft()
                value = self.source.randrange(128)
                rows_of_block.setdefault(number, []).append(value)
                now |= {"i_row__valid": 1, "i_row__payload": value}
                if ends:
                    to_announce.append(self.blocks[number])
            announced = 0
            if push and to_announce:
                announced = to_announce.popleft()
                now |= {"i_block__valid": 1, "i_block__payload": announced}
            if issued:
                number, word = to_read.popleft()
                if config.row_shape is not None:
                    word["row"] = rows_of_block[number][word["row_index"]]
                out[cycle + config.read_latency] = word
            free += freeing - now["take"]
            freeing = freed
            ready += arriving - started
            arriving = announced
            left = tile.words if started else max(0, left - 1)
            stimulus.append(now)
        return stimulus, room, start, out


def check(neighbours):
    config = neighbours.config
    stimulus, room, start, out = neighbours.run()
    unit = BlockRing(config)
    idle = {key: 0 for key in stimulus[0]}
    trace = run_amaranth(unit, stimulus + [idle] * (config.latency + 2))
    assert [now["room"] for now in trace[: len(room)]] == room
    assert [now["start"] for now in trace] == start + [0] * (len(trace) - len(start))
    assert pushed(unit, trace, "o") == out
    return start, out


def flow(source, probability):
    while True:
        yield source.random() < probability


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=25)
@given(data=st.data())
def test_every_cycle_is_as_the_rules_say(size, data):
    config = config_of(*size, with_rows=data.draw(st.booleans()))
    seed = data.draw(st.integers(0, 9999))
    blocks = data.draw(st.lists(st.integers(1, config.tiles), min_size=1, max_size=7))
    chances = [data.draw(st.sampled_from([0.3, 0.8, 1.0])) for _ in range(3)]
    want, push, advance = (flow(random.Random(f"{seed}{i}"), c) for i, c in enumerate(chances))
    check(Neighbours(config, blocks, want=want, push=push, advance=advance, seed=seed))


@pytest.mark.parametrize("with_rows", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_follow_each_other_without_a_gap(size, with_rows):
    rows, row_words, tiles = size
    # Blocks of equal size, and room for one block and what arrives until its first tile is free.
    config = config_of(rows, row_words, tiles + 3 + 5 // (rows * row_words), with_rows)
    blocks = [tiles] * 4
    start, out = check(Neighbours(config, blocks, want=ALWAYS, push=ALWAYS, advance=ALWAYS))
    assert list(out) == list(range(min(out), min(out) + len(out)))
    assert min(out) == start.index(1) + config.latency
    started = [cycle for cycle, now in enumerate(start) if now]
    assert {b - a for a, b in itertools.pairwise(started)} == {config.interval}


@pytest.mark.parametrize("size", SIZES)
def test_it_fills_to_the_last_place_and_waits(size):
    config = config_of(*size)
    cycles = config.words_ram.depth * 2 + 20
    advance = itertools.chain([False] * cycles, ALWAYS)
    blocks = [1] * (2 * config.tiles + 1)
    start, _ = check(Neighbours(config, blocks, want=ALWAYS, push=ALWAYS, advance=advance))
    assert start.index(1) == cycles


def test_as_many_blocks_as_tiles_keep_their_rows_apart():
    config = config_of(4, 1, 7)
    advance = itertools.chain([False] * 60, ALWAYS)
    check(Neighbours(config, [1] * 30, want=ALWAYS, push=ALWAYS, advance=advance))


@pytest.mark.parametrize("size", [(1, 4, 2), (2, 2, 5), (4, 2, 3)])
def test_flags_in_a_memory_change_nothing(size, monkeypatch):
    monkeypatch.setattr(block_ring, "LOGIC_TILES", 1)
    config = config_of(*size)
    tiles = config.tiles
    blocks = [1, tiles, 1, 1, tiles - 1, 1, tiles, tiles]
    check(Neighbours(config, blocks, want=ALWAYS, push=ALWAYS, advance=ALWAYS))
    check(Neighbours(config, blocks, want=ALWAYS, push=ALWAYS, advance=flow(random.Random(1), 0.4)))
    check(Neighbours(config, blocks, want=ALWAYS, push=flow(random.Random(2), 0.7), advance=ALWAYS))


def test_rejections():
    with pytest.raises(ValueError, match=r"BlockRingConfig\.tiles must be at least 1, got 0"):
        config_of(1, 1, 0)


def test_places_of_the_configuration():
    config = config_of(8, 4, 132)
    assert (config.words_ram.depth, config.rows_ram.depth) == (132 * 32, 132 * 8)
    assert config.interval == 32
