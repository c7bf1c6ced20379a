"""What placing multipliers and block RAMs first does to wires and clocks, side by side.

Run from the repository's root:  python -m scripts.measure_macros [--boards BOARD ...] [--seeds ...]

Three seeds of all, each with and without, take two hours on one processor.
"""

import argparse
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from fpga.build import synthesise_on_board
from fpga.build.pll import MHZ
from fpga.build.request import Request
from fpga.build.steps import Steps
from fpga.flow import Device, Placer, Synthesis, place_and_route
from gen.boards import board_of
from gen.design import load_design

SUBJECTS = (("ulx3s_25f", "attention_25f", 131), ("ulx3s_85f", "accelerator_ulx3s_85f", 128))
"""Board, preset, and the clock in MHz that is asked for."""

WIRES = re.compile(r"timing cost = \d+, wirelen = (\d+)")

HEAD = """\
# Multipliers and block RAMs placed first

Measured by `python -m scripts.measure_macros`: one netlist of each, placed by nextpnr's
electrostatic placer alone, and with its macros on the sites that `fpga.flow.macros` chose. *Wires*:
what the placer says of all nets' half perimeters when it ends, in tiles. Seeds: {seeds}.

| board | preset | macros | of | placed | wires by seed | MHz by seed |
|---|---|---|---|---|---|---|
"""


def row(
    synthesis: Synthesis, device: Device, goal_mhz: float, seeds: list[int], *, first: bool
) -> str:
    """Wires and clocks of a netlist, macros first or not; the logs tell the wires."""
    wires, clocks, used = [], [], {}
    folder = synthesis.netlist.parent
    for seed in seeds:
        run = place_and_route(
            synthesis,
            device if first else replace(device, macros=()),
            seed=seed,
            goal_mhz=goal_mhz,
            placer=Placer.ELECTROSTATIC,
            options=("--lpf", "board.lpf"),
        )
        log = (folder / f"routing_{seed}.log").read_text()
        wires.append(WIRES.findall(log)[-1])
        clocks.append(f"{run.fmax_mhz:.1f}")
        used = run.used
    taken = sum(used.get(cell, 0) for kind in device.macros for cell in kind.cells)
    there = sum(len(kind.sites) for kind in device.macros)
    placed = "first" if first else "with the rest"
    return f"{taken} | {there} | {placed} | {' / '.join(wires)} | {' / '.join(clocks)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    boards = [board for board, _, _ in SUBJECTS]
    parser.add_argument("--boards", nargs="+", choices=boards, default=boards, metavar="BOARD")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("-o", type=Path, default=Path("docs/measured/macros.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_macros"))
    arguments = parser.parse_args()
    text = HEAD.format(seeds=", ".join(map(str, arguments.seeds)))
    for board, preset, clock in SUBJECTS:
        if board not in arguments.boards:
            continue
        request = Request.of(load_design(preset), board_of(board), clock_mhz=Fraction(clock))
        with Steps() as steps:
            synthesis = synthesise_on_board(request, arguments.work / board, steps)
        device = request.facts.device
        goal = float(request.clock.exact_hz) / MHZ
        for first in (False, True):
            told = row(synthesis, device, goal, arguments.seeds, first=first)
            text += f"| {board} | {preset} | {told} |\n"
            arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
