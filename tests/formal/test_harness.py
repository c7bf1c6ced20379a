"""Negative controls: what is wrong must fail its proof, for the reason it is wrong."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal

from tests.support import formal, wrong
from tests.support.formal import Follow, ProofFailed, free_ports, prove, prove_stream_rules

pytestmark = pytest.mark.formal


@pytest.mark.parametrize(
    ("component", "line"),
    [
        (wrong.Withdraws, "valid withdrawn"),
        (wrong.Changes, "payload changed"),
        (wrong.Peeks, "Assertion failed: selection is not empty"),
    ],
)
def test_a_broken_rule_of_streams_is_found(component, line):
    with pytest.raises(ProofFailed, match=line):
        prove_stream_rules(component(), name=f"wrong_{component.__name__}", depth=4)


@pytest.mark.parametrize(
    ("component", "capacity", "line"),
    [
        (wrong.Loses, 1, "more inside than there is room for"),
        (wrong.Doubles, 1, "something left that never entered"),
        (wrong.Swaps, 2, "changed, or out of turn"),
    ],
)
def test_a_queue_that_is_none_is_found(component, capacity, line):
    m = Module()
    m.submodules.dut = dut = component()
    m.submodules.follow = follow = Follow(4, capacity)
    m.d.comb += [
        follow.enter.eq(dut.i.valid & dut.i.ready),
        follow.enter_payload.eq(dut.i.payload),
        follow.leave.eq(dut.o.valid & dut.o.ready),
        follow.leave_payload.eq(dut.o.payload),
    ]
    ports = [*free_ports(dut), follow.mark]
    with pytest.raises(ProofFailed, match=line):
        prove(m, name=f"wrong_{component.__name__}", ports=ports, depth=6, mode="bmc")


def counter() -> tuple[Module, Signal, Signal]:
    m = Module()
    step, count = Signal(), Signal(3)
    m.d.sync += count.eq(count + step)
    return m, step, count


def test_an_induction_that_does_not_close_is_a_failure_and_says_so():
    m, step, count = counter()
    m.d.comb += Assume(~step | (count != 3), "stays at three")
    m.d.comb += Assert(count != 5, "never five")
    with pytest.raises(ProofFailed, match=r"induction does not close at .*never five"):
        prove(m, name="wrong_induction", ports=[step], depth=2)


def test_a_cover_that_is_not_reached_is_a_failure():
    m, step, count = counter()
    m.d.comb += Cover(count == 4, "four")
    prove(m, name="cover_reached", ports=[step], depth=5, mode="cover")
    with pytest.raises(ProofFailed, match=r"cover not reached at .*four"):
        prove(m, name="wrong_cover", ports=[step], depth=4, mode="cover")


def test_assumptions_that_contradict_each_other_are_a_failure():
    m, step, count = counter()
    m.d.comb += [Assume(step, "yes"), Assume(~step, "no"), Assert(count == 7, "of nothing")]
    with pytest.raises(ProofFailed, match="assumption"):
        prove(m, name="wrong_assumptions", ports=[step], depth=2)


def test_a_proof_of_nothing_is_a_failure():
    m, step, _ = counter()
    with pytest.raises(ProofFailed, match="asserts nothing"):
        prove(m, name="wrong_nothing", ports=[step], depth=2)


def test_a_missing_tool_is_a_failure(monkeypatch):
    monkeypatch.setattr(formal, "TOOLS", (*formal.TOOLS, "no-such-solver"))
    m, step, count = counter()
    m.d.comb += Assert(count >= 0, "not reached")
    with pytest.raises(ProofFailed, match="no-such-solver not found"):
        prove(m, name="wrong_tools", ports=[step], depth=2)
