"""Where tiles wait besides the arrays: for operands that are loaded, and for the output.

The attention core's cycle model asks both. Every moment is kept, and each part says which of its
moments something later may still wait for.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hw.attention.timing import AttentionTiming

__all__ = ["Moments", "Operand", "Output"]

UNITS_WAITING = 2
"""Places for row blocks between the two halves of the output unit."""


class Moments(NamedTuple):
    """Moments of one kind, each later than those before it."""

    cycles: list[int]
    last: int
    """How many of them something later may wait for."""
    delay: int
    """How much later it may be for that, at most."""


class Operand:
    """When sets of an operand are full, loaded as fast as they are taken."""

    def __init__(self, sets: int, loads: Sequence[int]):
        self._sets = sets
        self._full: list[int] = []
        self._released: list[int] = []
        self.loads = loads

    def full(self, index: int) -> int:
        """Cycle from which set `index` is full, all sets before it having been released."""
        while len(self._full) <= index:
            at = len(self._full)
            # A word a cycle; the first one once the set before it is whole and a place is free.
            first = self._full[-1] if at else 0
            if at >= self._sets:
                first = max(first, self._released[at - self._sets] + 1)
            self._full.append(first + self.loads[at])
        became = self._full[index]
        if index:
            became = max(became, self._released[index - 1] + 1)
        return became

    def release(self, cycle: int) -> None:
        """The oldest set is released."""
        self._released.append(cycle)

    @property
    def moments(self) -> Iterator[Moments]:
        """What later ones may wait for: a set that is loaded while another one is used."""
        load = max(self.loads, default=0)
        yield Moments(self._full, 1, load)
        yield Moments(self._released, self._sets, load + 1)


class Output:
    """When row blocks leave."""

    def __init__(self, timing: AttentionTiming):
        self._config = timing.output
        self._units: list[int] = []
        self._begins: list[int] = []
        self._done: list[int] = []
        self.unfolded = self.idle = 0
        self.delivered: list[int] = []

    def room(self) -> int:
        """First cycle in which there is room for one more descriptor."""
        before = len(self._done) - self._config.blocks
        return self._done[before] + 1 if before >= 0 else 0

    def push(self, at: int, *, skips: int, data: bool, rows: int, complete: int) -> None:
        """A descriptor comes; with data its last word comes in cycle `complete`."""
        config = self._config
        accepted = max(at + 1, self.unfolded)
        for unit in range(skips + data):
            final = unit == skips + data - 1
            offered = max(accepted + 1, self._units[-1] + 1 if self._units else 0)
            if len(self._units) >= UNITS_WAITING:
                offered = max(offered, self._begins[len(self._units) - UNITS_WAITING] + 1)
            self._units.append(offered)
            skip = not (final and data)
            begin = max(offered + 1, self.idle)
            if not skip:
                begin = max(begin, complete + 1)
            self._begins.append(begin)
            rows_here = rows if final else config.rows
            words = 1 if skip and config.compact else rows_here * config.groups
            first = begin + 1 + config.send_latency + 1
            self.delivered.extend(range(first, first + words))
            self.idle = begin + words
        self.unfolded = self._units[-1]
        self._done.append(self.idle)

    @property
    def moments(self) -> Iterator[Moments]:
        """What later ones may wait for."""
        yield Moments(self._units, 1, 1)
        yield Moments(self._begins, UNITS_WAITING, 1)
        yield Moments(self._done, self._config.blocks, 1)
