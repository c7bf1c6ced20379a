"""What a kind of description is: all that the commands must know of a subject, in one place."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from amaranth.lib import wiring

from hw.bus.registers import Identity
from hw.bus.system import System
from spec.told import told

__all__ = ["Kind"]


class Kind(ABC):
    """A kind of description, and how one becomes a configured unit.

    A description and its configuration are frozen dataclasses. Their fields, by name and by
    annotated type, are what ``--set`` takes, so no two of them may share a name.
    """

    name: str
    """As in the manifest."""

    description_type: type
    """What is computed: `spec.Softmax`, `spec.Attention`."""

    config_type: type
    """How it is built."""

    subject: str
    """The configuration's field that holds what is computed; the others are the hardware's."""

    @property
    def hardware_fields(self) -> tuple[str, ...]:
        """The configuration's fields that change cycles and area only."""
        fields = dataclasses.fields(self.config_type)
        return tuple(field.name for field in fields if field.name != self.subject)

    def hardware_of(self, config: Any) -> dict[str, Any]:
        """The hardware's fields with their values."""
        return {field: getattr(config, field) for field in self.hardware_fields}

    @abstractmethod
    def configure(self, description: Any, hardware: Mapping[str, Any]) -> Any:
        """The configuration; what `hardware` does not name is chosen to suit the description."""

    def parts(self, description: Any, config: Any) -> dict[str, tuple[Any, Any]]:
        """The cores that have registers of their own, by name: description and configuration."""
        return {self.name: (description, config)}

    @abstractmethod
    def unit(self, config: Any) -> wiring.Component:
        """The unit, to be elaborated once."""

    @abstractmethod
    def system(self, config: Any, identity: Identity) -> System:
        """The unit run from registers, to be elaborated once."""

    def told(self, description: Any) -> dict[str, Any]:
        """The description as plain data that covers everything that decides behaviour."""
        return told(description)

    @abstractmethod
    def sections(self, config: Any) -> dict[str, Any]:
        """The manifest's sections that only this kind has."""

    @abstractmethod
    def summary(self, manifest: Mapping[str, Any]) -> list[str]:
        """A few lines about a manifest, for a reader at a terminal."""
