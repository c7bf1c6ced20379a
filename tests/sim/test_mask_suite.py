"""The mask suite: every mask is what it is called, and the same in all its forms."""

import numpy as np
import pytest

from sim.golden.masks import (
    dense,
    dense_of_bitmap,
    dense_of_columns,
    tiles_of_bitmap,
    tiles_of_columns,
    tiles_of_dense,
    tiles_of_expr,
)
from tests.support.masks import SUITE, mask_case


@pytest.mark.parametrize("name", SUITE)
@pytest.mark.parametrize(("n", "sides"), [(64, (1, 1)), (64, (4, 2)), (64, (8, 8)), (1024, (8, 8))])
def test_the_suite_is_the_same_in_every_form(name, n, sides):
    case = mask_case(name, n)
    grid = case.grid(*sides)
    wanted = tiles_of_dense(case.dense, grid)
    bitmap = case.bitmap(*sides)
    assert np.array_equal(dense_of_bitmap(bitmap), case.dense)
    assert tiles_of_bitmap(bitmap) == wanted
    if case.columns is not None:
        assert np.array_equal(dense_of_columns(case.columns), case.dense)
        assert tiles_of_columns(case.columns, grid) == wanted
    if case.mask is not None:
        expr = case.mask.trace(heads=1, queries=case.queries, keys=case.keys)
        assert np.array_equal(dense(expr, case.queries, case.keys), case.dense)
        visited = tiles_of_expr(expr, grid)
        assert [tile[:2] for tile in visited] == [tile[:2] for tile in wanted]
        assert all(
            mine.partial or not exact.partial for mine, exact in zip(visited, wanted, strict=True)
        )


SHARES = {
    "causal": (0.5, 0.51),
    "documents_poisson": (0.05, 0.1),
    "documents_heavy": (0.02, 0.3),
    "window": (0.37, 0.39),
    "window_sinks": (0.11, 0.13),
    "window_global": (0.43, 0.48),
    "prefix": (0.5, 0.55),
    "dilated": (0.1, 0.12),
    "bigbird": (0.45, 0.65),
    "share_question": (0.15, 0.3),
    "tree": (0.02, 0.3),
    "tree_prefix": (0.94, 0.97),
    "butterfly": (5 / 16, 5 / 16),
    "random_10": (26 / 256, 26 / 256),
    "random_1": (3 / 256, 3 / 256),
    "empty": (0, 0),
    "single": (2**-20, 2**-20),
    "full": (1, 1),
}
"""Part of all pairs that is visible at n = 1024, by each mask's definition."""


@pytest.mark.parametrize("name", SUITE)
def test_the_suite_is_what_it_is_called(name):
    case = mask_case(name, 1024)
    low, high = SHARES[name]
    assert low <= case.dense.mean() <= high
    assert np.array_equal(case.dense, mask_case(name, 1024).dense)
    assert (case.queries, case.keys) == {"tree": (64, 64), "tree_prefix": (64, 1088)}.get(
        name, (1024, 1024)
    )


def test_a_tree_node_sees_its_parent_and_what_that_sees():
    tree = mask_case("tree", 1024).dense
    assert np.array_equal(np.diag(tree), np.ones(64))
    for node in range(1, 64):
        parent = int(np.flatnonzero(tree[node, :node])[-1])
        assert np.array_equal(
            tree[node, :node], np.r_[tree[parent, : parent + 1], np.zeros(node - parent - 1)]
        )
    assert len({row.sum() for row in tree}) > 5


def test_documents_of_one_another_see_nothing():
    seen = mask_case("documents_heavy", 1024).dense
    starts = seen.argmax(axis=1)
    lengths = np.bincount(starts)[np.unique(starts)]
    assert len(lengths) > 10 and lengths.max() > 5 * np.median(lengths)
    assert np.array_equal(
        seen, (np.arange(1024)[:, None] >= np.arange(1024)) & (np.arange(1024) >= starts[:, None])
    )
