"""From what the user names on the command line to a configured unit."""

import dataclasses
import difflib
import hashlib
import json
import runpy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen.presets import PRESETS, Preset
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax as SoftmaxUnit
from spec import Softmax, SpecError

__all__ = ["INTERFACE_VERSION", "Design", "load_design"]

INTERFACE_VERSION = 1
"""Raised whenever the meaning or the order of a port, stream or register changes."""

HARDWARE_FIELDS = tuple(
    field.name for field in dataclasses.fields(SoftmaxConfig) if field.name != "numerics"
)


@dataclass(frozen=True, kw_only=True)
class Design:
    """A description with the configuration that builds it.

    Parameters
    ----------
    name
        Name of the Verilog module and of the output folder.
    description
        What is computed.
    config
        How the unit is built.
    """

    name: str
    description: Softmax
    config: SoftmaxConfig

    def unit(self) -> SoftmaxUnit:
        """The unit, to be elaborated once."""
        return SoftmaxUnit(self.config)

    @property
    def hardware(self) -> dict[str, int]:
        """The configuration's fields apart from the numerics."""
        return {field: getattr(self.config, field) for field in HARDWARE_FIELDS}

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides behaviour: description, configuration, interface."""
        identity = {
            "interface": INTERFACE_VERSION,
            "description": dataclasses.asdict(self.description),
            "configuration": self.hardware,
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_design(source: str, settings: Sequence[str] = ()) -> Design:
    """Find a preset or read a description file, and apply ``key=value`` settings.

    Parameters
    ----------
    source
        A preset's name, or the path of a ``.py`` file with one module-level description.
    settings
        Fields of the description or of the configuration to override, as ``key=value``.

    Raises
    ------
    SpecError
        The name, the file or a setting is wrong; the text says what would be right.
    """
    if source.endswith(".py"):
        name, preset = Path(source).stem, _read(Path(source))
    else:
        name, preset = source, _preset(source)
    fields, hardware = dataclasses.asdict(preset.description), dict(preset.hardware)
    for setting in settings:
        _apply(setting, fields, hardware)
    description = type(preset.description)(**fields)
    config = SoftmaxConfig(numerics=description.numerics, **hardware)
    return Design(name=name, description=description, config=config)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)
    return close[0]


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        near = _nearest(name, PRESETS)
        raise SpecError(f"no preset is called {name!r}; nearest is {near} (--list shows them all)")
    return PRESETS[name]


def _read(path: Path) -> Preset:
    if not path.is_file():
        raise SpecError(f"{path}: there is no such file")
    if not path.stem.isidentifier():
        raise SpecError(f"{path}: the file's name becomes a module's: use letters, digits and _")
    try:
        names = runpy.run_path(str(path))
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error
    except Exception as error:
        line = _line_of(error, path)
        raise SpecError(f"{path}{line}: {type(error).__name__}: {error}") from error
    found: Mapping[str, Softmax] = {
        name: value
        for name, value in names.items()
        if isinstance(value, Softmax) and not name.startswith("_")
    }
    if len(found) != 1:
        held = ", ".join(found) or "none"
        raise SpecError(f"{path}: exactly one module-level description is needed, found {held}")
    (description,) = found.values()
    lanes = 4 if description.max_length % 4 == 0 else 1
    return Preset(summary=str(path), description=description, hardware={"lanes": lanes})


def _line_of(error: BaseException, path: Path) -> str:
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line else ""


def _apply(setting: str, fields: dict[str, Any], hardware: dict[str, int]) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise SpecError(f"--set {setting}: write key=value")
    known = [*fields, *HARDWARE_FIELDS]
    if key not in known:
        raise SpecError(f"--set {key}: there is no such field; nearest is {_nearest(key, known)}")
    value: int | str = text
    if not isinstance(fields.get(key), str):
        try:
            value = int(text, 0)
        except ValueError:
            raise SpecError(f"--set {setting}: {key} is an integer, got {text!r}") from None
    (fields if key in fields else hardware)[key] = value  # type: ignore[assignment]
