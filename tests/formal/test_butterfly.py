"""Proof of the count of a ring's places, on which loader, sequencer and storer rely."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Signal, signed

from hw.butterfly import ring
from hw.butterfly.ring import RingCount
from tests.support.formal import ProofFailed, free_ports, prove
from tests.support.inside import mutant

pytestmark = pytest.mark.formal

MOST = 5


def harness(dut, *, cover=False):
    """A user that keeps the contract; places are counted beside the unit."""
    m = Module()
    m.submodules.dut = dut
    taken, capacity, started = Signal(range(MOST + 2)), Signal(range(MOST + 1)), Signal()
    before, spare = Signal(range(MOST + 2)), Signal(MOST + 1)
    late, places = Signal(signed(3)), Signal(range(MOST + 1))
    m.d.sync += [taken.eq(taken + dut.take - dut.free), before.eq(taken)]
    m.d.comb += [spare.eq(1 << (capacity - before)[:3]), late.eq(dut.took - dut.freed)]
    for number in range(MOST + 1):
        with m.If(dut.capacity == 1 << number):
            m.d.comb += places.eq(number)
    with m.If(dut.restart):
        m.d.sync += [capacity.eq(places), started.eq(1)]
    m.d.comb += [
        Assume(~dut.take | ~dut.full & ~dut.restart, "takes a place that is free"),
        Assume(~dut.free | (taken > 0), "gives back what was taken"),
        Assume(
            ~dut.restart | (taken == 0) & (places >= 1),
            "restarts at rest",
        ),
    ]
    if cover:
        m.d.comb += Cover(dut.full & started & (capacity == MOST), "all places taken")
        return m
    m.d.comb += [
        Assert(dut.full == (~started | (taken == capacity)), "full says that no place is free"),
        Assert(~dut.empty | (before == 0), "empty says that none was taken a cycle ago"),
        Assert(dut.empty | (before > 0), "and only then"),
        Assert(taken <= capacity, "never more than there are"),
        Assert(capacity <= MOST, "as was assumed"),
        # What the induction must know of the counters.
        Assert(dut.used + 1 == before, "used is a cycle late"),
        Assert(~started | (dut.spare == spare), "one bit for the places that were free"),
        Assert(started | (dut.spare == 1) & (taken == 0) & (capacity == 0), "full at first"),
        Assert(late == taken - before, "what is counted next"),
    ]
    return m


def test_full_and_empty_are_what_was_taken_and_given_back():
    dut = RingCount(MOST)
    prove(harness(dut), name="butterfly_ring", depth=2, ports=free_ports(dut))


def test_a_full_ring_is_reached():
    dut = RingCount(MOST)
    ports = free_ports(dut)
    prove(harness(dut, cover=True), name="butterfly_ring_full", depth=12, ports=ports, mode="cover")


def test_a_wrong_count_is_noticed():
    wrong = mutant(ring.RingCount, "Mux(less, self.spare[2]", "Mux(less, self.spare[1]")
    dut = wrong(MOST)
    with pytest.raises(ProofFailed):
        prove(harness(dut), name="butterfly_ring_wrong", depth=6, ports=free_ports(dut), mode="bmc")
