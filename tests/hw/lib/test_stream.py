import pytest
from amaranth.hdl import signed, unsigned
from hypothesis import given

from hw.lib.stream import (
    Fifo,
    FifoConfig,
    Fork,
    ForkConfig,
    Join,
    JoinConfig,
    SkidBuffer,
    SkidBufferConfig,
)
from tests.support.bench import intervals, latency, run
from tests.support.strategies import payload_lists, stalls

BYTE = unsigned(8)
QUEUES = [
    (SkidBuffer, SkidBufferConfig(shape=BYTE)),
    (Fifo, FifoConfig(shape=BYTE, depth=2)),
    (Fifo, FifoConfig(shape=BYTE, depth=3)),
    (Fifo, FifoConfig(shape=BYTE, depth=8)),
]


@pytest.mark.parametrize(("unit", "config"), QUEUES, ids=str)
@given(x=payload_lists(BYTE), stalls_i=stalls(), stalls_o=stalls())
def test_a_queue_is_the_identity(unit, config, x, stalls_i, stalls_o):
    pattern = {"i": stalls_i, "o": stalls_o}
    assert run(unit(config), {"i": x}, stalls=pattern, cycles_budget=200).o == x


@pytest.mark.parametrize(("unit", "config"), QUEUES, ids=str)
def test_latency_and_interval_of_a_queue(unit, config):
    result = run(unit(config), {"i": range(20)}, cycles_budget=50)
    assert latency(result) == config.latency
    assert set(intervals(result)) == {config.interval}


@pytest.mark.parametrize(("unit", "config"), QUEUES, ids=str)
def test_a_queue_accepts_until_it_is_full(unit, config):
    depth = getattr(config, "depth", 2)
    result = run(unit(config), {"i": range(9)}, stalls={"o": [True] * 20}, cycles_budget=50)
    assert result.cycles["i"][:depth] == list(range(depth))
    assert min(result.cycles["i"][depth:]) >= 20


@pytest.mark.parametrize("outputs", [1, 2, 3])
@given(x=payload_lists(BYTE), stalls_i=stalls(), stalls_o=stalls())
def test_every_output_of_a_fork_is_the_identity(outputs, x, stalls_i, stalls_o):
    config = ForkConfig(shape=BYTE, outputs=outputs)
    pattern = {"i": stalls_i, "o[0]": stalls_o}
    result = run(Fork(config), {"i": x}, stalls=pattern, cycles_budget=200)
    assert list(result.outputs.values()) == [x] * outputs


def test_latency_and_interval_of_a_fork():
    config = ForkConfig(shape=BYTE, outputs=2)
    result = run(Fork(config), {"i": range(20)}, cycles_budget=50)
    assert latency(result, o="o[0]") == latency(result, o="o[1]") == config.latency
    assert set(intervals(result)) == {config.interval}


def test_an_output_of_a_fork_need_not_wait_for_the_other():
    pattern = {"o[1]": [True] * 5}
    dut = Fork(ForkConfig(shape=BYTE, outputs=2))
    result = run(dut, {"i": [1, 2]}, stalls=pattern, cycles_budget=50)
    assert result.cycles == {"i": [5, 6], "o[0]": [0, 6], "o[1]": [5, 6]}


JOIN = JoinConfig(shapes={"q": unsigned(8), "k": signed(4)})


@given(
    q=payload_lists(unsigned(8), min_size=9, max_size=9),
    k=payload_lists(signed(4), min_size=9, max_size=9),
    stalls_q=stalls(),
    stalls_k=stalls(),
    stalls_o=stalls(),
)
def test_join_pairs_what_belongs_together(q, k, stalls_q, stalls_k, stalls_o):
    pattern = {"i_q": stalls_q, "i_k": stalls_k, "o": stalls_o}
    result = run(Join(JOIN), {"i_q": q, "i_k": k}, stalls=pattern, cycles_budget=200)
    assert result.o == [{"q": a, "k": b} for a, b in zip(q, k, strict=True)]


def test_latency_and_interval_of_a_join():
    result = run(Join(JOIN), {"i_q": range(8), "i_k": range(8)}, cycles_budget=50)
    assert latency(result, i="i_q") == latency(result, i="i_k") == JOIN.latency
    assert set(intervals(result, "i_q")) == {JOIN.interval}


def test_rejections():
    with pytest.raises(ValueError, match=r"FifoConfig\.depth must be at least 2, got 1"):
        FifoConfig(shape=8, depth=1)
    with pytest.raises(ValueError, match=r"ForkConfig\.outputs must be at least 1, got 0"):
        ForkConfig(shape=8, outputs=0)
    with pytest.raises(ValueError, match=r"JoinConfig\.shapes must name at least one input"):
        JoinConfig(shapes={})
