"""What every command shares: exit codes, one-line errors, progress."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from spec import SpecError

__all__ = ["Parser", "add_design_arguments", "number", "progress", "run", "whole"]


class Parser(argparse.ArgumentParser):
    """An argument parser whose error is one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def whole(text: str) -> int:
    """An option's value that is a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a whole number, got {text!r}{_near(text)}"
        ) from None


def number(text: str) -> float:
    """An option's value that is a number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}")
    return value


def _near(text: str) -> str:
    """The nearest whole number, if it was a number."""
    try:
        return f"; nearest is {round(float(text))}"
    except (ValueError, OverflowError):
        return ""


def add_design_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add what names a design: NAME or FILE.py, and ``--set key=value``."""
    parser.add_argument(
        "design",
        metavar="NAME|FILE.py",
        nargs=None if required else "?",
        help="a preset, or a Python file with one module-level description; with :CORE behind it, "
        "one core of an accelerator",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="key=value",
        action="append",
        default=[],
        help="override a field of the description or of its configuration; of an accelerator "
        "core.key=value; may be repeated",
    )


def run(prog: str, main: Callable[[], None]) -> NoReturn:
    """Run a command: exit code 0 when done, 2 with one line when the user's input is wrong."""
    try:
        main()
    except SpecError as error:
        text = " ".join(str(error).split())
        print(f"{prog}: error: {text}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say that `what` is under way: a spinner on a terminal, a plain line when done elsewhere."""
    from rich.console import Console  # here, as most commands show no progress

    console = Console(stderr=True)
    start = time.monotonic()
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield
    print(f"{what}: {time.monotonic() - start:.1f} s", file=sys.stderr)
