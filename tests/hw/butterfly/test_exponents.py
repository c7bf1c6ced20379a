"""The follower of exponents: shift, exponent and saturation of every vector in every stage."""

import random

import pytest

from hw.butterfly.exponents import Exponents
from hw.butterfly.timing import ButterflyTiming
from tests.support.butterfly import CONFIGS
from tests.support.payload import decode, encode
from tests.support.react import Offers, react

STAGES = 4


def schedule(timing, vectors, own, rng):
    """Cycle -> step, for two batches; and whether each is of a product, or of the inverse."""
    steps, cycle = {}, 10
    for batch in range(2):
        bpmm = int(timing.config.bpmm and (not timing.config.fft or batch == 1))
        inverse = int(timing.config.inverse and not bpmm)
        for stage in range(STAGES):
            start = cycle
            for vector in range(vectors):
                for k in range(own):
                    steps[cycle] = (
                        {
                            "stage": stage,
                            "first_stage": int(stage == 0),
                            "last_stage": int(stage == STAGES - 1),
                            "first_step": int(k == 0),
                            "last_step": int(k == own - 1),
                            "bpmm": bpmm,
                            "inverse": inverse,
                        },
                        (batch, vector),
                    )
                    cycle += 1
            cycle = max(cycle, start + own - 1 + timing.step_distance) + rng.randrange(2)
    return steps


def results_of(config, rng):
    """Results of every unit, as wide as chance has it."""
    bits = config.butterfly.word_bits - rng.choice([1, 2, 3, 3, 4])
    return [
        {
            "y": [
                [rng.randrange(-(1 << bits), 1 << bits) for _ in range(config.unit.parts)]
                for _ in range(2)
            ],
            "saturated": int(config.unit.saturates and rng.random() < 0.02),
        }
        for _ in range(config.units)
    ]


@pytest.mark.parametrize("name", ["all_4", "bpmm_sets", "shifts_4", "inverse_odd"])
@pytest.mark.parametrize(("vectors", "own"), [(1, 3), (16, 1), (3, 8)])
def test_every_shift_and_exponent(name, vectors, own):
    config, rng = CONFIGS[name], random.Random(f"{name}{vectors}")
    timing, butterfly = ButterflyTiming(config), config.butterfly
    steps = schedule(timing, vectors, own, rng)
    arrive = timing.results - timing.asked
    results = {cycle + arrive: results_of(config, rng) for cycle in steps}
    loaded = [rng.randrange(2) for _ in range(2 * vectors)]
    offers = Offers("i_vector", loaded)
    size = config.unit.o_shape.size
    step_shape = Exponents(timing).i.payload.shape()

    def inputs_of(trace):
        cycle = len(trace)
        given = {"log2_points": STAGES, "i__valid": int(cycle in steps), **offers.inputs(trace)}
        if cycle in steps:
            given["i__payload"] = encode(steps[cycle][0], step_shape)
        if cycle in results:
            given["results"] = sum(
                encode(each, config.unit.o_shape) << size * unit
                for unit, each in enumerate(results[cycle])
            )
        return given

    trace = react(Exponents(timing), max(steps) + 40, inputs_of)
    known = {(at // vectors, at % vectors): {"excess": full} for at, full in enumerate(loaded)}
    done = []
    for cycle, (step, vector) in sorted(steps.items()):
        state = known[vector]
        if step["first_step"]:
            fixed = butterfly.shift(step["stage"])
            state["number"] = state["excess"] if fixed is None else fixed + 1
            if step["first_stage"]:
                state |= {"exponent": -STAGES * step["inverse"], "saturated": 0}
            state["exponent"] += state["number"] - 1
            state["excess"] = 0
        assert trace[cycle + 2]["shift"] == state["number"]
        for each in results[cycle + arrive]:
            state["saturated"] |= each["saturated"]
            for word in each["y"]:
                for part in word[: 1 if step["bpmm"] else None]:
                    bits = max(part, ~part).bit_length() + 1
                    state["excess"] = max(state["excess"], bits - butterfly.data_bits + 1)
        if step["last_step"] and step["last_stage"]:
            block = butterfly.shifts is None
            shift = max(0, state["excess"] - 1) if block else 0
            over = state["excess"] > 1 and not block
            done.append(
                {
                    "exponent": state["exponent"] + shift,
                    "shift": shift,
                    "saturated": int(state["saturated"] or over),
                    "bpmm": step["bpmm"],
                    "inverse": step["inverse"],
                }
            )
    told = [decode(row["o__payload"], timing.vector_shape) for row in trace if row["o__valid"]]
    assert told == done
    assert len(told) == 2 * vectors
