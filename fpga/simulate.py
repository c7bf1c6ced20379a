"""A board made of Verilog: ``python -m fpga.simulate DIR`` gives a port that a host may open.

The design that would go into the bitstream runs in a simulator, behind a pseudo-terminal. The
port's path is printed on a line of its own; then any program may open it, `fpga.host` among them.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fpga.host.manifest import DesignFacts, read_manifest
from gen.cli import Parser, number, run, whole
from sim.bench.board import simulate_board
from sim.bench.simulators import Simulator
from spec import SpecError
from spec.errors import check_choice, check_number

__all__ = ["main"]

LEAST_SECONDS = 0.001
MOST_SECONDS = 7 * 24 * 3600


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="fpga.simulate", description="Run a design's Verilog behind a port.")
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="of gen.verilog --bus uart, or of fpga.build"
    )
    parser.add_argument(
        "--seconds", type=number, default=MOST_SECONDS, help="end after so long (default: a week)"
    )
    parser.add_argument("--cycles", type=whole, help="end after so many cycles of the clock")
    parser.add_argument("--simulator", default="icarus", help="icarus (default) or verilator")
    parser.add_argument(
        "--link", type=Path, metavar="PATH", help="a name of your own for the port, until the end"
    )
    arguments = parser.parse_args()
    check_choice("--simulator", arguments.simulator, [each.value for each in Simulator])
    check_number("--seconds", arguments.seconds, LEAST_SECONDS, MOST_SECONDS)
    if arguments.cycles is not None and arguments.cycles < 1:
        raise SpecError(f"--cycles must be at least 1, got {arguments.cycles}; nearest is 1")
    _check_link(arguments.link)
    design = read_manifest(arguments.folder)
    verilog = _verilog(design)
    start = time.monotonic()
    # Whoever ends this program otherwise would leave the simulator behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as name, _named(arguments.link) as tell:
        try:
            cycles = simulate_board(
                verilog,
                top=design.name,
                folder=Path(name),
                clock_hz=design.clock_hz,
                baud=design.baud,
                ready=tell,
                seconds=arguments.seconds,
                cycles=arguments.cycles,
                simulator=Simulator(arguments.simulator),
                target=design.target,
            )
        except KeyboardInterrupt:
            print(f"{design.name}: ended after {time.monotonic() - start:.1f} s", file=sys.stderr)
            return
    print(f"{design.name}: {cycles} cycles in {time.monotonic() - start:.1f} s", file=sys.stderr)


def _verilog(design: DesignFacts) -> Path:
    """The file with the design."""
    path = design.folder / f"{design.name}.v"
    if not path.is_file():
        raise SpecError(f"{design.folder}: there is no {path.name} in it; build the folder again")
    return path


def _check_link(link: Path | None) -> None:
    if link is not None and os.path.lexists(link):
        raise SpecError(f"--link {link}: there is something of that name; name another path")
    if link is not None and not link.absolute().parent.is_dir():
        raise SpecError(f"--link {link}: there is no folder {link.absolute().parent}")


@contextmanager
def _named(link: Path | None) -> Iterator:
    """What tells the port's path, or the name that it is to have as long as it is there."""
    made = False

    def tell(port: str) -> None:
        nonlocal made
        if link is not None:
            link.symlink_to(port)
            made = True
        print(link or port, flush=True)

    try:
        yield tell
    finally:
        if made and link is not None:
            link.unlink(missing_ok=True)


if __name__ == "__main__":
    run("fpga.simulate", main)
