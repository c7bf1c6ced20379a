"""Every twiddle factor of every stage and lane against spec.butterfly."""

import pytest

from hw.butterfly.twiddles import TwiddleConfig, Twiddles
from spec.butterfly import twiddle
from tests.support.push import pushed

CONFIGS = [(units, stages) for units in (1, 2, 4, 8) for stages in (4, 5, 7)] + [(1, 3), (2, 3)]


def factor(lane):
    """Cosine and sine that a lane's payload stands for."""
    assert (lane["minus_cos"], lane["minus_sin"]) == (-lane["cos"], -lane["sin"])
    return (lane["minus_sin"], lane["cos"]) if lane["turned"] else (lane["cos"], lane["sin"])


def check(config, asked):
    """The factors of (stage, cycle) pairs, one a cycle."""
    pushes = {at: {"stage": stage, "cycle": cycle} for at, (stage, cycle) in enumerate(asked)}
    got = pushed(Twiddles(config), pushes, cycles=config.latency + 1)
    frac, units = config.coefficient_bits - 2, config.units
    assert set(got) == {at + config.latency for at in pushes}
    for at, (stage, cycle) in enumerate(asked):
        k = [(cycle * units + lane) % (1 << stage) for lane in range(units)]
        want = [twiddle(stage, each, frac) for each in k]
        assert [factor(lane) for lane in got[at + config.latency]] == want


@pytest.mark.parametrize(("units", "stages"), CONFIGS)
def test_every_factor_of_every_stage(units, stages):
    config = TwiddleConfig(units=units, stages=stages, coefficient_bits=16)
    cycles = (1 << stages - 1) // units
    check(config, [(stage, cycle) for stage in range(stages) for cycle in range(cycles)])


def test_factors_of_the_largest_vector():
    config = TwiddleConfig(units=4, stages=13, coefficient_bits=18)
    check(config, [(stage, cycle) for stage in (2, 7, 11, 12) for cycle in range(0, 1024, 13)])


@pytest.mark.parametrize(("units", "stages"), [*CONFIGS, (4, 10), (8, 13)])
def test_all_lanes_together_hold_a_quarter_of_the_sines_once(units, stages):
    config = TwiddleConfig(units=units, stages=stages, coefficient_bits=16)
    points = 1 << stages
    assert config.depth == max(1, points // (2 * units)) + max(0, units.bit_length() - 2)
    assert all(rom.depth == config.depth for rom in config.roms)
