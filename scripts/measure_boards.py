"""Area and clock of what is built for each board, link and all, over several seeds.

Run from the repository's root:  python -m scripts.measure_boards [--seeds 1 2 3] [-o FILE]

An hour and more. What the work folder holds already is taken from there; --again measures anew.
"""

import argparse
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

from fpga.build import route_on_board, synthesise_on_board
from fpga.build.fit import DoesNotFit
from fpga.build.pll import mhz
from fpga.build.reports import placed_cells, timing_of, utilisation_of, worst_path
from fpga.build.request import Request
from fpga.build.steps import Steps
from fpga.flow import FlowError
from gen.boards import board_of
from gen.design import Design, load_design
from gen.plan.area import Area
from gen.plan.building import built_on

SUBJECTS = (
    ("icebreaker", "butterfly_icebreaker"),
    ("ice40_hx8k_b_evn", "softmax_ice40"),
    ("ice40_hx8k_b_evn", "attention_hx8k"),
    ("ulx3s_25f", "attention_25f"),
    ("orangecrab_25f", "attention_25f"),
    ("ulx3s_85f", "accelerator_ulx3s_85f"),
    ("ecpix5_85f", "accelerator_ulx3s_85f"),
    ("ecpix5_45f", "accelerator_45f"),
)
"""Board and preset."""

SHOWN = {
    "logic cells": "logic_cells",
    "registers": "flip_flops",
    "multipliers": "multipliers",
    "block RAMs": "block_rams",
    "single-port RAMs": "single_port_rams",
}
"""Resources as the router's report calls them, and the plan's area."""

HEAD = """\
# Boards

Measured by `python -m scripts.measure_boards`: each preset as `python -m fpga.build PRESET --board
BOARD` builds it, link, clock and reset included, in the tools of `requirements.lock`. Seeds:
{seeds}. *Planned*: what `gen.plan`'s area model says of the same configuration. *Clock* is what the
build asked for, the plan's then unless a higher one was tried; in bold where a seed meets it. On
iCE40 a logic cell holds a table and a register.

| board | preset | taken | of | planned | clock | MHz by seed |
|---|---|---|---|---|---|---|
"""

NOTE = """
The 85F is asked for more than its plan's clock, by `--clock 128`: from 126 MHz on a dense layer
of 8 × 1024 × 64 takes 16 G MAC a second ([layers.md](layers.md)). `python -m fpga.build PRESET
--board BOARD --clock 128 --seeds 3` tries three seeds and keeps the best. They differ because a
chip that is so full spreads what belongs together; which path is the slowest differs too.

Not yet: the OrangeCrab; and the ulx3s_25f's row is of the adapters of rows before they had
registers of their own.
"""


def measure(
    board: str, preset: str, seeds: list[int], work: Path, clock_mhz: Fraction | None
) -> tuple[str, str]:
    """A row of the table, and the slowest path of the best seed."""
    request = Request.of(
        load_design(preset), board_of(board), seeds=max(seeds), clock_mhz=clock_mhz
    )
    tools = work / f"{preset}_{board}"
    results: dict[int, dict[str, Any]] = {}
    synthesis = None
    for seed in seeds:
        kept = tools / f"measured_{seed}.json"
        if not kept.is_file():
            with Steps() as steps:
                synthesis = synthesis or synthesise_on_board(request, tools, steps)
                try:
                    route_on_board(request, synthesis, seed, steps)
                except (DoesNotFit, FlowError) as error:
                    kept.write_text(json.dumps({"failed": str(error)}))
                else:
                    kept.write_text(json.dumps(_found(request, tools, seed)))
        results[seed] = json.loads(kept.read_text())
    clocks = [result.get("mhz", "none") for result in results.values()]
    routed = [result for result in results.values() if "mhz" in result]
    if not routed:
        return f"| {board} | {preset} | {results[seeds[0]]['failed']} | | | | none |\n", ""
    best = max(routed, key=lambda result: result["mhz"])
    area = _planned(request.design, board)
    parts = [each for each in best["takes"] if each["resource"] in SHOWN]
    taken = ", ".join(f"{each['used']} {each['resource']}" for each in parts)
    there = ", ".join(str(each["available"]) for each in parts)
    plan = ", ".join(str(getattr(area, SHOWN[each["resource"]])) for each in parts)
    told = " / ".join(_shown(clock, float(best["asked"])) for clock in clocks)
    return (
        f"| {board} | {preset} | {taken} | {there} | {plan} | {best['asked']} | {told} |\n",
        f"- {preset} on {board}: {best['path']}\n",
    )


def _shown(clock: float | str, asked: float) -> str:
    """A seed's clock, in bold if it meets what was asked for."""
    if isinstance(clock, str):
        return clock
    return f"**{clock:.1f}**" if clock >= asked else f"{clock:.1f}"


def _planned(design: Design, board: str) -> Area:
    """What the area model says of a design's cores and of the link that they share."""
    cores = [*design.cores.values()] or [design]
    built = (built_on(board_of(board), core, "uart", shared=k > 0) for k, core in enumerate(cores))
    return sum((each.area for each in built), Area())


def _found(request: Request, tools: Path, seed: int) -> dict[str, Any]:
    report = json.loads((tools / f"report_{seed}.json").read_text())
    routed = json.loads((tools / f"routed_{seed}.json").read_text())
    resources = utilisation_of(report, placed_cells(routed))["resources"]
    return {
        "asked": mhz(request.clock.exact_hz),
        "mhz": min(clock["fmax_mhz"] for clock in timing_of(report, request.clock)),
        "takes": resources,
        "path": worst_path(report, routed)["words"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--presets", nargs="+", help="of these only (default: all)")
    parser.add_argument("--boards", nargs="+", help="on these only (default: all)")
    parser.add_argument("--clock", type=Fraction, metavar="MHZ", help="instead of the plan's")
    parser.add_argument("--again", action="store_true", help="keep nothing of earlier runs")
    parser.add_argument("-o", type=Path, default=Path("docs/measured/boards.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_boards"))
    arguments = parser.parse_args()
    if arguments.again:
        shutil.rmtree(arguments.work, ignore_errors=True)
    head = HEAD.format(seeds=", ".join(map(str, arguments.seeds)))
    rows, paths = "", ""
    for board, preset in SUBJECTS:
        if arguments.presets and preset not in arguments.presets:
            continue
        if arguments.boards and board not in arguments.boards:
            continue
        row, path = measure(board, preset, arguments.seeds, arguments.work, arguments.clock)
        rows, paths = rows + row, paths + path
        arguments.o.write_text(f"{head}{rows}\nSlowest paths of the best seeds:\n\n{paths}{NOTE}")
        print(row, end="", flush=True)


if __name__ == "__main__":
    main()
