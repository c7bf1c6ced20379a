"""Proofs of the FIFO that never refuses, and of the queue made of it."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.stream import Fifo, FifoConfig
from tests.support.formal import Follow, ProofFailed, free_ports, prove, prove_stream_rules

pytestmark = pytest.mark.formal

DEPTHS = [2, 5]
SIZES = [(2, 0), (5, 0), (3, 1), (6, 1)]
"""(depth, reserve)."""


def credit_fifo(depth: int, reserve: int = 0) -> CreditFifo:
    return CreditFifo(CreditFifoConfig(shape=4, depth=depth, reserve=reserve))


def seen_grant(m: Module, dut: CreditFifo) -> Value:
    """The grant as a head with the config's reserve sees it: at once, or one cycle late."""
    if dut.config.reserve == 0:
        return dut.grant
    late = Signal(name="late")
    m.d.sync += late.eq(dut.grant)
    m.d.comb += Assert(~late | (dut.spare >= -1), "one late grant uses one place of the reserve")
    return late


def fly(m: Module, dut: CreditFifo) -> Signal:
    """Assume the contract of the pipeline in front, and count what is on its way in it."""
    flying = Signal(range(dut.config.depth + 2))
    m.d.sync += flying.eq(flying + dut.take - dut.i.valid)
    m.d.comb += [
        Assume(~dut.take | seen_grant(m, dut), "takes only what is granted"),
        Assume(~dut.i.valid | dut.take | (flying > 0), "pushes only what was taken"),
    ]
    return flying


def queue_state(m: Module, dut: CreditFifo, flying: Value | int) -> Follow:
    """Follow a payload through `dut`, and assert how its state relates to what is inside."""
    depth, reserve = dut.config.depth, dut.config.reserve
    m.submodules.follow = follow = Follow(dut.config.shape, depth)
    m.d.comb += [
        follow.enter.eq(dut.i.valid),
        follow.enter_payload.eq(dut.i.payload),
        follow.leave.eq(dut.o.valid & dut.o.ready),
        follow.leave_payload.eq(dut.o.payload),
        Assert(dut.stored + 1 == follow.inside, "stored counts what is inside"),
        Assert(
            dut.spare + 1 + reserve + follow.inside + flying == depth, "spare counts what is free"
        ),
        Assert(dut.spare >= -1 - reserve, "no place is given twice"),
        Assert(dut.write_at < depth, "write address in range"),
        Assert(dut.read_at < depth, "read address in range"),
    ]

    def after(count: Value) -> Value:
        place = dut.read_at + count
        return Mux(place >= depth, place - depth, place)

    peek = dut.storage.read_port(domain="comb")
    m.d.comb += [
        Assert(after(follow.inside) == dut.write_at, "the addresses are what is inside apart"),
        peek.addr.eq(after(follow.ahead)),
        Assert(~follow.waiting | (peek.data == follow.payload), "the followed one is stored"),
    ]
    return follow


def contract(dut: CreditFifo) -> tuple[Module, list[Any]]:
    """Any pipeline in front: pushes come as late as they like, but each has had its take."""
    m = Module()
    m.submodules.dut = dut
    follow = queue_state(m, dut, fly(m, dut))
    full = follow.inside == dut.config.depth
    m.d.comb += [
        Assert(dut.o.valid == (follow.inside > 0), "offers what is inside"),
        Cover(full & follow.waiting & (follow.ahead == 0), "full, and following"),
    ]
    return m, [*free_ports(dut), follow.mark]


@pytest.mark.parametrize(("depth", "reserve"), SIZES)
def test_no_push_is_lost_doubled_or_reordered(depth, reserve):
    m, ports = contract(credit_fifo(depth, reserve))
    prove(m, name=f"credit_contract_{depth}_{reserve}", ports=ports, depth=2)


def test_a_late_head_without_a_reserve_overflows():
    dut = credit_fifo(4)
    m = Module()
    m.submodules.dut = dut
    late = Signal()
    m.d.sync += late.eq(dut.grant)
    m.d.comb += [
        Assume(~dut.take | late, "takes a cycle after a grant"),
        Assert(dut.spare >= -1, "no place is given twice"),
    ]
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="credit_late", ports=free_ports(dut), depth=8, mode="bmc")


def test_it_can_be_full():
    m, ports = contract(credit_fifo(5))
    prove(m, name="credit_cover", ports=ports, depth=7, mode="cover")


@pytest.mark.parametrize(("depth", "reserve"), SIZES)
def test_credit_fifo_keeps_the_rules_of_streams(depth, reserve):
    dut = credit_fifo(depth, reserve)
    prove_stream_rules(
        dut, name=f"credit_rules_{depth}_{reserve}", also=lambda m: queue_state(m, dut, fly(m, dut))
    )


@pytest.mark.parametrize(("depth", "reserve"), SIZES)
def test_a_pipeline_it_hides_takes_in_every_cycle(depth, reserve):
    dut = credit_fifo(depth, reserve)
    m, ports = steady(dut, stages=dut.config.hides_latency)
    prove(m, name=f"credit_steady_{depth}_{reserve}", ports=ports, depth=3)


@pytest.mark.parametrize(("depth", "reserve"), SIZES)
def test_a_pipeline_longer_by_one_does_not(depth, reserve):
    dut = credit_fifo(depth, reserve)
    m, ports = steady(dut, stages=dut.config.hides_latency + 1)
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name=f"credit_unsteady_{depth}_{reserve}", ports=ports, depth=depth + 6)


def steady(dut: CreditFifo, stages: int) -> tuple[Module, list[Any]]:
    """A pipeline of `stages` in front and nothing that waits behind: grant must stay high."""
    m = Module()
    m.submodules.dut = dut
    pipeline = Signal(stages)
    m.d.sync += pipeline.eq(Cat(dut.take, pipeline))
    m.d.comb += dut.i.valid.eq(Cat(dut.take, pipeline)[stages])
    m.d.comb += [
        Assume(~dut.take | seen_grant(m, dut), "takes only what is granted"),
        Assume(dut.o.ready, "nothing waits"),
    ]
    follow = queue_state(m, dut, sum((pipeline[k] for k in range(stages)), Const(0)))
    m.d.comb += [
        Assert(follow.inside <= 1, "leaves as fast as it comes"),
        Assert(dut.grant, "never has to wait for room"),
    ]
    return m, [dut.take, dut.i.payload, dut.o.ready, follow.mark]


@pytest.mark.parametrize("depth", DEPTHS)
def test_fifo_loses_doubles_and_reorders_nothing(depth):
    m = Module()
    m.submodules.dut = dut = Fifo(FifoConfig(shape=4, depth=depth))
    follow = queue_state(m, dut.queue, 0)
    m.d.comb += [
        Assert(dut.queue.i.valid == (dut.i.valid & dut.i.ready), "enters what i accepts"),
        Assert(dut.queue.i.payload == dut.i.payload, "enters as it came"),
        Assert(dut.queue.o.payload == dut.o.payload, "leaves as it is"),
        Assert(dut.o.valid == (follow.inside > 0), "offers what is inside"),
        Assert(dut.i.ready == (follow.inside < depth), "accepts until it is full"),
    ]
    prove(m, name=f"fifo_contract_{depth}", ports=[*free_ports(dut), follow.mark], depth=2)


@pytest.mark.parametrize("depth", DEPTHS)
def test_fifo_keeps_the_rules_of_streams(depth):
    dut = Fifo(FifoConfig(shape=4, depth=depth))
    prove_stream_rules(dut, name=f"fifo_rules_{depth}", also=lambda m: queue_state(m, dut.queue, 0))
