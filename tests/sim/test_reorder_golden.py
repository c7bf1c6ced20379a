"""Reordering: the same outputs, from fewer tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.golden.masks import tiles_of_dense
from sim.golden.reorder import reorder
from spec.errors import SpecError
from spec.tiles import TileGrid


@given(st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_a_reordered_attention_gives_the_same_outputs(n, seed):
    rng = np.random.default_rng(seed)
    array = rng.random((n, n)) < 0.3
    order = reorder(array)
    assert sorted(order.order) == list(range(n))
    q, k, v = (rng.integers(-128, 128, (2, n, 4)) for _ in range(3))
    back = visible_sums(order.apply(q), order.apply(k), order.apply(v), order.apply_mask(array))
    back = order.undo(back)
    assert np.array_equal(back, visible_sums(q, k, v, array))
    assert np.array_equal(order.undo(order.apply(q)), q)


def visible_sums(q, k, v, array):
    """What of attention does not round: sums of products over the keys that are seen."""
    return np.where(array, q @ k.transpose(0, 2, 1), 0) @ v


def test_reordering_brings_scattered_neighbours_together():
    rng = np.random.default_rng(5)
    band = np.abs(np.subtract.outer(np.arange(1024), np.arange(1024))) <= 12
    mixed = rng.permutation(1024)
    array = band[np.ix_(mixed, mixed)]
    before, after = reorder(array).tiles(array, TileGrid(8, 8, 1024, 1024))
    in_order = len(tiles_of_dense(band, TileGrid(8, 8, 1024, 1024)))
    # Blocks at most two apart hold tokens at most twelve apart.
    assert in_order == 128 * 5 - 2 * (1 + 2)
    assert before > 15 * in_order
    assert after <= 1.3 * in_order


def test_a_mask_of_no_common_tokens_keeps_its_order():
    with pytest.raises(SpecError) as caught:
        reorder(np.ones((3, 4), bool))
    assert str(caught.value) == (
        "a mask to reorder must be square, got 3 queries and 4 keys; load it in the order it has"
    )
