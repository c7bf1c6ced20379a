"""When a design has no room on a board: what overflows, and a smaller one that has."""

import dataclasses
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fpga.build.constraints import constraints, constraints_suffix
from fpga.build.reports import Need, needs_of
from fpga.build.request import Request
from fpga.build.steps import Steps
from fpga.flow import run_tool, synthesise
from gen.boards import Board
from gen.design import Design, load_design
from gen.plan import plan, plan_cores
from spec import Accelerator
from spec.errors import SpecError

__all__ = [
    "DoesNotFit",
    "Watch",
    "no_room",
    "overflow",
    "planned",
    "smaller_ones",
    "smaller_that_fits",
]

MOST_TRIALS = 5
PACKING_SECONDS = 600

PARALLEL = {
    "attention": ("rows", "columns", "value_columns"),
    "butterfly": ("units", "stream_words"),
    "softmax": ("lanes",),
}
"""Kind of core -> fields of its configuration that halve its gates and its speed."""

SIZES = {
    "attention": ("queries", "keys"),
    "butterfly": ("points",),
    "softmax": ("max_length",),
}
"""Kind of core -> fields of its description that halve its memories."""

LEAST_SIZE = 16

CHOSEN = {
    *("rows", "columns", "value_columns", "buffers", "score_tiles", "logic_rows"),
    *("units", "stream_words", "lanes"),
}
"""Fields of a configuration that the planner may choose anew; what the others say is kept."""


class DoesNotFit(Exception):  # noqa: N818
    """A design takes more than the chip has."""

    def __init__(self, needs: Sequence[Need]):
        self.needs = list(needs)
        super().__init__(", ".join(need.words for need in needs))


class Watch:
    """Reads the router's log as it is written: which step it is at, and whether there is room."""

    def __init__(self, steps: Callable[[str], None] | None = None):
        self.needs: dict[str, Need] = {}
        self._steps, self._step = steps, ""

    def __call__(self, line: str) -> None:
        """Take a line; raise `DoesNotFit` after the router's table if some needs are too many."""
        row = needs_of([line])
        self.needs |= row
        if not row and self.needs and overflow(self.needs):
            raise DoesNotFit(overflow(self.needs))
        step = "route" if re.match(r"Info: Routing", line) else ""
        if step and step != self._step and self._steps:
            self._step = step
            self._steps(step)


def overflow(needs: Mapping[str, Need]) -> list[Need]:
    """Those that are more than there is, the worst first."""
    over = [need for need in needs.values() if need.need > need.have]
    return sorted(over, key=lambda need: -need.need / max(1, need.have))


def smaller_ones(design: Design) -> Iterator[dict[str, int]]:
    """Settings of ever smaller designs: less in parallel first, then smaller layers.

    Of the fields that do the same, in all cores, the largest are halved together.
    """
    parallel: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for name, core in design.cores.items():
        # As --set has them: of an accelerator, by the core's name.
        prefix = "" if design.kind is core.kind else f"{name}."
        parallel |= _numbers(core.hardware, PARALLEL.get(core.kind.name, ()), prefix)
        sizes |= _numbers(vars(core.description), SIZES.get(core.kind.name, ()), prefix)
    settings: dict[str, int] = {}
    for fields, least in ((parallel, 1), (sizes, LEAST_SIZE)):
        while fields and max(fields.values()) >= 2 * least:
            largest = max(fields.values())
            for field in [name for name, value in fields.items() if value == largest]:
                settings[field] = fields[field] = largest // 2
            yield dict(settings)


def _numbers(values: Mapping[str, Any], fields: Sequence[str], prefix: str) -> dict[str, int]:
    found = {f"{prefix}{name}": values.get(name) for name in fields}
    return {name: value for name, value in found.items() if isinstance(value, int)}


def planned(design: Design, board: Board) -> list[dict[str, int]]:
    """Settings of the planner's choice for the board, if it finds one, by its model of the area."""
    kept = {
        name: {key: value for key, value in core.hardware.items() if key not in CHOSEN}
        for name, core in design.cores.items()
    }
    description = design.description
    try:
        if isinstance(description, Accelerator):
            plans = plan_cores(design.name, description, board, kept)
        else:
            (only,) = kept
            plans = {only: plan(design.name, description, board, kept[only])}
    except SpecError:
        return []
    settings: dict[str, int] = {}
    for name, each in plans.items():
        prefix = f"{name}." if isinstance(description, Accelerator) else ""
        was, found = design.cores[name], each.design
        for key, value in found.hardware.items():
            if value != was.hardware[key] and isinstance(value, int):
                settings[f"{prefix}{key}"] = value
        bits = getattr(found.description, "prob_bits", None)
        if bits is not None and bits != was.description.prob_bits:
            settings[f"{prefix}prob_bits"] = bits
    return [settings] if settings else []


def smaller_that_fits(
    design: Design,
    load: Callable[[dict[str, int]], Design],
    needs: Callable[[Design], Mapping[str, Need]],
    first: Sequence[dict[str, int]] = (),
) -> dict[str, int] | None:
    """Settings of the first of a few smaller designs that has room, by its cells, if any has.

    Parameters
    ----------
    design
        The one that has none.
    load
        Gives the design of some settings; may refuse them.
    needs
        Gives what a design takes on the board.
    first
        Settings to try before all others.
    """
    for trial, settings in enumerate(itertools.chain(first, smaller_ones(design))):
        if trial == MOST_TRIALS:
            break
        try:
            if not overflow(needs(load(settings))):
                return settings
        except SpecError:
            continue
    return None


def _needs(request: Request, tools: Path) -> dict[str, Need]:
    """What a design takes on its board, by synthesis and the router's packing."""
    facts = request.facts
    synthesise(request.top(), facts.device, tools)
    suffix = constraints_suffix(facts)
    (tools / f"board.{suffix}").write_text(constraints(facts))
    options = [*facts.device.options, f"--{suffix}", f"board.{suffix}"]
    arguments = [*options, "--json", "netlist.json", "--pack-only"]
    run_tool(facts.device.router, arguments, tools, "packing.log", PACKING_SECONDS)
    return needs_of((tools / "packing.log").read_text().splitlines())


def no_room(
    request: Request, error: DoesNotFit, source: str, settings: list[str], steps: Steps
) -> SpecError:
    """What is said of a design that has no room, after a search for one that has."""
    name, board = request.design.name, request.board
    over = [need for need in error.needs if need.need > need.have]
    told = (
        f"takes {', '.join(need.words for need in over)}"
        if over
        else f"was not placed: it takes {', '.join(need.words for need in error.needs)}"
    )
    steps.begin("look for one that fits")

    def load(less: dict[str, int]) -> Design:
        steps.say(_as_settings(less))
        return load_design(source, [*settings, *(f"{key}={value}" for key, value in less.items())])

    def needs(design: Design) -> dict[str, Need]:
        with tempfile.TemporaryDirectory(prefix="chrysalis-") as folder:
            return _needs(dataclasses.replace(request, design=design), Path(folder))

    first = planned(request.design, board)
    found = smaller_that_fits(request.design, load, needs, first)
    steps.end()
    nearest = (
        f"nearest that has room: {_as_settings(found)}"
        if found
        else "nothing nearly as large has room; name a larger board"
    )
    return SpecError(f"{name} does not fit {board.name}: it {told}; {nearest}")


def _as_settings(settings: dict[str, int]) -> str:
    return " ".join(f"--set {key}={value}" for key, value in settings.items())
