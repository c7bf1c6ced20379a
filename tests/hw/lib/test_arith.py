from functools import reduce

import pytest
from amaranth.hdl import Const, Module, Shape, Signal, signed, unsigned
from amaranth.sim import Simulator

from hw.lib import arith
from spec import fixed
from spec.fixed import Rounding


def sweep(shape, build):
    """What `build` makes of every value of `shape`, as {value: result}, and the result's shape."""
    m = Module()
    i = Signal(shape)
    built = build(i)
    o = Signal(built.shape())
    m.d.comb += o.eq(built)
    low, high = fixed.bounds(shape.width, shape.signed)
    found = {}

    async def bench(ctx):
        for value in range(low, high + 1):
            ctx.set(i, value)
            found[value] = ctx.get(o)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found, built.shape()


SHAPES = [unsigned(1), unsigned(5), signed(1), signed(2), signed(6)]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 1, 2, 5, 6, 8])
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_round_shift_is_that_of_the_spec_in_exactly_enough_bits(shape, shift, rounding):
    found, result = sweep(shape, lambda i: arith.round_shift(i, shift, rounding))
    assert found == {value: fixed.round_shift(value, shift, rounding) for value in found}
    assert result == Shape.cast(range(min(found.values()), max(found.values()) + 1))


@pytest.mark.parametrize(
    "target", [unsigned(1), unsigned(4), signed(1), signed(4), signed(9)], ids=repr
)
@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_saturate_is_that_of_the_spec(shape, target):
    found, result = sweep(shape, lambda i: arith.saturate(i, target))
    assert found == {value: fixed.saturate(value, target.width, target.signed) for value in found}
    assert result == target


@pytest.mark.parametrize("count", range(1, 10))
def test_a_tree_combines_every_value_once_in_order_and_is_balanced(count):
    leaves = [(chr(ord("a") + k), 0) for k in range(count)]
    tree = arith.reduce_tree(leaves, lambda a, b: (a[0] + b[0], 1 + max(a[1], b[1])))
    assert tree == ("abcdefghi"[:count], arith.tree_levels(count))


def test_trees_of_gates():
    found, shape = sweep(unsigned(6), lambda i: arith.reduce_tree([*i], lambda a, b: a + b))
    assert found == {value: value.bit_count() for value in found}
    assert shape.width >= 3
    parts = lambda value: (value & 3, value >> 2 & 3, value >> 4)  # noqa: E731
    found, shape = sweep(
        unsigned(6), lambda i: arith.reduce_tree([i[0:2], i[2:4], i[4:6]], arith.maximum)
    )
    assert found == {value: reduce(max, parts(value)) for value in found}
    assert shape == unsigned(2)


def test_rejections():
    with pytest.raises(ValueError, match="round_shift's shift must be at least 0, got -1"):
        arith.round_shift(Signal(4), -1, Rounding.FLOOR)
    with pytest.raises(ValueError, match="reduce_tree needs at least one value, got none"):
        arith.reduce_tree([], max)
    with pytest.raises(ValueError, match="tree_levels's count must be at least 1, got 0"):
        arith.tree_levels(0)


@pytest.mark.parametrize("constant", [0, 1, 2, 7, 10, 29, 60])
@pytest.mark.parametrize("shape", [unsigned(4), signed(5)], ids=repr)
def test_times_is_multiplication(shape, constant):
    found, _ = sweep(shape, lambda i: arith.times(i, constant))
    assert found == {value: value * constant for value in found}


@pytest.mark.parametrize("up", [0, 1])
@pytest.mark.parametrize("down", [0, 1])
def test_step_is_the_sum(up, down):
    found, _ = sweep(signed(4), lambda i: arith.step(i, up=Const(up, 1), down=Const(down, 1)))
    assert found == {value: value + up - down for value in found}


@pytest.mark.parametrize("other", [-9, -1, 0, 3, 15, 16, 40])
@pytest.mark.parametrize("shape", [unsigned(4), signed(5)], ids=repr)
def test_greater_is_the_operator(shape, other):
    found, _ = sweep(shape, lambda i: arith.greater(i, other))
    assert found == {value: int(value > other) for value in found}
    found, _ = sweep(shape, lambda i: arith.greater(other, i))
    assert found == {value: int(other > value) for value in found}
