"""``--set key=value``: fields of a description and of its configuration, by their types."""

import dataclasses
import difflib
import types
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from gen.kinds import Kind
from spec import SpecError

__all__ = ["nearest", "parse_settings"]


class Reader(NamedTuple):
    """How a field of some type is read from the command line."""

    what: str
    read: Callable[[str], Any]


def _truth(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _nothing(text: str) -> None:
    if text.lower() != "none":
        raise ValueError(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word, 0) for word in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


READERS = {
    types.NoneType: Reader("none", _nothing),
    bool: Reader("true or false", _truth),
    int: Reader("an integer", lambda text: int(text, 0)),
    float: Reader("a number", lambda text: float(Fraction(text))),
    tuple[int, ...]: Reader("a list such as 1,0,1", _numbers),
    tuple[str, ...]: Reader("a list such as generator,bitmap", _words),
    str: Reader("a word", str),
}
"""Type of a field -> its reader; a field of any other type holds code or a description."""


def parse_settings(kind: Kind, settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of the description and of the hardware that ``key=value`` settings override.

    Raises
    ------
    SpecError
        There is no such field, it cannot be written on a command line, or the value is none of its
        type.
    """
    description = get_type_hints(kind.description_type)
    hints = get_type_hints(kind.config_type)
    hardware = {field: hints[field] for field in kind.hardware_fields}
    known = [field.name for field in dataclasses.fields(kind.description_type)] + [*hardware]
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise SpecError(f"--set {setting}: write key=value")
        if key not in known:
            raise SpecError(
                f"--set {key}: there is no such field; nearest is {nearest(key, known)}"
            )
        of_hardware = key in hardware
        hint = hardware[key] if of_hardware else description[key]
        found[of_hardware][key] = _value(setting, key, text, hint)
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """The nearest to `word` of what is known."""
    (close,) = difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)
    return close


def _value(setting: str, key: str, text: str, hint: Any) -> Any:
    union = get_origin(hint) in (Union, types.UnionType)
    members = get_args(hint) if union else (hint,)
    if not all(member in READERS for member in members):
        raise SpecError(f"--set {key}: {key} is no plain value; set it in a description file")
    for member in sorted(members, key=list(READERS).index):
        try:
            return READERS[member].read(text)
        except (ValueError, KeyError, ZeroDivisionError, OverflowError):
            continue
    kinds = " or ".join(READERS[member].what for member in members)
    raise SpecError(f"--set {setting}: {key} is {kinds}, got {text!r}")
