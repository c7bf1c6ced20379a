import random
from itertools import pairwise
from pathlib import Path

import pytest
from amaranth.hdl import Const, Module, Shape, unsigned
from amaranth.lib import stream, wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.pipe import Pipe
from hw.lib.stream import PassSignature
from hw.prim.queue_ram import LOGIC_QUEUE_BITS, QueueRamConfig
from hw.prim.target import Target
from tests.support.bench import BudgetExceeded, intervals, latency, run
from tests.support.netlist import Together, differences, run_verilog
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


QUEUES = {
    f"w{width}_d{depth}": CreditFifoConfig(shape=unsigned(width), depth=depth)
    for width, depth in ((1, 2), (9, 7), (33, 2), (13, 5), (21, 14), (16, 32), (40, 257), (3, 2048))
}


def queue_bench(cycles: int = 600):
    """Queues that run full, run empty, stay at one entry or two, and pass at full rate."""
    rng = random.Random(1)
    stimulus: list[dict[str, int]] = [{} for _ in range(cycles)]
    expected: list[dict[str, int | None]] = [{} for _ in range(cycles)]
    for name, config in QUEUES.items():
        inside: list[int] = []
        pushing, popping = 0.5, 0.5
        for cycle in range(cycles):
            if cycle % 40 == 0:
                pushing, popping = rng.choice([(1, 0), (0.9, 0.1), (0, 1), (1, 1), (0.5, 0.6)])
            grant, valid = len(inside) < config.depth, bool(inside)
            push, pop = grant and rng.random() < pushing, rng.random() < popping
            word = rng.getrandbits(Shape.cast(config.shape).width)
            stimulus[cycle] |= {
                f"{name}__take": push,
                f"{name}__i__valid": push,
                f"{name}__i__payload": word,
                f"{name}__o__ready": pop,
            }
            expected[cycle] |= {f"{name}__grant": grant, f"{name}__o__valid": valid}
            if valid:
                expected[cycle][f"{name}__o__payload"] = inside[0]
            inside = inside[valid and pop :] + [word] * push
    return stimulus, expected


@pytest.mark.parametrize("target", Target)
def test_queues_of_emitted_verilog(target: Target, tmp_path: Path):
    stimulus, expected = queue_bench()
    queues = Together({name: CreditFifo(config) for name, config in QUEUES.items()})
    assert differences(expected, run_verilog(queues, target, stimulus, tmp_path)) == []


@pytest.mark.parametrize("target", [Target.PORTABLE, Target.ICE40])
def test_the_bench_sees_an_entry_that_should_have_gone_past_the_memory(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stimulus, expected = queue_bench()
    queue = CreditFifo(QUEUES["w21_d14"])
    build = type(queue.ram).elaborate

    def never_bare(ram, platform):
        ram.bare = Const(0, 1)
        return build(ram, platform)

    monkeypatch.setattr(type(queue.ram), "elaborate", never_bare)
    mine = [{k: v for k, v in step.items() if k.startswith("w21_d14")} for step in stimulus]
    wanted = [{k: v for k, v in step.items() if k.startswith("w21_d14")} for step in expected]
    found = differences(wanted, run_verilog(Together({"w21_d14": queue}), target, mine, tmp_path))
    assert bool(found) == (target is Target.ICE40)  # nothing else looks at it


@pytest.mark.parametrize(
    ("width", "depth", "target", "block"),
    [
        (8, LOGIC_QUEUE_BITS // 8 - 1, Target.ICE40, False),
        (8, LOGIC_QUEUE_BITS // 8, Target.ICE40, True),
        (LOGIC_QUEUE_BITS // 2, 2, Target.ICE40_HX, True),
        (8, LOGIC_QUEUE_BITS, Target.ECP5, False),
        (8, LOGIC_QUEUE_BITS, Target.PORTABLE, False),
        (8, 2048, Target.ICE40, True),
        (8, 2049, Target.ICE40, False),
        (0, 2048, Target.ICE40, False),
    ],
)
def test_which_queues_lie_in_block_memory(width: int, depth: int, target: Target, block: bool):
    assert QueueRamConfig(shape=width, depth=depth).block_on(target) is block


@pytest.mark.parametrize("depth", [1, 2.0, True])
def test_rejection_of_a_queues_depth(depth):
    with pytest.raises(ValueError, match=r"QueueRamConfig\.depth must be an integer of at least 2"):
        QueueRamConfig(shape=1, depth=depth)
