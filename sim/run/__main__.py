"""Run a design on the user's arrays: ``python -m sim.run NAME|FILE.py --in DATA.npz``."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from gen.cli import Parser, add_design_arguments, progress, run
from gen.design import Design, load_design
from gen.output import whole_file
from sim.arrays.files import read_arrays
from sim.run.engines import ENGINES, execute, runner_of
from sim.run.runner import Runner
from spec.errors import check_choice

__all__ = ["main"]

TOLD_SECONDS = 20
"""A run that is expected to take longer says so."""


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="sim.run", description="Run a design on arrays, bit for bit.")
    add_design_arguments(parser)
    parser.add_argument("--in", dest="data", type=Path, required=True, metavar="DATA.npz")
    parser.add_argument("--out", type=Path, metavar="OUT.npz", help="results and cycles")
    parser.add_argument("--engine", default="golden", help="golden (default) or rtl")
    parser.add_argument(
        "--reorder",
        action="store_true",
        help="of attention: take the tokens in an order in which the mask leaves fewer tiles",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    arguments = parser.parse_args()
    check_choice("--engine", arguments.engine, ENGINES)
    design = load_design(arguments.design, arguments.settings)
    runner = runner_of(design)
    read = runner.read_reordered if arguments.reorder else runner.read
    work = read(arguments.data, read_arrays(arguments.data, runner.arrays), design)
    # The output's place is opened first, so that a long run is not lost to a wrong path.
    with whole_file(arguments.out) if arguments.out else nullcontext() as path:
        with progress(_what(runner, design, work, arguments.engine)):
            result = execute(design, work, arguments.engine)
        if path:
            with path.open("wb") as file:
                np.savez_compressed(file, **result._asdict())
    told = runner.summary(work, result)
    if arguments.json:
        print(json.dumps({"name": design.name, "engine": arguments.engine, **told}))
        return
    size, lines = runner.lines(told)
    print(f"{design.name}: {size} on {arguments.engine}")
    for line in lines:
        print(f"  {line}")
    if arguments.out:
        print(f"  {arguments.out}: {', '.join(result._fields)}")


def _what(runner: Runner, design: Design, work: Any, engine: str) -> str:
    what = f"run {design.name} on {engine}"
    seconds = runner.rtl_seconds(design, work) if engine == "rtl" else 0
    if seconds < TOLD_SECONDS:
        return what
    return f"{what}, about {_duration(seconds)}"


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


if __name__ == "__main__":
    run("sim.run", main)
