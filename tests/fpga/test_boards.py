from dataclasses import dataclass

import pytest
from amaranth.sim import Simulator

from fpga import flow
from fpga.boards import Pin, facts_of
from fpga.build.board_top import ResetBridge
from fpga.build.constraints import constraints
from gen.boards import BOARDS, board_of
from hw.prim.target import Target
from spec import SpecError


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_has_every_fact(name):
    facts = facts_of(board_of(name))
    pins = [facts.oscillator, facts.receive, facts.transmit, facts.busy, facts.error]
    pins += [facts.reset] if facts.reset else []
    assert len({pin.ball for pin in pins}) == len(pins)
    text = constraints(facts)
    assert all(f"{pin.ball}" in text for pin in pins)
    assert "oscillator" in text and ("button" in text) == (facts.reset is not None)


def test_facts_of_an_icebreaker():
    facts = facts_of(board_of("icebreaker"))
    assert (facts.part, facts.oscillator_hz) == ("iCE40UP5K", 12_000_000)
    assert facts.device == flow.ICE40_UP5K
    assert (facts.receive.ball, facts.transmit.ball) == ("6", "9")
    assert facts.busy == Pin(ball="37", inverted=True, attributes={"IO_STANDARD": "SB_LVCMOS"})
    assert constraints(facts) == (
        "set_io oscillator 35\nset_io -pullup yes receive 6\nset_io -pullup yes transmit 9\n"
        "set_io busy 37\nset_io error 11\nset_io button 10\nset_frequency oscillator 12\n"
    )


def test_facts_of_a_ulx3s():
    facts = facts_of(board_of("ulx3s_25f"))
    assert facts.device == flow.ECP5_25F and facts.device.target is Target.ECP5
    assert facts_of(board_of("ulx3s_85f")).device == flow.ECP5_85F
    text = constraints(facts)
    assert text.startswith(
        'LOCATE COMP "oscillator" SITE "G2";\nIOBUF PORT "oscillator" IO_TYPE=LVCMOS33;\n'
    )
    assert text.endswith('FREQUENCY PORT "oscillator" 25 MHZ;\n')
    assert 'IOBUF PORT "button" IO_TYPE=LVCMOS33 PULLMODE=DOWN;' in text


def test_parts_of_a_resource():
    facts = facts_of(board_of("ecpix5_85f"))
    assert (facts.busy.ball, facts.error.ball, facts.busy.inverted) == ("R21", "U21", True)
    assert facts.device.options == ("--um5g-85k", "--package", "CABGA554", "--speed", "8")


def test_a_board_that_does_not_exist():
    with pytest.raises(SpecError) as caught:
        board_of("icebraker")
    assert str(caught.value) == (
        "--board icebraker: there is no such board; nearest is icebreaker (of " + ", ".join(BOARDS)
        + ")"
    )  # fmt: skip


@dataclass
class Waves:
    """What a bridge was shown and what it did, clock by clock."""

    hold: list[int]
    reset: list[int]


def run(settle_cycles: int, holds: list[int], *, glitches: tuple[int, ...] = ()) -> Waves:
    """Each value of `holds` lasts a clock; in the clocks of `glitches` there is a pulse besides."""
    bridge = ResetBridge(settle_cycles)
    waves = Waves([], [])

    async def bench(ctx):
        for number, hold in enumerate(holds):
            ctx.set(bridge.hold, hold)
            waves.hold.append(hold)
            waves.reset.append(ctx.get(bridge.reset))
            if number in glitches:
                await ctx.delay(0.2e-6)
                ctx.set(bridge.hold, 1)
                await ctx.delay(0.01e-6)
                ctx.set(bridge.hold, 0)
            await ctx.tick()

    simulator = Simulator(bridge)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return waves


@pytest.mark.parametrize("settle_cycles", [1, 2, 5, 300])
def test_reset_lasts_from_power_up_until_all_is_settled(settle_cycles):
    waves = run(settle_cycles, [1] * 7 + [0] * (settle_cycles + 10))
    assert waves.reset[0] == 1
    length = waves.reset.index(0)
    assert 7 + settle_cycles <= length <= 7 + settle_cycles + 3
    assert not any(waves.reset[length:])


def test_reset_without_anything_that_holds_it():
    reset = run(8, [0] * 20).reset
    assert 8 <= reset.index(0) <= 8 + 3 and not any(reset[reset.index(0) :])


def test_reset_comes_back_even_for_a_short_pulse():
    waves = run(4, [0] * 40, glitches=(20,))
    assert waves.reset[20] == 0
    again = waves.reset[20:]
    assert 1 in again[1:4]
    begin = again.index(1)
    assert 4 <= again[begin:].index(0) <= 4 + 3


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_build_is_for_the_chip_that_was_planned_for(board):
    facts = facts_of(board)
    assert facts.device.target is board.chip.target
    assert facts.part == board.chip.name
