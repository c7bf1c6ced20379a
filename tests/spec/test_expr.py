import copy
import math
import pickle

import pytest

from spec.errors import SpecError
from spec.expr import (
    FALSE,
    TRUE,
    Op,
    TileClass,
    classify,
    const,
    constant,
    interval,
    lookup,
    maximum,
    minimum,
    per_position,
    round_to,
    saturate,
    select,
    symbolic_class,
    tabulate,
    variable,
    walk,
)
from spec.fixed import Rounding

Q, K = variable("q", 0, 63), variable("k", 0, 63)
S = variable("s", -128, 127, 4)


def test_binary_points_are_aligned_to_the_finer():
    assert (S + 3).bounds == (-128 + 48, 127 + 48)
    assert (S + 3).frac == 4
    assert (S * const(0.5, 2)).frac == 6
    assert minimum(S, 100).bounds == (-128, 127)
    assert (const(-8.5, 1) > S) is FALSE
    assert select(Q < K, S, Q).frac == 4
    assert round_to(S, 0).bounds == (-8, 8)
    assert round_to(S, 0, Rounding.FLOOR).bounds == (-8, 7)
    assert round_to(S, 6).bounds == (-512, 508)
    assert (S % 3).bounds == (0, 47)
    assert (S // 3).frac == 0
    assert saturate(S, low=-2, high=2).bounds == (-32, 32)
    assert saturate(S, 4).bounds == (-8, 7)
    assert saturate(S, 4, signed=False).bounds == (0, 15)


def test_a_constant_knows_its_error():
    third = const(1 / 3, frac=12)
    assert third.data == 1365
    assert third.error == pytest.approx(1 / 3 - 1365 / 4096)
    assert const(0.5, 1).error == const(3).error == 0
    assert [const(x, 0).data for x in (0.5, -0.5, 1.5)] == [1, 0, 2]  # ties go up


def test_what_is_always_the_same_is_a_constant():
    assert (Q - Q) is constant(0)
    assert (Q - K + K) - Q is constant(0)
    assert (Q < 64) is TRUE and (Q == -1) is FALSE
    assert Q * 0 is constant(0)
    assert Q + 0 is Q and Q * 1 is Q and Q >> 0 is Q and Q % 64 is Q and abs(Q) is Q
    assert (Q < K) & True is (Q < K)
    assert ~~(Q < K) is (Q < K)
    assert (Q < K) ^ True is ~(Q < K)
    assert select(Q < 64, Q, K) is Q and select(Q < K, Q, Q) is Q
    assert minimum(Q, 64) is Q and maximum(Q, -1) is Q and saturate(Q, 7) is Q
    assert lookup([5, 5, 5], Q) is constant(5)


def test_a_table_keeps_what_is_reached():
    (table,) = (node for node in walk(lookup(range(100), Q, offset=-10)) if node.args)
    assert table.data.values == tuple(range(10, 74))
    assert (table.data.offset, table.bounds) == (0, (10, 73))


def test_nodes_survive_copies():
    mask = (Q >= K) & (lookup([3, 1, 2], Q) == 1)
    assert pickle.loads(pickle.dumps(mask)) is mask
    assert copy.deepcopy(mask) is mask
    assert repr(Q - K) == "<Expr sub, frac 0, -63 to 63>"
    assert repr(Q) == "<Expr variable q, frac 0, 0 to 63>"


def test_deep_graphs_need_no_deep_stack():
    total = Q
    for _ in range(3000):
        total = maximum(total, K) + 1
    assert total.bounds == (3000, 3063)
    assert interval(total, {"q": (1, 2), "k": (0, 0)}) == (3001, 3002)


def test_dependencies_between_sums_cancel():
    tile = {"q": (8, 15), "k": (0, 7)}
    assert interval((Q - K) + K, tile) == (8, 15)
    assert interval(3 * Q - (K << 1), tile) == (10, 45)
    assert interval(Q < K, tile) == (0, 0)


CAUSAL, NEAR = Q >= K, (Q - K < 16) & (Q >= K)
DILATED = CAUSAL & ((Q - K) % 3 == 0)
DOCUMENT = per_position([index // 10 for index in range(64)])


@pytest.mark.parametrize(
    ("mask", "q", "k", "kind"),
    [
        (CAUSAL, (0, 7), (8, 15), TileClass.EMPTY),
        (CAUSAL, (8, 15), (0, 7), TileClass.FULL),
        (CAUSAL, (8, 15), (8, 15), TileClass.PARTIAL),
        (CAUSAL, (8, 15), (15, 22), TileClass.PARTIAL),
        (NEAR, (32, 39), (0, 7), TileClass.EMPTY),
        (NEAR, (32, 39), (24, 31), TileClass.FULL),
        (NEAR, (32, 39), (16, 23), TileClass.PARTIAL),
        (DILATED, (9, 9), (7, 8), TileClass.EMPTY),
        (DILATED, (9, 9), (6, 6), TileClass.FULL),
        (DILATED, (9, 10), (8, 8), TileClass.EMPTY),
        (DILATED, (9, 16), (0, 7), TileClass.PARTIAL),
        (DOCUMENT(Q) == DOCUMENT(K), (0, 7), (8, 9), TileClass.FULL),
        (DOCUMENT(Q) == DOCUMENT(K), (0, 7), (8, 15), TileClass.PARTIAL),
        (DOCUMENT(Q) == DOCUMENT(K), (0, 7), (16, 23), TileClass.EMPTY),
        (Q // 16 == K // 16, (16, 23), (24, 31), TileClass.FULL),
        (Q // 16 == K // 16, (16, 23), (32, 39), TileClass.EMPTY),
        (2 * Q == 2 * K + 1, (0, 7), (0, 7), TileClass.EMPTY),
        ((K < 4) | NEAR, (32, 39), (0, 3), TileClass.FULL),
    ],
)
def test_the_class_of_a_tile(mask, q, k, kind):
    assert classify(mask, {"q": q, "k": k}) is kind


def test_what_is_not_monotone_is_bounded_by_granules():
    values = [(7 * index) % 64 for index in range(64)]
    number = lookup(values, Q)
    exact = interval(number, {"q": (8, 9)})
    assert exact == (min(values[8:10]), max(values[8:10]))
    assert interval(number, {"q": (8, 9)}, {"q": 8}) == (min(values[8:16]), max(values[8:16]))
    assert interval(number, {"q": (8, 9)}, {}) == (0, 63)
    near = lookup([index * index % 50 for index in range(127)], Q - K, offset=-63)
    low, high = interval(near, {"q": (8, 9), "k": (16, 17)}, {"q": 8, "k": 8})
    reached = [index * index % 50 for index in range(63 + 8 - 23, 63 + 15 - 16 + 1)]
    assert (low, high) == (min(reached), max(reached))


def test_a_symbolic_class_is_small():
    ends = {n: (variable(f"{n}_low", 0, 63), variable(f"{n}_high", 0, 63)) for n in ("q", "k")}
    some, not_all = symbolic_class(CAUSAL, ends, {})
    assert some is ~((ends["q"][1] - ends["k"][0]) < 0)
    assert not_all is ((ends["q"][0] - ends["k"][1]) < 0)


def test_rejections():
    with pytest.raises(SpecError, match="range of q must lie in 0 to 63, got 8 to 64"):
        classify(CAUSAL, {"q": (8, 64)})
    with pytest.raises(SpecError, match="range of q must lie in 0 to 63, got 8 to 7"):
        interval(CAUSAL, {"q": (8, 7)})
    with pytest.raises(SpecError, match="only a truth value has a tile class; compare the number"):
        classify(Q, {})
    with pytest.raises(SpecError, match="only a truth value has a tile class"):
        symbolic_class(Q, {}, {})
    with pytest.raises(SpecError, match="granule of q must be a power of two, got 3"):
        classify(CAUSAL, {}, {"q": 3})


def wave(x):
    return 3 * math.sin(x)


@pytest.mark.parametrize("interpolate", [False, True])
@pytest.mark.parametrize("function", [math.tanh, wave, math.exp, lambda x: -math.exp(-x)])
def test_a_table_is_as_near_as_it_says(function, interpolate):
    s = variable("s", -700, 500, 7)
    made = tabulate(function, s, out_frac=10, index_bits=6, interpolate=interpolate)
    worst = 0.0
    for x in range(-700, 501):
        low, high = interval(made, {"s": (x, x)})
        assert low == high
        worst = max(worst, abs(low * 2.0**-10 - function(x * 2.0**-7)))
    assert made.error == worst
    pitch = 32 / 128
    curve, slope = {math.tanh: (0.77, 1), wave: (3, 3)}.get(function, (250, 250))
    expected = curve * pitch**2 / 8 if interpolate else slope * pitch / 2
    assert worst <= expected + 2.0**-10


def test_a_narrow_range_is_tabulated_exactly():
    made = tabulate(math.tanh, S, out_frac=10)
    assert made.error <= 2.0**-11
    (table,) = (node for node in walk(made) if node.op is Op.TABLE)
    assert len(table.data.values) == 135  # beyond, it is -1 and 1


def test_a_wide_range_has_a_bound():
    wide = variable("s", -(1 << 20), 1 << 20, 16)
    made = tabulate(math.tanh, wide, out_frac=8, index_bits=12)
    worst = max(
        abs(interval(made, {"s": (x, x)})[0] / 256 - math.tanh(x / 65536))
        for x in range(-(1 << 20), 1 << 20, 30011)
    )
    assert worst <= made.error <= 2.0**-6
