import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.golden.expr import evaluate
from spec.expr import Op, TileClass, apply, classify, interval, symbolic_class, variable, walk
from tests.support.expressions import GRANULES, graphs, masks, points, positions, tiles, vectors


def by_hand(expr, values):
    """`expr` of plain integers, node by node."""
    found = {}
    for node in walk(expr):
        if node.op is Op.VARIABLE:
            found[node] = values[node.name]
        elif node.op is Op.CONSTANT:
            found[node] = node.data
        else:
            found[node] = apply(node, [found[arg] for arg in node.args])
    return found[expr]


def arrays(values):
    return {name: np.array(column) for name, column in values.items()}


@given(graphs(), st.integers(0, 99))
def test_arrays_are_plain_integers_and_within_bounds(graph, seed):
    for expr in graph.values():
        values = vectors(expr.variables, 16, seed)
        found = np.broadcast_to(evaluate(expr, arrays(values)), 16)
        assert found.dtype == (bool if expr.is_bool else np.int64)
        rows = [dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True)]
        assert found.tolist() == [by_hand(expr, row) for row in rows or [{}] * 16]
        low, high = expr.bounds
        assert low <= found.min() and found.max() <= high


POSITIONS = positions()


@given(masks(POSITIONS), tiles(POSITIONS))
def test_a_class_never_contradicts_the_mask(mask, tile):
    seen = evaluate(mask, arrays(points(tile)))
    for granules in (None, {}):
        kind = classify(mask, tile, granules)
        assert kind is not TileClass.EMPTY or not seen.any()
        assert kind is not TileClass.FULL or seen.all()
        low, high = interval(mask, tile, granules)
        assert low <= seen.min() and seen.max() <= high


def class_of(seen):
    return TileClass.FULL if seen.all() else TileClass(int(seen.any()))


@given(masks(POSITIONS, affine=True), tiles(POSITIONS))
def test_the_class_of_one_affine_inequality_is_exact(mask, tile):
    assert classify(mask, tile) is class_of(evaluate(mask, arrays(points(tile))))


@given(
    st.sampled_from((1, -1)),
    st.integers(1, 9),
    st.integers(-2, 9),
    st.booleans(),
    st.integers(-9, 9),
    tiles(POSITIONS),
)
def test_equality_of_units_and_of_remainders_is_exact(sign, step, wanted, modulo, offset, tile):
    sum_of = POSITIONS["q"] + sign * POSITIONS["k"] + offset
    mask = (sum_of % step if modulo else sum_of) == wanted
    assert classify(mask, tile) is class_of(evaluate(mask, arrays(points(tile))))


@given(
    masks(POSITIONS),
    st.sampled_from((GRANULES, {"q": 8, "k": 4}, {"q": 2, "h": 1}, {})),
    st.data(),
)
def test_the_symbolic_class_is_the_class(mask, granules, data):
    found = [data.draw(tiles(POSITIONS, granules or GRANULES)) for _ in range(8)]
    ends = {
        name: (variable(f"{name}_low", *node.bounds), variable(f"{name}_high", *node.bounds))
        for name, node in POSITIONS.items()
    }
    may_be_true, may_be_false = symbolic_class(mask, ends, granules)
    values = {f"{n}_low": np.array([tile[n][0] for tile in found]) for n in POSITIONS}
    values |= {f"{n}_high": np.array([tile[n][1] for tile in found]) for n in POSITIONS}
    some = np.broadcast_to(evaluate(may_be_true, values), 8)
    not_all = np.broadcast_to(evaluate(may_be_false, values), 8)
    for index, tile in enumerate(found):
        kind = classify(mask, tile, granules)
        assert kind is TileClass(int(some[index]) * (2 - int(not_all[index])))
        seen = evaluate(mask, arrays(points(tile)))
        assert kind is not TileClass.EMPTY or not seen.any()
        assert kind is not TileClass.FULL or seen.all()


def test_whole_tiles_broadcast():
    q, k = variable("q", 0, 63), variable("k", 0, 63)
    rows, columns = np.arange(8)[:, None], np.arange(16)[None]
    found = evaluate((q >= k) & (q - k < 4), {"q": rows, "k": columns})
    assert (found == ((rows >= columns) & (rows - columns < 4))).all()


def test_rejections():
    q = variable("q", 0, 63)
    with pytest.raises(ValueError, match="q must be from 0 to 63, got 3 to 64"):
        evaluate(q + 1, {"q": np.array([3, 64])})
    with pytest.raises(ValueError, match=r"no value for q; got \['k'\]"):
        evaluate(q + 1, {"k": 3})
    with pytest.raises(ValueError, match="q must be integers, got float64"):
        evaluate(q + 1, {"q": np.array([0.5])})
    with pytest.raises(ValueError, match="is beyond 62 bits"):
        evaluate(q << 60, {"q": 1})
