"""What a host works out of arrays is what the cycle model, which knows the gates, says."""

from pathlib import Path

import numpy as np
import pytest

from gen.design import load_design
from sim.arrays import attention as of
from sim.cycle.heads import head_answers, visible_tiles
from spec import Attention, Mask, causal, full, sliding_window
from tests.support.attention import random_operands

QUERIES, KEYS = 37, 45
OWN = {
    "none": None,
    "causal": causal(),
    "window": causal() & sliding_window(9, sinks=2),
    "of a head": Mask(lambda b, h, q, k: q - k < 7 + 9 * h),
    "nothing": ~full(),
}
LOADED = {
    "bitmap": ("masks=generator,bitmap", np.random.default_rng(1).random((QUERIES, KEYS)) < 0.05),
    "columns": ("masks=columns", np.tri(QUERIES, KEYS, 8, dtype=bool)),
    "a mask a head": ("masks=bitmap", np.random.default_rng(2).random((2, QUERIES, KEYS)) < 0.04),
}


def agree(config, mask):
    q, k, v = random_operands(config, QUERIES, KEYS, seed=1)
    arrays = {"q": q, "k": k, "v": v, **({} if mask is None else {"mask": mask})}
    work = of.read(Path("arrays"), arrays, config.layer, config)
    loaded = list(work.loaded) * (2 if len(work.loaded) == 1 else 1)
    answers = head_answers(config, QUERIES, KEYS, loaded)
    found = of.visited_tiles(config.layer, config, work)
    for got, wanted in zip(found, answers, strict=True):
        np.testing.assert_array_equal(got, visible_tiles(wanted))
    return found


@pytest.mark.parametrize("mask", OWN.values(), ids=OWN)
def test_tiles_of_a_mask_in_gates(mask):
    layer = Attention(heads=2, queries=64, keys=64, head_dim=4, mask=mask)
    config = load_design("attention_tiny").kind.configure(layer, {"rows": 4, "columns": 2})
    assert (sum(map(sum, agree(config, None))) == 0) == (mask is OWN["nothing"])


@pytest.mark.parametrize(("masks", "mask"), LOADED.values(), ids=LOADED)
def test_tiles_of_a_mask_that_is_loaded(masks, mask):
    settings = [masks, "heads=2", "rows=4", "columns=4"]
    agree(load_design("attention_tiny", settings).config, mask)
