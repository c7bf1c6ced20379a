"""The bench itself: what is wrong fails, for the reason it is wrong, and nothing hangs."""

import pytest
from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from hw.lib.stream import Fifo, FifoConfig, Fork, ForkConfig, SkidBuffer, SkidBufferConfig
from tests.support import wrong
from tests.support.bench import (
    BudgetExceeded,
    RandomStalls,
    StreamRuleBroken,
    intervals,
    latency,
    run,
)
from tests.support.payload import decode, encode
from tests.support.strategies import payloads


class Kind(enum.Enum, shape=2):
    EMPTY = 0
    FULL = 2


TILE = data.StructLayout(
    {
        "rows": data.ArrayLayout(signed(4), 3),
        "kind": Kind,
        "at": data.StructLayout({"x": 5, "y": 1}),
    }
)


@pytest.mark.parametrize(
    "shape", [unsigned(1), signed(1), unsigned(7), signed(8), range(-3, 9)], ids=repr
)
@given(data=st.data())
def test_numbers_come_back(shape, data):
    value = data.draw(payloads(shape))
    assert decode(encode(value, shape), shape) == value
    assert 0 <= encode(value, shape) < 1 << Shape.cast(shape).width


def test_layouts_are_lists_and_dicts():
    tile = {"rows": [-8, 0, 7], "kind": Kind.FULL, "at": {"x": 31, "y": 0}}
    assert encode(tile, TILE) == TILE.const({**tile}).as_bits()
    assert decode(encode(tile, TILE), TILE) == tile


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (300, unsigned(8), "i is 0 to 255, got 300"),
        (-9, signed(4), "i is -8 to 7, got -9"),
        ([1, 2], data.ArrayLayout(4, 3), r"i has \[0, 1, 2\], got \[0, 1\]"),
        ({"x": 1}, data.StructLayout({"x": 4, "y": 4}), r"i has \['x', 'y'\], got \['x'\]"),
        ([0, 16], data.ArrayLayout(4, 2), r"i\.1 is 0 to 15, got 16"),
    ],
)
def test_a_payload_that_does_not_fit_is_rejected(value, shape, message):
    with pytest.raises(ValueError, match=message):
        encode(value, shape, "i")


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (wrong.Withdraws, "o: valid withdrawn in cycle 2"),
        (wrong.Changes, "o: payload changed before it was accepted, in cycle 1: 5 became 6"),
        (wrong.Peeks, "o: valid depends on ready, in cycle 3"),
    ],
)
def test_a_broken_rule_of_streams_is_found(component, message):
    with pytest.raises(StreamRuleBroken, match=message):
        run(component(), {"i": [5, 6]}, stalls={"o": [True] * 3}, cycles_budget=20)


@pytest.mark.parametrize(
    ("component", "expect", "arrives"),
    [(wrong.Swaps, 4, [2, 1, 4, 3]), (wrong.Doubles, 4, [1, 2, 3, 3, 4])],
)
def test_what_is_swapped_or_doubled_is_seen(component, expect, arrives):
    stalls = {"i": [False] * 3 + [True]}
    result = run(component(), {"i": [1, 2, 3, 4]}, stalls=stalls, expect=expect, cycles_budget=20)
    assert result.o == arrives


def test_what_comes_after_the_expected_number_is_seen():
    fifo = Fifo(FifoConfig(shape=8, depth=4))
    result = run(fifo, {"i": [1, 2, 3]}, expect=1, cycles_budget=20)
    assert result.o == [1, 2, 3]


def test_a_lost_transfer_ends_at_the_budget_with_counts():
    with pytest.raises(
        BudgetExceeded, match="after 50 cycles i accepted 4 of 4, o delivered 2 of 4"
    ):
        run(wrong.Loses(), {"i": [1, 2, 3, 4]}, stalls={"o": [True] * 3}, cycles_budget=50)


SKID = SkidBufferConfig(shape=unsigned(8))


def test_cycles_are_recorded_for_every_transfer():
    result = run(
        SkidBuffer(SKID),
        {"i": [7, 8, 9]},
        stalls={"i": [True, False, True], "o": [False, False, True]},
        cycles_budget=20,
        settle_cycles=3,
    )
    assert result.cycles == {"i": [1, 3, 4], "o": [3, 4, 5]}
    assert result.total == 6 + 3
    assert intervals(result) == [2, 1]
    with pytest.raises(AssertionError, match=r"latency from i to o is not one number: \[1, 2\]"):
        latency(result)


def test_random_stalls_are_the_same_in_every_run_and_differ_between_streams():
    stalls = RandomStalls(probability=0.5, seed=3)
    first, second = (
        run(SkidBuffer(SKID), {"i": range(50)}, stalls=stalls, cycles_budget=400) for _ in range(2)
    )
    assert first == second
    assert first.o == list(range(50))
    assert max(intervals(first)) > 1
    i, o = stalls.cycles("i"), stalls.cycles("o")
    assert [next(i) for _ in range(20)] != [next(o) for _ in range(20)]


class Add(wiring.Component):
    i: stream.Interface
    o: stream.Interface
    amount: Signal

    def __init__(self):
        ports = {"i": In(stream.Signature(8)), "o": Out(stream.Signature(9)), "amount": In(4)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        m.d.comb += self.o.payload.eq(self.i.payload + self.amount)
        return m


def test_pins_are_constant():
    assert run(Add(), {"i": [1, 255]}, pins={"amount": 3}, cycles_budget=10).o == [4, 258]


def test_misnamed_streams_are_rejected():
    fork = Fork(ForkConfig(shape=8, outputs=2))
    with pytest.raises(ValueError, match=r"inputs are \['i'\], got payloads for \['x'\]"):
        run(fork, {"x": []}, cycles_budget=1)
    with pytest.raises(ValueError, match=r"stalls names 'o', which is none of \['i', 'o\[0\]'"):
        run(fork, {"i": []}, stalls={"o": [True]}, cycles_budget=1)
    with pytest.raises(ValueError, match=r"expect names 'o\[2\]', which is none of"):
        run(fork, {"i": []}, expect={"o[2]": 1}, cycles_budget=1)


def test_a_run_of_nothing_ends():
    assert run(SkidBuffer(SKID), {"i": []}, cycles_budget=0).total == 4
