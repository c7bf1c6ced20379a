"""Area and clock of what is built for each board, link and all, over several seeds.

Run from the repository's root:  python -m scripts.measure_boards [--boards BOARD ...] [--seeds ...]

Every run is kept in ``docs/measured/boards.json``, in place of an earlier one of its board, preset
and seed; the table is made of all that is there, so that boards may be measured one at a time. All
of them take three hours; without one, ``--boards`` alone, only the table is made.
"""

import argparse
import json
import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from fpga.build import route_on_board, synthesise_on_board
from fpga.build.fit import DoesNotFit
from fpga.build.pll import MHZ
from fpga.build.reports import placed_cells, timing_of, utilisation_of, worst_path
from fpga.build.request import Request
from fpga.build.steps import Steps
from fpga.flow import FlowError
from gen.boards import board_of
from gen.design import Design, load_design
from gen.plan.area import Area
from gen.plan.building import built_on

__all__ = ["RECORD", "SUBJECTS", "clocks_mhz", "recorded", "table"]

RECORD = Path("docs/measured/boards.json")
"""Every run: board, preset, seed, what was asked for, met, taken and planned."""

SUBJECTS = (
    ("icebreaker", "butterfly_icebreaker", None),
    ("ice40_hx8k_b_evn", "softmax_ice40", None),
    ("ice40_hx8k_b_evn", "attention_hx8k", None),
    ("ulx3s_25f", "attention_25f", None),
    ("orangecrab_25f", "attention_25f", None),
    ("ulx3s_85f", "accelerator_ulx3s_85f", 128),
    ("ecpix5_85f", "accelerator_ulx3s_85f", 175),
    ("ecpix5_45f", "accelerator_45f", None),
)
"""Board, preset, and the clock in MHz that is asked for if it is not the plan's."""

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
iCE40 a logic cell holds a table and a register. *Commit*: of the gates that were measured. Every
run is in [boards.json](boards.json).

| board | preset | taken | of | planned | clock | MHz by seed | commit |
|---|---|---|---|---|---|---|---|
"""

NOTE = """
The 85Fs are asked for more than their plan's clock, by `--clock`: what is met is not improved. An
ECPIX-5's first seed gave 152 MHz where it was asked for 128, and 203 for 175; a ULX3S's gave 137
for 145, no more than for 128. From 126 MHz on a dense layer of 8 × 1024 × 64 takes 16 G MAC a
second ([layers.md](layers.md)). Before multipliers and block RAMs were placed first
([macros.md](macros.md)), netlists that differed by a few registers gave from 92 to 128.5 MHz with
the same seeds. `python -m fpga.build PRESET --board BOARD --clock MHZ --seeds N` tries several
seeds and keeps the best.
"""

Run = dict[str, Any]
"""Of one seed: ``board``, ``preset``, ``seed``, ``commit``, ``asked_mhz``; and ``mhz``, ``taken``,
``planned`` (by resource; of ``taken``, how many and how many there are) and ``path``, or
``failed``."""


# --- measuring ---


def measure(
    board: str, preset: str, clock_mhz: Fraction | None, seeds: Sequence[int], work: Path
) -> Iterable[Run]:
    """A run for each seed, of one netlist."""
    request = Request.of(
        load_design(preset), board_of(board), seeds=max(seeds), clock_mhz=clock_mhz
    )
    tools = work / f"{preset}_{board}"
    asked, commit = float(request.clock.exact_hz) / MHZ, _commit()
    with Steps() as steps:
        synthesis = synthesise_on_board(request, tools, steps)
        for seed in seeds:
            try:
                route_on_board(request, synthesis, seed, steps)
            except (DoesNotFit, FlowError) as error:
                found: Run = {"failed": str(error)}
            else:
                found = _found(request, tools, seed)
            yield {
                "board": board,
                "preset": preset,
                "seed": seed,
                "commit": commit,
                "asked_mhz": round(asked, 3),
                **found,
            }


def _commit() -> str:
    """The repository's, in short."""
    asks = ["git", "rev-parse", "--short=7", "HEAD"]
    return subprocess.run(asks, capture_output=True, text=True, check=True).stdout.strip()


def _found(request: Request, tools: Path, seed: int) -> Run:
    report = json.loads((tools / f"report_{seed}.json").read_text())
    routed = json.loads((tools / f"routed_{seed}.json").read_text())
    resources = utilisation_of(report, placed_cells(routed))["resources"]
    planned = vars(_planned(request.design, request.board.name))
    return {
        "mhz": min(clock["fmax_mhz"] for clock in timing_of(report, request.clock)),
        "taken": {
            each["resource"]: [each["used"], each["available"]]
            for each in resources
            if each["resource"] in SHOWN
        },
        "planned": {name: planned[field] for name, field in SHOWN.items() if planned[field]},
        "path": worst_path(report, routed)["words"],
    }


def _planned(design: Design, board: str) -> Area:
    """What the area model says of a design's cores and of the link that they share."""
    cores = [*design.cores.values()] or [design]
    built = (built_on(board_of(board), core, "uart", shared=k > 0) for k, core in enumerate(cores))
    return sum((each.area for each in built), Area())


# --- the record ---


def recorded() -> list[Run]:
    """Every run that is kept, by subject and seed."""
    return json.loads(RECORD.read_text()) if RECORD.is_file() else []


def _key(run: Run) -> tuple[int, int]:
    """Its place in the record: a subject's, and the seed."""
    pairs = [(board, preset) for board, preset, _ in SUBJECTS]
    return pairs.index((run["board"], run["preset"])), run["seed"]


def _keep(run: Run) -> None:
    """Put a run into the record, in place of an earlier one."""
    others = [each for each in recorded() if _key(each) != _key(run)]
    lines = map(json.dumps, sorted([*others, run], key=_key))
    RECORD.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def clocks_mhz(board: str, preset: str) -> list[float]:
    """What each seed of a build reached, the slowest first."""
    return sorted(_mhz(run) for run in _of(recorded(), board, preset))


def _of(runs: Sequence[Run], board: str, preset: str) -> list[Run]:
    return [run for run in runs if (run["board"], run["preset"]) == (board, preset)]


def _mhz(run: Run) -> float:
    """What it reached; 0 if it failed."""
    return run.get("mhz", 0)


# --- the table ---


def table(runs: Sequence[Run]) -> str:
    """The document of some runs."""
    seeds = ", ".join(map(str, sorted({run["seed"] for run in runs})))
    rows, paths = "", ""
    for board, preset, _ in SUBJECTS:
        if own := _of(runs, board, preset):
            rows += f"| {board} | {preset} | {_row(own)} |\n"
            best = max(own, key=_mhz)
            paths += f"- {preset} on {board}: {best.get('path', 'none')}\n"
    return f"{HEAD.format(seeds=seeds)}{rows}\nSlowest paths of the best seeds:\n\n{paths}{NOTE}"


def _row(runs: Sequence[Run]) -> str:
    """What a build takes, of what, as planned; its clock, and the seeds'."""
    best = max(runs, key=_mhz)
    asked = f"{best['asked_mhz']:g}"
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
    if "failed" in best:
        return f"{best['failed']} | | | {asked} | none | {commits}"
    taken = ", ".join(f"{used} {name}" for name, (used, _) in best["taken"].items())
    there = ", ".join(str(have) for _, have in best["taken"].values())
    planned = ", ".join(str(best["planned"].get(name, 0)) for name in best["taken"])
    clocks = " / ".join(_shown(run) for run in runs)
    return f"{taken} | {there} | {planned} | {asked} | {clocks} | {commits}"


def _shown(run: Run) -> str:
    """A seed's clock, in bold if it meets what was asked for."""
    if "failed" in run:
        return "none"
    return f"**{run['mhz']:.1f}**" if run["mhz"] >= run["asked_mhz"] else f"{run['mhz']:.1f}"


def main() -> None:
    boards = sorted({board for board, _, _ in SUBJECTS})
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--boards", nargs="*", choices=boards, default=boards, metavar="BOARD")
    parser.add_argument("--clock", type=Fraction, metavar="MHZ", help="instead of what is usual")
    parser.add_argument("--work", type=Path, default=Path("build/measure_boards"))
    arguments = parser.parse_args()
    for board, preset, clock in SUBJECTS:
        if board in arguments.boards:
            asked = arguments.clock or (Fraction(clock) if clock else None)
            for run in measure(board, preset, asked, arguments.seeds, arguments.work):
                _keep(run)
                print(board, preset, run["seed"], run.get("mhz", run.get("failed")), flush=True)
    RECORD.with_suffix(".md").write_text(table(recorded()))


if __name__ == "__main__":
    main()
