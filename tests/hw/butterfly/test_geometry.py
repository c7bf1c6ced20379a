"""No conflict in any cycle of any stage, size and number of units; every pair once: enumerated.

The gates that make lines, exchange and shuffle are checked against what was enumerated.
"""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.geometry import (
    bank_of,
    exchange,
    line_of,
    one_line,
    parity,
    shuffle,
    shuffled,
)
from spec.butterfly import insertion, pairs, written_indices
from tests.support.netlist import run_amaranth

UNITS = [1, 2, 4, 8]
SIZES = list(range(3, 14))
"""log2 of 8 ... 8192 points."""
MODES = [("fft", ""), ("bpmm", "decreasing"), ("bpmm", "increasing")]
CASES = [(units, n) for units in UNITS for n in SIZES if 1 << n >= 2 * units]


def parities(values):
    return np.array([int(value).bit_count() & 1 for value in range(1 << 13)])[values]


def places(indices, log2_units):
    """Bank and line of every word of an array."""
    rest = indices >> log2_units
    half = parities(rest)
    return (half << log2_units) | indices & (1 << log2_units) - 1, rest >> 1


def inserted(cycle, place, bit):
    """The number of a cycle with a bit inserted at a place, or as it is below the first."""
    if place < 0:
        return cycle
    low = (1 << place) - 1
    return cycle >> 1 & low | bit << place | cycle & ~(low << 1 | 1)


def words_of_cycles(table, units):
    """(cycles, 2P) indices: cycle K takes the items K·P to K·P + P − 1."""
    return np.array(table).reshape(-1, 2 * units)


@pytest.mark.parametrize(("units", "n"), CASES)
def test_every_cycle_reads_and_writes_every_bank_once(units, n):
    p = units.bit_length() - 1
    reads = words_of_cycles(pairs(1 << n), units)
    for tables in (stages_of(n, *mode) for mode in MODES):
        for writes in tables:
            for words in (reads, words_of_cycles(writes, units)):
                banks, _ = places(words, p)
                assert (np.sort(banks, axis=1) == np.arange(2 * units)).all()
                assert np.array_equal(np.sort(words.ravel()), np.arange(1 << n))


def stages_of(n, transform, order):
    return [written_indices(1 << n, insertion(transform, order, stage)) for stage in range(n)]


@pytest.mark.parametrize("units", UNITS)
def test_a_word_has_a_place_of_its_own(units):
    p, indices = units.bit_length() - 1, np.arange(1 << 13)
    banks, lines = places(indices, p)
    assert len(set(zip(banks.tolist(), lines.tolist(), strict=True))) == len(indices)
    for index in range(0, 1 << 13, 37):
        lane, half = bank_of(index, p)
        assert (half << p | lane, line_of(index, p)) == (banks[index], lines[index])


@pytest.mark.parametrize(("units", "n"), CASES)
def test_lines_of_a_cycle_are_its_number_with_a_bit_inserted(units, n):
    """What the gates do is what the indices ask for: in every cycle, stage and mode."""
    p = units.bit_length() - 1
    q = p + 1
    cycles = np.arange(1 << n - q)
    exchanged = parities(cycles)
    reads = np.array(pairs(1 << n)).reshape(len(cycles), units, 2)
    check_half(reads, exchanged, [(lane, second) for lane in range(units) for second in (0, 1)], p)
    check_lines(reads, cycles, n - 1 - q, p)
    for position in range(n):
        writes = np.array(written_indices(1 << n, position)).reshape(len(cycles), units, 2)
        goes = [
            shuffled(lane, second, min(position, p), p)
            for lane in range(units)
            for second in (0, 1)
        ]
        check_half(writes, exchanged, goes, p)
        check_lines(writes, cycles, position - q, p)


def check_half(words, exchanged, goes, p):
    banks, _ = places(words, p)
    for index, (lane, half) in enumerate(goes):
        of_unit = banks[:, index // 2, index % 2]
        assert np.array_equal(of_unit, (half ^ exchanged) << p | lane)


def check_lines(words, cycles, place, p):
    """Half B's line has the bit B ⊕ parity inserted: the same in all of its banks."""
    banks, lines = places(words, p)
    bits = (banks >> p) ^ parities(cycles)[:, None, None]
    want = [
        [[inserted(int(k), place, int(bit)) for bit in unit] for unit in of_cycle]
        for k, of_cycle in zip(cycles, bits, strict=True)
    ]
    assert np.array_equal(lines, want)


def test_a_bank_that_ignores_a_bit_would_collide():
    """Negative control: without the top bit in the parity, the pairs of 4096 points collide."""
    words = words_of_cycles(pairs(4096), 4)
    rest = (words >> 2) & ~(1 << 9)
    banks = parities(rest) << 2 | words & 3
    assert not (np.sort(banks, axis=1) == np.arange(8)).all()


class Gates(wiring.Component):
    """The lines of a cycle, its parity, and words exchanged by it."""

    cycle: Any
    below: Any
    at: Any
    bit: Any
    line: Any
    odd: Any
    words: Any
    exchanged: Any

    def __init__(self, width):
        self.width = width
        words = ArrayLayout(8, 8)
        super().__init__(
            {
                "cycle": In(width), "below": In(width), "at": In(width), "bit": In(1),
                "line": Out(width), "odd": Out(1), "words": In(words), "exchanged": Out(words),
            }
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        words = [self.words[k] for k in range(8)]
        m.d.comb += [
            self.line.eq(one_line(self.cycle, self.below, self.at, self.bit)),
            self.odd.eq(parity(self.cycle)),
            Cat(self.exchanged).eq(Cat(exchange(words, self.bit))),
        ]
        # The bench needs a clock.
        m.d.sync += Signal(name="clocked").eq(1)
        return m


def test_gates_of_a_line_are_exhaustively_right():
    width = 5
    numbers = [8 * k + 1 for k in range(8)]
    packed = sum(number << 8 * k for k, number in enumerate(numbers))
    swapped = sum(number << 8 * k for k, number in enumerate(numbers[4:] + numbers[:4]))
    stimulus, expected = [], []
    for place in range(-1, width):
        for cycle in range(1 << width):
            for bit in (0, 1):
                at = 1 << place if place >= 0 else 0
                stimulus.append(
                    {"cycle": cycle, "below": max(0, at - 1), "at": at, "bit": bit, "words": packed}
                )
                expected.append(
                    {
                        "line": inserted(cycle, place, bit),
                        "odd": cycle.bit_count() & 1,
                        "exchanged": swapped if bit else packed,
                    }
                )
    assert run_amaranth(Gates(width), stimulus) == expected


@pytest.mark.parametrize("log2_units", range(4))
def test_a_shuffle_is_one_to_one_and_the_last_is_none(log2_units):
    units = 1 << log2_units
    everything = [(lane, second) for second in range(2) for lane in range(units)]
    for position in range(log2_units + 1):
        assert sorted(shuffle(log2_units, position)) == sorted(everything)
    assert shuffle(log2_units, log2_units) == everything
