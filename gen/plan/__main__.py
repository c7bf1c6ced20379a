"""What would be built for a board: ``python -m gen.plan NAME|FILE.py --board BOARD``."""

import atexit
import gc
import json

from gen.boards import BOARDS, board_of
from gen.cli import Parser, add_design_arguments, run
from gen.design import load_design
from gen.plan.planner import plan, plan_cores
from gen.plan.report import told, told_together, written, written_together
from gen.settings import apply_settings
from spec import Accelerator, SpecError
from spec.errors import check_choice

BUSES = ("uart", "stream")
"""A core run over the board's serial line, or one for a larger design on the same chip."""


def main() -> None:
    """Read the command line and print the plan."""
    parser = Parser(prog="gen.plan", description="Plan a design for a board.")
    add_design_arguments(parser, required=False)
    parser.add_argument("--board", help=f"one of {', '.join(BOARDS)}")
    parser.add_argument("--bus", default="uart", help="uart (default) or stream")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    arguments = parser.parse_args()
    if arguments.design is None:
        raise SpecError("name a preset or a description file")
    if arguments.board is None:
        raise SpecError(f"--board is missing: name one of {', '.join(BOARDS)}")
    check_choice("--bus", arguments.bus, BUSES)
    board = board_of(arguments.board)
    design = load_design(arguments.design, arguments.settings)
    # What a preset proposes is chosen anew; what the user sets is not.
    _, hardware = apply_settings(design.description, {}, arguments.settings)
    if isinstance(design.description, Accelerator):
        if arguments.bus != "uart":
            raise SpecError("--bus stream: the cores of an accelerator share one link; use uart")
        cores = plan_cores(design.name, design.description, board, hardware)
        if arguments.json:
            print(json.dumps(told_together(design.name, cores), indent=2))
        else:
            print("\n".join(written_together(cores)))
        return
    found = plan(design.name, design.description, board, hardware, bus=arguments.bus)
    if arguments.json:
        print(json.dumps(told(found), indent=2))
    else:
        print("\n".join(written(found)))


if __name__ == "__main__":
    # What is made stays in use, or lets go of itself: not even at the end is there much to collect.
    gc.disable()
    atexit.register(gc.freeze)
    run("gen.plan", main)
