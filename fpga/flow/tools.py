"""The tools themselves: where they are, and how one is run, watched and ended."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gen.emit import find_tool

__all__ = ["FlowError", "run_tool", "tool"]

WATCH_SECONDS = 0.2


class FlowError(Exception):
    """A tool is missing, failed or took too long: which, its last error line, and its log."""


def tool(name: str) -> Path:
    """A tool's script: the one beside this Python, else the one on PATH."""
    found = find_tool(name)
    if found is None:
        raise FlowError(f"{name} is not installed; run scripts/setup build")
    return found


def run_tool(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    log: str,
    seconds: float,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run a tool in a folder, its words going to a log there; raise `FlowError` if it fails.

    `watch` is given every line soon after the tool wrote it; what it raises ends the tool.
    """
    log_path = folder / log
    end = time.monotonic() + seconds
    with log_path.open("wb") as sink, log_path.open("r", errors="replace") as source:
        process = subprocess.Popen(
            [str(tool(name)), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            running = True
            while running:
                left = max(0.0, end - time.monotonic())
                running = _still_runs(process, min(left, WATCH_SECONDS) if watch else left)
                for line in source if watch else ():
                    watch(line.rstrip("\n"))  # pyright: ignore[reportOptionalCall]
                if running and time.monotonic() >= end:
                    raise FlowError(f"{name} took longer than {seconds:g} s; log: {log_path}")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if process.returncode != 0:
        reason = _last_error(log_path.read_text(errors="replace"))
        reason = reason or f"exit code {process.returncode}"
        raise FlowError(f"{name} failed: {reason}; log: {log_path}")


def _still_runs(process: subprocess.Popen, seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1]
