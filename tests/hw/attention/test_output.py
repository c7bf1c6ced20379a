"""The output memory, between a head that keeps to its obligations and a stream with stalls."""

import random
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.output import Output, OutputConfig
from tests.support.bench import RandomStalls, intervals, run
from tests.support.strategies import stalls

CONFIGS = {
    "smallest": (1, 1, 1, 8, 2, 3, True),
    "smallest_dense": (1, 1, 1, 8, 2, 3, False),
    "compact": (4, 3, 2, 8, 2, 6, True),
    "dense": (4, 3, 2, 8, 2, 6, False),
    "odd": (2, 5, 1, 16, 3, 9, False),
    "deep": (8, 1, 2, 16, 4, 40, True),
}


def config_of(rows, groups, lanes, output_bits, blocks, row_blocks, compact):
    return OutputConfig(
        rows=rows,
        groups=groups,
        lanes=lanes,
        output_bits=output_bits,
        blocks=blocks,
        row_blocks=row_blocks,
        compact=compact,
    )


class Fed(wiring.Component):
    """A head that takes what there is room for, and sends words of what it has begun.

    A descriptor with data is pushed `late` cycles after it was taken.
    """

    i_block: stream.Interface
    i_word: stream.Interface
    o: stream.Interface

    def __init__(self, config: OutputConfig, late: int = 0):
        self.config, self.late = config, late
        super().__init__(
            {
                "i_block": In(stream.Signature(config.block_shape)),
                "i_word": In(stream.Signature(config.i_shape)),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.output = output = Output(self.config)
        block: Any = self.i_block.payload
        word: Any = self.i_word.payload
        begun = Signal(8)
        accept, wait = Signal(), Signal(self.late)
        m.d.comb += [
            self.i_block.ready.eq(output.room & ~wait.any()),
            accept.eq(self.i_block.valid & self.i_block.ready),
            output.take.eq(accept & block.data),
            self.i_word.ready.eq(begun != 0),
            output.i.valid.eq(self.i_word.valid & self.i_word.ready),
            output.i.payload.eq(word),
        ]
        payload = Signal(self.config.block_shape)
        if self.late:
            m.d.sync += wait.eq(Cat(output.take, wait[:-1]))
            with m.If(accept):
                m.d.sync += payload.eq(block)
            m.d.comb += [
                output.i_block.valid.eq(wait[-1] | (accept & ~block.data)),
                output.i_block.payload.eq(payload),
            ]
            with m.If(accept & ~block.data):
                m.d.comb += output.i_block.payload.eq(block)
        else:
            m.d.comb += [output.i_block.valid.eq(accept), output.i_block.payload.eq(block)]
        m.d.sync += begun.eq(begun + output.take - (output.i.valid & word.end))
        wiring.connect(m, output.o, wiring.flipped(self.o))
        return m


def flow(config, heads, seed=0):
    """Descriptors, words and transfers of heads: (row blocks, rows of the last less one).

    A row block is "skip", "data" or "refused".
    """
    choose = random.Random(seed)
    top = 1 << config.output_bits - 1
    blocks, words, out = [], [], []
    for kinds, last_rows in heads:
        skips = 0
        for index, kind in enumerate(kinds):
            end = index == len(kinds) - 1
            rows = last_rows if end else config.rows - 1
            data = kind != "skip"
            refused = int(kind == "refused")
            if not data:
                skips += 1
            if data or end:
                block = {"skips": skips, "data": int(data), "rows": rows}
                blocks.append({**block, "end": int(end), "refused": refused})
                skips = 0
            values = {
                (row, group): [choose.randrange(-top, top) for _ in range(config.lanes)]
                for group in range(config.groups)
                for row in range(config.rows)
            }
            empty = [int(not data or choose.random() < 0.2) for _ in range(config.rows)]
            if data:
                places = list(values)
                if choose.random() < 0.3:
                    choose.shuffle(places)
                words += [
                    {
                        "value": values[place],
                        "row": place[0],
                        "group": place[1],
                        "empty": empty[place[0]],
                        "end": int(place == places[-1]),
                    }
                    for place in places
                ]
            zero = [0] * config.lanes
            out += [
                {
                    "value": values[row, group] if kind == "data" else zero,
                    "empty": empty[row],
                    "refused": refused,
                    "skip": 0,
                    "row_end": int(group == config.groups - 1),
                    "last": int(end and row == rows and group == config.groups - 1),
                }
                for row in range(rows + 1)
                for group in range(config.groups)
                if data or not config.compact
            ]
            if not data and config.compact:
                flags = {"empty": 1, "refused": 0, "skip": 1, "row_end": 1, "last": int(end)}
                out.append({"value": zero, **flags})
    return {"i_block": blocks, "i_word": words}, out


def heads_of(config):
    kind = st.sampled_from(["data", "data", "skip", "skip", "refused"])
    blocks = st.lists(kind, min_size=1, max_size=min(config.row_blocks, 6))
    return st.lists(st.tuples(blocks, st.integers(0, config.rows - 1)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=15)
@given(
    data=st.data(),
    stalls_block=stalls(),
    stalls_word=stalls(60),
    stalls_o=stalls(120),
    late=st.integers(0, 3),
)
def test_every_word_leaves_once_in_order(name, data, stalls_block, stalls_word, stalls_o, late):
    config = config_of(*CONFIGS[name])
    inputs, out = flow(config, data.draw(heads_of(config)), data.draw(st.integers(0, 99)))
    pattern = {"i_block": stalls_block, "i_word": stalls_word, "o": stalls_o}
    result = run(Fed(config, late), inputs, expect=len(out), stalls=pattern, cycles_budget=3000)
    assert result.o == out


@pytest.mark.parametrize("probability", [0.2, 0.8])
@pytest.mark.parametrize("name", CONFIGS)
def test_many_heads_under_stalls(name, probability):
    config = config_of(*CONFIGS[name])
    choose = random.Random(7)
    kinds = ["data", "data", "skip", "refused"]
    heads = [
        (choose.choices(kinds, k=choose.randrange(1, 4)), choose.randrange(config.rows))
        for _ in range(12)
    ]
    inputs, out = flow(config, heads, 3)
    pattern = RandomStalls(probability=probability, seed=5)
    result = run(Fed(config), inputs, expect=len(out), stalls=pattern, cycles_budget=9000)
    assert result.o == out


@pytest.mark.parametrize("name", ["compact", "odd", "deep"])
def test_the_latency_is_that_of_the_config(name):
    config = config_of(*CONFIGS[name])
    inputs, out = flow(config, [(["data"], config.rows - 1)])
    result = run(Fed(config), inputs, expect=len(out), cycles_budget=300)
    assert result.cycles["o"][0] - result.cycles["i_word"][-1] == config.latency
    assert set(intervals(result, "o")) == {1}


@pytest.mark.parametrize("name", ["compact", "dense", "odd", "deep"])
def test_row_blocks_follow_each_other_without_a_gap_from_three_slots_on(name):
    config = config_of(*CONFIGS[name])
    config = replace(config, blocks=max(3, config.blocks))
    inputs, out = flow(config, [(["data"] * 3, config.rows - 1)] * 4)
    result = run(Fed(config), inputs, expect=len(out), cycles_budget=1000)
    assert result.o == out
    assert set(intervals(result, "i_word")) == set(intervals(result, "o")) == {1}


def test_a_skipped_row_block_is_a_transfer_in_one_cycle():
    config = config_of(*CONFIGS["deep"])
    inputs, out = flow(config, [(["skip"] * 20, 0), (["skip"] * 12 + ["data"], 3)] * 2)
    result = run(Fed(config), inputs, expect=len(out), cycles_budget=300)
    assert result.o == out
    assert intervals(result, "o")[:31] == [1] * 31


def test_dense_skips_leave_a_word_a_cycle():
    config = config_of(*CONFIGS["dense"])
    inputs, out = flow(config, [(["skip"] * 4, 1)] * 3)
    result = run(Fed(config), inputs, expect=len(out), cycles_budget=300)
    assert result.o == out
    assert len(out) == 3 * (3 * 4 + 2) * 3
    assert set(intervals(result, "o")) == {1}


def test_it_takes_as_many_row_blocks_as_it_has_slots():
    config = config_of(*CONFIGS["odd"])
    inputs, out = flow(config, [(["data"] * 8, config.rows - 1)])
    blocked = {"o": [True] * 150}
    result = run(Fed(config), inputs, expect=len(out), stalls=blocked, cycles_budget=600)
    assert result.o == out
    assert sum(cycle < 150 for cycle in result.cycles["i_block"]) == config.blocks


@pytest.mark.parametrize(
    ("field", "low"),
    [
        ("rows", 1),
        ("groups", 1),
        ("lanes", 1),
        ("output_bits", 1),
        ("blocks", 2),
        ("row_blocks", 1),
    ],
)
def test_rejections(field, low):
    good = {"rows": 2, "groups": 2, "lanes": 2, "output_bits": 8, "blocks": 2, "row_blocks": 4}
    OutputConfig(**{**good, "compact": True, field: low})
    with pytest.raises(
        ValueError, match=rf"OutputConfig\.{field} must be at least {low}, got {low - 1}"
    ):
        OutputConfig(**{**good, "compact": True, field: low - 1})
