"""Run a board's cores on arrays: ``python -m fpga.host DIR --port PORT --in DATA.npz``."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fpga.host.connection import Board, Difference, Run, Task, host_of, open_board
from fpga.host.manifest import read_manifest
from fpga.link import LinkError, Patience
from gen.cli import Parser, number, run
from gen.output import whole_file
from sim.arrays.files import read_arrays
from spec import SpecError
from spec.errors import check_number

__all__ = ["main"]

PATIENCE_S = 0.2
LEAST_PATIENCE_S, MOST_PATIENCE_S = 0.001, 3600
STALLS = 25
"""A transfer may stall for so many times the patience with an answer."""

TELL_S = 10
"""Seconds after which a line says how far a transfer is, where there is no terminal."""


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="fpga.host", description="Run a board's core on arrays.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="of what is on the board")
    parser.add_argument("--port", required=True, help="the board's serial port")
    parser.add_argument("--in", dest="data", type=Path, required=True, metavar="DATA.npz")
    parser.add_argument("--out", type=Path, metavar="OUT.npz", help="results and cycles")
    parser.add_argument("--core", metavar="NAME", help="which one, where there are several")
    parser.add_argument("--verify", action="store_true", help="compare with the golden model")
    parser.add_argument(
        "--reorder",
        action="store_true",
        help="of attention: take the tokens in an order in which the mask leaves fewer tiles",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--patience",
        type=number,
        default=PATIENCE_S,
        metavar="SECONDS",
        help=f"to wait for an answer (default: {PATIENCE_S}; a simulated board takes longer)",
    )
    arguments = parser.parse_args()
    check_number("--patience", arguments.patience, LEAST_PATIENCE_S, MOST_PATIENCE_S)
    # All that needs no board comes first.
    design = read_manifest(arguments.folder)
    host = host_of(design, arguments.core)
    arrays = read_arrays(arguments.data, host.names)
    read = host.read_reordered if arguments.reorder else host.read
    task = Task(host, read(arguments.data, arrays))
    patience = Patience(answer_s=arguments.patience, stall_s=STALLS * arguments.patience)
    try:
        with whole_file(arguments.out) if arguments.out else nullcontext() as path:
            with open_board(design, arguments.port, patience) as board:
                done = _run(board, task, f"run {host.core.name} on {arguments.port}")
            if path:
                with path.open("wb") as file:
                    np.savez_compressed(file, **done.result._asdict())
    except LinkError as error:
        raise SpecError(str(error)) from None
    difference = task.verify(done.result) if arguments.verify else None
    _tell(arguments, design.name, task, done, difference)
    if difference is not None:
        print(f"fpga.host: error: {difference}", file=sys.stderr)
        sys.exit(1)


def _run(board: Board, task: Task, what: str) -> Run:
    with _progress(what) as told:
        return board.do(task, told)


def _tell(arguments: Any, name: str, task: Task, done: Run, difference: Difference | None) -> None:
    summary = task.host.summary(task.work, done.result)
    more = {
        "stalls": dict(done.stalls),
        "clock_hz": done.clock_hz,
        "amount": done.amount.count,
        "unit": done.amount.unit,
        "rate": round(done.rate, 1),
        "sent_bytes": done.sent,
        "received_bytes": done.received,
        "seconds": round(done.seconds, 3),
        "link_bytes_per_s": round(done.link_rate, 1),
        "retries": done.retries,
        **({"verified": difference is None} if arguments.verify else {}),
    }
    if arguments.json:
        print(json.dumps({"name": name, "core": done.core, **summary, **more}))
        return
    size, lines = task.host.lines(summary)
    print(f"{name}: {size} on the board")
    for line in (*lines, *_lines(done)):
        print(f"  {line}")
    if arguments.verify and difference is None:
        print("  every bit is that of the golden model")
    if arguments.out:
        print(f"  {arguments.out}: {', '.join(done.result._fields)}")


def _lines(done: Run) -> list[str]:
    """Of counters and of the link, for a reader."""
    waits = ", ".join(f"{name} {count}" for name, count in done.stalls.items() if count)
    mega = done.clock_hz / 1e6
    return [
        f"of these cycles, waiting for the link: {waits or 'none'}",
        f"{_short(done.rate)} {done.amount.unit}/s at {mega:g} MHz with all waiting",
        f"{done.sent} bytes sent, {done.received} received, {done.retries} requests again, "
        f"{_short(done.link_rate)}B/s",
    ]


def _short(rate: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.2f} {letter}"
    return f"{rate:.1f} "


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line now and then, and one at the end."""
    console, start = Console(stderr=True), time.monotonic()
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        told = start

        def tell(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                print(f"{what}: {done} of {total} bytes", file=sys.stderr)

        yield tell
    print(f"{what}: {time.monotonic() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    run("fpga.host", main)
