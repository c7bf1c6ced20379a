"""What running a kind of design means: its arrays, its two engines, and what is said of a run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gen.design import Design
from sim.arrays.files import no_tokens

__all__ = ["Arrays", "Runner"]

Arrays = Mapping[str, NDArray[Any]]


class Runner(ABC):
    """How designs of one kind are run. `work` is what `read` made of the user's arrays.

    A result is a named tuple of arrays and integers; its fields are the arrays that are written.
    """

    arrays: tuple[str, ...]
    """Names of the arrays that may be given."""

    @abstractmethod
    def read(self, path: Path, given: Arrays, design: Design) -> Any:
        """The work that the arrays of a file ask for.

        Raises
        ------
        SpecError
            An array's type, shape or a value is wrong for the design.
        """

    def read_reordered(self, path: Path, given: Arrays, design: Design) -> Any:
        """The same with tokens in an order that leaves fewer tiles; only attention has such.

        Raises
        ------
        SpecError
            As for `read`; or the design has no tokens, or cannot take them in another order.
        """
        raise no_tokens(design.name)

    @abstractmethod
    def golden(self, design: Design, work: Any) -> Any:
        """Bits by the golden model, cycles by the cycle model."""

    @abstractmethod
    def rtl(self, design: Design, work: Any, folder: Path, verilog: Path) -> Any:
        """Bits and cycles by the emitted Verilog in Icarus, within `folder`."""

    @abstractmethod
    def rtl_seconds(self, design: Design, work: Any) -> float:
        """How long `rtl` takes, roughly."""

    @abstractmethod
    def summary(self, work: Any, result: Any) -> dict[str, Any]:
        """What ``--json`` tells, beside the design and the engine."""

    @abstractmethod
    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader: of how much, and some lines."""
