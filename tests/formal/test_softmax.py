"""Proofs of what the softmax units are made of, each by k-induction: they hold for ever.

The whole unit is proved in parts, because no induction closes over all of it: every part keeps its
contract if its neighbours keep theirs, and what a proof assumes of a neighbour, the neighbour's
proof asserts (the row buffer's are in ``test_row_buffer.py``). Simulation covers what lies between,
tables and products, which are no control.
"""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Shape, Signal, Value

from hw.lib.credit import CreditFifo
from hw.softmax import core
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax, SoftmaxTiming, SoftmaxWeights
from hw.softmax.row_buffer import GRANT_DELAY, RowBuffer, RowBufferConfig
from hw.softmax.row_max import RowMax
from hw.softmax.weigh import Weigh, WeighConfig
from spec.softmax import ExactNumerics
from tests.support.abstract import delayed, fifo_state
from tests.support.configs import SOFTMAX
from tests.support.formal import (
    ProofFailed,
    StreamRules,
    free_ports,
    prove,
    prove_stream_rules,
)
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal


def small_config(lanes: int, max_words: int) -> SoftmaxConfig:
    """Scores of three bits, which the description does not allow and the gates do not mind."""
    numerics = ExactNumerics(
        score_bits=3, score_frac=0, output_bits=8, max_length=lanes * max_words, weight_bits=12
    )
    return SoftmaxConfig(numerics=numerics, lanes=lanes)


def row_max_contract(dut: RowMax) -> tuple[Module, list[Any]]:
    """The maximum found one lane after the other, and everything else counted plainly."""
    config, limit, latency = dut.softmax, dut.softmax.max_words, dut.config.latency
    score_bits = config.numerics.score_bits
    lowest = Const(-(1 << score_bits - 1), Shape(score_bits, signed=True))
    _, state = opened(dut)
    m = Module()
    m.submodules.dut = dut
    i: Any = dut.i
    o_word: Any = dut.o_word
    o_row: Any = dut.o_row
    take: Any = dut.take
    take_row: Any = dut.take_row
    accept = Signal()
    m.d.comb += accept.eq(i.valid & i.ready)

    # The row so far: after this cycle's transfer, and before it.
    inside, before, seen_before = Signal(), Signal.like(lowest), Signal()
    words_before = Signal(range(limit + 2))
    best, seen = Mux(inside, before, lowest), Mux(inside, seen_before, 0)
    words = Mux(inside, words_before, 0) + accept
    for lane in range(config.lanes):
        score, counts = i.payload.score[lane], accept & i.payload.visible[lane]
        best = Mux(counts & (score > best), score, best)
        seen |= counts
    now_best, now_seen, now_words = Signal.like(lowest), Signal(), Signal(range(limit + 2))
    m.d.comb += [
        now_best.eq(best),
        now_seen.eq(seen),
        now_words.eq(Mux(words > limit, limit + 1, words)),
    ]
    m.d.sync += [before.eq(now_best), seen_before.eq(now_seen), words_before.eq(now_words)]
    with m.If(accept):
        m.d.sync += inside.eq(~i.payload.last)

    # At once: what is taken.
    kept = Mux(words_before > limit, limit, words_before)
    m.d.comb += [
        Assert(i.ready == delayed(m, dut.grant, GRANT_DELAY), "accepts only what was granted"),
        Assert(take == (accept & (now_words <= limit)), "takes the first words of a row"),
        Assert(take_row == (accept & i.payload.last), "ends what ends"),
        Assert(inside | (state["count"] == -1), "counts from a row's start"),
        Assert(~inside | (words_before > 0), "a row begins with a transfer"),
        Assert(~inside | (state["count"] + 1 == Mux(kept == limit, limit - 1, kept)), "counts"),
        Assert(state["dropping"] == (inside & (words_before >= limit)), "drops what is too much"),
    ]

    # A cycle later: the words. After the latency: the row.
    payload = Cat(i.payload.score, i.payload.visible)
    late = [
        delayed(m, value, latency)
        for value in (accept & i.payload.last, inside | accept, now_best, now_seen, now_words)
    ]
    ends, alive, late_best, late_seen, late_words = late
    late_kept = Mux(late_words > limit, limit, late_words)
    row = o_row.payload.row
    # Two ranks of comparing and selecting come after the tree over the lanes.
    after_tree = latency - 4
    m.d.comb += [
        Assert(o_word.valid == delayed(m, take, 1), "pushes what was taken"),
        Assert(~o_word.valid | (Value.cast(o_word.payload) == delayed(m, payload, 1)), "as it is"),
        Assert(o_row.valid == ends, "a descriptor for every row"),
        Assert(~alive | (row.row_max == late_best), "the true maximum"),
        Assert(~alive | (row.empty == ~late_seen), "empty if nothing is visible"),
        Assert(~ends | (o_row.payload.count + 2 == late_kept), "as many words as were taken"),
        Assert(~ends | (row.refused == (late_words > limit)), "refused if too long"),
        Assert(state["first"] == ~delayed(m, inside, after_tree), "knows where a row begins"),
        Cover(ends & ~row.empty & ~row.refused & (late_words == limit), "a longest row"),
    ]
    return m, free_ports(dut)


@pytest.mark.parametrize(("lanes", "max_words"), [(1, 1), (1, 3), (2, 3), (4, 2)])
def test_row_max_is_the_maximum_of_what_is_visible(lanes, max_words):
    dut = RowMax(small_config(lanes, max_words))
    m, ports = row_max_contract(dut)
    depth = dut.config.latency + 3
    prove(m, name=f"row_max_{lanes}_{max_words}", ports=ports, depth=depth)


def test_row_max_meets_a_longest_row():
    dut = RowMax(small_config(2, 3))
    m, ports = row_max_contract(dut)
    prove(m, name="row_max_cover", ports=ports, depth=dut.config.latency + 6, mode="cover")


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("wins=begins | greater(best, before)", "wins=greater(best, before)", "true maximum"),
        ("dropping.eq(0)", "dropping.eq(dropping)", "drops|takes"),
        ("wins=p.begins | begun | greater", "wins=p.begins | greater", "true maximum"),
    ],
)
def test_a_row_max_with_a_fault_is_found(right, wrong, line):
    dut = mutant(RowMax, right, wrong)(small_config(1, 3))
    m, ports = row_max_contract(dut)
    with pytest.raises(ProofFailed, match=f"assertion fails.*({line})"):
        prove(m, name="wrong_row_max", ports=ports, depth=dut.config.latency + 8, mode="bmc")


def weigh_contract(dut: Weigh) -> tuple[Module, list[Any]]:
    """Rows as a row buffer sends them: a word, a row's first and last, in any cycles."""
    _, state = opened(dut)
    limit, latency = dut.softmax.max_words, dut.config.latency
    m = Module()
    m.submodules.dut = dut
    i: Any = dut.i
    o_word: Any = dut.o_word
    o_row: Any = dut.o_row
    first, last = i.payload.first, i.payload.last
    inside, before, words = Signal(), Signal(range(limit + 1)), Signal(range(limit + 1))
    m.d.comb += [
        words.eq(Mux(inside, before, 0) + i.valid),
        Assume(~i.valid | (first == ~inside), "first is first"),
        Assume(~i.valid | (words < limit) | last, "none is too long"),
        Assert(before <= limit, "a row has its longest"),
        Assert(~inside | ((before > 0) & (before < limit)), "a row is neither new nor ended"),
    ]
    with m.If(i.valid):
        m.d.sync += [before.eq(words), inside.eq(~last)]
    # The sum stands between the tree over the lanes and the factor, and holds through gaps.
    summed = dut.config.weight_latency + dut.softmax.log2_lanes
    flags = Cat(i.payload.row.empty, i.payload.row.refused)
    row = o_row.payload.row
    m.d.comb += [
        Assert(o_word.valid == delayed(m, i.valid, dut.config.weight_latency), "word by word"),
        Assert(dut.o_word_last == delayed(m, last, dut.config.weight_latency), "ends alike"),
        Assert(o_row.valid == delayed(m, i.valid & last, latency), "row by row"),
        Assert(
            ~delayed(m, inside, summed) | (state["count"] + 2 == delayed(m, before, summed)),
            "counts a row's words",
        ),
        Assert(~o_row.valid | (o_row.payload.count + 2 == delayed(m, words, latency)), "so many"),
        Assert(~o_row.valid | (Cat(row.empty, row.refused) == delayed(m, flags, latency)), "flags"),
        Assert(
            ~o_row.valid | ~(row.empty | row.refused) | (row.factor == 0),
            "nothing is left to scale",
        ),
        Cover(o_row.valid & (o_row.payload.count == limit - 2), "a longest row"),
    ]
    return m, [i.valid, Value.cast(i.payload)]


def test_weigh_gives_a_word_for_a_word_and_a_descriptor_for_a_row():
    config = small_config(2, 3)
    shape = RowBuffer(SoftmaxTiming(config).scores).output_shape
    dut = Weigh(config, shape)
    m, ports = weigh_contract(dut)
    prove(m, name="weigh", ports=ports, depth=dut.config.latency + 2)
    m, ports = weigh_contract(Weigh(config, shape))
    prove(m, name="weigh_cover", ports=ports, depth=dut.config.latency + 4, mode="cover")


class FreeRowBuffer(RowBuffer):
    """`RowBuffer` by its contract: it issues anything, but only what was granted."""

    def __init__(self, config: RowBufferConfig):
        super().__init__(config)
        self.wants, self.ends = Signal(), Signal()
        self.payload = Signal.like(Value.cast(self.o.payload))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        o: Any = self.o
        issue, last = Signal(), Signal()
        m.d.comb += [
            issue.eq(self.wants & delayed(m, self.advance, GRANT_DELAY)),
            last.eq(issue & self.ends),
            self.issue.eq(issue),
            self.issue_last.eq(last),
            Value.cast(o.payload).eq(self.payload),
            o.payload.last.eq(delayed(m, last, self.config.latency)),
            o.valid.eq(delayed(m, issue, self.config.latency)),
        ]
        return m

    @property
    def free(self) -> list[Any]:
        """What nothing decides."""
        return [self.wants, self.ends, self.payload]


class Nothing:
    """A pass whose work the rules of the output do not depend on."""

    def elaborate(self, platform: object) -> Module:
        return Module()


class NoRowMax(Nothing, RowMax):
    pass


class NoWeigh(Nothing, Weigh):
    pass


def in_flight(m: Module, fifo: CreditFifo, latency: int) -> Value:
    """Takes whose push is yet to come, `latency` cycles after each."""
    m.d.comb += Assert(fifo.i.valid == delayed(m, fifo.take, latency), "pushed after the latency")
    return sum((delayed(m, fifo.take, late) for late in range(1, latency + 1)), Const(0))


def test_softmax_keeps_the_rules_of_streams(monkeypatch):
    for name, stub in (("RowMax", NoRowMax), ("RowBuffer", FreeRowBuffer), ("Weigh", NoWeigh)):
        monkeypatch.setattr(core, name, stub)
    dut = Softmax(small_config(1, 1))
    module, _ = opened(dut)
    m = Module()
    m.submodules.dut = dut
    m.submodules.rules = StreamRules(dut.o, Assert)
    fifo, latency = module.submodules.output, dut.timing.scale_latency
    fifo_state(m, fifo, in_flight(m, fifo, latency))
    ports = [dut.o.ready, *module.submodules.weights.free]
    prove(m, name="softmax_rules", ports=ports, depth=latency + 2)


def test_softmax_weights_keeps_the_rules_of_streams(monkeypatch):
    for name, stub in (("RowMax", NoRowMax), ("RowBuffer", FreeRowBuffer)):
        monkeypatch.setattr(core, name, stub)
    dut = SoftmaxWeights(small_config(1, 1))
    module, _ = opened(dut)
    m = Module()
    m.submodules.dut = dut
    m.submodules.weight_rules = StreamRules(dut.o_weight, Assert)
    m.submodules.row_rules = StreamRules(dut.o_row, Assert)
    weigh = WeighConfig(dut.config)
    before = dut.timing.scores.latency
    for name, latency in (
        ("weights", before + weigh.weight_latency),
        ("rows", before + weigh.latency),
    ):
        fifo = getattr(module.submodules, name)
        fifo_state(m, fifo, in_flight(m, fifo, latency))
    ports = [dut.o_weight.ready, dut.o_row.ready, *module.submodules.scores.free]
    prove(m, name="softmax_weights_rules", ports=ports, depth=before + weigh.latency + 2)


@pytest.mark.parametrize("unit", [Softmax, SoftmaxWeights])
def test_no_path_through_the_whole_unit_leads_from_ready_to_valid(unit):
    # Of the first cycles only: what holds in all of them is proved above, part by part.
    dut = unit(SOFTMAX["exact_smallest"])
    prove_stream_rules(dut, name=f"{unit.__name__}_whole", mode="bmc", depth=4)
