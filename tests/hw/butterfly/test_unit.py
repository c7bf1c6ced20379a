"""The butterfly unit against its equation, at the corners of every format."""

import random

import pytest

from hw.butterfly.unit import ButterflyUnit, UnitConfig
from spec.fixed import bounds
from tests.support.butterfly_unit import unit_results
from tests.support.push import pushed

CONFIGS = {
    "fft_16": UnitConfig(word_bits=18, coefficient_bits=18, saturates=True),
    "both_16": UnitConfig(word_bits=18, coefficient_bits=18, bpmm=True, saturates=True),
    "both_8": UnitConfig(word_bits=10, coefficient_bits=8, bpmm=True, saturates=True),
    "block_16": UnitConfig(word_bits=18, coefficient_bits=18, bpmm=True),
    "block_8": UnitConfig(word_bits=10, coefficient_bits=8, bpmm=True),
    "bpmm_14": UnitConfig(word_bits=16, coefficient_bits=16, fft=False, bpmm=True),
}
CYCLES = 400


def corner(rng, bits, symmetric=False):
    low, high = bounds(bits, True)
    low += symmetric
    return rng.choice([low, high, 0, 1, -1, rng.randint(low, high), rng.randint(low, high)])


def pair(rng, config):
    bpmm = config.bpmm and (not config.fft or rng.random() < 0.5)
    word = [[corner(rng, config.word_bits) for _ in range(config.parts)] for _ in range(2)]
    return {
        "a": word[0],
        "b": word[1],
        "coefficient": [corner(rng, config.coefficient_bits) for _ in range(4)],
        "shift": rng.randrange(4),
        "bpmm": int(bpmm),
    }


def shown(config, pushed_in, result):
    """A result without imaginary parts that mean nothing."""
    parts = 1 if pushed_in["bpmm"] else config.parts
    return {**result, "y": [word[:parts] for word in result["y"]]}


@pytest.mark.parametrize("name", CONFIGS)
def test_unit_equals_its_equation(name):
    config, rng = CONFIGS[name], random.Random(name)
    pushes = {cycle: pair(rng, config) for cycle in range(CYCLES) if rng.random() < 0.9}
    got = pushed(ButterflyUnit(config), pushes, cycles=config.latency + 2)
    latency = config.latency
    assert set(got) == {cycle + latency for cycle in pushes}
    want = {cycle + latency: unit_results(config, each) for cycle, each in pushes.items()}
    fits = {cycle for cycle, each in want.items() if not each["saturated"]}
    assert 100 < len(fits) < len(want)
    for cycle in want if config.saturates else fits:
        assert shown(config, pushes[cycle - latency], got[cycle]) == want[cycle]
    if not config.saturates:
        assert not any(each["saturated"] for each in got.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"word_bits": 19, "coefficient_bits": 18}, "UnitConfig.word_bits must be from 10 to 18"),
        ({"word_bits": 9, "coefficient_bits": 18}, "UnitConfig.word_bits must be from 10 to 18"),
        ({"word_bits": 18, "coefficient_bits": 7}, "UnitConfig.coefficient_bits must be from 8"),
        ({"word_bits": 18, "coefficient_bits": 18, "fft": False}, "must have fft or bpmm"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        UnitConfig(**fields)
