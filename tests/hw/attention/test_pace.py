import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.pace import DECISION, LEAST_INTERVAL, SETTLE, Pace
from tests.support.netlist import run_amaranth


def opened(interval, events):
    """Whether it is open in every cycle, by the rules; `events` are (start, ends, released)."""
    earliest, shut, found = 0, False, []
    for cycle, (start, ends, released) in enumerate(events):
        found.append(int(cycle >= earliest and not shut))
        if start:
            earliest = max(earliest, cycle + interval - DECISION)
        if ends:
            shut = True
        if released:
            shut, earliest = False, max(earliest, cycle + SETTLE - DECISION)
    return found


@st.composite
def events(draw, interval):
    """Starts where it is open, now and then a head's last, and later its release."""
    found, release = [], None
    for _ in range(draw(st.integers(1, 60))):
        cycle = len(found)
        state = opened(interval, [*found, (0, 0, 0)])[-1]
        start = state and draw(st.booleans())
        ends = state and draw(st.integers(0, 3)) == 0
        released = release == cycle
        if ends:
            release = cycle + draw(st.integers(1, 9))
        found.append((int(start), int(ends), int(released)))
    return found


@pytest.mark.parametrize("interval", [LEAST_INTERVAL, LEAST_INTERVAL + 1, 8, 64])
@settings(max_examples=30)
@given(data=st.data())
def test_it_opens_when_the_rules_say(interval, data):
    made = data.draw(events(interval))
    stimulus: list[dict[str, int]] = [
        {"start": start, "ends": ends, "released": released} for start, ends, released in made
    ]
    trace = run_amaranth(Pace(interval), stimulus)
    assert [row["open"] for row in trace] == opened(interval, made)


def test_it_refuses_an_interval_that_the_decision_cannot_follow():
    with pytest.raises(ValueError, match=rf"^Pace.interval must be at least {LEAST_INTERVAL}, got"):
        Pace(LEAST_INTERVAL - 1)
