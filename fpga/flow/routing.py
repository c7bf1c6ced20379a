"""From a netlist to a placed and routed one: its clock, its slowest path, its cells."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from fpga.flow.devices import Device
from fpga.flow.macros import place_macros
from fpga.flow.synthesis import Synthesis
from fpga.flow.tools import FlowError, run_tool
from hw.prim.target import Target

__all__ = ["Placer", "Routing", "place_and_route"]

ROUTING_SECONDS = 3600


class Placer(Enum):
    """How cells are placed.

    The electrostatic placer is much the better on a full ECP5: for one netlist of fft_1024 it gave
    183 to 189 MHz over three seeds, the usual one 173 with the first of them; of an attention core
    with nine tenths of the multipliers 136 to 157, in a third of the time, the usual one 110 to
    143. With it, a device's macros are placed first (`fpga.flow.macros`).
    """

    USUAL = "heap"
    ELECTROSTATIC = "static"


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


def place_and_route(
    synthesis: Synthesis,
    device: Device,
    *,
    seed: int = 1,
    goal_mhz: float = 250,
    placer: Placer = Placer.USUAL,
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
    placer
        How cells are placed.
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
    netlist = synthesis.netlist
    if placer is Placer.ELECTROSTATIC:
        netlist = place_macros(netlist, device.macros, seed, folder / f"macros_{seed}.json")
    arguments = [
        *device.options,
        *("--json", netlist.name, "--report", report),
        *("--placer", placer.value, "--seed", str(seed)),
        *("--freq", f"{goal_mhz:g}", "--timing-allow-fail"),
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
