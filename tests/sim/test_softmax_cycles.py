"""The cycle model by itself; that it equals the gates is tested beside them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.softmax.core import SoftmaxTiming
from sim.cycle.softmax import softmax_cycles
from tests.support.configs import SOFTMAX

LENGTHS = st.lists(st.integers(1, 16), min_size=1, max_size=40)
CONFIG = SOFTMAX["exact_4"]


def words(config, length):
    return -(-length // config.lanes)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([0], "row 0 has 0 elements; a row has 1 to 16"),
        ([1, 17], "row 1 has 17 elements; a row has 1 to 16"),
        ([1, 2, -1], "row 2 has -1 elements; a row has 1 to 16"),
    ],
)
def test_a_row_of_another_length_is_refused(lengths, message):
    with pytest.raises(ValueError, match=message):
        softmax_cycles(CONFIG, lengths)


@pytest.mark.parametrize("name", SOFTMAX)
def test_equal_rows_go_through_one_transfer_a_cycle(name):
    config = SOFTMAX[name]
    limit = config.numerics.max_length
    for length in {1, 2, limit // 2 or 1, limit}:
        length = min(length, limit)
        rows, each = 60, words(config, length)
        cycles = softmax_cycles(config, [length] * rows)
        # The first row's wait, its words but one, is each pass's own; then nothing waits.
        first = SoftmaxTiming(config).latency + 2 * (each - 1)
        assert list(cycles.accepted) == list(range(rows * each))
        assert list(cycles.delivered) == list(range(first, first + rows * each))
        assert cycles.total == first + rows * each


def test_a_lone_row_of_one_word_takes_the_latency():
    for config in SOFTMAX.values():
        cycles = softmax_cycles(config, [1])
        assert (cycles.accepted, cycles.delivered) == ((0,), (SoftmaxTiming(config).latency,))


@given(LENGTHS)
def test_each_transfer_comes_after_the_one_before_and_after_its_own_input(lengths):
    cycles = softmax_cycles(CONFIG, lengths)
    count = sum(words(CONFIG, length) for length in lengths)
    assert len(cycles.accepted) == len(cycles.delivered) == count
    for moved in (cycles.accepted, cycles.delivered):
        assert all(later > before for before, later in pairwise(moved))
    passed = zip(cycles.accepted, cycles.delivered, strict=True)
    assert all(out - into >= SoftmaxTiming(CONFIG).latency for into, out in passed)


@given(LENGTHS, LENGTHS)
def test_what_comes_later_does_not_change_what_came_before(lengths, more):
    short, long = softmax_cycles(CONFIG, lengths), softmax_cycles(CONFIG, [*lengths, *more])
    assert long.accepted[: len(short.accepted)] == short.accepted
    assert long.delivered[: len(short.delivered)] == short.delivered
    assert long.total > short.total


@given(LENGTHS, st.data())
def test_a_longer_row_delays_and_never_hastens(lengths, data):
    row = data.draw(st.integers(0, len(lengths) - 1))
    longer = [*lengths]
    longer[row] = 16
    assert softmax_cycles(CONFIG, longer).total >= softmax_cycles(CONFIG, lengths).total


def test_lengths_count_in_words_alone():
    assert softmax_cycles(CONFIG, [1, 5, 12]) == softmax_cycles(CONFIG, [4, 8, 9])
