"""The netlist that synthesis makes of a design, as Verilog that the benches take for emitted text.

A device's flow and its flags are those of `fpga.flow`. The cells' behaviour is that of Yosys' own
models, but for the block memories and multipliers of ECP5, which Yosys has no models of: those are
ours, of `sim/cells/ecp5.v`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from amaranth.lib import wiring

from fpga.flow import Device, synthesise
from fpga.flow.synthesis import TOP
from hw.prim.target import Target
from tests.support.netlist import cell_models, yosys

__all__ = ["LUTS_A_FAULT", "TOP", "as_verilog", "cell_types", "netlist_of", "with_wrong_luts"]

TO_LOGIC = ["techmap -autoproc -map +/ecp5/cells_sim.v", "clean"]
"""Icarus 11 does not take Yosys' models of ECP5 cells as they are. The two kinds without a model
stay."""

DEFINES = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n"
LUTS_A_FAULT = 16
"""One look-up table of so many is made wrong."""


def netlist_of(component: wiring.Component, device: Device, folder: Path) -> Path:
    """What the device's router would be given."""
    return synthesise(component, device, folder).netlist


def cell_types(netlist: Path) -> set[str]:
    """Types of the cells in a netlist."""
    return {cell["type"] for cell in _cells(json.loads(netlist.read_text())).values()}


def as_verilog(netlist: Path, device: Device, commands: Sequence[str] = ()) -> Path:
    """A netlist as Verilog, a module called `TOP`, and the models of its cells, beside it.

    `commands` are Yosys' for the netlist as it was read.
    """
    to_logic = TO_LOGIC if device.target is Target.ECP5 else []
    lines = [f"read_json {netlist.name}", *commands, *to_logic, "write_verilog -noattr gates.v"]
    yosys(lines, netlist.parent)
    models = [path.read_text() for path in cell_models(device.target)]
    gates = (netlist.parent / "gates.v").read_text()
    whole = netlist.with_suffix(".v")
    whole.write_text("\n".join([DEFINES, *models, gates]))
    return whole


def with_wrong_luts(netlist: Path, device: Device) -> Path:
    """The same netlist but for some of its look-up tables, which have every bit inverted."""
    told = json.loads(netlist.read_text())
    inits = {"LUT4": "INIT", "SB_LUT4": "LUT_INIT"}
    luts = [cell for cell in _cells(told).values() if cell["type"] == device.lut]
    assert len(luts) >= LUTS_A_FAULT
    for cell in luts[::LUTS_A_FAULT]:
        parameters, name = cell["parameters"], inits[device.lut]
        parameters[name] = parameters[name].translate(str.maketrans("01", "10"))
    wrong = netlist.with_name("wrong.json")
    wrong.write_text(json.dumps(told))
    return wrong


def _cells(told: dict) -> dict[str, dict]:
    return told["modules"][TOP]["cells"]
