"""``--set key=value``: fields of a description and of its configuration, by their types."""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from gen.kinds import Kind, kind_of
from spec import Accelerator, SpecError
from spec.errors import near_words, nearest_word

__all__ = ["apply_settings"]


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


def apply_settings(
    description: Any, hardware: Mapping[str, Any], settings: Sequence[str]
) -> tuple[Any, dict[str, Any]]:
    """Description and hardware with what ``key=value`` settings override.

    Raises
    ------
    SpecError
        There is no such field, it cannot be written on a command line, or the value is none of its
        type.
    """
    if not isinstance(description, Accelerator):
        fields, more = _parse(kind_of(description), settings)
        return dataclasses.replace(description, **fields), {**hardware, **more}
    of_core: dict[str, list[str]] = {name: [] for name in description.cores}
    for setting in settings:
        name, rest = _core_of(setting, description.cores)
        of_core[name].append(rest)
    cores, built = {}, {}
    for name, core in description.cores.items():
        fields, more = _parse(kind_of(core), of_core[name], of=f"{name}.")
        cores[name] = dataclasses.replace(core, **fields)
        built[name] = {**hardware.get(name, {}), **more}
    return Accelerator(cores=cores), built


def _core_of(setting: str, cores: Mapping[str, Any]) -> tuple[str, str]:
    """The core that a setting of an accelerator is for, and the setting without its name."""
    key = setting.partition("=")[0]
    name, dot, _ = key.partition(".")
    if not dot:
        raise SpecError(
            f"--set {setting}: of an accelerator write core.key=value; cores: {', '.join(cores)}"
        )
    if name not in cores:
        near = nearest_word(name, cores)
        raise SpecError(f"--set {key}: there is no core {name}; nearest is {near}")
    return name, setting[len(name) + 1 :]


def _parse(
    kind: Kind, settings: Sequence[str], of: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of the description and of the hardware; `of` is what the user wrote before them."""
    description = get_type_hints(kind.description_type)
    hints = get_type_hints(kind.config_type)
    hardware = {field: hints[field] for field in kind.hardware_fields}
    known = [field.name for field in dataclasses.fields(kind.description_type)] + [*hardware]
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for setting in settings:
        key, equals, text = setting.partition("=")
        if key not in known:
            raise SpecError(f"--set {of}{key}: there is no such field; {_near(key, known, of)}")
        of_hardware = key in hardware
        hint = hardware[key] if of_hardware else description[key]
        found[of_hardware][key] = _value(of, key, equals, text, _members(hint))
    return found


def _near(key: str, known: Sequence[str], of: str) -> str:
    """The field that may have been meant, or all there are."""
    if near := near_words(key, known):
        return f"nearest is {of}{near[0]}"
    return f"fields are {', '.join(known)}"


def _members(hint: Any) -> tuple[Any, ...]:
    """The types that a field may have."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _kinds(members: Sequence[Any]) -> str:
    """What may be written for a field."""
    return " or ".join(READERS[member].what for member in members)


def _value(of: str, key: str, equals: str, text: str, members: Sequence[Any]) -> Any:
    """The value that a setting writes for a field of these types."""
    if not all(member in READERS for member in members):
        raise SpecError(f"--set {of}{key}: {key} is no plain value; set it in a description file")
    if not equals:
        raise SpecError(f"--set {of}{key}: write {of}{key}=value; {key} is {_kinds(members)}")
    for member in sorted(members, key=list(READERS).index):
        try:
            return READERS[member].read(text)
        except (ValueError, KeyError, ZeroDivisionError, OverflowError):
            continue
    raise SpecError(f"--set {of}{key}={text}: {key} is {_kinds(members)}, got {text!r}")
