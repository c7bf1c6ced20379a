"""Output folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spec import SpecError

__all__ = ["MANIFEST", "whole_file", "whole_folder"]

MANIFEST = "manifest.json"
"""The file by which a folder is known as ours, and may be replaced."""


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into, which takes `target`'s place only if nothing goes wrong.

    Raises
    ------
    SpecError
        `target` cannot be written, or holds something that is not ours.
    """
    if target.exists():
        if not target.is_dir():
            raise SpecError(f"-o {target}: is a file; name a folder")
        if any(target.iterdir()) and not (target / MANIFEST).is_file():
            raise SpecError(
                f"-o {target}: holds files that are not ours (no {MANIFEST}); name another folder"
            )
    with _beside(target) as work:
        yield work
        old = work.with_name(work.name + ".old")
        if target.exists():
            target.rename(old)
        work.rename(target)
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path to write to, which takes `target`'s place only if nothing goes wrong."""
    if target.is_dir():
        raise SpecError(f"--out {target}: is a folder; name a file")
    with _beside(target) as work:
        path = work / target.name
        yield path
        os.replace(path, target)


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give a hidden folder next to `target`, gone afterwards together with parents it needed."""
    made = []
    try:
        for parent in reversed(target.absolute().parents):
            if not parent.exists():
                parent.mkdir()
                made.append(parent)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.absolute().parent))
    except OSError as error:
        for parent in reversed(made):
            parent.rmdir()
        raise SpecError(f"{target}: cannot write there: {error.strerror}") from None
    work.chmod(0o755)
    try:
        yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)
