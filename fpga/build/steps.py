"""The steps of long work as a user sees them: a spinner on a terminal, plain lines elsewhere."""

import sys
import time

from rich.console import Console
from rich.status import Status

__all__ = ["Steps"]


class Steps:
    """Says which step is under way, and how long each took.

    Use it as a context manager; an error ends the step without a line.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = None
        self._name = ""
        self._start = 0.0

    def __enter__(self) -> "Steps":
        """Begin with no step."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the last step, if it ended well."""
        if kind is None:
            self.end()
        self._stop()

    def begin(self, name: str) -> None:
        """End the step before, and begin one."""
        self.end()
        self._name, self._start = name, time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(name)
            self._status.start()

    def say(self, more: str) -> None:
        """What of the step is under way, on a terminal."""
        if self._status is not None:
            self._status.update(f"{self._name}: {more}")

    def end(self) -> None:
        """Say what the step took."""
        self._stop()
        if self._name:
            print(f"{self._name}: {time.monotonic() - self._start:.1f} s", file=sys.stderr)
            sys.stderr.flush()
        self._name = ""

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
        self._status = None
