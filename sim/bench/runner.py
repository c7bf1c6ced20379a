"""Emitted Verilog in a simulator, driven by a cocotb module of ours, within a bound of time."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.bench.simulators import Simulator
from spec import SpecError

__all__ = ["HANG_SECONDS", "BenchError", "run_bench"]

HANG_SECONDS = 1800.0
"""Whatever takes longer than this and what it is asked to do hangs, on however busy a machine.

Simulations are bounded in cycles of their own; this is for compilers, and for what has no cycles.
"""

LOG_LINES = 5
ERROR = re.compile(r"\b\w*Error\b|^error:|: error")
"""What a line of the log has that says why."""


class BenchError(Exception):
    """A simulation failed or took too long: a defect of ours, with the end of its log."""


def run_bench(
    sources: Sequence[Path],
    *,
    top: str,
    module: str,
    folder: Path,
    seconds: float,
    variables: Mapping[str, str],
    simulator: Simulator = Simulator.ICARUS,
    defines: Mapping[str, str] | None = None,
) -> None:
    """Compile `sources` and run every cocotb test in `module` on the module `top`.

    Parameters
    ----------
    sources
        Verilog files.
    module
        Importable name of a module with cocotb tests, such as ``sim.bench.softmax``.
    folder
        Where the compiled design and the log go.
    seconds
        Bound of the compilation and simulation together.
    variables
        Handed to the cocotb module through the environment.
    simulator
        What runs it.
    defines
        Macros of the sources.

    Raises
    ------
    SpecError
        The simulator or cocotb is missing.
    BenchError
        The simulation fails or exceeds its time.
    """
    environment = simulator.environment()
    if importlib.util.find_spec("cocotb_tools") is None:
        raise SpecError("cocotb is not installed beside this Python: run scripts/setup sim")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.txt"
    job = {
        "sources": [str(path) for path in sources],
        "top": top,
        "module": module,
        "folder": str(folder),
        "simulator": simulator.value,
        "defines": dict(defines or {}),
    }
    # cocotb's runner has no bound of its own, so it runs in a process group that can be ended.
    with log.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(job)],
            cwd=folder,
            env={
                **os.environ,
                **environment,
                **variables,
                "PYTHONPATH": os.pathsep.join(_paths()),
            },
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{module} took longer than {seconds:g} s on {top}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if code:
        lines = log.read_text(errors="replace").splitlines()
        why = [line.strip() for line in lines if ERROR.search(line)] or lines
        raise BenchError(f"{module} failed on {top}:\n" + "\n".join(why[-LOG_LINES:]))


def _paths() -> list[str]:
    return [str(Path(__file__).resolve().parents[2]), *(path for path in sys.path if path)]


def _child(job: dict) -> None:
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    runner = get_runner(job["simulator"])
    runner.build(
        sources=job["sources"],
        hdl_toplevel=job["top"],
        build_dir=job["folder"],
        always=True,
        defines=job["defines"],
        timescale=("1ns", "1ps"),
        build_args=Simulator(job["simulator"]).build_options,
    )
    results = runner.test(
        hdl_toplevel=job["top"],
        test_module=job["module"],
        build_dir=job["folder"],
        test_dir=job["folder"],
    )
    tests, failures = get_results(results)
    sys.exit(0 if tests and not failures else 1)


if __name__ == "__main__":
    _child(json.loads(sys.argv[1]))
