"""What a preset is: a named description, and how it is built unless the user says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named, tested description.

    Parameters
    ----------
    summary
        One line for ``--list``.
    description
        What is computed: of any kind.
    hardware
        Fields of the unit's configuration that differ from what is chosen by itself.
    """

    summary: str
    description: Any
    hardware: Mapping[str, Any] = field(default_factory=dict)
