"""The one exception that says what is wrong with a user's input, and what would be right."""

import difflib
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

__all__ = [
    "SpecError",
    "check_choice",
    "check_number",
    "check_range",
    "near_words",
    "nearest_word",
    "shown",
]


class SpecError(ValueError):
    """A user's input breaks a rule. Its text is one line: what, where, the rule, a valid value."""


def check_range(where: str, value: object, low: int, high: int) -> int:
    """Return `value` if it is an integer from `low` to `high`; otherwise say what would be.

    Parameters
    ----------
    where
        The field as the user knows it, such as ``Softmax.score_bits``.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(f"{where} must be an integer from {low} to {high}, got {value!r}")
    if not low <= value <= high:
        nearest = min(max(value, low), high)
        raise SpecError(f"{where} must be from {low} to {high}, got {value}; nearest is {nearest}")
    return value


def check_number(where: str, value: float, low: float, high: float) -> float:
    """Return `value` if it is from `low` to `high`; otherwise say what would be.

    Parameters
    ----------
    where
        The field as the user knows it, such as ``--seconds``.
    """
    if not low <= value <= high:
        nearest = "" if value != value else f"; nearest is {min(max(value, low), high):g}"
        raise SpecError(f"{where} must be from {low:g} to {high:g}, got {value:g}{nearest}")
    return value


def check_choice(where: str, value: T, choices: Iterable[T]) -> T:
    """Return `value` if it is one of `choices`; otherwise name them and the nearest one."""
    allowed = list(choices)
    if value in allowed and not isinstance(value, bool):
        return value
    listed = ", ".join(str(choice) for choice in allowed)
    message = f"{where} must be one of {listed}, got {value!r}"
    numbers = [choice for choice in allowed if isinstance(choice, int)]
    if isinstance(value, int) and not isinstance(value, bool) and numbers:
        nearest: object = min(numbers, key=lambda choice: abs(choice - value))
        message += f"; nearest is {nearest}"
    elif close := near_words(str(value), map(str, allowed)):
        message += f"; did you mean {close[0]}?"
    raise SpecError(message)


def near_words(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of what is known that may have been meant by `word`, the nearest first."""
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.4)


def nearest_word(word: str, known: Iterable[str]) -> str:
    """The nearest to `word` of what is known, however far it is."""
    (close,) = difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)
    return close


def shown(value: object) -> str:
    """A value as its writer knows it: a function or a class by its name, an array by its shape."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape {shape}"
    name = getattr(value, "__name__", None)
    if name is None or not callable(value):
        return repr(value)
    if isinstance(value, type):
        return f"the class {name}"
    return "a lambda" if name == "<lambda>" else f"the function {name}"
