"""Every twiddle factor of every stage, lane and turn against spec.butterfly."""

import pytest

from hw.butterfly.turned_twiddles import TurnedTwiddleConfig, TurnedTwiddles
from spec.butterfly import twiddle
from tests.hw.butterfly.test_twiddles import factor
from tests.support.push import pushed

CONFIGS = [(1, 3, 2), (1, 3, 1), (2, 3, 3), (4, 4, 3), (4, 3, 2), (8, 5, 4), (8, 4, 1)]


def check(config, asked):
    """The factors of (stage, cycle, turn), one a cycle."""
    pushes = {
        at: {"stage": stage, "cycle": cycle, "turn": turn}
        for at, (stage, cycle, turn) in enumerate(asked)
    }
    got = pushed(TurnedTwiddles(config), pushes, cycles=config.latency + 1)
    frac, units, finer = config.coefficient_bits - 2, config.units, config.turn_bits
    assert set(got) == {at + config.latency for at in pushes}
    for at, (stage, cycle, turn) in enumerate(asked):
        k = [(cycle * units + lane) % (1 << stage) for lane in range(units)]
        want = [twiddle(stage + finer, (each << finer) + turn, frac) for each in k]
        assert [factor(lane) for lane in got[at + config.latency]] == want, (stage, cycle, turn)


@pytest.mark.parametrize(("units", "stages", "turn_bits"), CONFIGS)
def test_every_factor_of_every_stage_and_turn(units, stages, turn_bits):
    config = TurnedTwiddleConfig(
        units=units, stages=stages, coefficient_bits=16, turn_bits=turn_bits
    )
    cycles = (1 << stages - 1) // units
    check(
        config,
        [
            (stage, cycle, turn)
            for stage in range(stages)
            for cycle in range(cycles)
            for turn in range(1 << turn_bits)
        ],
    )


def test_factors_of_8192_points():
    config = TurnedTwiddleConfig(units=4, stages=7, coefficient_bits=18, turn_bits=6)
    asked = [
        (stage, cycle, turn) for stage in range(7) for cycle in range(16) for turn in range(64)
    ]
    check(config, asked[::11])


def test_tables_of_8192_points_are_three_block_rams_a_unit():
    config = TurnedTwiddleConfig(units=4, stages=7, coefficient_bits=18, turn_bits=6)
    assert config.depth == 64 * (16 + 2) <= 3 * 512
    assert all(rom.depth == config.depth for rom in config.roms)
