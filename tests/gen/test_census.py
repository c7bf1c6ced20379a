"""The census of gates: what synthesis keeps, counted before it."""

import contextlib

import pytest
from amaranth.hdl import Instance, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gen.plan.census import FEATURES, census
from hw.prim.multiply import Multiplier, MultiplierConfig, MultiplierPair
from hw.prim.ram import Ram, RamConfig, Rom, RomConfig
from hw.prim.target import Target


class Unit(wiring.Component):
    """Two operands, one result; `build` says what is between them."""

    def __init__(self, build):
        self.build = build
        super().__init__({"a": In(unsigned(8)), "b": In(unsigned(8)), "o": Out(unsigned(16))})

    def elaborate(self, platform):
        m = Module()
        self.build(m, self)
        return m


def counted(build, target=Target.ECP5):
    return {what: much for what, much in census(Unit(build), target).items() if much}


def test_registers_count_by_the_bits_that_are_used():
    def build(m, unit):
        used, unused, half = Signal(8), Signal(8), Signal(8)
        m.d.sync += [used.eq(unit.a), unused.eq(unit.b), half.eq(unit.b)]
        m.d.comb += [unit.o[:8].eq(used), unit.o[8:12].eq(half[4:])]

    assert counted(build) == {"registers": 12}


def test_a_register_that_feeds_only_itself_is_none():
    def build(m, unit):
        turn = Signal(4)
        m.d.sync += turn.eq(turn + 1)
        m.d.comb += unit.o.eq(unit.a)

    assert counted(build) == {}


def test_equal_operators_are_one_and_names_do_not_matter():
    def build(m, unit):
        name = Signal(8)
        m.d.comb += [name.eq(unit.a), unit.o.eq((unit.a & unit.b) | (name & unit.b) << 8)]

    assert counted(build) == {"gates": 8 + 16}


def test_equal_registers_are_one():
    def build(m, unit):
        twins = Signal(8), Signal(8)
        for twin in twins:
            m.d.sync += twin.eq(unit.a)
        m.d.comb += [unit.o[:8].eq(twins[0]), unit.o[8:].eq(twins[1])]

    assert counted(build) == {"registers": 8}


def test_a_sum_counts_as_far_as_it_is_used():
    def build(m, unit):
        m.d.comb += unit.o.eq((unit.a + unit.b)[:5])

    assert counted(build) == {"added": 5, "adders": 1}


def test_what_is_chosen_and_what_is_cleared():
    def build(m, unit):
        chosen = Mux(unit.b[0], unit.a, unit.b)
        m.d.comb += [unit.o[:8].eq(chosen), unit.o[8:].eq(Mux(unit.b[1], unit.a, 0))]

    assert counted(build) == {"selected": 8, "gated": 8}


def test_an_enable_is_no_choice():
    def build(m, unit):
        kept = Signal(8)
        with m.If(unit.b[0]):
            m.d.sync += kept.eq(unit.a)
        m.d.comb += unit.o.eq(kept)

    found = counted(build)
    assert found["registers"] == 8 and found["enables"] == 1
    assert not found.get("selected")


def test_constants_take_nothing():
    def build(m, unit):
        nothing, fixed = Signal(8), Signal(8)
        m.d.comb += fixed.eq(3)
        m.d.comb += unit.o.eq((unit.a & nothing) + Mux(fixed == 3, unit.b, unit.a))

    assert counted(build) == {"added": 9, "adders": 1} or counted(build)["added"] <= 9


def test_cells_are_counted_if_anything_of_them_is_used():
    def build(m, unit):
        seen, unseen = Signal(8), Signal(8)
        m.submodules.seen = Instance("SEEN", i_A=unit.a, o_O=seen)
        m.submodules.unseen = Instance("UNSEEN", i_A=unit.a + unit.b, o_O=unseen)
        m.d.comb += unit.o.eq(seen)

    assert counted(build) == {"SEEN": 1}


def test_distributed_memories_and_tables():
    def build(m, unit):
        m.submodules.store = store = Memory(shape=8, depth=32, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        m.d.comb += [write.addr.eq(unit.a), write.data.eq(unit.b), write.en.eq(1)]
        m.d.comb += [read.addr.eq(unit.b), unit.o[:8].eq(read.data)]
        m.submodules.table = table = Memory(shape=2, depth=16, init=[0, 1, 0, 3] * 4)
        look = table.read_port(domain="comb")
        m.d.comb += [look.addr.eq(unit.a), unit.o[8:].eq(look.data)]

    assert counted(build) == {"memories": 2 * 2, "memory_muxes": 8, "table_blocks": 2}


@pytest.mark.parametrize(
    ("target", "cells"),
    [(Target.ECP5, {"MULT18X18D": 1}), (Target.ICE40, {"SB_MAC16": 1}), (Target.ICE40_HX, {})],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_multiplier_is_its_familys(target, cells):
    config = MultiplierConfig(a_width=8, b_width=8)
    found = census(Multiplier(config), target)
    assert {cell: n for cell, n in found.items() if cell.isupper()} == cells
    if target is Target.ICE40_HX:
        assert found["products"] == 64 and found["product_rows"] == 8


@pytest.mark.parametrize("target", list(Target)[1:], ids=lambda value: value.name)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Multiplier(MultiplierConfig(a_width=11, b_width=9, a_signed=True, far=True)),
        lambda: MultiplierPair(MultiplierConfig(a_width=8, b_width=8, b_signed=True)),
        lambda: Ram(RamConfig(width=40, depth=700)),
        lambda: Ram(RamConfig(width=3, depth=9000)),
        lambda: Rom(RomConfig(width=20, entries=tuple(k * k for k in range(1000)))),
    ],
    ids=["multiplier", "pair", "wide", "deep", "table"],
)
def test_cells_whose_buses_are_one_port_count_the_same(make, target, monkeypatch):
    found = census(make(), target)
    monkeypatch.setattr("gen.plan.census.whole_buses", contextlib.nullcontext)
    assert census(make(), target) == found


def test_every_feature_is_explained():
    def build(m, unit):
        m.d.sync += unit.o.eq((unit.a << unit.b[:2]) + (unit.a == unit.b))

    assert set(counted(build)) <= set(FEATURES)
