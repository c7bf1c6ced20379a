"""Run what README.md tells a reader to run, and write what is really printed into it.

Run from the repository's root:  python -m scripts.readme

A block is a console's where its first line begins with ``$``. Commands that set up are left out.
A command's output stays as it is where nothing but time differs. One that ends with ``&`` goes
on behind the following ones, once it has printed its first line, to the end of its block.
"""

import contextlib
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["replay"]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CONSOLE = re.compile(r"(?<=^```\n)\$ .*?(?=^```$)", re.M | re.S)
FILE = re.compile(r"here `(\w+\.py)`:\n\n```python\n(.*?)^```$", re.M | re.S)
SECONDS = re.compile(r"(: \d+\.\d s|, \d+\.\d+ [kMG]?B/s)$", re.M)
PROGRESS = re.compile(r"^.*: \d+ of \d+ bytes\n", re.M)
"""Lines that only come where something takes long."""
LEFT_OUT = ("source ", "scripts/setup ")
LIMIT_SECONDS, SETTLE_SECONDS = 300, 0.5


def replay(text: str) -> str:
    """The same text with the outputs that its commands print now."""
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        for file, content in FILE.findall(text):
            (folder / file).write_text(content)
        return CONSOLE.sub(lambda block: _block(block[0], folder), text)


def _block(block: str, folder: Path) -> str:
    lines, told = block.splitlines(), []
    with contextlib.ExitStack() as behind:
        while lines:
            command = lines.pop(0)
            while not _whole(command):
                command += "\n" + lines.pop(0)
            before = []
            while lines and not lines[0].startswith("$ "):
                before.append(lines.pop(0))
            told += [command, *_run(command.removeprefix("$ "), before, folder, behind)]
    return "\n".join(told) + "\n"


def _whole(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


def _run(command: str, before: list[str], folder: Path, behind: contextlib.ExitStack) -> list[str]:
    if command.startswith(LEFT_OUT):
        return before
    how: dict[str, Any] = {
        "shell": True,
        "cwd": folder,
        "env": {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    command = command.replace("scripts/verilog", "python -m gen.verilog")
    if command.endswith(" &"):
        return [_begin(command.removesuffix(" &"), how, behind)]
    done = subprocess.run(command, **how, timeout=LIMIT_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}\nends with exit code {done.returncode}:\n{done.stdout}")
    printed = PROGRESS.sub("", done.stdout).rstrip("\n")
    same = SECONDS.sub("", printed) == SECONDS.sub("", "\n".join(before))
    return before if same else printed.splitlines()


def _begin(command: str, how: dict[str, Any], behind: contextlib.ExitStack) -> str:
    """Start a command that goes on; its first line."""
    child = subprocess.Popen(command, **how, start_new_session=True)
    behind.callback(_end, child)
    assert child.stdout is not None
    if not select.select([child.stdout], [], [], LIMIT_SECONDS)[0]:
        raise RuntimeError(f"{command} &\nprints nothing in {LIMIT_SECONDS} s")
    line = child.stdout.readline()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(SETTLE_SECONDS)
        raise RuntimeError(f"{command} &\nends at once:\n{line}{child.stdout.read()}")
    return line.rstrip("\n")


def _end(child: "subprocess.Popen[str]") -> None:
    """As a terminal would that is closed, and if that does not help, otherwise."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def main() -> None:
    README.write_text(replay(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
