"""The storer: every word of every vector in order, rounded as the equation says."""

import random

import pytest

from hw.butterfly.geometry import bank_of, line_of
from hw.butterfly.storer import Storer
from hw.butterfly.timing import ButterflyTiming
from spec.fixed import Rounding, round_shift, saturate
from tests.support.butterfly import CONFIGS
from tests.support.payload import decode, encode
from tests.support.react import Offers, react


def described(config, rng, number):
    bpmm = config.bpmm and (not config.fft or rng.random() < 0.5)
    fixed = config.butterfly.shifts is not None
    return {
        "exponent": number - 3,
        "shift": 0 if fixed else rng.randrange(3),
        "saturated": int(fixed and rng.random() < 0.5),
        "bpmm": int(bpmm),
        "inverse": int(config.inverse and not bpmm and rng.random() < 0.5),
    }


def memory_of(config, timing, rng):
    """Words by index: the extremes often."""
    half = 1 << config.butterfly.word_bits - 1
    corners = [-half, half - 1, 0, -1, 1, half // 2 - 1, half // 4 - 1, half // 2, half - 2]
    return [
        [
            rng.choice([rng.randrange(-half, half), rng.choice(corners)])
            for _ in range(config.unit.parts)
        ]
        for _ in range(timing.batch_words)
    ]


def expected(config, vector, points, start, memory):
    fixed = config.butterfly.shifts is not None
    transfers = []
    for at in range(start, start + points, config.stream_words):
        y: list[list[int]] = []
        for k in range(config.stream_words):
            word = [
                saturate(
                    round_shift(part, vector["shift"], Rounding.HALF_UP),
                    config.butterfly.data_bits,
                    True,
                )
                for part in memory[(at + k) % len(memory)]
            ]
            if vector["inverse"]:
                word.reverse()
            if vector["bpmm"] and config.fft:
                word[1] = 0
            y.append(word)
        transfers.append(
            {
                **dict(zip(config.parts, map(list, zip(*y, strict=True)), strict=True)),
                "exponent": vector["exponent"],
                "last": int(at + config.stream_words == start + points),
                **({"saturated": vector["saturated"]} if fixed else {}),
            }
        )
    return transfers


@pytest.mark.parametrize("name", ["fft_smallest", "fft_lanes", "bpmm_sets", "all_2", "shifts_4"])
@pytest.mark.parametrize("stalled", [False, True])
def test_words_leave_in_order_and_rounded(name, stalled):
    config, rng = CONFIGS[name], random.Random(name)
    timing = ButterflyTiming(config)
    stages = config.stages if stalled else config.min_stages
    points, vectors = 1 << stages, 5
    memory = memory_of(config, timing, rng)
    told = [described(config, rng, number) for number in range(vectors)]
    offers = Offers("i", [encode(each, timing.vector_shape) for each in told])
    lines: list[int] = []
    banks = {}
    for index, word in enumerate(memory):
        lane, half = bank_of(index, config.log2_units)
        banks[half * config.units + lane, line_of(index, config.log2_units)] = word

    def inputs_of(trace):
        begin = len(trace) >= 5
        lines.append(trace[-1]["line"] if trace else 0)
        # Two cycles from a line to its words.
        line = lines[-2] if len(lines) > 1 else 0
        data = [banks[bank, line] for bank in range(config.banks)]
        offered = offers.inputs(trace) if begin else {}
        return {
            "log2_points": stages,
            "restart": int(len(trace) == 3),
            "data": sum(
                encode(word, config.unit.word_shape) << config.unit.word_shape.size * bank
                for bank, word in enumerate(data)
            ),
            "o__ready": int(not stalled or rng.random() < 0.5),
            **offered,
        }

    transfers = points // config.stream_words * vectors
    trace = react(Storer(timing), 40 + 4 * transfers, inputs_of)
    out = [
        (cycle, decode(row["o__payload"], config.o_shape))
        for cycle, row in enumerate(trace)
        if row["o__valid"] and row["o__ready"]
    ]
    want = [
        transfer
        for number, vector in enumerate(told)
        for transfer in expected(config, vector, points, number * points, memory)
    ]
    assert [payload for _, payload in out] == want
    assert sum(row["stored"] for row in trace) == vectors
    if not stalled:
        first = next(cycle for cycle, row in enumerate(trace) if row["i__valid"])
        start = first + timing.store_latency
        assert [cycle for cycle, _ in out] == list(range(start, start + transfers))
