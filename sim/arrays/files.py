"""Reading the user's arrays."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spec import SpecError
from spec.errors import check_choice

__all__ = ["check_mask", "no_tokens", "read_arrays", "require"]


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file; each must be called one of `names`.

    Raises
    ------
    SpecError
        The file cannot be read, is no such file, or an array has another name.
    """
    arrays = _load(path, names[0])
    for name in arrays:
        check_choice(f"{path}: an array's name", name, names)
    return arrays


def _load(path: Path, example: str) -> dict[str, NDArray[Any]]:
    try:
        data = np.load(path, allow_pickle=False)
        if isinstance(data, np.lib.npyio.NpzFile):
            with data:
                return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise SpecError(f"{path}: is no .npz file of plain arrays") from None
    raise SpecError(f"{path}: must be an .npz file with an array called {example}")


def require(path: Path, arrays: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """The array of that name.

    Raises
    ------
    SpecError
        There is none.
    """
    if name not in arrays:
        raise SpecError(f"{path}: there is no array called {name}")
    return arrays[name]


def check_mask(path: Path, mask: NDArray[Any]) -> None:
    """Raise a `SpecError` unless a mask's elements are truth values."""
    if mask.dtype != np.bool_:
        raise SpecError(f"{path}: mask must be bool (True = attend), got {mask.dtype}")


def no_tokens(name: str) -> SpecError:
    """What whoever wants the tokens of a design reordered is told, if it has none."""
    return SpecError(f"{name} has no tokens to reorder; leave --reorder out")
