"""A picture of a chip: every cell where the router put it, coloured by the unit it belongs to."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fpga.build.names import unit_of
from fpga.build.reports import Placed

__all__ = ["draw_floor_plan", "grouped"]

MOST_GROUPS = 18
LEAST_SHARE = 0.02
REST = "everything else"
LOGIC = ("ICESTORM_LC", "TRELLIS_COMB", "TRELLIS_FF")
PLACES_OF_A_TILE = 8
WIDE = {
    "ICESTORM_RAM": "block RAM",
    "DP16KD": "block RAM",
    "MULT18X18D": "multiplier",
    "ICESTORM_DSP": "multiplier",
    "ICESTORM_SPRAM": "single-port RAM",
}
"""Cells that are drawn larger than logic."""


def grouped(units: Counter[str]) -> dict[str, str]:
    """Unit -> the group that it is drawn in: the largest are split, as long as there are colours.

    `units` holds the number of cells of each. Of a group that is split, the small units stay
    together under its name.
    """
    least = LEAST_SHARE * sum(units.values())
    groups = {unit: unit.split(".")[0] for unit in units}
    while room := max(0, MOST_GROUPS - len(set(groups.values()))):
        for group, _ in _sizes(units, groups).most_common():
            depth = group.count(".") + 2
            inner = {
                unit: ".".join(unit.split(".")[:depth])
                for unit, its in groups.items()
                if its == group and unit.count(".") >= depth - 1
            }
            sizes = _sizes(Counter({unit: units[unit] for unit in inner}), inner)
            large = [name for name, count in sizes.most_common(room) if count >= least]
            if large:
                groups |= {unit: name for unit, name in inner.items() if name in large}
                break
        else:
            break
    sizes = _sizes(units, groups)
    return {unit: group if sizes[group] >= least else REST for unit, group in groups.items()}


def _sizes(units: Counter[str], groups: dict[str, str]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for unit, count in units.items():
        sizes[groups[unit]] += count
    return sizes


def draw_floor_plan(cells: Sequence[Placed], path: Path, *, title: str) -> None:
    """Draw cells into a PNG file."""
    # Here, as it is slow to load.
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    units = Counter(unit_of(cell.name) for cell in cells if cell.kind in LOGIC)
    for cell in cells:
        units.setdefault(unit_of(cell.name), 0)
    groups = grouped(units)
    sizes = _sizes(units, groups)
    order = [group for group, _ in sizes.most_common() if group != REST]
    colours = {group: colormaps["tab20"](k % 20) for k, group in enumerate(order)}
    colours[REST] = (0.75, 0.75, 0.75, 1.0)

    width, height = max(cell.x for cell in cells) + 2, max(cell.y for cell in cells) + 2
    tall = 8.0
    figure = Figure(figsize=(max(4.0, tall * width / height) + 3.4, tall), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("0.97")
    # A tile is 72 points / its size on paper wide; logic fills a column of it.
    point = 72 * tall * 0.9 / height
    for group in [*order, *([REST] if REST in groups.values() else [])]:
        its = [cell for cell in cells if groups[unit_of(cell.name)] == group]
        logic = [cell for cell in its if cell.kind in LOGIC]
        wide = [cell for cell in its if cell.kind in WIDE]
        label = f"{group} ({sizes[group]})"
        axes.scatter(
            [cell.x for cell in logic],
            [cell.y + _height(cell) for cell in logic],
            s=(point * 0.5) ** 2 / 3,
            marker="s",
            linewidths=0,
            color=colours[group],
            label=label,
        )
        axes.scatter(
            [cell.x for cell in wide],
            [cell.y for cell in wide],
            s=(point * 1.1) ** 2,
            marker="s",
            linewidths=0.4,
            edgecolors="black",
            color=colours[group],
        )
    axes.set_xlim(-1, width)
    axes.set_ylim(-1, height)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("tile; squares with a rim are memories and multipliers", fontsize=8)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False, markerscale=3
    )
    canvas.print_png(str(path))


def _height(cell: Placed) -> float:
    """Where in its tile a logic cell is drawn, from its place's number."""
    digits = [int(part) for part in "".join(c if c.isdigit() else " " for c in cell.bel).split()]
    letter = next((ord(c) - ord("A") for c in cell.bel.removeprefix("SLICE") if c in "ABCD"), 0)
    place = letter * 2 + digits[-1] if cell.bel.startswith("SLICE") else (digits or [0])[-1]
    return (place % PLACES_OF_A_TILE) / PLACES_OF_A_TILE - 0.5
