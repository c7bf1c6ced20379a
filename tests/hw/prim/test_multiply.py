import itertools
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from fpga.flow import ICE40_UP5K, synthesise
from gen.emit import emit_rtlil
from hw.prim.multiply import Multiplier, MultiplierConfig, MultiplierPair
from hw.prim.target import Target
from tests.support.netlist import (
    Together,
    cell_models,
    differences,
    ports_of,
    run_amaranth,
    run_icarus,
    run_verilog,
    yosys,
)

WIDTHS = (1, 8, 9, 16, 17, 18)
SIGNS = tuple(itertools.product((False, True), repeat=2))
WIDE = ((19, 4), (24, 17), (36, 36), (64, 64))
SHAPES = [
    *((width, width, *signs) for width in WIDTHS for signs in SIGNS),
    *((a, b, a < b, a > b) for a, b in itertools.permutations(WIDTHS, 2)),
    *((a, b, *signs) for a, b in WIDE for signs in SIGNS),
]
CONFIGS = {
    f"{'us'[a_signed]}{a_width}_{'us'[b_signed]}{b_width}": MultiplierConfig(
        a_width=a_width, b_width=b_width, a_signed=a_signed, b_signed=b_signed
    )
    for a_width, b_width, a_signed, b_signed in SHAPES
}
CONSTANTS = {
    f"by_{abs(constant)}_{'ps'[signed]}_{a_width}": MultiplierConfig(
        a_width=a_width,
        a_signed=a_signed,
        b_width=18,
        b_signed=signed,
        b_constant=constant,
    )
    for constant, signed, a_width, a_signed in (
        *((189097, False, 16, False), (45303, False, 9, False), (1, False, 8, True)),
        *((0, False, 4, True), (-(1 << 17), True, 18, True), (-77777, True, 12, False)),
        *(((1 << 18) - 1, False, 18, True), (0b10101, False, 1, False), (-3, True, 3, True)),
    )
}
FAR = {
    f"far_{name}": replace(CONFIGS[name], far=True)
    for name in ("s8_s8", "u16_s8", "s16_u16", "s18_u18", "u19_u4", "u1_u1")
}
FAR |= {f"far_{name}": replace(config, far=True) for name, config in CONSTANTS.items()}
LOGIC = {
    f"logic_{name}": replace(config, logic=True)
    for name, config in [
        *(
            (name, CONFIGS[name])
            for name in ("s8_s8", "u9_u9", "s16_u16", "u1_u1", "s8_u9", "u9_s8")
        ),
        *((f"far_{name}", FAR[f"far_{name}"]) for name in ("s8_s8", "u16_s8", "u1_u1")),
    ]
}
CONFIGS |= CONSTANTS | FAR | LOGIC
PAIRS = {
    f"pair_{'us'[a_signed]}{a_width}_{'us'[b_signed]}{b_width}": MultiplierConfig(
        a_width=a_width, b_width=b_width, a_signed=a_signed, b_signed=b_signed
    )
    for a_width, b_width in ((8, 8), (5, 8), (9, 8))
    for a_signed, b_signed in SIGNS
}
PAIRS |= {f"far_{name}": replace(config, far=True) for name, config in PAIRS.items()}


def corners(width: int, signed: bool) -> list[int]:
    low = -(1 << width - 1) if signed else 0
    high = low + (1 << width) - 1
    return sorted({low, low + 1 if width > 1 else low, 0, high, high - 1 if width > 1 else high})


def operands(config: MultiplierConfig, rng: random.Random) -> list[tuple[int, int]]:
    a_values = corners(config.a_width, config.a_signed)
    b_values = corners(config.b_width, config.b_signed)
    if config.b_constant is not None:
        b_values = [config.b_constant]
    pairs = list(itertools.product(a_values, b_values))
    while len(pairs) < 40:
        pairs.append(
            (rng.randint(a_values[0], a_values[-1]), rng.randint(b_values[0], b_values[-1]))
        )
    return pairs


def all_operands() -> dict[str, list[tuple[int, int]]]:
    rng = random.Random(1)
    return {name: operands(config, rng) for name, config in CONFIGS.items()}


def bench(pairs: dict[str, list[tuple[int, int]]]):
    """One stimulus for all configurations at once, and what must come out."""
    cycles = max(map(len, pairs.values())) + 3
    stimulus = [{} for _ in range(cycles)]
    expected = [{} for _ in range(cycles)]
    for name, values in pairs.items():
        for cycle, (a, b) in enumerate(values):
            stimulus[cycle] |= {f"{name}__a": a, f"{name}__b": b}
            expected[cycle + CONFIGS[name].latency][f"{name}__o"] = a * b
    return stimulus, expected


def units(names: Iterable[str] = CONFIGS) -> Together:
    return Together({name: Multiplier(CONFIGS[name]) for name in names})


def test_product_in_amaranths_simulator():
    stimulus, expected = bench(all_operands())
    assert differences(expected, run_amaranth(units(), stimulus)) == []


def pair_bench():
    """Both halves of every pair, the second one other operands than the first."""
    rng = random.Random(2)
    values = {name: operands(config, rng) for name, config in PAIRS.items()}
    cycles = max(map(len, values.values())) + 3
    stimulus: list[dict[str, int]] = [{} for _ in range(cycles)]
    expected: list[dict[str, int | None]] = [{} for _ in range(cycles)]
    for name, pairs in values.items():
        config = PAIRS[name]
        for cycle, (a, b) in enumerate(pairs):
            c, d = pairs[cycle * 7 % len(pairs)]
            o = a * b & (1 << config.product_width) - 1, c * d & (1 << config.product_width) - 1
            stimulus[cycle][f"{name}__a"] = _packed((a, c), config.a_width)
            stimulus[cycle][f"{name}__b"] = _packed((b, d), config.b_width)
            expected[cycle + config.latency][f"{name}__o"] = _packed(o, config.product_width)
    return stimulus, expected


def _packed(values: tuple[int, int], width: int) -> int:
    low, high = (value & (1 << width) - 1 for value in values)
    return low | high << width


@pytest.mark.parametrize("target", [Target.PORTABLE, Target.ICE40])
def test_products_of_pairs(target: Target, tmp_path: Path):
    stimulus, expected = pair_bench()
    pairs = Together({name: MultiplierPair(config) for name, config in PAIRS.items()})
    assert differences(expected, run_verilog(pairs, target, stimulus, tmp_path)) == []


@pytest.mark.parametrize("target", Target)
def test_product_of_emitted_verilog(target: Target, tmp_path: Path):
    stimulus, expected = bench(all_operands())
    assert differences(expected, run_verilog(units(), target, stimulus, tmp_path)) == []


def test_product_of_the_netlist_that_the_flow_makes_for_ultraplus(tmp_path: Path):
    """Synthesis must leave the registers of the cells alone, also beside others."""
    names = ["s16_s16", "u16_s8", "s18_u18", "u18_s9", "u17_u17", "s8_s8", *CONSTANTS, *FAR]
    pairs = {name: all_operands()[name] for name in names}
    stimulus, expected = bench(pairs)
    synthesise(units(names), ICE40_UP5K, tmp_path)
    yosys(["read_json netlist.json", "write_verilog -noattr netlist.v"], tmp_path)
    netlist = [tmp_path / "netlist.v", *cell_models(Target.ICE40)]
    trace = run_icarus(netlist, ports_of(units(names)), stimulus, tmp_path)
    assert differences(expected, trace) == []


def test_the_bench_sees_a_wrong_product(tmp_path: Path):
    pairs = {"u18_s9": all_operands()["u18_s9"]}
    stimulus, expected = bench(pairs)
    expected[7]["u18_s9__o"] += 1
    found = differences(expected, run_verilog(units(pairs), Target.ECP5, stimulus, tmp_path))
    assert [(cycle, port) for cycle, port, _, _ in found] == [(7, "u18_s9__o")]


def test_the_bench_sees_a_product_in_the_wrong_cycle():
    pairs = {"u18_s9": all_operands()["u18_s9"]}
    stimulus, expected = bench(pairs)
    assert differences([*expected[1:], {}], run_amaranth(units(pairs), stimulus))


def test_figures():
    config = MultiplierConfig(a_width=9, b_width=7, b_signed=True)
    assert (config.latency, config.interval, config.product_width) == (2, 1, 16)
    assert config.product_shape.signed
    assert replace(config, far=True).latency == 3


@pytest.mark.parametrize("target, cell", [(Target.ECP5, "MULT18X18D"), (Target.ICE40, "SB_MAC16")])
def test_a_target_fills_in_its_cell(target: Target, cell: str):
    assert cell in emit_rtlil(Multiplier(MultiplierConfig(a_width=16, b_width=16)), target)
    assert cell in emit_rtlil(Multiplier(MultiplierConfig(a_width=18, b_width=18)), target)
    assert cell not in emit_rtlil(Multiplier(MultiplierConfig(a_width=19, b_width=2)), target)


def test_a_pair_is_one_cell_of_ice40_and_a_constant_is_none():
    cell = "cell \\SB_MAC16 "
    pair = MultiplierPair(MultiplierConfig(a_width=8, b_width=8, a_signed=True))
    assert emit_rtlil(pair, Target.ICE40).count(cell) == 1
    wider = MultiplierPair(MultiplierConfig(a_width=9, b_width=8))
    assert emit_rtlil(wider, Target.ICE40).count(cell) == 2
    constant = Multiplier(MultiplierConfig(a_width=16, b_width=18, b_constant=189097))
    for target in (Target.ICE40, Target.ICE40_HX):
        assert cell not in emit_rtlil(constant, target)


def test_a_product_of_logic_leaves_the_cells_to_others():
    config = MultiplierConfig(a_width=8, b_width=8, a_signed=True, b_signed=True, logic=True)
    for unit in (Multiplier(config), MultiplierPair(config)):
        assert "MULT18X18D" not in emit_rtlil(unit, Target.ECP5)
    assert "SB_MAC16" not in emit_rtlil(MultiplierPair(config), Target.ICE40)


@pytest.mark.parametrize("far", (False, True))
def test_a_far_product_by_a_constant_leaves_the_cell_to_others(far: bool):
    config = MultiplierConfig(a_width=16, b_width=18, b_constant=189097, far=far)
    cells = emit_rtlil(Multiplier(config), Target.ECP5).count("cell \\MULT18X18D ")
    assert cells == (0 if far else 1)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"a_width": 0}, "MultiplierConfig.a_width must be an integer from 1 to 64, not 0"),
        ({"a_width": 65}, "MultiplierConfig.a_width must be an integer from 1 to 64, not 65"),
        ({"b_width": 2.0}, "MultiplierConfig.b_width must be an integer from 1 to 64, not 2.0"),
        ({"b_width": True}, "MultiplierConfig.b_width must be an integer from 1 to 64, not True"),
        ({"a_signed": 1}, "MultiplierConfig.a_signed must be True or False, not 1"),
        ({"far": 1}, "MultiplierConfig.far must be True or False, not 1"),
        ({"logic": 1}, "MultiplierConfig.logic must be True or False, not 1"),
        ({"b_signed": None}, "MultiplierConfig.b_signed must be True or False, not None"),
        ({"b_constant": 256}, "MultiplierConfig.b_constant must be from 0 to 255, not 256"),
        ({"b_constant": -1}, "MultiplierConfig.b_constant must be from 0 to 255, not -1"),
    ],
)
def test_rejection(fields: dict, message: str):
    with pytest.raises(ValueError) as caught:
        MultiplierConfig(**{"a_width": 8, "b_width": 8, **fields})
    assert str(caught.value) == message
