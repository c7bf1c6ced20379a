from itertools import pairwise

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.pipe import Pipe
from hw.lib.stream import PassSignature
from tests.support.bench import BudgetExceeded, intervals, latency, run
from tests.support.strategies import payload_lists, stalls


class Behind(wiring.Component):
    """A pipeline of `stages` that never stalls, and the FIFO that guarantees it need not."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, stages: int, config: CreditFifoConfig):
        self.stages = stages
        self.config = config
        super().__init__(PassSignature(config.shape))

    def elaborate(self, platform):
        m = Module()
        m.submodules.tail = tail = CreditFifo(self.config)
        m.d.comb += [self.i.ready.eq(tail.grant), tail.take.eq(self.i.valid & tail.grant)]
        with Pipe(m, "hold", latency=self.stages, valid=tail.take, x=self.i.payload) as p:
            for _ in range(self.stages):
                p.stage("hold", keep=("x",))
        m.d.comb += [tail.i.valid.eq(p.valid), tail.i.payload.eq(p.x)]
        wiring.connect(m, tail.o, wiring.flipped(self.o))
        return m


def behind(stages, depth):
    return Behind(stages, CreditFifoConfig(shape=unsigned(8), depth=depth))


@settings(max_examples=100)
@given(
    stages=st.integers(0, 5),
    depth=st.integers(2, 8),
    x=payload_lists(unsigned(8)),
    stalls_i=stalls(),
    stalls_o=stalls(),
)
def test_nothing_is_lost_doubled_or_reordered(stages, depth, x, stalls_i, stalls_o):
    pattern = {"i": stalls_i, "o": stalls_o}
    assert run(behind(stages, depth), {"i": x}, stalls=pattern, cycles_budget=400).o == x


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
def test_latency_and_interval_are_those_of_the_config(depth):
    config = CreditFifoConfig(shape=8, depth=depth)
    result = run(behind(config.hides_latency, depth), {"i": range(20)}, cycles_budget=100)
    assert latency(result) == config.hides_latency + config.latency
    assert set(intervals(result)) == {config.interval}


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
@given(extra=st.integers(1, 6))
def test_a_longer_pipeline_takes_depth_transfers_in_each_round_trip(depth, extra):
    config = CreditFifoConfig(shape=8, depth=depth)
    stages = config.hides_latency + extra
    result = run(behind(stages, depth), {"i": range(3 * depth)}, cycles_budget=200)
    assert intervals(result)[: depth - 1] == [config.interval] * (depth - 1)
    starts = result.cycles["i"][::depth]
    assert {later - earlier for earlier, later in pairwise(starts)} == {stages + 2}


@given(st.integers(0, 20))
def test_a_consumer_that_never_accepts_stops_the_head_after_depth_transfers(stages):
    with pytest.raises(BudgetExceeded, match="i accepted 3 of 9, o delivered 0 of 9"):
        run(behind(stages, 3), {"i": range(9)}, stalls={"o": [True] * 60}, cycles_budget=60)


@pytest.mark.parametrize("depth", [1, 0, -4])
def test_a_depth_below_two_is_rejected(depth):
    with pytest.raises(
        ValueError, match=rf"CreditFifoConfig\.depth must be at least 2, got {depth}"
    ):
        CreditFifoConfig(shape=8, depth=depth)
