"""What nextpnr reports of a routed design, in a build's own words."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fpga.build.names import signal_of, unit_of
from fpga.build.pll import MHZ, Clock

__all__ = [
    "RESOURCES",
    "Need",
    "Placed",
    "needs_of",
    "placed_cells",
    "timing_of",
    "utilisation_of",
    "worst_path",
]

RESOURCES = {
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAMs",
    "ICESTORM_DSP": "multipliers",
    "ICESTORM_SPRAM": "single-port RAMs",
    "ICESTORM_PLL": "PLLs",
    "SB_GB": "global nets",
    "SB_IO": "pins",
    "TRELLIS_COMB": "logic cells",
    "TRELLIS_FF": "registers",
    "TRELLIS_RAMW": "distributed RAMs",
    "MULT18X18D": "multipliers",
    "DP16KD": "block RAMs",
    "EHXPLLL": "PLLs",
    "DCCA": "clock gates",
    "TRELLIS_IO": "pins",
}
"""The router's types of cells -> words."""

_UTILISATION = re.compile(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%")
_REGISTERS = ("ICESTORM_LC", "TRELLIS_FF")
_OUTPUTS = ("Q", "O")


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a design takes of one resource, and what the chip has."""

    cell: str
    need: int
    have: int

    @property
    def words(self) -> str:
        """Such as ``9792 logic cells of 7680``."""
        return f"{self.need} {RESOURCES.get(self.cell, self.cell)} of {self.have}"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A cell where the router put it.

    Parameters
    ----------
    name, kind
        Its name and type.
    x, y
        Its tile.
    bel
        Its place in the tile.
    """

    name: str
    kind: str
    x: int
    y: int
    bel: str


def needs_of(log: Iterable[str]) -> dict[str, Need]:
    """Cell -> need, from the table that the router writes before it places; empty without it."""
    found = {}
    for line in log:
        if row := _UTILISATION.match(line):
            found[row[1]] = Need(cell=row[1], need=int(row[2]), have=int(row[3]))
    return found


def utilisation_of(report: Mapping[str, Any], placed: Sequence[Placed]) -> dict[str, Any]:
    """Of each resource what is used and what there is; and the cells of each unit."""
    units: dict[str, dict[str, int]] = {}
    for cell in placed:
        words = RESOURCES.get(cell.kind, cell.kind)
        counts = units.setdefault(unit_of(cell.name), {})
        counts[words] = counts.get(words, 0) + 1
    return {
        "resources": [
            {
                "resource": RESOURCES.get(name, name),
                "cell": name,
                "used": entry["used"],
                "available": entry["available"],
                "share": round(entry["used"] / entry["available"], 4),
            }
            for name, entry in report["utilization"].items()
            if entry["used"] and entry["available"]
        ],
        "units": {name: units[name] for name in sorted(units)},
    }


def placed_cells(routed: Mapping[str, Any]) -> list[Placed]:
    """Every cell of a design as nextpnr's ``--write`` has it."""
    (module,) = routed["modules"].values()
    found = []
    for name, cell in module["cells"].items():
        place = re.match(r"X(\d+)/Y(\d+)/(.*)", cell["attributes"].get("NEXTPNR_BEL", ""))
        if place:
            kind, x, y, bel = cell["type"], int(place[1]), int(place[2]), place[3]
            found.append(Placed(name=name, kind=kind, x=x, y=y, bel=bel))
    return found


def timing_of(report: Mapping[str, Any], clock: Clock) -> list[dict[str, Any]]:
    """Of each clock that the router found: what it is to be, what it can be.

    A board's top has one, of which every register runs.
    """
    return [
        {
            "clock": signal_of(net.removeprefix("$glbnet$")) or net,
            "target_mhz": round(float(clock.exact_hz) / MHZ, 3),
            "fmax_mhz": round(entry["achieved"], 2),
            "met": entry["achieved"] * MHZ >= clock.exact_hz,
        }
        for net, entry in report["fmax"].items()
    ]


def worst_path(report: Mapping[str, Any], routed: Mapping[str, Any]) -> dict[str, Any]:
    """The slowest path from register to register, its ends by the names of the gateware.

    Gives ``words``, a line; ``begin`` and ``end``; ``levels`` of logic; ``ns`` by what takes them,
    and in all; ``units`` passed through.
    """
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"]]
    if not paths:
        return {"words": "no path between registers"}
    slowest = max(paths, key=lambda path: sum(step["delay"] for step in path["path"]))
    steps = slowest["path"]
    nets = [step["net"] for step in steps if step["type"] == "routing"]
    (module,) = routed["modules"].values()
    begin = _end(module, steps[0]["from"]["cell"], nets[0] if nets else None)
    end = _end(module, steps[-1]["to"]["cell"], None)
    spent = dict.fromkeys(("clk-to-q", "logic", "routing", "setup"), 0.0)
    for step in steps:
        spent[step["type"]] = spent.get(step["type"], 0.0) + step["delay"]
    total = sum(spent.values())
    levels = sum(step["type"] == "logic" for step in steps)
    passed = dict.fromkeys(unit_of(net) for net in nets if signal_of(net))
    return {
        "words": (
            f"from {begin} to {end}: {levels} levels of logic, {total:.1f} ns, of which "
            f"{spent['routing']:.1f} on wires"
        ),
        "begin": begin,
        "end": end,
        "levels": levels,
        "ns": {"total": round(total, 2), **{what: round(ns, 2) for what, ns in spent.items()}},
        "units": list(passed),
    }


def _end(module: Mapping[str, Any], name: str, net: str | None) -> str:
    """An end of a path: a register by the net that it drives, or a memory or multiplier."""
    cell = module["cells"].get(name)
    kind = cell["type"] if cell else ""
    if cell and kind not in _REGISTERS:
        words = RESOURCES.get(kind, kind).removesuffix("s")
        return f"{words} of {unit_of(name)}"
    if cell and net is None:
        bits = [bit for port in _OUTPUTS for bit in cell["connections"].get(port, ())]
        names = [n for n, entry in module["netnames"].items() if set(bits) & set(entry["bits"])]
        net = min(names, key=_plainness, default=None)
    path = signal_of(net or "") or signal_of(name) or name
    signal = path.split(".")[-1]
    unit = unit_of(net if net and signal_of(net) else name)
    return f"register {signal} of {unit}" if signal else f"a register of {unit}"


def _plainness(name: str) -> tuple[bool, bool, int]:
    """Least for the name that says most: one of ours, of a signal that has one."""
    return not signal_of(name), signal_of(name).endswith("."), len(name)
