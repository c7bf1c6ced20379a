"""Cycle in which a dispatcher offers each command, from its configuration and the masks' classes.

Exact, whenever the commands are taken. The scan is two walks, each a fixed pipeline behind a count
of places: a step is made in the first cycle in which the step before it was made, its job or group
is there, and a place is free. Places come back in order of time, whoever gives them back.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hw.dispatch.config import DispatchConfig
from hw.dispatch.core import DispatchTiming
from spec.expr import TileClass

__all__ = ["Command", "DispatchCycles", "DispatchJob", "coarse_of_classes", "commands_of"]

EMPTY, PARTIAL = TileClass.EMPTY, TileClass.PARTIAL

NEVER = float("inf")

JOB_SETTLES = 4
"""Cycles after which the way of a job to the walk no longer matters to it."""


class Command(NamedTuple):
    """A tile command and the number of its job."""

    job: int
    row_block: int
    key_tile: int
    partial: bool
    first: bool
    last: bool
    none: bool
    end: bool
    refused: bool
    skips: int


@dataclass(frozen=True, kw_only=True)
class DispatchJob:
    """What the mask source answers for one job, as rows of row blocks: nested lists or arrays.

    A job without queries or without keys has one group and one tile a row block, both empty, and
    at least one row block.

    Parameters
    ----------
    coarse
        (row blocks, groups): whether the coarse level cannot rule a group out.
    fine
        (row blocks, key tiles): `TileClass` of every tile; those of other groups do not matter.
    offered
        Cycle from which the job is on offer; it must not be before the one of the job before.
    loaded
        Cycle from which its mask is there and it may be started.
    """

    coarse: Any
    fine: Any
    offered: int = 0
    loaded: int = 0


def coarse_of_classes(classes: Any, group: int) -> list[list[bool]]:
    """The coarse answers of a source that is exact there too: whether a group has a tile."""
    rows = _lists(classes)
    return [[any(row[k : k + group]) for k in range(0, len(row), group)] for row in rows]


def commands_of(config: DispatchConfig, jobs: Sequence[DispatchJob]) -> list[Command]:
    """Every command, without its cycle."""
    cycles = DispatchCycles(config, jobs)
    for number in range(cycles.count):
        cycles.taken(number, cycles.offered(number))
    return cycles.commands


class _Places:
    """Places of a queue: taken one after the other, given back from two sides."""

    def __init__(self, depth: int):
        self._spare = depth
        self.dropped: deque[int] = deque()
        self.emptied: deque[int] = deque()

    def take(self, cycle: int) -> int:
        """Take a place in the first cycle from `cycle` on in which there is one."""
        if self._spare:
            self._spare -= 1
            return cycle
        # What is not known yet comes back later than what is: it has not even been offered.
        sides = [side for side in (self.dropped, self.emptied) if side]
        freed = min(sides, key=lambda side: side[0]).popleft()
        return max(cycle, freed + 1)

    def state(self, now: int) -> "_PlacesState":
        """What decides when places are free, relative to a cycle."""
        return (
            self._spare,
            tuple([cycle - now for cycle in self.dropped]),
            tuple([cycle - now for cycle in self.emptied]),
        )

    def restore(self, state: "_PlacesState", now: int) -> None:
        """Be as another queue was, relative to a cycle."""
        self._spare, dropped, emptied = state
        self.dropped = deque([cycle + now for cycle in dropped])
        self.emptied = deque([cycle + now for cycle in emptied])


_PlacesState = tuple[int, tuple[int, ...], tuple[int, ...]]


class DispatchState(NamedTuple):
    """All that decides when later commands are offered, in cycles relative to one of them."""

    entries: _PlacesState
    steps: _PlacesState
    walks: tuple[int, int]
    """Last step of either walk."""
    jobs: tuple[int, ...]
    """When jobs were accepted, prepared and started, as far as that still matters."""
    taken: int


class Rows:
    """A mask's row blocks: what either walk is answered, and which of them are equal."""

    def __init__(self, job: DispatchJob, config: DispatchConfig, known: dict[Hashable, int]):
        self.answers = list(zip(_lists(job.coarse), _lists(job.fine), strict=True))
        self.count = 0
        """Of commands."""
        self.units: list[tuple[int, int]] = []
        """Of each row block up to the end of the next that has a command: a number, the same for
        equal answers, and the row block after them."""
        limit, group = config.ring_tiles or config.sizes.key_tiles, config.group
        tiles, after = 0, (0, 0)
        for block in reversed(range(len(self.answers))):
            may, row = self.answers[block]
            tiles = sum(each != EMPTY and may[k // group] for k, each in enumerate(row))
            self.count += min(limit, tiles)
            final = block == len(self.answers) - 1
            self.count += final and not tiles
            kind, end = (0, block + 1) if tiles or final else after
            answers = bytes(may), bytes(row), final, kind
            after = known.setdefault(answers, len(known) + 1), end
            self.units.append(after)
        self.units.reverse()


class DispatchCycles:
    """When each command is offered, given when those before it were taken.

    Cycle 0 is the first after reset. Call `offered(n)` and `taken(n, cycle)` for n = 0, 1, ...
    """

    def __init__(self, config: DispatchConfig, jobs: Sequence[DispatchJob]):
        self.config = config
        self.jobs = tuple(jobs)
        kinds: dict[Hashable, int] = {}
        rows: dict[Hashable, Rows] = {}
        for job in self.jobs:
            if (id(job.coarse), id(job.fine)) not in rows:
                rows[id(job.coarse), id(job.fine)] = Rows(job, config, kinds)
        self._rows = [rows[id(job.coarse), id(job.fine)] for job in self.jobs]
        self.commands: list[Command] = []
        """Those whose offer has been asked for, and sometimes one more."""
        self.accepted: list[int] = []
        """Cycle in which each job was accepted, of those that were looked at."""
        self._pushed: list[int] = []
        self._taken: list[int] = []
        self._timing = DispatchTiming(config)
        self._entries = _Places(self._timing.coarse.entries.depth)
        self._steps = _Places(self._timing.commands.depth)
        self._job = self._block = 0  # of the row block that comes next
        self._step = self._fine = -1
        self._before = -1  # when the job before was accepted
        self._prepared, self._started = [-1, -1], [-1, -1]
        self._offer: float = NEVER  # of the command that is taken next, once it was asked for
        self._walk = self._run()

    @property
    def count(self) -> int:
        """How many commands there will be."""
        return sum(rows.count for rows in self._rows)

    def offered(self, number: int) -> int:
        """First cycle in which command `number` is on offer.

        Raises
        ------
        ValueError
            It is not known when the command before was taken.
        """
        if number > len(self._taken):
            raise ValueError(f"command {number} is asked for before {number - 1} was taken")
        while len(self._pushed) <= number:
            next(self._walk)
        before = self._taken[number - 1] if number else -1
        found = max(self._pushed[number], before) + 1
        if number == len(self._taken):
            self._offer = found
        return found

    def taken(self, number: int, cycle: int) -> None:
        """Command `number`, whose offer was asked for, is accepted in `cycle`."""
        if number != len(self._taken) or cycle < self._offer:
            raise ValueError(f"command {number} cannot be taken next, or not in cycle {cycle}")
        self._taken.append(cycle)
        self._offer = NEVER
        self._steps.emptied.append(cycle)

    @property
    def place(self) -> tuple[int, int]:
        """Job and row block that come next, if the last command was the last of a row block."""
        if self._block < len(self._rows[self._job].answers):
            return self._job, self._block
        return self._job + 1, 0

    def rows(self, job: int) -> Rows:
        """A job's row blocks."""
        return self._rows[job]

    def state(self, now: int) -> DispatchState:
        """All that decides when the commands from `place` on are offered."""
        step = self._step
        # Jobs are accepted and prepared a cycle later each, if nothing else holds them up, and the
        # walk takes a cycle for each at least: what is this far behind it never holds it up again.
        jobs = self._before + 1, self._prepared[0] + 1, self._prepared[1], *self._started
        return DispatchState(
            entries=self._entries.state(now),
            steps=self._steps.state(now),
            walks=(step - now, self._fine - now),
            jobs=tuple([max(cycle - step, -JOB_SETTLES) for cycle in jobs]),
            taken=self._taken[-1] - now if self._taken else -1 - now,
        )

    def arriving(self, job: int) -> tuple[int, int]:
        """When a job is offered and may be started, as far as the walk will wait for it."""
        due = self.jobs[job]
        return max(due.offered - self._step, -JOB_SETTLES), max(due.loaded - self._step, 0)

    def repeat(
        self, first: int, end: int, by: int, state: DispatchState, now: int, place: tuple[int, int]
    ) -> None:
        """Come to `place` as from command `first` to `end`, `by` cycles later than then.

        `state` is what followed, relative to cycle `now`.
        """
        self.commands += self.commands[first:end]
        self._pushed += [cycle + by for cycle in self._pushed[first:end]]
        self._taken += [cycle + by for cycle in self._taken[first:end]]
        self._entries.restore(state.entries, now)
        self._steps.restore(state.steps, now)
        self._step, self._fine = (cycle + now for cycle in state.walks)
        before, second, last, *started = (cycle + self._step for cycle in state.jobs)
        self._before, self._prepared = before - 1, [second - 1, last]
        self._started = list(started)
        self._job, self._block = place
        self._walk = self._run()

    def _run(self) -> Iterator[None]:
        """Both walks, entry after entry; stops wherever a command more has been pushed."""
        limit = self.config.ring_tiles
        held: Command | None = None
        number = 0  # of visible tiles so far in the row block
        skips = 0
        for job, block, first, classes, row_end, final, ready in self._groups():
            left = len(classes) - 1
            for k, each in enumerate(classes):
                ready = self._fine = self._steps.take(ready)
                decided = ready + self._timing.fine_latency
                ends = row_end and k == left
                tile = each != EMPTY and (limit is None or number < limit)
                empty = ends and each == EMPTY and number == 0
                none = empty and final
                number += each != EMPTY
                if tile or none:
                    if held:
                        yield self._push(held, decided)
                    key_tile = 0 if none else first + k
                    partial = each == PARTIAL
                    last = ends, none, ends and final, False, skips
                    held = Command(job, block, key_tile, partial, none or number == 1, *last)
                    skips = 0
                    if ends:
                        yield self._push(held, decided + 1)
                        held = None
                else:
                    self._steps.dropped.append(decided)
                    skips += empty
                    if held and (ends or each != EMPTY):
                        refused = each != EMPTY
                        held = held._replace(last=True, end=final, refused=refused)
                        yield self._push(held, decided + 1)
                        held = None
                number = 0 if ends else number
                ready += 1

    def _push(self, command: Command, cycle: int) -> None:
        self.commands.append(command)
        self._pushed.append(cycle)

    def _groups(self) -> Iterator[tuple[Any, ...]]:
        """The groups that are let through, each with the cycle of its first step at the earliest.

        (job, row block, first tile, classes of its tiles, row block's end, job's last row block,
        cycle). Between one and the next, `_fine` must become the cycle of the last step.
        """
        group, coarse = self.config.group, self._timing.coarse
        while self._job < len(self.jobs):
            number, answers = self._job, self._rows[self._job].answers
            if self._block == 0:
                self._start(self.jobs[number])
            while self._block < len(answers):
                block, (mays, row) = self._block, answers[self._block]
                self._block += 1
                final = self._block == len(answers)
                for index, may in enumerate(mays):
                    self._step = step = self._entries.take(self._step + 1)
                    row_end = index == len(mays) - 1
                    decided = step + coarse.latency
                    if not (may or row_end):
                        self._entries.dropped.append(decided)
                        continue
                    emptied = max(decided + 1, self._fine)
                    self._entries.emptied.append(emptied)
                    first = index * group
                    classes = row[first : first + group] if may else [EMPTY]
                    yield number, block, first, classes, row_end, final, emptied + 1
            self._job, self._block = number + 1, 0

    def _start(self, job: DispatchJob) -> None:
        (second, last), (before, latest) = self._prepared, self._started
        # One skid buffer holds two jobs, and another two contexts.
        self._before = max(job.offered, self._before + 1, second + 1)
        self.accepted.append(self._before)
        prepared = max(self._before + 1, last + 1, before + 1)
        self._step = max(prepared + 1, job.loaded, self._step)
        self._prepared, self._started = [last, prepared], [latest, self._step]


def _lists(rows: Any) -> Any:
    """Nested lists of plain numbers, which Python walks faster than arrays."""
    return rows.tolist() if hasattr(rows, "tolist") else rows
