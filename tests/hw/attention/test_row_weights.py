"""Row operations behind the row maxima and the score ring: what arrives, whatever the stalls."""

import random
from collections import deque
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, flipped
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.block_ring import BlockRing, BlockRingConfig
from hw.attention.row_max import TileRowMax, TileRowMaxConfig
from hw.attention.row_weights import RowWeights, RowWeightsConfig
from hw.attention.tile import TileWords
from hw.lib.credit import Push, PushSignature
from sim.golden.attention import row_factors, weigh
from tests.support.payload import decode, encode
from tests.support.row_operations import OPERATIONS, operation_of
from tests.support.tile_words import payload_shape, random_blocks, rows_of, tile_words

SIZES = [(1, 1, 1), (1, 4, 2), (8, 1, 1), (4, 2, 2)]
TILES = 4


class Chain(wiring.Component):
    """Row maxima, score ring, row operation."""

    room: Signal
    take: Signal
    i: Push
    advance: Signal
    start: Signal
    o_weight: Push
    o_factor: Push

    def __init__(self, tile, operation, divide_tiles):
        scores = TileRowMaxConfig(
            tile=tile,
            score_bits=operation.context.score.width,
            tiles=TILES + 2,
            whole_blocks=operation.needs_max,
        )
        self.row_max = TileRowMax(scores)
        self.ring = BlockRing(
            BlockRingConfig(
                tile=tile,
                word_shape=scores.word_shape,
                row_shape=scores.row_shape,
                tiles=TILES + 2,
            )
        )
        config = RowWeightsConfig(
            tile=tile,
            operation=operation,
            tiles=TILES,
            divide_tiles=divide_tiles if operation.divides_first else 0,
        )
        self.weights = RowWeights(config, self.ring.config.o_shape)
        super().__init__(
            {
                "room": Out(1),
                "take": In(1),
                "i": In(PushSignature(scores.i_shape)),
                "advance": In(1),
                "start": Out(1),
                "o_weight": Out(PushSignature(config.o_weight_shape)),
                "o_factor": Out(PushSignature(config.o_factor_shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.row_max, m.submodules.ring = row_max, ring = self.row_max, self.ring
        m.submodules.weights = weights = self.weights
        wiring.connect(m, flipped(self.i), row_max.i)
        wiring.connect(m, row_max.o_word, ring.i)
        wiring.connect(m, row_max.o_block, ring.i_block)
        if row_max.config.whole_blocks:
            wiring.connect(m, row_max.o_row, ring.i_row)
        wiring.connect(m, ring.o, weights.i)
        wiring.connect(m, weights.o_weight, flipped(self.o_weight))
        wiring.connect(m, weights.o_factor, flipped(self.o_factor))
        m.d.comb += [
            self.room.eq(ring.room),
            ring.take.eq(self.take),
            ring.advance.eq(weights.i_advance),
            weights.i_start.eq(ring.start),
            weights.advance.eq(self.advance),
            self.start.eq(weights.start),
        ]
        return m


def run(chain, words, blocks, chance, credits, seed):
    """What leaves, and when; the consumer holds `credits` tiles and frees one now and then."""
    source = random.Random(seed)
    tile = chain.ring.config.tile
    found: dict[str, list[Any]] = {"o_weight": [], "o_factor": []}
    wanted = {"o_weight": len(words), "o_factor": tile.rows * blocks}
    shapes = {port: payload_shape(chain, port) for port in found}
    starts = []

    async def bench(ctx):
        to_write, taken, held, cycle = deque(words), 0, 0, 0
        settle = 10
        while settle:
            assert cycle < 20000
            ctx.set(chain.advance, held < credits)
            take = ctx.get(chain.room) and taken == 0 and to_write and source.random() < chance
            ctx.set(chain.take, bool(take))
            taken += tile.words if take else 0
            push = taken and source.random() < chance
            ctx.set(chain.i.valid, bool(push))
            if push:
                ctx.set(chain.i.payload, to_write.popleft())
                taken -= 1
            if ctx.get(chain.start):
                starts.append(cycle)
                held += 1
            for port, shape in shapes.items():
                push = getattr(chain, port)
                if ctx.get(push.valid):
                    payload = ctx.get(push.payload.as_value())
                    found[port].append((cycle, decode(payload, shape)))
            if held and source.random() < chance:
                held -= 1
            settle -= all(len(found[port]) >= wanted[port] for port in found)
            await ctx.tick()
            cycle += 1

    simulator = Simulator(chain)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found, starts


def check(name, size, tiles, *, chance=1.0, credits=3, seed=0, divide_tiles=TILES + 2):
    tile = TileWords(rows=size[0], row_words=size[1], lanes=size[2])
    operation = operation_of(name, keys=TILES * tile.columns)
    score = operation.context.score
    blocks = random_blocks(tile, score.width, tiles, seed, step=2.0**score.frac)
    chain = Chain(tile, operation, divide_tiles)
    shape = chain.row_max.config.i_shape
    words = []
    for word in tile_words(tile, blocks):
        payload = {key: each for key, each in word.items() if key != "row_index"}
        words.append(shape.from_bits(encode(payload, shape)))
    found, starts = run(chain, words, len(blocks), chance, credits, seed)

    weights, factors = [], []
    for block in blocks:
        codes = rows_of(block)
        weight, total = weigh(operation, codes)
        weights += tile_words(
            tile,
            [weight.reshape(tile.rows, len(block), tile.columns).transpose(1, 0, 2)],
        )
        mantissa, exponent = row_factors(operation, total)
        for row in range(tile.rows):
            empty = codes[row].max() == score.min
            known = {"mantissa": int(mantissa[row]), "exponent": int(exponent[row])}
            factors.append({"empty": 1} if empty else {**known, "empty": 0})
    assert [word for _, word in found["o_weight"]] == [
        {
            "weight": word["score"],
            "row": word["row_index"],
            **{flag: word[flag] for flag in ("row_end", "end", "first", "last")},
        }
        for word in weights
    ]
    assert len(found["o_factor"]) == len(factors)
    for (_, known), wanted in zip(found["o_factor"], factors, strict=True):
        assert {key: known[key] for key in wanted} == wanted
    assert len(starts) == sum(tiles)
    return chain, found, starts


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=4)
@given(data=st.data())
def test_weights_and_factors_of_any_row_blocks_under_stalls(name, data):
    size = data.draw(st.sampled_from(SIZES))
    tiles = data.draw(st.lists(st.integers(1, TILES), min_size=1, max_size=5))
    chance = data.draw(st.sampled_from([0.3, 0.7, 1.0]))
    check(name, size, tiles, chance=chance, credits=data.draw(st.integers(1, 4)))


@pytest.mark.parametrize("name", ["exact_18", "lut2d_8", "rexp_8", "relu_16"])
def test_words_of_a_tile_leave_at_a_fixed_time_after_its_start(name):
    chain, found, starts = check(name, (4, 2, 2), [1, 4, 2, 3, 4, 1], chance=0.8)
    config = chain.weights.config
    tile = config.tile
    ring = chain.ring.config.latency
    last = config.weigher.weight_latency if config.divide is None else config.divide.latency
    late = ring + last
    wanted = [start + late + word for start in starts for word in range(tile.words)]
    assert [cycle for cycle, _ in found["o_weight"]] == wanted


def test_a_table_method_keeps_one_tile_after_the_other():
    # The second ring has room for what is weighed while a row block's factors are found.
    _, found, starts = check("rexp_8", (4, 2, 2), [4] * 8, credits=4, divide_tiles=4 + 8)
    cycles = [cycle for cycle, _ in found["o_weight"]]
    assert cycles == list(range(cycles[0], cycles[0] + len(starts) * 8))


def test_too_small_a_second_ring_is_rejected():
    tile = TileWords(rows=1, row_words=1, lanes=1)
    with pytest.raises(
        ValueError, match=r"RowWeightsConfig\.divide_tiles must be at least tiles = 4, got 3"
    ):
        RowWeightsConfig(
            tile=tile, operation=operation_of("rexp_8", keys=4), tiles=4, divide_tiles=3
        )
    config = RowWeightsConfig(tile=tile, operation=operation_of("exact_8", keys=4), tiles=4)
    assert config.ring is None
