"""Proofs of the joints: each carries every payload once and in order, and keeps to the rules."""

import pytest
from amaranth.hdl import Assert, Assume, Const, Module, Mux, Signal, Value

from hw.lib.stream import Fork, ForkConfig, Join, JoinConfig, SkidBuffer, SkidBufferConfig
from hw.lib.width import Narrow, NarrowConfig, Widen, WidenConfig
from tests.support.formal import Follow, StreamRules, free_ports, prove, prove_stream_rules

pytestmark = pytest.mark.formal


def skid_state(m: Module, dut: SkidBuffer) -> Follow:
    """Follow a payload through `dut`, and assert where it is."""
    m.submodules.follow = follow = Follow(dut.config.shape, 2)
    m.d.comb += [
        follow.enter.eq(dut.i.valid & dut.i.ready),
        follow.enter_payload.eq(dut.i.payload),
        follow.leave.eq(dut.o.valid & dut.o.ready),
        follow.leave_payload.eq(dut.o.payload),
        Assert(follow.inside == dut.o.valid + dut.held_valid, "its two registers hold it all"),
        Assert(~dut.held_valid | dut.o.valid, "nothing waits behind nothing"),
    ]
    place = Mux(follow.ahead == 0, dut.o.payload, dut.held)
    m.d.comb += Assert(~follow.waiting | (place == follow.payload), "the followed one is held")
    return follow


def test_skid_buffer_loses_doubles_and_reorders_nothing():
    m = Module()
    m.submodules.dut = dut = SkidBuffer(SkidBufferConfig(shape=4))
    follow = skid_state(m, dut)
    m.d.comb += [
        Assert(dut.o.valid == (follow.inside > 0), "offers what is inside"),
        Assert(dut.i.ready == (follow.inside < 2), "accepts until it is full"),
    ]
    prove(m, name="skid_contract", ports=[*free_ports(dut), follow.mark], depth=2)


def test_skid_buffer_keeps_the_rules_of_streams():
    dut = SkidBuffer(SkidBufferConfig(shape=4))
    prove_stream_rules(dut, name="skid_rules", also=lambda m: skid_state(m, dut))


@pytest.mark.parametrize("outputs", [1, 3])
def test_every_output_of_a_fork_takes_every_input_once(outputs):
    m = Module()
    m.submodules.dut = dut = Fork(ForkConfig(shape=4, outputs=outputs))
    m.submodules.rules = StreamRules(dut.i, Assume)
    taken = Signal(outputs)
    accept = dut.i.valid & dut.i.ready
    for k, o in enumerate(dut.o):
        leave = o.valid & o.ready
        m.d.sync += taken[k].eq(~accept & (taken[k] | leave))
        m.d.comb += [
            Assert(taken[k] == dut.done[k], "remembers who is done"),
            Assert(~leave | (dut.i.valid & ~taken[k]), "takes what is offered, and once"),
            Assert(~accept | taken[k] | leave, "accepts when all have taken"),
            Assert(~o.valid | (o.payload == dut.i.payload), "carries it unchanged"),
            Assert(~dut.i.valid | taken[k] | o.valid, "offers it until it is taken"),
        ]
    prove(m, name=f"fork_contract_{outputs}", ports=free_ports(dut), depth=2)


@pytest.mark.parametrize("outputs", [1, 3])
def test_fork_keeps_the_rules_of_streams(outputs):
    prove_stream_rules(Fork(ForkConfig(shape=4, outputs=outputs)), name=f"fork_rules_{outputs}")


def test_join_accepts_every_input_with_the_output():
    m = Module()
    m.submodules.dut = dut = Join(JoinConfig(shapes={"q": 4, "k": 3}))
    q, k = dut.inputs["q"], dut.inputs["k"]
    leave = dut.o.valid & dut.o.ready
    m.d.comb += [
        Assert((q.valid & q.ready) == leave, "accepts q with the output"),
        Assert((k.valid & k.ready) == leave, "accepts k with the output"),
        Assert(dut.o.valid == (q.valid & k.valid), "offers when all are there"),
        Assert(dut.o.payload.q == q.payload, "carries q unchanged"),
        Assert(dut.o.payload.k == k.payload, "carries k unchanged"),
    ]
    prove(m, name="join_contract", ports=free_ports(dut), depth=1)


def test_join_keeps_the_rules_of_streams():
    prove_stream_rules(Join(JoinConfig(shapes={"q": 4, "k": 3})), name="join_rules")


def narrow_state(m: Module, dut: Narrow) -> Signal:
    """Assume legal words, and count which part of the one on offer is due."""
    factor = dut.config.factor
    words = dut.i.payload.words
    due = Signal(range(factor))
    with m.If(dut.o.valid & dut.o.ready):
        m.d.sync += due.eq(Mux(dut.i.ready, 0, due + 1))
    m.d.comb += [
        Assume(~dut.i.valid | ((words >= 1) & (words <= factor)), "words in range"),
        Assert(due == dut.index, "counts the words that left"),
        Assert(~dut.i.valid | (due < words), "never past the last word"),
        Assert((due == 0) | dut.i.valid, "begins with the offer"),
    ]
    return due


@pytest.mark.parametrize("factor", [2, 3])
def test_narrow_delivers_every_word_once_and_in_order(factor):
    m = Module()
    m.submodules.dut = dut = Narrow(NarrowConfig(shape=2, lanes=2, factor=factor))
    m.submodules.rules = StreamRules(dut.i, Assume)
    due = narrow_state(m, dut)
    i, o = dut.i, dut.o
    final = due + 1 == i.payload.words
    part = i.payload.lanes.as_value().word_select(due, 4)
    m.d.comb += [
        Assert(o.valid == i.valid, "offers as long as there is something"),
        Assert(~o.valid | (o.payload.lanes.as_value() == part), "carries the word that is due"),
        Assert(~o.valid | (o.payload.last == (i.payload.last & final)), "ends where it ended"),
        Assert(~i.valid | (i.ready == (o.ready & final)), "accepts with the last word"),
    ]
    prove(m, name=f"narrow_contract_{factor}", ports=free_ports(dut), depth=2)


@pytest.mark.parametrize("factor", [2, 3])
def test_narrow_keeps_the_rules_of_streams(factor):
    dut = Narrow(NarrowConfig(shape=2, lanes=2, factor=factor))
    also = lambda m: narrow_state(m, dut)  # noqa: E731
    prove_stream_rules(dut, name=f"narrow_rules_{factor}", also=also)


@pytest.mark.parametrize("factor", [2, 3])
def test_widen_collects_every_word_once_and_in_order(factor):
    m = Module()
    m.submodules.dut = dut = Widen(WidenConfig(shape=2, lanes=2, factor=factor))
    i, o = dut.i, dut.o
    accept, leave = i.valid & i.ready, o.valid & o.ready
    count, ended, last = Signal(range(factor + 1)), Signal(), Signal()
    place = Mux(leave, 0, count)
    with m.If(accept):
        m.d.sync += count.eq(place + 1)
        m.d.sync += last.eq(i.payload.last)
        m.d.sync += ended.eq(i.payload.last | (place == factor - 1))
    with m.Elif(leave):
        m.d.sync += [count.eq(0), ended.eq(0)]
    m.d.comb += [
        Assert(o.valid == ended, "offers a word that is full or last"),
        Assert(o.payload.words == count, "says how many it holds"),
        Assert((count > 0) | ~ended, "offers nothing empty"),
        Assert((count < factor) | ended, "a full word is offered"),
        Assert(~ended | (o.payload.last == last), "ends where it ended"),
        Assert(~accept | ~ended | leave, "accepts only what it has room for"),
        Assert(i.ready | (o.valid & ~o.ready), "accepts whenever it has"),
    ]
    for k in range(factor):
        came = Signal(4)
        with m.If(accept & (place == k)):
            m.d.sync += came.eq(Value.cast(i.payload.lanes))
        held = Value.cast(o.payload.lanes).word_select(Const(k), 4)
        m.d.comb += [
            Assert((count <= k) | (held == came), "holds what came, where it belongs"),
            Assert((count == 0) | (count > k) | (held == 0), "holds zero where nothing came"),
        ]
    prove(m, name=f"widen_contract_{factor}", ports=free_ports(dut), depth=2)


@pytest.mark.parametrize("factor", [2, 3])
def test_widen_keeps_the_rules_of_streams(factor):
    dut = Widen(WidenConfig(shape=2, lanes=2, factor=factor))
    prove_stream_rules(dut, name=f"widen_rules_{factor}")
