"""The operand memory, filled by a stream under stalls and read at random by a bench."""

import random
from pathlib import Path
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.emit import emit_rtlil
from hw.lib.operand import Operand, OperandConfig
from hw.prim.target import Target
from tests.support.netlist import differences, run_verilog

CONFIGS = [(3, 1, 1), (3, 1, 2), (8, 5, 1, 2), (8, 5, 2), (12, 8, 2, 3), (12, 8, 1, 4)]


def config_of(width, depth, sets, parts=1):
    return OperandConfig(width=width, depth=depth, sets=sets, parts=parts)


def word_of(width, index, at):
    return (index * 31 + at * 7 + 1) % (1 << width)


def run(config: OperandConfig, lengths: list[int], seed: int, idle: float) -> None:
    """Fill sets of `lengths`, read each in random order, and release it with the last address."""
    dut: Any = Operand(config)
    choose = random.Random(seed)
    log = {"accepted": [0] * len(lengths), "released": 0, "filled": 0}

    async def fill(ctx):
        for index, length in enumerate(lengths):
            for at in range(length):
                while choose.random() < idle:
                    ctx.set(dut.i.valid, 0)
                    await ctx.tick()
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload.data, word_of(config.width, index, at))
                ctx.set(dut.i.payload.last, at == length - 1)
                while not ctx.get(dut.i.ready):
                    await ctx.tick()
                assert index < log["released"] + config.sets, "a set in use is not overwritten"
                await ctx.tick()
                assert ctx.get(dut.overrun) == (at >= config.depth)
            log["filled"] = index + 1
        ctx.set(dut.i.valid, 0)

    async def read(ctx):
        pending: list[int | None] = [None] * config.latency
        checked = wanted = 0

        async def step(word: int | None):
            nonlocal checked
            pending.append(word)
            due = pending.pop(0)
            if due is not None:
                assert ctx.get(dut.data) == due
                checked += 1
            await ctx.tick()

        for index, length in enumerate(lengths):
            while not ctx.get(dut.full) or choose.random() < idle:
                await step(None)
            count = min(length, config.depth)
            order = [*range(count), choose.randrange(count)]
            choose.shuffle(order)
            for place, at in enumerate(order):
                last = place == len(order) - 1
                ctx.set(dut.address, at)
                ctx.set(dut.release, last)
                wanted += 1
                if last:
                    log["released"] += 1
                await step(word_of(config.width, index, at))
                ctx.set(dut.release, 0)
        for _ in range(config.latency + 1):
            await step(None)
        assert checked == wanted
        assert log["filled"] == len(lengths)
        assert not ctx.get(dut.full)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(fill)
    simulator.add_testbench(read)
    simulator.run()


@pytest.mark.parametrize("size", CONFIGS)
@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 11), min_size=1, max_size=7),
    seed=st.integers(0, 99),
    idle=st.sampled_from([0.0, 0.3, 0.8]),
)
def test_every_set_is_read_whole_before_it_is_filled_again(size, lengths, seed, idle):
    run(config_of(*size), lengths, seed, idle)


@pytest.mark.parametrize("sets", [1, 2])
def test_it_takes_in_as_many_sets_as_it_has(sets):
    config = config_of(8, 4, sets)
    dut: Any = Operand(config)
    accepted = []

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.last, 1)
        for cycle in range(12):
            ctx.set(dut.release, cycle == 8)
            if ctx.get(dut.i.ready):
                accepted.append(cycle)
            # Whole in the cycle after its last word.
            assert ctx.get(dut.full) == (cycle >= 1 and not (sets == 1 and cycle == 9))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    # Without a gap while there is room, and again in the cycle after the release.
    assert accepted == [*range(sets), 9]


def test_a_lone_set_in_single_port_memory(tmp_path: Path):
    """Sets follow one another as closely as they may: the last word of one is read as it goes."""
    config = config_of(16, 300, 1)
    length, sets = 5, 6
    assert "cell \\SB_SPRAM256KA" in emit_rtlil(Operand(config), Target.ICE40)
    stimulus: list[dict[str, int]] = []
    expected: list[dict[str, int | None]] = []
    for index in range(sets):
        words = [word_of(16, index, at) for at in range(length)]
        for at, word in enumerate(words):
            payload = word | (at == length - 1) << config.width  # {data, last}
            stimulus.append({"i__valid": 1, "i__payload": payload, "release": 0})
            expected.append({"i__ready": 1, "full": 0})
        for at in range(length):
            # What waits at `i` is not taken before the release.
            stimulus.append({"i__payload": 0, "address": at, "release": at == length - 1})
            expected.append({"i__ready": 0, "full": 1})
    idle: dict[str, int] = {"i__valid": 0, "release": 0}
    stimulus += [idle] * config.latency
    expected += [{} for _ in range(config.latency)]
    for index in range(sets):
        for at in range(length):
            cycle = (2 * index + 1) * length + at + config.latency
            expected[cycle]["data"] = word_of(16, index, at)
    for target in (Target.PORTABLE, Target.ICE40):
        trace = run_verilog(Operand(config), target, stimulus, tmp_path)
        assert differences(expected, trace) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", 0, "must be at least 1, got 0"),
        ("depth", 0, "must be at least 1, got 0"),
        ("sets", 3, "must be 1 or 2, got 3"),
        ("parts", 3, "must divide width = 8, got 3"),
    ],
)
def test_rejections(field, value, message):
    good = {"width": 8, "depth": 4, "sets": 2}
    with pytest.raises(ValueError, match=rf"OperandConfig\.{field} {message}"):
        OperandConfig(**{**good, field: value})
