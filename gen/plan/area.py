"""Cells that a design will take, from a census of its gates: the area model.

Multipliers and block memories are counted, not modelled. Look-up tables, registers and logic cells
are sums of the census' features, each times a coefficient of its family, which
`scripts.calibrate_area` fits to what Yosys makes of many designs; see docs/plan.md.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gen.devices import Resources
from hw.prim.target import Target

__all__ = [
    "COEFFICIENTS",
    "EXACT",
    "FITTED",
    "Area",
    "counted_area",
    "family_of",
    "joined_area",
    "predicted_area",
]

COEFFICIENTS = Path(__file__).with_name("coefficients.json")
"""Family -> quantity -> feature -> cells for each; and ``joined`` -> part -> family -> quantity ->
cells of any, and for each bit."""

FITTED = ("lut4", "flip_flops", "logic_cells")
EXACT = {
    "multipliers": ("MULT18X18D", "SB_MAC16"),
    "block_rams": ("DP16KD", "SB_RAM40_4K"),
    "single_port_rams": ("SB_SPRAM256KA",),
}
"""Quantities that are modelled, and those that are counted, by types of cells."""

COUNTED = {"lut4": ("LUT4", "SB_LUT4"), "logic_cells": ("TRELLIS_COMB", "ICESTORM_LC")}
FLIP_FLOPS = ("TRELLIS_FF", "SB_DFF")


@dataclass(frozen=True, kw_only=True)
class Area:
    """Cells of a design.

    Parameters
    ----------
    lut4
        Look-up tables after synthesis: LUT4, or SB_LUT4.
    flip_flops, logic_cells, multipliers, block_rams, single_port_rams
        As in `gen.devices.Resources`.
    """

    lut4: int = 0
    flip_flops: int = 0
    logic_cells: int = 0
    multipliers: int = 0
    block_rams: int = 0
    single_port_rams: int = 0

    def __add__(self, other: "Area") -> "Area":
        """Of two designs side by side."""
        return Area(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    @property
    def resources(self) -> Resources:
        """What of a chip it takes."""
        return Resources(**{f.name: getattr(self, f.name) for f in fields(Resources)})


def family_of(target: Target) -> str:
    """The family whose coefficients hold for a target."""
    return "ecp5" if target is Target.ECP5 else "ice40"


@functools.cache
def _coefficients() -> dict[str, Any]:
    return json.loads(COEFFICIENTS.read_text())


def predicted_area(census: Mapping[str, float], target: Target) -> Area:
    """The area of what was counted."""
    fitted = {
        quantity: round(sum(census.get(feature, 0) * each for feature, each in terms.items()))
        for quantity, terms in _coefficients()[family_of(target)].items()
    }
    exact = {
        quantity: int(sum(census.get(cell, 0) for cell in types))
        for quantity, types in EXACT.items()
    }
    return Area(**fitted, **exact)


def joined_area(bits: int, target: Target, *, shared: bool = False) -> Area:
    """What joins a core to a serial line, by the bits of all its streams' words, without memories.

    Registers, adapters of rows and the link: so much for any core, and so much a bit. A link that
    is `shared` was counted with another core.
    """
    terms = _coefficients()["joined"]
    names = ("registers",) if shared else ("registers", "link")
    parts = (terms[part][family_of(target)] for part in names)
    area = Area()
    for part in parts:
        area += Area(
            **{name: round(each["any"] + each["bit"] * bits) for name, each in part.items()}
        )
    return area


def counted_area(cells: Mapping[str, int]) -> Area:
    """The area of a netlist: cells by type, as `scripts.calibrate_area` keeps them."""
    types = {**COUNTED, **EXACT}
    found = {name: sum(cells.get(cell, 0) for cell in cells_of) for name, cells_of in types.items()}
    registers = sum(count for cell, count in cells.items() if cell.startswith(FLIP_FLOPS))
    return Area(**found, flip_flops=registers)
