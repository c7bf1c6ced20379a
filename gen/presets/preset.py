"""What a preset is: a named description, and how it is built unless the user says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spec import Softmax

__all__ = ["Preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named, tested description.

    Parameters
    ----------
    summary
        One line for ``--list``.
    description
        What is computed.
    hardware
        Fields of the unit's configuration that differ from their defaults.
    """

    summary: str
    description: Softmax
    hardware: Mapping[str, int] = field(default_factory=dict)
