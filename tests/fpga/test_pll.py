import subprocess
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga import flow
from fpga.boards import facts_of
from fpga.build.pll import Clock, Ecp5Pll, Ice40Pll, fastest_up_to, mhz, nearest_clock
from gen.boards import BOARDS
from gen.plan.rates import clock_of
from hw.prim.target import Target
from spec import SpecError

MHZ = 1_000_000
OSCILLATORS = {
    Target.ECP5: (25 * MHZ, 48 * MHZ, 100 * MHZ),
    Target.ICE40: (12 * MHZ, 48 * MHZ),
}
RANGES = {Target.ECP5: (Fraction("3.125"), Fraction(400)), Target.ICE40: (16, 275)}


def within(low, value, high):
    return low * MHZ <= value <= high * MHZ


def check(clock: Clock, oscillator_hz: int):
    """The data sheets' limits, and that the dividers give what is said."""
    pll = clock.pll
    if pll is None:
        assert clock.exact_hz == oscillator_hz
    elif isinstance(pll, Ecp5Pll):
        detector = Fraction(oscillator_hz, pll.input_divider)
        oscillator = detector * pll.feedback_divider * pll.feedback_output
        assert clock.exact_hz == oscillator / pll.output_divider
        assert within(10, detector, 400) and within(400, oscillator, 800)
        # What goes back is an output, too.
        assert within(Fraction("3.125"), oscillator / pll.feedback_output, 400)
        assert within(Fraction("3.125"), clock.exact_hz, 400)
        dividers = (pll.input_divider, pll.feedback_divider)
        dividers += (pll.feedback_output, pll.output_divider)
        assert all(1 <= each <= 128 for each in dividers)
    else:
        detector = Fraction(oscillator_hz, pll.divr + 1)
        oscillator = detector * (pll.divf + 1)
        assert clock.exact_hz == oscillator / 2**pll.divq
        assert within(10, detector, 133) and within(533, oscillator, 1066)
        assert within(16, clock.exact_hz, 275)
        assert 0 <= pll.divr < 16 and 0 <= pll.divf < 128 and 1 <= pll.divq < 7


def reachable(target: Target, oscillator_hz: int) -> set[Fraction]:
    """Every frequency within the limits, the plain way."""
    low, high = RANGES[target]
    found = {Fraction(oscillator_hz)}
    for divider in range(1, 129 if target is Target.ECP5 else 17):
        detector = Fraction(oscillator_hz, divider)
        for multiple in range(1, 129):
            oscillator = detector * multiple
            if target is Target.ECP5:
                if within(10, detector, 400) and within(400, oscillator, 800):
                    found |= {oscillator / out for out in range(1, 129)}
            elif within(10, detector, 133) and within(533, oscillator, 1066):
                found |= {oscillator / 2**divq for divq in range(1, 7)}
    return {hz for hz in found if within(low, hz, high) or hz == oscillator_hz}


EVERY = {(t, hz): sorted(reachable(t, hz)) for t, each in OSCILLATORS.items() for hz in each}


@given(st.sampled_from(sorted(EVERY, key=str)), st.fractions(0, 1, max_denominator=10**6))
def test_the_nearest_frequency_within_every_limit(case, place):
    target, oscillator_hz = case
    low, high = RANGES[target]
    wanted = (low + place * (high - low)) * MHZ
    clock = nearest_clock(target, oscillator_hz, wanted)
    check(clock, oscillator_hz)
    assert abs(clock.exact_hz - wanted) == min(abs(hz - wanted) for hz in EVERY[case])
    slow = fastest_up_to(target, oscillator_hz, wanted)
    below = [hz for hz in EVERY[case] if hz <= wanted]
    assert slow is None if not below else slow is not None and slow.exact_hz == max(below)


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_every_reachable_frequency_is_made_exactly(case):
    target, oscillator_hz = case
    for hz in EVERY[case][:: max(1, len(EVERY[case]) // 200)]:
        clock = nearest_clock(target, oscillator_hz, hz)
        assert clock.exact_hz == hz
        check(clock, oscillator_hz)


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_makes_about_the_clock_that_is_planned(board):
    facts, chip = facts_of(BOARDS[board]), BOARDS[board].chip
    for kind in chip.clocks_mhz.keys() - {"link"}:
        planned_hz = Fraction(clock_of(chip, [kind]).mhz) * MHZ
        clock = fastest_up_to(facts.device.target, facts.oscillator_hz, planned_hz)
        assert clock is not None
        check(clock, facts.oscillator_hz)
        assert 0.97 < clock.exact_hz / planned_hz <= 1


def test_the_oscillator_itself_needs_no_pll():
    assert nearest_clock(Target.ICE40, 12 * MHZ, 12 * MHZ).pll is None


def test_one_output_where_it_will_do():
    pll = nearest_clock(Target.ECP5, 25 * MHZ, 150 * MHZ).pll
    assert isinstance(pll, Ecp5Pll) and pll.output_divider == pll.feedback_output
    pll = nearest_clock(Target.ECP5, 25 * MHZ, 110 * MHZ).pll
    assert isinstance(pll, Ecp5Pll) and pll.output_divider != pll.feedback_output


@pytest.mark.parametrize("wanted", [17, 30, 42.5, 48, 77, 200, 270])
def test_as_icepll_has_it(wanted, tmp_path):
    done = subprocess.run(
        [flow.tool("yowasp-icepll"), "-i", "12", "-o", str(wanted)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    pll = nearest_clock(Target.ICE40, 12 * MHZ, Fraction(wanted) * MHZ).pll
    assert isinstance(pll, Ice40Pll)
    assert lines["F_PLLOUT"].split()[0] == f"{float(pll.output_hz) / MHZ:.3f}"
    assert [int(lines[name].split()[0]) for name in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")] == [
        pll.divr, pll.divf, pll.divq, pll.filter_range,
    ]  # fmt: skip


def test_a_clock_that_cannot_be_made():
    with pytest.raises(SpecError) as caught:
        nearest_clock(Target.ECP5, 25 * MHZ, 500 * MHZ)
    assert str(caught.value) == (
        "a clock of 500 MHz cannot be made: the PLL (EHXPLLL) gives 3.125 to 400 MHz, the "
        "oscillator 25; nearest is 400"
    )
    with pytest.raises(SpecError, match="gives 16 to 275 MHz, the oscillator 12; nearest is 12"):
        nearest_clock(Target.ICE40_HX, 12 * MHZ, 13 * MHZ)


def test_frequencies_are_told_without_idle_zeros():
    assert [mhz(hz) for hz in (12e6, Fraction(306250000, 3), 33_100_000)] == [
        "12", "102.083", "33.1",
    ]  # fmt: skip
