"""The supply of coefficients: twiddle factors and weights, step by step, in either mode."""

import random

import pytest

from hw.butterfly.coefficients import Coefficients
from hw.butterfly.timing import ButterflyTiming
from spec.butterfly import twiddle
from tests.support.butterfly import CONFIGS, inputs, random_job
from tests.support.payload import decode, encode
from tests.support.react import Offers, react


@pytest.mark.parametrize("name", ["fft_lanes", "bpmm_sets", "all_1", "all_4", "all_8"])
def test_every_step_has_its_coefficients(name):
    config, rng = CONFIGS[name], random.Random(name)
    timing = ButterflyTiming(config)
    unit = Coefficients(timing)
    step_shape = unit.i.payload.shape()
    own = timing.vector_cycles(config.stages)
    lines = []
    offers = None
    if config.bpmm:
        job = random_job(config, config.butterfly.points, 1, transform="bpmm", seed=4)
        lines = inputs(config, [job])["i_weights"]
        offers = Offers("i_weights", [encode(each, config.weights_shape) for each in lines])
    begin = len(lines) + 5
    steps = {
        begin + stage * own + k: {
            "stage": stage,
            "cycle": k,
            "weight": stage * own + k,
            "bpmm": int(config.bpmm and (not config.fft or rng.random() < 0.5)),
        }
        for stage in range(config.stages)
        for k in range(own)
    }

    def inputs_of(trace):
        cycle = len(trace)
        given = {"i__valid": int(cycle in steps), **(offers.inputs(trace) if offers else {})}
        if cycle in steps:
            fields = {
                name: value for name, value in steps[cycle].items() if name in step_shape.members
            }
            given["i__payload"] = encode(
                {**fields, "weight": fields["weight"] if config.bpmm else 0}, step_shape
            )
        return given

    trace = react(unit, max(steps) + timing.words + 2, inputs_of)
    frac = config.butterfly.coefficient_frac
    shape = unit.coefficient.shape()
    for cycle, step in steps.items():
        got = decode(trace[cycle + timing.words]["coefficient"], shape)
        if step["bpmm"]:
            assert trace[cycle]["full"]
            assert [each for block in got for each in block] == lines[step["weight"]]["weight"]
            continue
        for lane in range(config.units):
            k = (step["cycle"] * config.units + lane) % (1 << step["stage"])
            cos, sin = twiddle(step["stage"], k, frac)
            assert got[lane] == [cos, sin, cos, -sin]
