"""The serial line: a sender of any rate and phase into the receiver, the transmitter's edges."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.bus.uart import UartConfig, UartReceiver, UartTransmitter
from spec.errors import SpecError
from tests.support.netlist import run_amaranth
from tests.support.react import Offers, react

RATES = [(48_000_000, 12_000_000), (50_000_000, 12_000_000), (25_000_000, 3_000_000)]
RATES += [(12_000_000, 1_000_000), (100_000_000, 3_000_000), (12_345_678, 1_000_003)]
BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, 0xFE, 0x7F, 0x33]


def sent(data, bit, start, gap=0.0, stop=1.0):
    """Times and levels of the edges of a sender whose bits take `bit` clocks."""
    edges, now = [(0.0, 1)], start
    for byte in data:
        levels = [0, *(byte >> k & 1 for k in range(8)), 1]
        edges += [(now + k * bit, level) for k, level in enumerate(levels)]
        now += (9 + stop + gap) * bit
    return edges, now


def sampled(edges, cycles):
    """The line as each clock sees it."""
    line, at, level = [], 0, 1
    for cycle in range(cycles):
        while at < len(edges) and edges[at][0] <= cycle:
            level, at = edges[at][1], at + 1
        line.append(level)
    return line


def received(config, line):
    """Bytes that the receiver gives, None for one lost."""
    trace = run_amaranth(UartReceiver(config), [{"line": level} for level in line])
    assert not any(cycle["o__valid"] and cycle["lost"] for cycle in trace)
    return [
        cycle["o__payload"] if cycle["o__valid"] else None
        for cycle in trace
        if cycle["o__valid"] or cycle["lost"]
    ]


def heard(config, data, *, error=0.0, phase=0.0, gap=0.0, stop=1.0):
    bit = config.clocks_per_bit / (1 + config.rate_error) / (1 + error)
    edges, end = sent(data, bit, 5 + phase, gap, stop)
    return received(config, sampled(edges, int(end + 2 * bit) + 8))


@pytest.mark.parametrize(("clock_hz", "baud"), RATES)
def test_bytes_arrive_at_the_edges_of_the_tolerance(clock_hz, baud):
    config = UartConfig(clock_hz=clock_hz, baud=baud)
    for part, phase in itertools.product((-0.999, 0.0, 0.999), (0.0, 0.01, 0.5, 0.99)):
        error = part * config.tolerance
        assert heard(config, BYTES, error=error, phase=phase) == BYTES, (part, phase)


@pytest.mark.parametrize(("clock_hz", "baud"), RATES)
def test_far_beyond_the_tolerance_they_do_not(clock_hz, baud):
    config = UartConfig(clock_hz=clock_hz, baud=baud)
    for error in (-0.09, 0.09):
        assert heard(config, BYTES, error=error) != BYTES


@given(st.data())
def test_any_bytes_at_any_rate_phase_and_pause(draw):
    ratio = draw.draw(st.floats(4, 40))
    config = UartConfig(clock_hz=int(ratio * 1_000_000), baud=1_000_000)
    data = draw.draw(st.binary(min_size=1, max_size=5))
    error = draw.draw(st.floats(-0.999, 0.999)) * config.tolerance
    phase, gap = draw.draw(st.floats(0, 1)), draw.draw(st.sampled_from([0, 0.3, 2.5]))
    assert heard(config, data, error=error, phase=phase, gap=gap) == list(data)


def test_half_a_stop_bit_is_enough():
    config = UartConfig(clock_hz=16_000_000, baud=1_000_000)
    assert heard(config, BYTES, stop=0.7) == BYTES


def test_noise_shorter_than_half_a_bit_is_nothing():
    config = UartConfig(clock_hz=16_000_000, baud=1_000_000)
    line = [1] * 5 + [0] * 6 + [1] * 30
    edges, end = sent([0x5A], 16, 0)
    assert received(config, line + sampled(edges, int(end) + 40)) == [0x5A]


def test_a_line_held_low_is_one_byte_lost_and_then_all_is_well():
    config = UartConfig(clock_hz=8_000_000, baud=1_000_000)
    edges, end = sent([0xC3], 8, 8)
    after = sampled(edges, int(end) + 20)
    assert received(config, [1] * 4 + [0] * 1000 + after) == [None, 0xC3]


def test_a_stop_bit_that_is_low_loses_its_byte_only():
    config = UartConfig(clock_hz=8_000_000, baud=1_000_000)
    line = sampled(sent([0x12, 0x34, 0x56], 8, 4)[0], 4 + 240 + 20)
    line[4 + 80 + 72 : 4 + 80 + 79] = [0] * 7
    assert received(config, line) == [0x12, None, 0x56]


@pytest.mark.parametrize(("clock_hz", "baud"), [*RATES, (100_000_000, 115_200)])
def test_every_edge_sent_is_within_a_clock_of_its_place(clock_hz, baud):
    config = UartConfig(clock_hz=clock_hz, baud=baud)
    data, bit = BYTES[:4], config.clocks_per_bit
    offers = Offers("i", data)
    cycles = int(len(data) * (10 * bit + 3)) + 30
    trace = react(UartTransmitter(config), cycles, offers.inputs)
    line = [cycle["line"] for cycle in trace]
    starts = [n for n, cycle in enumerate(trace) if cycle["i__valid"] and cycle["i__ready"]]
    assert len(starts) == len(data)
    for byte, accepted in zip(data, starts, strict=True):
        start = accepted + 1
        levels = [0, *(byte >> k & 1 for k in range(8)), 1]
        true_bit = bit / (1 + config.rate_error)
        for k, level in enumerate(levels):
            low, high = start + k * true_bit + 1, start + (k + 1) * true_bit
            assert set(line[int(low) : int(high)]) <= {level}, (byte, k)
    for first, second in itertools.pairwise(starts):
        assert 10 * bit - 1 <= second - first <= 10 * bit + 2
    assert set(line[starts[-1] + int(10 * bit) + 2 :]) == {1}


@pytest.mark.parametrize("ratio", [4, 5, 8.68, 33.3])
def test_what_the_transmitter_sends_the_receiver_hears(ratio):
    config = UartConfig(clock_hz=int(ratio * 3_000_000), baud=3_000_000)
    data = [*BYTES, *random.Random(4).randbytes(12)]
    offers = Offers("i", data)
    trace = react(UartTransmitter(config), int(len(data) * (10 * ratio + 3)) + 40, offers.inputs)
    assert received(config, [cycle["line"] for cycle in trace] + [1] * 20) == data


def test_rates_are_within_what_is_promised():
    for clock_hz, baud in [*RATES, (100_000_000, 115_200), (200_000_000, 9600), (999_999_937, 7)]:
        config = UartConfig(clock_hz=clock_hz, baud=baud)
        assert abs(config.rate_error) <= 2**-11
        assert config.byte_cycles >= 37


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clock_hz": 12_000_000, "baud": 3_000_001}, "a quarter of clock_hz, 3000000 at 12000000"),
        ({"clock_hz": 12_000_000, "baud": 0}, "UartConfig.baud must be from 1 to"),
        ({"clock_hz": 0, "baud": 1}, "UartConfig.clock_hz must be from 4 to"),
        ({"clock_hz": 1e6, "baud": 1}, "UartConfig.clock_hz must be an integer"),
    ],
)
def test_what_is_rejected(fields, message):
    with pytest.raises(SpecError, match=message):
        UartConfig(**fields)
