"""What a host must know of a kind of core: its arrays, and which words and settings they become."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fpga.host.manifest import CoreFacts
from sim.arrays.files import no_tokens

__all__ = ["Amount", "CoreKind", "Job"]

Settings = Mapping[str, Mapping[str, int | str]]
"""Register -> field -> number, or the name of a choice."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run of a core, and what is loaded before it.

    Parameters
    ----------
    settings
        Written before the load and the run.
    sends
        Stream -> bytes of its words.
    receives
        Stream -> words.
    loads
        Stream -> bytes of its words, of a mask; none where nothing is loaded.
    """

    settings: Settings
    sends: Mapping[str, bytes]
    receives: Mapping[str, int]
    loads: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Amount:
    """How much was computed."""

    count: int
    unit: str
    """``MAC``, multiply-accumulates, or ``rows``."""


class CoreKind(ABC):
    """A core of some kind. `work` is what `read` made of the user's arrays.

    A result is a named tuple of arrays and integers, `cycles` among them; as of `sim.run`.
    """

    names: tuple[str, ...]
    """Arrays that may be given."""

    def __init__(self, core: CoreFacts):
        self.core = core

    def settings(self, **given: Mapping[str, int | str]) -> Settings:
        """Those that the core has registers for: one without a choice has none."""
        there = {register.name for register in self.core.registers}
        return {name: fields for name, fields in given.items() if name in there}

    @abstractmethod
    def read(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The work that arrays ask for.

        Raises
        ------
        SpecError
            An array's type, shape or a value is wrong for the core.
        """

    def read_reordered(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The same with tokens in an order that leaves fewer tiles; only attention has such.

        Raises
        ------
        SpecError
            As for `read`; or the core has no tokens, or cannot take them in another order.
        """
        raise no_tokens(self.core.name)

    @abstractmethod
    def jobs(self, work: Any) -> list[Job]:
        """The runs that it takes."""

    @abstractmethod
    def result(self, work: Any, came: list[Mapping[str, bytes]], cycles: int) -> Any:
        """What came out of the runs, as arrays.

        Raises
        ------
        RunFailed
            The core says that it could not do it.
        Incompatible
            What came is not what such a core gives.
        """

    @abstractmethod
    def golden(self, work: Any, cycles: int) -> Any:
        """What should come out, by the golden model."""

    @abstractmethod
    def amount(self, work: Any, result: Any) -> Amount:
        """How much was computed."""

    @abstractmethod
    def summary(self, work: Any, result: Any) -> dict[str, Any]:
        """What ``--json`` tells of the result."""

    @abstractmethod
    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader: of how much, and some lines."""
