"""A user's description file: read, and every mistake in it told with its line and what is near."""

import inspect
import re
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import spec
from gen.kinds import DESCRIPTIONS
from spec import SpecError
from spec.errors import near_words

__all__ = ["read_file"]

UNKNOWN_KEYWORD = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
UNKNOWN_IMPORT = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


def read_file(path: Path) -> Any:
    """The one module-level description of a file.

    Raises
    ------
    SpecError
        There is no such file, it does not run to its end, or it holds no description or several.
    """
    if not path.is_file():
        raise SpecError(f"{path}: there is no such file")
    if not path.stem.isidentifier():
        raise SpecError(f"{path}: the file's name becomes a module's: use letters, digits and _")
    names = _run(path)
    found = {
        name: value
        for name, value in names.items()
        if isinstance(value, DESCRIPTIONS) and not name.startswith("_")
    }
    if len(found) != 1:
        held = ", ".join(found) or "none"
        more = "; begin the others' names with _" if found else ""
        raise SpecError(
            f"{path}: exactly one module-level description is needed, found {held}{more}"
        )
    (description,) = found.values()
    return description


def _run(path: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(path))
    except SpecError as error:
        # An expression that cannot be traced names its line by itself.
        named = str(error).startswith(f"{path}:")
        raise SpecError(str(error) if named else f"{_place(error, path)}: {error}") from error
    except SystemExit as error:
        raise SpecError(
            f"{_place(error, path)}: a description must not end the program, but this line "
            "raises SystemExit; put it under if __name__ == '__main__':"
        ) from error
    except Exception as error:
        raise SpecError(f"{_place(error, path)}: {type(error).__name__}: {_told(error)}") from error


def _place(error: BaseException, path: Path) -> str:
    """The file and, where there is one, its line that was run last."""
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)


def _told(error: Exception) -> str:
    """What Python says, and the nearest of the names that would have been right."""
    text = str(error)
    match error:
        case TypeError() if found := UNKNOWN_KEYWORD.match(text):
            function, word = found.groups()
            return found[0] + _nearest(word, _parameters(function))
        case ImportError() if found := UNKNOWN_IMPORT.match(text):
            # Python goes on with a path of this machine.
            word, module = found.groups()
            return found[0] + _nearest(word, _public(sys.modules.get(module)))
        case NameError():
            return text + _nearest(error.name, spec.__all__)
        case AttributeError():
            return text + _nearest(error.name, _public(error.obj))
    return text


def _nearest(word: str | None, known: Iterable[str]) -> str:
    near = near_words(word or "", known)
    return f"; nearest is {near[0]}" if near else ""


def _public(owner: object) -> list[str]:
    names = getattr(owner, "__all__", None) or dir(owner)
    return [name for name in names if not name.startswith("_")]


def _parameters(function: str) -> list[str]:
    """Of a word that descriptions are written with; of any other function, none."""
    word = getattr(spec, function, None) if function in spec.__all__ else None
    return list(inspect.signature(word).parameters) if word is not None else []
