"""The planner: the fastest configuration of a description that fits a board."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from gen.boards import BOARDS, Board, board_of
from gen.design import Design
from gen.devices import Resources
from gen.kinds import kind_of
from gen.plan.area import Area
from gen.plan.building import LINK, Built, Overflow, built_on, most_of, overflow_of
from gen.plan.candidates import Candidate, Search
from gen.plan.search import search_of
from gen.plan.work import Work, work_of
from hw.prim.target import Target
from spec import Accelerator, SpecError

__all__ = ["Plan", "plan", "plan_cores"]

T = TypeVar("T")


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
        return self.work.cycles / self.built.clock.mhz

    @property
    def multiplier_kind(self) -> str:
        """What multiplies."""
        if self.board.chip.target is Target.ICE40_HX:
            return "look-up tables"
        logic = getattr(self.design.config, "logic_rows", 0)
        return "DSP cells and look-up tables" if logic else "DSP cells"


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

    def planned(board: Board) -> Plan:
        search = search_of(description, hardware or {}, board.chip.target)
        choice = _Choice(name, search, board, bus)
        choice.choose()
        return choice.plan()

    return _on_this_or_told(board, planned)


def plan_cores(
    name: str,
    accelerator: Accelerator,
    board: str | Board,
    hardware: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Plan]:
    """The same for several cores behind one link, by name.

    One after the other takes the fastest configuration that leaves room for the smallest of those
    after it; the first has the link's cells among its own. Multipliers that a core takes where it
    could do with logic, at the same speed, it leaves to those after it.

    Raises
    ------
    SpecError
        As for `plan`.
    """

    def planned(board: Board) -> dict[str, Plan]:
        choices = {
            core: _Choice(
                f"{name}:{core}",
                search_of(description, (hardware or {}).get(core, {}), board.chip.target),
                board,
                "uart",
                shared=number > 0,
                kinds=tuple(kind_of(each).name for each in accelerator.cores.values()),
            )
            for number, (core, description) in enumerate(accelerator.cores.items())
        }
        queue = [*choices.values()]
        for number, choice in enumerate(queue):
            choice.before = queue[:number]
            choice.after = [each.smallest.area for each in queue[number + 1 :]]
            choice.choose()
        return {core: choice.plan() for core, choice in choices.items()}

    return _on_this_or_told(board, planned)


class _NothingFitsError(SpecError):
    """No configuration fits the board."""


def _on_this_or_told(board: str | Board, planned: Callable[[Board], T]) -> T:
    """What is planned for a board; if nothing fits, the error also names the nearest board."""
    board = board_of(board) if isinstance(board, str) else board
    try:
        return planned(board)
    except _NothingFitsError as refusal:
        tried = [(board.chip.target, board.chip.resources)]
        for other in sorted(BOARDS.values(), key=lambda each: each.chip.resources.logic_cells):
            larger = other.chip.resources.logic_cells > board.chip.resources.logic_cells
            kind = (other.chip.target, other.chip.resources)
            if not larger or kind in tried:
                continue
            tried.append(kind)
            try:
                planned(other)
            except SpecError:
                continue
            raise SpecError(f"{refusal}; the nearest board that holds it is {other.name}") from None
        raise SpecError(f"{refusal}; no board that is known holds it") from None


class _Choice:
    """The choice among a search's candidates, the fastest first.

    What a candidate takes at least is known at once. Only of those that might fit are the gates
    counted, and cycles only where several are about as fast. After the first that did not fit, the
    gates of the smallest are counted too, which tell what any takes beside that.
    """

    def __init__(
        self,
        name: str,
        search: Search,
        board: Board,
        bus: str,
        *,
        shared: bool = False,
        kinds: tuple[str, ...] = (),
    ):
        self.name, self.search, self.board, self.bus = name, search, board, bus
        self.shared, self.kinds = shared, kinds
        self.before: list[_Choice] = []
        """Cores on the same chip that have been chosen, and can give multipliers up."""
        self.after: list[Area] = []
        """What those take at least that have not been."""
        self.candidates = search.ranked()
        self.refused: list[tuple[Candidate, Overflow]] = []
        self.tried: set[int] = set()
        """Numbers of the candidates that were refused."""
        self.beyond: dict[Any, Resources] = {}
        self.hopeless: dict[Any, tuple[Candidate, Overflow]] = {}
        self.counted: dict[Any, Built] = {}
        """What was built once, by description and hardware."""

    def choose(self) -> None:
        """Take the fastest that fits, or a smaller one about as fast; or say that none does."""
        for number in range(len(self.candidates)):
            while preferred := self._preferred(number):
                if self._taken(preferred):
                    return
        raise _NothingFitsError(self._refusal())

    def _preferred(self, first: int) -> list[tuple[int, Candidate]]:
        """Those about as fast as the fastest from a candidate on, as far as they may fit.

        Closed forms tell which to lead through the cycle model, and that which are as fast.
        """
        fastest, promising = self.candidates[first], self._promising(first)
        if promising is None:
            return []
        found = [(first, promising)]
        for number, each in enumerate(self.candidates[first + 1 :], first + 1):
            if self.search.comparable(fastest, each):
                may_fit = self._promising(number)
                if may_fit is not None:
                    found.append((number, may_fit))
        if len(found) == 1:
            return found
        cycles = [self.search.exact_cycles(each) for _, each in found]
        most = self.search.margin * min(cycles)
        return [each for each, takes in zip(found, cycles, strict=True) if takes <= most]

    def _promising(self, number: int) -> Candidate | None:
        """A candidate with the logic and the ring it would have, if by its bound it may fit."""
        candidate = self.candidates[number]
        if number in self.tried or candidate.description in self.hopeless:
            return None
        asked, least = candidate, self._least(candidate)
        candidate = self._relieved(asked, least)
        if candidate is not asked:
            least = self._least(candidate)
        overflow = self._overflow(least, at_least=True)
        if overflow is None:
            candidate = self.search.settled(candidate)
            overflow = self._overflow(self._least(candidate), at_least=True)
        if overflow is None:
            return candidate
        self.tried.add(number)
        self.refused.append((candidate, overflow))
        return None

    def _taken(self, candidates: Sequence[tuple[int, Candidate]]) -> bool:
        """Take the smallest of some candidates that fits, if any does; others leave it its cells.

        Gates are counted of the one first that seems smallest; of others unless they cannot be
        smaller.
        """
        found: tuple[float, Candidate, Built] | None = None
        bounds = [(self._share(self._least(each)), number, each) for number, each in candidates]
        for least, number, candidate in sorted(bounds, key=lambda bound: bound[:2]):
            if found is not None and least >= found[0]:
                break
            if found is not None and self.search.exceeds(candidate, found[1]):
                continue
            if self._overflow(self._least(candidate), at_least=True) is not None:
                continue  # as is known since another one did not fit
            candidate = self._relieved(candidate, self._built(candidate).area)
            built = self._built(candidate)
            overflow = self._overflow(built.area)
            if overflow is None:
                share = self._share(built.area)
                if found is None or share < found[0]:
                    found = share, candidate, built
            else:
                self._learn(candidate)
                self.tried.add(number)
                self.refused.append((candidate, overflow))
        if found is None:
            return False
        _, self.candidate, self.built = found
        for other, less in self._left(self.built.area):
            other.candidate, other.built = less, other._built(less)
        return True

    def _share(self, taken: Any) -> float:
        """How large something is: the sum of the shares that it takes of all resources."""
        there = self.board.chip.resources
        pairs = ((getattr(taken, f.name), getattr(there, f.name)) for f in fields(Resources))
        return sum(takes / has for takes, has in pairs if has)

    def plan(self) -> Plan:
        """What was chosen, its work, and what stopped the next step up."""
        chosen = self.candidate
        most = chosen.cycles / self.search.margin
        faster = [each for each in self.refused if each[0].cycles < most]
        step, limit = min(faster, key=lambda each: each[1].share, default=(None, None))
        return Plan(
            board=self.board,
            label=chosen.label,
            built=self.built,
            work=work_of(chosen.description, self.built.design.config),
            limit=limit,
            next_label=step.label if step else None,
        )

    @functools.cached_property
    def smallest(self) -> Built:
        """The smallest of the description as it is."""
        return self._built(self._smallest(self.search.description))

    def _smallest(self, description: Any) -> Candidate:
        """The smallest of a description, its multipliers no more than the chip has."""
        same = [each for each in self.candidates if each.description == description]
        found = self.search.settled(min(same, key=lambda each: each.size))
        return self._relieved(found, self._built(found).area)

    # --- room ---

    def _overflow(self, taken: Any, *, at_least: bool = False) -> Overflow | None:
        beside = self._beside(taken)
        return overflow_of(taken, self.board.chip, beside=beside, at_least=at_least)

    def _relieved(self, candidate: Candidate, taken: Any) -> Candidate:
        """A candidate that takes more multipliers than there are, with as many less as can be."""
        there = most_of(self.board.chip).multipliers - self._beside(taken).multipliers
        return self.search.relieved(candidate, taken.multipliers - there)

    def _beside(self, taken: Any) -> Resources:
        """What the other cores on the chip take if they are to leave so many multipliers."""
        less = dict(self._left(taken))
        areas = [other._built(less.get(other, other.candidate)).area for other in self.before]
        return sum((*self.after, *areas), Area()).resources

    def _left(self, taken: Any) -> list[tuple["_Choice", Candidate]]:
        """Cores that were chosen which are to take fewer multipliers, and what they become."""
        found = []
        total = sum((*self.after, *(other.built.area for other in self.before)), Area())
        lacking = taken.multipliers + total.multipliers - most_of(self.board.chip).multipliers
        for other in self.before:
            less = other.search.relieved(other.candidate, lacking)
            if less is not other.candidate:
                lacking -= other.built.area.multipliers - other._built(less).area.multipliers
                found.append((other, less))
        return found

    def _least(self, candidate: Candidate) -> Resources:
        """What a candidate takes at least, with its link."""
        least = self.search.least(candidate)
        if self.bus == "uart" and not self.shared:
            least = _each(least, LINK, lambda a, b: a + b)
        beyond = self.beyond.get(candidate.description, Resources())
        return _each(least, beyond, lambda a, b: a + b)

    def _built(self, candidate: Candidate) -> Built:
        key = candidate.description, frozenset(candidate.hardware.items())
        if key not in self.counted:
            design = Design.of(self.name, candidate.description, **candidate.hardware)
            self.counted[key] = built_on(
                self.board, design, self.bus, shared=self.shared, kinds=self.kinds
            )
        return self.counted[key]

    def _learn(self, failed: Candidate) -> None:
        """Count the gates of the smallest of a description, once."""
        description = failed.description
        if description in self.beyond:
            return
        smallest = self._smallest(description)
        area = self._built(smallest).area
        least = self._least(smallest)
        self.beyond[description] = _each(area, least, lambda a, b: max(0, a - b))
        lacking = self._overflow(area)
        if lacking is not None and self.search.grows(lacking.resource):
            self.hopeless[description] = smallest, lacking

    def _refusal(self) -> str:
        """What whatever comes nearest lacks."""
        found = [*self.hopeless.values()] or self.refused
        nearest, overflow = min(found, key=lambda each: (each[1].share, each[0].size))
        nearest = self.search.settled(nearest)
        overflow = self._overflow(self._built(nearest).area) or overflow
        text = f"--board {self.board.name}: {self.name} does not fit: "
        return f"{text}{nearest.label} would take {overflow}"


def _each(one: Any, other: Any, join: Any) -> Resources:
    """Join two areas resource by resource."""
    return Resources(
        **{f.name: join(getattr(one, f.name), getattr(other, f.name)) for f in fields(Resources)}
    )
