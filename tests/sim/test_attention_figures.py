"""What docs/figures.md claims of the core's cycles holds for the cycle model, hence the RTL."""

import numpy as np
import pytest

from scripts.measure_attention import AIM_FASTER, DIMS, TOKENS, measured, ninths
from tests.support.masks import SUITE, mask_case

PIPELINE = 500
"""More than the cycles from a row block's last score to its last output."""


@pytest.mark.parametrize("name", SUITE)
def test_a_lone_head_takes_its_bound_and_a_pipelines_length(name):
    found = measured(mask_case(name, TOKENS).dense, 1)
    assert found.bound <= found.cycles < found.bound + PIPELINE


def test_a_ninth_of_the_tiles_is_at_least_8_7_times_faster():
    one, eight = (measured(np.ones((TOKENS, TOKENS), bool), heads) for heads in (1, 8))
    assert eight.cycles <= eight.tiles * DIMS / 0.97
    for name, mask in ninths().items():
        assert eight.cycles / measured(mask, 8).cycles >= AIM_FASTER, name
        lone = measured(mask, 1)
        assert one.cycles / lone.cycles >= min(AIM_FASTER, 0.99 * one.bound / lone.bound), name
