"""The buffer between two passes, with a pipeline on either side that keeps to its obligations."""

from itertools import pairwise

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.pipe import Pipe
from hw.softmax.row_buffer import GRANT_DELAY, RowBuffer, RowBufferConfig
from tests.support.bench import RandomStalls, intervals, run
from tests.support.strategies import stalls

WORD = unsigned(6)
INPUT = StructLayout({"word": WORD, "row": WORD, "keep": 1, "last": 1})


class Buffered(wiring.Component):
    """A head that takes and describes, the buffer, and a FIFO that grants.

    Words come in with whether they are kept: the end of a refused row is not.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: RowBufferConfig):
        self.config = config
        self.buffer = RowBuffer(config)
        self.tail = CreditFifoConfig(
            shape=self.buffer.output_shape,
            depth=config.latency + 2 + GRANT_DELAY,
            reserve=GRANT_DELAY,
        )
        super().__init__(
            {
                "i": In(stream.Signature(INPUT)),
                "o": Out(stream.Signature(self.buffer.output_shape)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a row's last word to its first one, offered."""
        return self.config.fill_latency + 2 + self.config.latency + self.tail.latency

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        m.submodules.tail = tail = CreditFifo(self.tail)
        grant = buffer.grant
        for _ in range(GRANT_DELAY):
            late = Signal()
            m.d.sync += late.eq(grant)
            grant = late
        accept = self.i.valid & self.i.ready
        payload = self.i.payload
        count = Signal.like(buffer.i_row.payload.count, init=-2)
        kept = Signal.like(count)
        m.d.comb += [
            self.i.ready.eq(grant),
            kept.eq(count + payload.keep),
            buffer.take.eq(accept & payload.keep),
            buffer.take_row.eq(accept & payload.last),
            buffer.i_word.valid.eq(buffer.take),
            buffer.i_word.payload.eq(payload.word),
        ]
        with m.If(accept):
            m.d.sync += count.eq(kept)
            with m.If(payload.last):
                m.d.sync += count.eq(-2)
        with Pipe(
            m,
            "fill",
            latency=self.config.fill_latency,
            valid=buffer.take_row,
            count=kept,
            row=payload.row,
        ) as p:
            for _ in range(self.config.fill_latency):
                p.stage("fill", keep=("count", "row"))
            m.d.comb += [
                buffer.i_row.valid.eq(p.valid),
                buffer.i_row.payload.count.eq(p.count),
                buffer.i_row.payload.row.eq(p.row),
            ]
        m.d.comb += [
            buffer.advance.eq(tail.grant),
            tail.take.eq(buffer.issue),
            tail.i.valid.eq(buffer.o.valid),
            tail.i.payload.eq(buffer.o.payload),
        ]
        wiring.connect(m, tail.o, wiring.flipped(self.o))
        return m


def config_of(max_words, fill_latency=3, rows=2):
    return RowBufferConfig(
        word_shape=WORD, row_shape=WORD, max_words=max_words, fill_latency=fill_latency, rows=rows
    )


def rows_of(lengths, max_words):
    """Transfers of rows of these `lengths`, and what leaves of them."""
    into, out = [], []
    for row, length in enumerate(lengths):
        kept = min(length, max_words)
        for index in range(length):
            word, last = (len(into) * 7 + 1) % 64, int(index == length - 1)
            # The descriptor is what came with the last word; until then it is something else.
            told = row % 64 if last else (row + 13) % 64
            into.append({"word": word, "row": told, "keep": int(index < kept), "last": last})
            if index < kept:
                flags = {"first": int(index == 0), "last": int(index == kept - 1)}
                out.append({"word": word, "row": row % 64, **flags})
    return into, out


CONFIGS = [(1, 1, 2), (1, 6, 2), (3, 1, 2), (5, 4, 9)]


@pytest.mark.parametrize(("max_words", "fill_latency", "rows"), CONFIGS)
@settings(max_examples=12)
@given(data=st.data(), stalls_i=stalls(), stalls_o=stalls(100))
def test_words_leave_once_in_order_beside_their_row(
    max_words, fill_latency, rows, data, stalls_i, stalls_o
):
    lengths = data.draw(st.lists(st.integers(1, max_words + 2), max_size=20))
    x, y = rows_of(lengths, max_words)
    dut = Buffered(config_of(max_words, fill_latency, rows))
    pattern = {"i": stalls_i, "o": stalls_o}
    result = run(dut, {"i": x}, expect=len(y), stalls=pattern, cycles_budget=800)
    assert result.outputs["o"] == y


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_many_rows_of_all_lengths_under_stalls(probability):
    x, y = rows_of([1, 5, 2, 1, 1, 1, 7, 4, 3, 1, 1, 2, 5, 5, 6] * 4, 5)
    stalled = RandomStalls(probability=probability, seed=3)
    dut = Buffered(config_of(5))
    result = run(dut, {"i": x}, expect=len(y), stalls=stalled, cycles_budget=6000)
    assert result.outputs["o"] == y


@pytest.mark.parametrize("fill_latency", [1, 4])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7])
def test_rows_of_any_equal_length_follow_each_other_without_a_gap(length, fill_latency):
    x, y = rows_of([length] * (60 // length), 7)
    dut = Buffered(config_of(7, fill_latency))
    result = run(dut, {"i": x}, expect=len(y), cycles_budget=300)
    assert result.outputs["o"] == y
    assert set(intervals(result)) == set(intervals(result, "o")) == {1}
    assert result.cycles["o"][0] - result.cycles["i"][length - 1] == dut.latency


def test_it_takes_in_what_it_has_room_for_and_then_stops():
    config = config_of(4)
    x, y = rows_of([4] * 12, 4)
    dut = Buffered(config)
    room = config.depth_words + dut.tail.depth
    result = run(dut, {"i": x}, expect=len(y), stalls={"o": [True] * 100}, cycles_budget=300)
    assert result.outputs["o"] == y
    before = sum(cycle < 100 for cycle in result.cycles["i"])
    assert room - 2 * GRANT_DELAY <= before <= room


def test_short_rows_are_held_until_their_descriptors_fill_the_queue():
    config = config_of(40, rows=5)
    x, y = rows_of([1] * 60, 40)
    dut = Buffered(config)
    result = run(dut, {"i": x}, expect=len(y), stalls={"o": [True] * 100}, cycles_budget=300)
    assert result.outputs["o"] == y
    # One descriptor more is loaded than waits.
    before = sum(cycle < 100 for cycle in result.cycles["i"])
    assert before <= config.depth_rows + 1 + dut.tail.depth
    gaps = [later - earlier for earlier, later in pairwise(result.cycles["i"])]
    assert max(gaps) > 50


@pytest.mark.parametrize(("field", "low"), [("max_words", 1), ("fill_latency", 1), ("rows", 2)])
def test_rejections(field, low):
    good = {"word_shape": 1, "row_shape": 1, "max_words": 4, "fill_latency": 4, "rows": 4}
    RowBufferConfig(**{**good, field: low})
    with pytest.raises(
        ValueError, match=rf"RowBufferConfig\.{field} must be at least {low}, got {low - 1}"
    ):
        RowBufferConfig(**{**good, field: low - 1})


def test_places_of_the_configuration():
    for fill_latency in (1, 5, 20):
        config = config_of(6, fill_latency, rows=8)
        assert config.depth_words > config.max_words + fill_latency
        assert config.depth_rows >= max(8, fill_latency)
        assert (
            config.count_shape.signed and 1 << config.count_shape.width - 1 > config.max_words - 2
        )
