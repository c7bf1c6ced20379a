"""Synthesise the calibration designs, keep what Yosys counts, and fit the area model to it.

Run from the repository's root:  python -m scripts.calibrate_area [--only WORD ...] [--seconds N]

Only designs whose gates changed are synthesised: one is known by the hash of its intermediate
language. One Yosys at a time, from two seconds for a small design to three minutes for the largest;
all of them take three quarters of an hour. Each result is written as soon as it is there, so that a
run that was interrupted goes on where it stopped.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpga.flow import ECP5_85F, ICE40_HX8K, ICE40_UP5K, FlowError, synthesise
from gen.emit import emit_rtlil
from gen.plan.census import census
from hw.prim.target import Target
from scripts import fit_area
from scripts.calibration_designs import DESIGNS, Subject
from scripts.fit_area import RESULTS

__all__ = ["counted", "counts_of"]

DEVICES = {Target.ECP5: ECP5_85F, Target.ICE40: ICE40_UP5K, Target.ICE40_HX: ICE40_HX8K}
SECONDS = 900


def counted(subject: Subject, folder: Path, *, seconds: float = SECONDS) -> dict[str, int]:
    """Cells of each type that Yosys makes of a design, and the logic cells that they come to."""
    device = DEVICES[subject.target]
    synthesis = synthesise(subject.unit(), device, folder, seconds=seconds)
    cells = json.loads((folder / "cells.json").read_text())["modules"]["\\top"]["num_cells_by_type"]
    module = json.loads(synthesis.netlist.read_text())["modules"]["top"]
    if subject.target is Target.ECP5:
        cells["TRELLIS_COMB"] = _placed(module, cells)
    else:
        cells["ICESTORM_LC"] = _packed(module)
    return dict(sorted(cells.items()))


def _placed(module: Mapping[str, Any], cells: Mapping[str, int]) -> int:
    """TRELLIS_COMB of ECP5 as nextpnr counts them after packing.

    A carry cell has two of them, and so have the cells by which each chain is entered and left; a
    distributed memory of 16 x 4 bits has four, and two for its write port.
    """
    carries = [c["connections"] for c in module["cells"].values() if c["type"] == "CCU2C"]
    carried = {carry["COUT"][0] for carry in carries}
    chains = sum(carry["CIN"][0] not in carried for carry in carries)
    memories = cells.get("TRELLIS_DPR16X4", 0)
    return cells.get("LUT4", 0) + 2 * len(carries) + 4 * chains + 6 * memories


def _packed(module: Mapping[str, Any]) -> int:
    """ICESTORM_LC of iCE40 as nextpnr counts them after packing.

    A look-up table that feeds one register only shares a cell with it, and a carry with the table
    that adds the same two bits.
    """
    cells = module["cells"].values()
    users: dict[int, int] = {}
    inputs = [
        bits
        for cell in cells
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
    ]
    outputs = [p["bits"] for p in module["ports"].values() if p["direction"] == "output"]
    for bits in [*inputs, *outputs]:
        for bit in bits:
            users[bit] = users.get(bit, 0) + 1
    registers = [c["connections"]["D"][0] for c in cells if c["type"].startswith("SB_DFF")]
    tables = [c["connections"] for c in cells if c["type"] == "SB_LUT4"]
    carries = [c["connections"] for c in cells if c["type"] == "SB_CARRY"]
    lone = {table["O"][0] for table in tables if users.get(table["O"][0]) == 1}
    shared = sum(bit in lone for bit in registers)
    adders: dict[tuple[Any, Any], int] = {}
    for table in tables:
        pair = table["I1"][0], table["I2"][0]
        adders[pair] = adders.get(pair, 0) + 1
    alone = 0
    for carry in carries:
        pair = carry["I0"][0], carry["I1"][0]
        if adders.get(pair, 0):
            adders[pair] -= 1
        else:
            alone += 1
    return len(tables) + len(registers) - shared + alone


def counts_of(subject: Subject) -> dict[str, dict[str, float]]:
    """The census of the gates that were synthesised, and of the core within a system."""
    units = {"census": subject.unit, **({"core": subject.core} if subject.core else {})}
    return {
        name: {
            what: round(much, 2) for what, much in census(unit(), subject.target).items() if much
        }
        for name, unit in units.items()
    }


def _write(results: Mapping[str, Any]) -> None:
    """A line for each design."""
    lines = [f"{json.dumps(key)}: {json.dumps(result)}" for key, result in results.items()]
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="designs whose keys hold a word")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit of one design")
    parser.add_argument("--no-fit", action="store_true", help="leave the coefficients as they are")
    parser.add_argument("--work", type=Path, default=Path("build/calibrate_area"))
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for gone in results.keys() - DESIGNS.keys():
        del results[gone]
    for key, subject in DESIGNS.items():
        if not any(word in key for word in arguments.only):
            continue
        start = time.monotonic()
        text = emit_rtlil(subject.unit(), subject.target)
        gates = hashlib.sha256(text.encode()).hexdigest()
        if results.get(key, {}).get("gates") == gates:
            continue
        same = [each for each in results.values() if each["gates"] == gates]
        try:
            cells = (
                same[0]["cells"]
                if same
                else counted(subject, arguments.work, seconds=arguments.seconds)
            )
        except FlowError as error:
            print(f"{key}: {error}", flush=True)
            continue
        results[key] = {"gates": gates, "cells": cells, **counts_of(subject)}
        _write({name: results[name] for name in DESIGNS if name in results})
        print(f"{key}: {time.monotonic() - start:.0f} s {cells}", flush=True)
    if not arguments.no_fit:
        fit_area.main()


if __name__ == "__main__":
    main()
