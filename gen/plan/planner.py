"""The planner: the fastest configuration of a description that fits a board."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gen.boards import BOARDS, Board, board_of
from gen.design import Design
from gen.devices import Resources
from gen.plan.area import Area
from gen.plan.building import LINK, Built, Overflow, built_on, overflow_of
from gen.plan.search import Candidate, Search, search_of
from gen.plan.work import Work, work_of
from hw.prim.target import Target
from spec import Accelerator, SpecError

__all__ = ["Plan", "plan", "plan_cores"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be built on a board.

    Parameters
    ----------
    board
        Where.
    label
        The configuration in words.
    built
        The design with its area, clock and link.
    work
        Cycles and phases of the layer.
    limit
        What stops the next step up: a resource of the board, or None if nothing faster can be made.
    next_label
        That step in words.
    """

    board: Board
    label: str
    built: Built
    work: Work
    limit: Overflow | None
    next_label: str | None

    @property
    def design(self) -> Design:
        """Name, description and configuration."""
        return self.built.design

    @property
    def microseconds(self) -> float:
        """Time of the layer on the core."""
        return self.work.cycles / self.built.clock_mhz

    @property
    def multiplier_kind(self) -> str:
        """What multiplies."""
        return "look-up tables" if self.board.chip.target is Target.ICE40_HX else "DSP cells"


def plan(
    name: str,
    description: Any,
    board: str | Board,
    hardware: Mapping[str, Any] | None = None,
    *,
    bus: str = "uart",
) -> Plan:
    """The configuration of fewest microseconds that fits.

    Parameters
    ----------
    name
        Of the design.
    description
        What is computed.
    board
        Where, or its name.
    hardware
        Fields of the configuration that are not to be chosen.
    bus
        ``uart`` for a core that is run over the board's serial line, ``stream`` for one with bare
        streams, to be joined to something else on the same chip.

    Raises
    ------
    SpecError
        There is no such board, a field breaks its rule, or nothing fits; then the text says what
        the configuration lacks that comes nearest, and on which board it would fit.
    """
    board = board_of(board) if isinstance(board, str) else board
    search = search_of(description, hardware or {}, board.chip.target)
    return _Choice(name, search, board, bus).plan()


def plan_cores(
    name: str,
    accelerator: Accelerator,
    board: str | Board,
    hardware: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Plan]:
    """The same for several cores behind one link, by name.

    One after the other takes the fastest configuration that leaves room for the smallest of those
    after it; the first has the link's cells among its own.

    Raises
    ------
    SpecError
        As for `plan`.
    """
    board = board_of(board) if isinstance(board, str) else board
    choices = {
        core: _Choice(
            f"{name}:{core}",
            search_of(description, (hardware or {}).get(core, {}), board.chip.target),
            board,
            "uart",
            shared=number > 0,
        )
        for number, (core, description) in enumerate(accelerator.cores.items())
    }
    waiting = {core: choice.smallest().area for core, choice in choices.items()}
    found: dict[str, Plan] = {}
    for core, choice in choices.items():
        del waiting[core]
        choice.beside = sum(
            (*waiting.values(), *(each.built.area for each in found.values())), Area()
        ).resources
        found[core] = choice.plan()
    return found


class _Choice:
    """The choice among a search's candidates, the fastest first.

    What a candidate takes at least is known at once. Only of those that might fit are the gates
    counted; after the first that did not, those of the smallest too, which tell what any takes
    beside that.
    """

    def __init__(self, name: str, search: Search, board: Board, bus: str, *, shared: bool = False):
        self.name, self.search, self.board, self.bus = name, search, board, bus
        self.shared = shared
        self.beside = Resources()
        self.candidates = search.ranked()
        self.refused: list[tuple[Candidate, Overflow]] = []
        self.beyond: dict[Any, Resources] = {}
        self.hopeless: dict[Any, tuple[Candidate, Overflow]] = {}

    def plan(self) -> Plan:
        """The first that fits, or an error."""
        for candidate in self.candidates:
            if candidate.description in self.hopeless:
                continue
            overflow = self._overflow(self._least(candidate), at_least=True)
            if overflow is None:
                candidate = self.search.settled(candidate)
                built = self._built(candidate)
                overflow = self._overflow(built.area)
                if overflow is None:
                    return self._chosen(candidate, built)
                self._learn(candidate)
            self.refused.append((candidate, overflow))
        raise SpecError(self._refusal())

    def _overflow(self, taken: Any, *, at_least: bool = False) -> Overflow | None:
        return overflow_of(taken, self.board.chip, beside=self.beside, at_least=at_least)

    def smallest(self) -> Built:
        """The smallest of the description as it is."""
        same = [each for each in self.candidates if each.description == self.search.description]
        return self._built(self.search.settled(min(same, key=lambda each: each.size)))

    def _least(self, candidate: Candidate) -> Resources:
        """What a candidate takes at least, with its link."""
        least = self.search.least(candidate)
        if self.bus == "uart" and not self.shared:
            least = _each(least, LINK, lambda a, b: a + b)
        beyond = self.beyond.get(candidate.description, Resources())
        return _each(least, beyond, lambda a, b: a + b)

    def _built(self, candidate: Candidate) -> Built:
        design = Design.of(self.name, candidate.description, **candidate.hardware)
        return built_on(self.board, design, self.bus, shared=self.shared)

    def _learn(self, failed: Candidate) -> None:
        """Count the gates of the smallest of a description, once."""
        description = failed.description
        if description in self.beyond:
            return
        same = [each for each in self.candidates if each.description == description]
        smallest = self.search.settled(min(same, key=lambda each: each.size))
        area = self._built(smallest).area
        least = self._least(smallest)
        self.beyond[description] = _each(area, least, lambda a, b: max(0, a - b))
        lacking = self._overflow(area)
        if lacking is not None and self.search.grows(lacking.resource):
            self.hopeless[description] = smallest, lacking

    def _chosen(self, candidate: Candidate, built: Built) -> Plan:
        faster = [each for each in self.refused if each[0].cycles < candidate.cycles]
        step, limit = min(faster, key=lambda each: each[1].share, default=(None, None))
        return Plan(
            board=self.board,
            label=candidate.label,
            built=built,
            work=work_of(candidate.description, built.design.config),
            limit=limit,
            next_label=step.label if step else None,
        )

    def _refusal(self) -> str:
        """What lacks whatever comes nearest, and the smallest board that has it."""
        found = [*self.hopeless.values()] or self.refused
        nearest, overflow = min(found, key=lambda each: each[1].share)
        text = f"--board {self.board.name}: {self.name} does not fit: "
        text += f"{nearest.label} would take {overflow}"
        nearest = self.search.settled(nearest)
        cells = self.board.chip.resources.logic_cells
        for other in sorted(BOARDS.values(), key=lambda each: each.chip.resources.logic_cells):
            if other.chip.resources.logic_cells > cells:
                design = Design.of(self.name, nearest.description, **nearest.hardware)
                if overflow_of(built_on(other, design, self.bus).area, other.chip) is None:
                    return f"{text}; the nearest board that holds it is {other.name}"
        return f"{text}; no board that is known holds it"


def _each(one: Any, other: Any, join: Any) -> Resources:
    """Join two areas resource by resource."""
    return Resources(
        **{f.name: join(getattr(one, f.name), getattr(other, f.name)) for f in fields(Resources)}
    )
