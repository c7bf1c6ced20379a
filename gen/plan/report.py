"""A plan for a reader at a terminal, and as plain data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gen.devices import Resources
from gen.plan.area import Area
from gen.plan.building import NAMES
from gen.plan.planner import Plan
from gen.plan.work import Phase

__all__ = ["told", "told_together", "written", "written_together"]

BAR = 60
"""Characters of a time line."""

SHADES = " ░▒▓█"
"""By the share of the time in which a part works."""


def told(plan: Plan) -> dict[str, Any]:
    """The plan as plain data, for ``--json``."""
    chip = plan.board.chip
    link = plan.built.link
    return {
        "name": plan.design.name,
        "kind": plan.design.kind.name,
        "board": plan.board.name,
        "device": chip.name,
        "target": chip.target.value,
        "description": plan.design.kind.told(plan.design.description),
        "configuration": plan.design.hardware,
        "label": plan.label,
        "multiplier_kind": plan.multiplier_kind,
        "clock_mhz": plan.built.clock.mhz,
        "clock_reason": plan.built.clock.reason,
        "clock_guessed": plan.built.clock.guessed,
        "cycles": plan.work.cycles,
        "cycles_each_further": plan.work.each_further,
        "microseconds": plan.microseconds,
        "area": dataclasses.asdict(plan.built.area),
        "available": dataclasses.asdict(chip.resources),
        "link": None
        if link is None
        else {
            "baud": link.baud,
            "bytes_in": link.bytes_in,
            "bytes_out": link.bytes_out,
            "seconds_at_least": link.seconds,
            "area": dataclasses.asdict(link.area),
        },
        "limit": _limit(plan),
        "next": None
        if plan.next_label is None
        else {"configuration": plan.next_label, "needs": str(plan.limit)},
        "phases": [{"name": phase.name, "spans": phase.spans} for phase in plan.work.phases],
    }


def written(plan: Plan) -> list[str]:
    """The plan in lines of text."""
    work, link = plan.work, plan.built.link
    clock = plan.built.clock
    lines = [
        f"{plan.design.name} on {plan.board.name}, {plan.board.chip.name}",
        f"  {plan.label}; products by {plan.multiplier_kind}",
        f"  {clock.mhz:g} MHz: {clock.reason}" + (", a guess" if clock.guessed else ""),
        "",
        *_area(plan),
        "",
        f"  {work.what}: {work.cycles} cycles, {_time(plan.microseconds)}" + _further(plan),
    ]
    if link is not None:
        lines.append(
            f"  over the link: {link.bytes_in} bytes in, {link.bytes_out} out, "
            f"at least {_time(link.seconds * 1e6)} at {link.baud / 1e6:g} Mbaud"
        )
    lines += [f"  limit: {_limit(plan)}", f"  next step up: {_next(plan)}", ""]
    return lines + _time_line(plan)


def told_together(name: str, cores: Mapping[str, Plan]) -> dict[str, Any]:
    """Plans of cores on one chip as plain data."""
    first = next(iter(cores.values()))
    return {
        "name": name,
        "kind": "accelerator",
        "board": first.board.name,
        "device": first.board.chip.name,
        "clock_mhz": first.built.clock.mhz,
        "area": dataclasses.asdict(_total(cores)),
        "available": dataclasses.asdict(first.board.chip.resources),
        "cores": {core: told(each) for core, each in cores.items()},
    }


def written_together(cores: Mapping[str, Plan]) -> list[str]:
    """Plans of cores on one chip, and what they take together."""
    lines = [line for each in cores.values() for line in [*written(each), ""]]
    there, total = next(iter(cores.values())).board.chip.resources, _total(cores)
    if len(cores) == 1:
        return lines[:-1]
    lines.append(f"{' and '.join(cores)} together, behind one link")
    for field in dataclasses.fields(Resources):
        has, takes = getattr(there, field.name), getattr(total, field.name)
        if has:
            lines.append(f"  {NAMES[field.name]:16} {takes:6} of {has:6} {takes / has:6.1%}")
    return lines


def _total(cores: Mapping[str, Plan]) -> Area:
    return sum((each.built.area for each in cores.values()), Area())


def _further(plan: Plan) -> str:
    more = plan.work.each_further
    return (
        "" if more is None else f"; each further one {more}, {_time(more / plan.built.clock.mhz)}"
    )


def _area(plan: Plan) -> list[str]:
    """A row for each resource that the chip has."""
    there, lines = plan.board.chip.resources, []
    for field in dataclasses.fields(Resources):
        total = getattr(there, field.name)
        if not total:
            continue
        taken = getattr(plan.built.area, field.name)
        of_link = getattr(plan.built.link.area, field.name) if plan.built.link else 0
        part = f", {of_link} of them for the link" if of_link else ""
        if taken > total:
            part += "; over by less than the model's error: only a build can tell"
        lines.append(f"  {NAMES[field.name]:16} {taken:6} of {total:6} {taken / total:6.1%}{part}")
    return lines


def _limit(plan: Plan) -> str:
    """What keeps the layer from being faster."""
    core = f"{plan.limit.resource} of the chip" if plan.limit else "nothing of the chip"
    if plan.built.link is not None and plan.built.link.seconds * 1e6 > plan.microseconds:
        times = plan.built.link.seconds * 1e6 / plan.microseconds
        return f"the link, {_number(times)} times as long as the core; of the core: {core}"
    return core


def _next(plan: Plan) -> str:
    if plan.next_label is None:
        return "none, no configuration is faster"
    return f"{plan.next_label}: {plan.limit}"


def _number(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _time(microseconds: float) -> str:
    if microseconds < 1000:
        return f"{microseconds:.4g} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.4g} ms"
    return f"{microseconds / 1_000_000:.4g} s"


def _time_line(plan: Plan) -> list[str]:
    """A bar for each phase, darker where it works for more of the time."""
    work = plan.work
    end = max(phase.end for phase in work.phases)
    lines = [f"  {work.shown}, {end} cycles; each character is {_number(end / BAR)}"]
    return lines + [
        f"  {phase.name:13} |{_bar(phase, end)}| {phase.first} to {phase.end}"
        for phase in work.phases
    ]


def _bar(phase: Phase, end: int) -> str:
    """How much of each of `BAR` equal parts of the time it works."""
    busy = [0.0] * BAR
    for first, last in phase.spans:
        low, high = first * BAR / end, last * BAR / end
        for place in range(int(low), min(BAR, int(high) + 1)):
            busy[place] += max(0.0, min(high, place + 1) - max(low, place))
    marks = len(SHADES) - 1
    return "".join(SHADES[min(marks, -int(-share * marks // 1))] for share in busy)
