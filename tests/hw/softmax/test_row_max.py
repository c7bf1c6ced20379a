"""The first pass: which words it keeps, and what it says of every row, cycle by cycle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.softmax.config import SoftmaxConfig
from hw.softmax.row_buffer import GRANT_DELAY
from hw.softmax.row_max import RowMax, score_word_shape
from spec import Softmax
from tests.support.netlist import run_amaranth
from tests.support.payload import decode, encode
from tests.support.strategies import stalls

SIZES = [(1, 1), (1, 3), (2, 4), (4, 2), (8, 3)]
LOWEST = -128


def config_of(lanes: int, max_words: int) -> SoftmaxConfig:
    numerics = Softmax(score_bits=8, score_frac=0, max_length=lanes * max_words).numerics
    return SoftmaxConfig(numerics=numerics, lanes=lanes)


@st.composite
def rows_of(draw, config):
    """Rows of transfers, up to three longer than allowed; whole rows and lanes are masked."""
    scores = st.integers(LOWEST, 127) | st.sampled_from([LOWEST, 127, 0])
    everything = (1 << config.lanes) - 1
    rows = []
    for words in draw(st.lists(st.integers(1, config.max_words + 3), max_size=8)):
        mask = draw(st.sampled_from([0, everything, everything]) | st.integers(0, everything))
        rows.append(
            [
                {
                    "score": [draw(scores) for _ in range(config.lanes)],
                    "visible": draw(st.integers(0, everything)) & mask,
                    "last": int(word == words - 1),
                }
                for word in range(words)
            ]
        )
    return rows


def run_row_max(config, rows, idle, granted):
    """Offer `rows` except in `idle` cycles; grant only in `granted` ones.

    Returns the cycle in which each transfer was accepted, and the trace.
    """
    dut = RowMax(config)
    transfers = [transfer for row in rows for transfer in row]
    grants = [*granted, *[1] * (len(transfers) + len(idle) + GRANT_DELAY + 1)]
    stimulus, accepted = [], []
    while len(accepted) < len(transfers):
        cycle = len(stimulus)
        offered = cycle >= len(idle) or not idle[cycle]
        transfer = encode(transfers[len(accepted)], config.input_shape)
        stimulus.append(
            {"grant": grants[cycle], "i__valid": offered, "i__payload": offered * transfer}
        )
        if offered and cycle >= GRANT_DELAY and grants[cycle - GRANT_DELAY]:
            accepted.append(cycle)
    stimulus += [{"grant": 0, "i__valid": 0}] * (dut.config.latency + 3)
    return accepted, run_amaranth(dut, stimulus)


def described(config, row):
    """What the descriptor of a row of transfers says."""
    seen = [
        score
        for transfer in row
        for lane, score in enumerate(transfer["score"])
        if transfer["visible"] >> lane & 1
    ]
    return {
        "count": min(len(row), config.max_words) - 2,
        "row": {
            "row_max": max(seen, default=LOWEST),
            "empty": int(not seen),
            "refused": int(len(row) > config.max_words),
        },
    }


def check(config, rows, idle=(), granted=()):
    accepted, trace = run_row_max(config, rows, idle, granted)
    dut = RowMax(config)
    latency = dut.config.latency
    taken, ended, words, descriptors = [], [], {}, {}
    cycle_of = iter(accepted)
    for row in rows:
        for index, transfer in enumerate(row):
            cycle = next(cycle_of)
            if index < config.max_words:
                taken.append(cycle)
                kept = {name: transfer[name] for name in ("score", "visible")}
                words[cycle + 1] = kept
            if transfer["last"]:
                ended.append(cycle)
                descriptors[cycle + latency] = described(config, row)
    row_shape = dut.signature.members["o_row"].signature.members["payload"].shape

    def pushed(port, shape):
        return {
            cycle: decode(payload, shape)
            for cycle, now in enumerate(trace)
            if now[f"{port}__valid"] and (payload := now[f"{port}__payload"]) is not None
        }

    assert [cycle for cycle, now in enumerate(trace) if now["take"]] == taken
    assert [cycle for cycle, now in enumerate(trace) if now["take_row"]] == ended
    assert pushed("o_word", score_word_shape(config)) == words
    assert pushed("o_row", row_shape) == descriptors


@pytest.mark.parametrize(("lanes", "max_words"), SIZES)
@settings(max_examples=15)
@given(data=st.data(), idle=stalls(), refused=stalls())
def test_words_and_descriptors_of_any_rows(lanes, max_words, data, idle, refused):
    config = config_of(lanes, max_words)
    rows = data.draw(rows_of(config))
    check(config, rows, idle, [not each for each in refused])


def row(scores, visible=None):
    return [
        {
            "score": [score],
            "visible": 1 if visible is None else visible[index],
            "last": int(index == len(scores) - 1),
        }
        for index, score in enumerate(scores)
    ]


CORNERS = {
    "the maximum comes first, between, last": [row([9, 1, 2]), row([1, 9, 2]), row([1, 2, 9])],
    "one row's maximum is not the next one's": [row([127]), row([-5]), row([-7, -6]), row([-128])],
    "the lowest score, seen and not": [row([LOWEST]), row([LOWEST], [0]), row([5, 6], [0, 0])],
    "what is hidden does not count": [row([99, 3, 98], [0, 1, 0])],
    "as long as may be, and one longer": [row([1, 2, 3]), row([1, 2, 3, 4]), row([0])],
    "much too long, its end is its maximum": [row([*range(20)]), row([5, 4]), row([3])],
    "refused and empty": [row([1] * 5, [0] * 5), row([2])],
    "refused, seen past its words only": [row([1] * 5, [0] * 4 + [1]), row([2], [0])],
}


@pytest.mark.parametrize("gap", [0, 1, 2, 7])
@pytest.mark.parametrize("name", CORNERS)
def test_corners(name, gap):
    idle = [cycle % (gap + 1) != gap for cycle in range(40)]
    check(config_of(1, 3), CORNERS[name], idle)


@pytest.mark.parametrize("name", CORNERS)
def test_without_a_grant_nothing_is_accepted(name):
    check(config_of(1, 3), CORNERS[name], granted=[0] * 20 + [1, 0, 0, 1, 1, 0] * 4)
