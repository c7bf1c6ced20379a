"""Cycle in which a dispatcher offers each command, from its configuration and the masks' classes.

Exact, whenever the commands are taken. The scan is two walks, each a fixed pipeline behind a count
of places: a step is made in the first cycle in which the step before it was made, its job or group
is there, and a place is free. Places come back in order of time, whoever gives them back.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hw.dispatch.config import DispatchConfig
from hw.dispatch.core import DispatchTiming
from spec.expr import TileClass

__all__ = ["Command", "DispatchCycles", "DispatchJob", "coarse_of_classes", "commands_of"]

EMPTY, PARTIAL = TileClass.EMPTY, TileClass.PARTIAL


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


class DispatchCycles:
    """When each command is offered, given when those before it were taken.

    Cycle 0 is the first after reset. Call `offered(n)` and `taken(n, cycle)` for n = 0, 1, ...
    """

    def __init__(self, config: DispatchConfig, jobs: Sequence[DispatchJob]):
        self.config = config
        self.jobs = tuple(jobs)
        self.commands: list[Command] = []
        """Those whose offer has been asked for, and sometimes one more."""
        self.accepted: list[int] = []
        """Cycle in which each job was accepted, of those that were looked at."""
        self._pushed: list[int] = []
        self._taken: list[int] = []
        self._timing = DispatchTiming(config)
        self._entries = _Places(self._timing.coarse.entries.depth)
        self._steps = _Places(self._timing.commands.depth)
        self._walk = self._run()

    @property
    def count(self) -> int:
        """How many commands there will be."""
        limit = self.config.ring_tiles or self.config.sizes.key_tiles
        found = 0
        for job in self.jobs:
            tiles = 0
            for may, row in zip(_lists(job.coarse), _lists(job.fine), strict=True):
                tiles = sum(map(bool, self._visible(may, row)))
                found += min(limit, tiles)
            found += tiles == 0
        return found

    def _visible(self, may: Sequence[bool], row: Sequence[int]) -> list[int]:
        group = self.config.group
        return [each for k, each in enumerate(row) if may[k // group]]

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
        return max(self._pushed[number], before) + 1

    def taken(self, number: int, cycle: int) -> None:
        """Command `number` is accepted in `cycle`."""
        if number != len(self._taken) or cycle < self.offered(number):
            raise ValueError(f"command {number} cannot be taken next, or not in cycle {cycle}")
        self._taken.append(cycle)
        self._steps.emptied.append(cycle)

    def _run(self) -> Iterator[None]:
        """Both walks, entry after entry; stops wherever a command more has been pushed."""
        limit = self.config.ring_tiles
        held: Command | None = None
        number = 0  # of visible tiles so far in the row block
        skips = 0
        for job, block, first, classes, row_end, final, ready in self._groups():
            left = len(classes) - 1
            for k, each in enumerate(classes):
                ready = self._steps.take(ready)
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
                self._fine = ready
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
        self._fine = -1
        step = -1
        prepared, started = [-1, -1], [-1, -1]
        for number, job in enumerate(self.jobs):
            before = self.accepted[-1] if self.accepted else -1
            # One skid buffer holds two jobs, and another two contexts.
            self.accepted.append(max(job.offered, before + 1, prepared[-2] + 1))
            prepared.append(max(self.accepted[-1] + 1, prepared[-1] + 1, started[-2] + 1))
            started.append(max(prepared[-1] + 1, job.loaded, step))
            step = max(started[-1], step)
            rows = list(zip(_lists(job.coarse), _lists(job.fine), strict=True))
            for block, (mays, row) in enumerate(rows):
                final = block == len(rows) - 1
                for index, may in enumerate(mays):
                    step = self._entries.take(step + 1)
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


def _lists(rows: Any) -> Any:
    """Nested lists of plain numbers, which Python walks faster than arrays."""
    return rows.tolist() if hasattr(rows, "tolist") else rows
