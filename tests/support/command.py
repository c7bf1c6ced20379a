"""Run the project's commands as a user does, in a process of their own."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sim.bench.runner import HANG_SECONDS

__all__ = ["Outcome", "command"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of a refusal; fails if there is more than one line, or another exit code."""
        lines = self.err.splitlines()
        assert self.code == 2, f"exit code {self.code}: {self.err}"
        assert len(lines) == 1, self.err
        assert self.out == "", self.out
        return lines[0]


def command(module: str, *arguments: object, cwd: Path = ROOT) -> Outcome:
    """Run ``python -m module arguments``."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
