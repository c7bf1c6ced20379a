import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from fpga.flow import ECP5_85F
from gen.emit import emit_rtlil, emit_verilog
from hw.prim import ecp5, ice40
from hw.prim.ram import LOGIC_ROM_BITS, Ram, RamConfig, Rom, RomConfig, SinglePortRam
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

WIDTHS = (1, 7, 16, 18, 36, 69, 80)
DEPTHS = (5, 300, 513, 1040, 5000)
CROSS = [RamConfig(width=w, depth=d) for w, d in itertools.product(WIDTHS, DEPTHS)]
DEEP = RamConfig(width=3, depth=40_000)  # banks on every target
RAMS = [
    *CROSS[::4],  # every width and every depth
    *(RamConfig(width=w, depth=d) for w, d in ((1, 1), (9, 2048), (4, 2), (2, 16384))),
    DEEP,
    # On ECP5: distributed, two sizes of blocks, a block and distributed, all of the rest together.
    *(RamConfig(width=w, depth=d) for w, d in ((18, 16), (40, 64), (18, 8448), (18, 2112))),
    RamConfig(width=23, depth=150),
    RamConfig(width=18, depth=8448, write_registers=1),
    RamConfig(width=5, depth=40, write_registers=3),
    *(
        RamConfig(width=w, depth=d, exclusive=True)
        for w, d in ((16, 512), (16, 256), (17, 300), (3, 16384), (2, 16385))
    ),
]
SINGLE_PORT_RAMS = [RamConfig(width=w, depth=d) for w, d in ((1, 5), (16, 16384), (36, 300))] + [
    DEEP
]
EDGES = (
    *(0, 1, 15, 16, 63, 64, 255, 256, 511, 512, 1023, 1024, 2047, 2048, 4095, 4096),
    *(8191, 8192, 16383, 16384, 32768),
)


def rom_config(width: int, depth: int) -> RomConfig:
    rng = random.Random(width * depth)
    return RomConfig(width=width, entries=tuple(rng.getrandbits(width) for _ in range(depth)))


ROMS = [
    rom_config(width, depth)
    for width, depth in (
        *((1, 1), (8, 2), (8, 5), (16, 101), (8, 256), (1, 2048)),  # logic
        *((9, 256), (36, 300), (18, 513), (80, 300), (9, 2048), (4, 4000)),  # block memory
        *((7, 5000), (2, 8192), (1, 10_000), (16, 257), (8, 512)),
    )
]


def key(config: RamConfig | RomConfig) -> str:
    name = f"w{config.width}_d{config.depth}"
    if isinstance(config, RamConfig):
        name += "_x" * config.exclusive + "_r" * config.write_registers
    return name


def addresses(depth: int, rng: random.Random) -> list[int]:
    """Both ends, every border of a cell or a bank, and some between."""
    chosen = {a for a in (*EDGES, depth - 1) if a < depth}
    while len(chosen) < min(40, depth):
        chosen.add(rng.randrange(depth))
    return rng.sample(sorted(chosen), len(chosen))


def ram_bench(configs: list[RamConfig], seed: int = 1):
    """Write everything, read it in another order, and overwrite some of it while reading."""
    rng = random.Random(seed)
    cycles = 160
    stimulus: list[dict[str, int]] = [{} for _ in range(cycles)]
    expected: list[dict[str, int | None]] = [{} for _ in range(cycles)]
    for config in configs:
        chosen = addresses(config.depth, rng)
        words: dict[int, int] = {}
        recent: list[int | None] = [None] * config.write_registers
        for cycle in range(cycles - config.latency):
            enable = cycle < len(chosen) or rng.random() < 0.4
            to = chosen[cycle] if cycle < len(chosen) else rng.choice(chosen)
            data = rng.getrandbits(config.width)
            # A write that is not enabled may name the address that is read.
            busy = [*recent, to if enable else None]
            free = [a for a in chosen if a not in busy] or [None]
            at = rng.choice(free)
            name = key(config)
            stimulus[cycle] = {
                **stimulus[cycle],
                f"{name}__write__enable": int(enable and (at is not None or not words)),
                f"{name}__write__address": to,
                f"{name}__write__data": data,
                f"{name}__read__address": to if at is None else at,
            }
            if (at is not None or words) and not (config.exclusive and enable):
                address = to if at is None else at
                expected[cycle + config.latency][f"{name}__read__data"] = words.get(address)
            written = bool(stimulus[cycle][f"{name}__write__enable"])
            if written:
                words[to] = data
            recent = [*recent, to if written else None][1:] if recent else []
    return stimulus, expected


def single_port_bench(configs: list[RamConfig]):
    rng = random.Random(2)
    cycles = 160
    stimulus: list[dict[str, int]] = [{} for _ in range(cycles)]
    expected: list[dict[str, int | None]] = [{} for _ in range(cycles)]
    for config in configs:
        chosen = addresses(config.depth, rng)
        words: dict[int, int] = {}
        for cycle in range(cycles - config.latency):
            write = cycle < len(chosen) or rng.random() < 0.4
            address = chosen[cycle] if cycle < len(chosen) else rng.choice(chosen)
            data = rng.getrandbits(config.width)
            name = key(config)
            stimulus[cycle] |= {
                f"{name}__port__enable_write": int(write),
                f"{name}__port__address": address,
                f"{name}__port__data_in": data,
            }
            if write:
                words[address] = data
            else:
                expected[cycle + config.latency][f"{name}__port__data_out"] = words[address]
    return stimulus, expected


def rom_bench(configs: list[RomConfig]):
    rng = random.Random(3)
    cycles = 160
    stimulus: list[dict[str, int]] = [{} for _ in range(cycles)]
    expected: list[dict[str, int | None]] = [{} for _ in range(cycles)]
    for config in configs:
        chosen = addresses(config.depth, rng)
        more = cycles - config.latency - len(chosen)
        chosen += [rng.randrange(config.depth) for _ in range(more)]
        for cycle, address in enumerate(chosen):
            stimulus[cycle][f"{key(config)}__address"] = address
            expected[cycle + config.latency][f"{key(config)}__data"] = config.entries[address]
    return stimulus, expected


KINDS = {
    "ram": (Ram, RAMS, ram_bench),
    "single_port_ram": (SinglePortRam, SINGLE_PORT_RAMS, single_port_bench),
    "rom": (Rom, ROMS, rom_bench),
}


def together(kind: str) -> Together:
    unit, configs, _ = KINDS[kind]
    return Together({key(config): unit(config) for config in configs})


@pytest.mark.parametrize("kind", KINDS)
def test_words_in_amaranths_simulator(kind: str):
    stimulus, expected = KINDS[kind][2](KINDS[kind][1])
    assert differences(expected, run_amaranth(together(kind), stimulus)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [Target.PORTABLE, Target.ECP5, Target.ICE40])
def test_words_of_emitted_verilog(target: Target, kind: str, tmp_path: Path):
    stimulus, expected = KINDS[kind][2](KINDS[kind][1])
    assert differences(expected, run_verilog(together(kind), target, stimulus, tmp_path)) == []


@pytest.mark.parametrize("kind", ["ram", "rom"])
def test_the_smaller_ice40_has_the_same_block_memory(kind: str):
    unit, configs, _ = KINDS[kind]

    def emitted(target: Target) -> str:
        plain = {key(each): unit(each) for each in configs if not getattr(each, "exclusive", 0)}
        return emit_rtlil(Together(plain), target)

    assert emitted(Target.ICE40_HX) == emitted(Target.ICE40)


def test_single_port_ram_of_the_smaller_ice40(tmp_path: Path):
    stimulus, expected = single_port_bench(SINGLE_PORT_RAMS)
    trace = run_verilog(together("single_port_ram"), Target.ICE40_HX, stimulus, tmp_path)
    assert differences(expected, trace) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", [Target.PORTABLE, Target.ECP5, Target.ICE40])
def test_every_width_with_every_depth(target: Target, tmp_path: Path):
    stimulus, expected = ram_bench(CROSS, seed=5)
    rams = Together({key(config): Ram(config) for config in CROSS})
    assert differences(expected, run_verilog(rams, target, stimulus, tmp_path)) == []


def test_the_bench_sees_a_wrong_word(tmp_path: Path):
    config = RamConfig(width=36, depth=300)
    stimulus, expected = ram_bench([config])
    cycle = next(c for c in range(60, 160) if expected[c].get("w36_d300__read__data") is not None)
    expected[cycle]["w36_d300__read__data"] ^= 1 << 35  # pyright: ignore
    ram = Together({key(config): Ram(config)})
    found = differences(expected, run_verilog(ram, Target.ECP5, stimulus, tmp_path))
    assert [(c, port) for c, port, _, _ in found] == [(cycle, "w36_d300__read__data")]


def test_a_collision_is_undefined_in_the_netlist(tmp_path: Path):
    config = RamConfig(width=36, depth=300)
    same = {"write__enable": 1, "write__address": 7, "read__address": 7, "write__data": 5}
    trace = run_verilog(Ram(config), Target.ECP5, [same, {"write__enable": 0}, {}, {}], tmp_path)
    assert [entry["read__data"] for entry in trace[2:]] == [None, 5]


@pytest.mark.parametrize(
    "config, target, blocks",
    [
        (RamConfig(width=36, depth=512), Target.ECP5, 1),
        (RamConfig(width=37, depth=512), Target.ECP5, 2),
        (RamConfig(width=36, depth=513), Target.ECP5, 1),  # and one distributed word
        (RamConfig(width=36, depth=700), Target.ECP5, 2),
        (RamConfig(width=9, depth=2048), Target.ECP5, 1),
        (RamConfig(width=4, depth=2049), Target.ECP5, 1),
        (RamConfig(width=2, depth=8192), Target.ECP5, 1),
        (RamConfig(width=1, depth=16500), Target.ECP5, 1),
        (RamConfig(width=1, depth=40_000), Target.ECP5, 3),
        (RamConfig(width=18, depth=8448), Target.ECP5, 10),
        (RamConfig(width=288, depth=1280), Target.ECP5, 32),  # 24 would save too few
        (RamConfig(width=140, depth=64), Target.ECP5, 0),
        (RamConfig(width=288, depth=64), Target.ECP5, 8),
        (RamConfig(width=24, depth=160), Target.ECP5, 0),
        (RamConfig(width=24, depth=161), Target.ECP5, 1),
        (RamConfig(width=16, depth=256), Target.ICE40, 1),
        (RamConfig(width=16, depth=257), Target.ICE40_HX, 2),
        (RamConfig(width=2, depth=2049), Target.ICE40_HX, 2),
    ],
)
def test_number_of_cells(config: RamConfig, target: Target, blocks: int):
    text = emit_rtlil(Ram(config), target)
    assert text.count("cell \\DP16KD ") + text.count("cell \\SB_RAM40_4K ") == blocks
    count = ecp5.block_count if target is Target.ECP5 else ice40.block_count
    assert count(config.depth, config.width) == blocks


def test_small_memories_of_an_ecp5_are_distributed(tmp_path: Path):
    """Synthesis takes as many cells for them as their words do, and they keep the words."""
    configs = [RamConfig(width=w, depth=d) for w, d in ((18, 40), (36, 513), (9, 2112), (1, 1))]
    distributed = ((18, 40), (36, 1), (9, 64), (1, 1))
    cells = sum(-(-depth // 16) * -(-width // 4) for width, depth in distributed)
    rams = Together({key(config): Ram(config) for config in configs})
    (tmp_path / "design.v").write_text(emit_verilog(rams, Target.ECP5))
    yosys(
        [
            "read_verilog design.v",
            f"{ECP5_85F.synthesis} -top top",
            f"select -assert-count {cells} t:TRELLIS_DPR16X4",
            "select -assert-count 2 t:DP16KD",
            "techmap -autoproc -map +/ecp5/cells_sim.v t:* t:DP16KD %d",
            "clean",
            "write_verilog -noattr netlist.v",
        ],
        tmp_path,
    )
    stimulus, expected = ram_bench(configs)
    netlist = [tmp_path / "netlist.v", *cell_models(Target.ECP5)]
    assert differences(expected, run_icarus(netlist, ports_of(rams), stimulus, tmp_path)) == []


def test_spram_is_for_ultraplus_only():
    ram = RamConfig(width=32, depth=16384)
    assert emit_rtlil(SinglePortRam(ram), Target.ICE40).count("cell \\SB_SPRAM256KA ") == 2
    for target in (Target.PORTABLE, Target.ECP5, Target.ICE40_HX):
        assert "SB_SPRAM256KA" not in emit_rtlil(SinglePortRam(ram), target)


@pytest.mark.parametrize(
    "width, depth, exclusive, spram",
    [
        (16, 512, True, 1),
        (16, 16384, True, 1),
        (16, 512, False, 0),
        (16, 256, True, 0),
        (17, 512, True, 0),
        (16, 16385, True, 0),
    ],
)
def test_an_exclusive_memory_may_be_spram(width: int, depth: int, exclusive: bool, spram: int):
    config = RamConfig(width=width, depth=depth, exclusive=exclusive)
    cell = "cell \\SB_SPRAM256KA "
    assert emit_rtlil(Ram(config), Target.ICE40).count(cell) == spram
    assert cell not in emit_rtlil(Ram(config), Target.ICE40_HX)


def test_style_and_latency_of_a_table_follow_from_its_size():
    largest = RomConfig(width=8, entries=(0,) * (LOGIC_ROM_BITS // 8))
    larger = RomConfig(width=8, entries=(0,) * (LOGIC_ROM_BITS // 8 + 1))
    assert (largest.style, largest.latency, largest.interval) == ("logic", 1, 1)
    assert (larger.style, larger.latency, larger.interval) == ("block", 2, 1)
    assert (RamConfig(width=1, depth=1).latency, RamConfig(width=1, depth=1).interval) == (2, 1)


@pytest.mark.parametrize("depth, width", [(1, 1), (2, 1), (3, 2), (256, 8), (257, 9)])
def test_address_width(depth: int, width: int):
    assert RamConfig(width=4, depth=depth).address_width == width
    assert RomConfig(width=4, entries=(0,) * depth).address_width == width


def rejection(config: Any, **fields: Any) -> str:
    with pytest.raises(ValueError) as caught:
        config(**fields)
    return str(caught.value)


@pytest.mark.parametrize("value", [0, -1, 2.0, True])
@pytest.mark.parametrize("field", ["width", "depth"])
def test_rejection_of_a_size(field: str, value: Any):
    message = rejection(RamConfig, **{"width": 8, "depth": 8, field: value})
    assert message == f"RamConfig.{field} must be an integer of at least 1, not {value!r}"


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"width": 0}, "RomConfig.width must be an integer of at least 1, not 0"),
        ({"entries": ()}, "RomConfig.entries must be a tuple of at least one integer, not ()"),
        ({"entries": [1]}, "RomConfig.entries must be a tuple of at least one integer, not [1]"),
        ({"entries": (1, 16)}, "RomConfig.entries[1] must be an integer from 0 to 15, not 16"),
        ({"entries": (-1,)}, "RomConfig.entries[0] must be an integer from 0 to 15, not -1"),
        ({"entries": (1.0,)}, "RomConfig.entries[0] must be an integer from 0 to 15, not 1.0"),
    ],
)
def test_rejection_of_a_table(fields: dict[str, Any], message: str):
    assert rejection(RomConfig, **{"width": 4, "entries": (1,), **fields}) == message
