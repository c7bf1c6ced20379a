"""Cycle of every transfer of a softmax unit, from its configuration and the rows' lengths alone.

Exact for an input that always offers and an output that always accepts. The unit is three passes,
each a fixed pipeline behind a credit: a word moves on in the first cycle in which its row is known,
the word before it has moved, and the places that it needs further on have been granted.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import SoftmaxTiming
from hw.softmax.row_buffer import GRANT_DELAY, RowBufferConfig

__all__ = ["SoftmaxCycles", "softmax_cycles"]


@dataclass(frozen=True, kw_only=True)
class SoftmaxCycles:
    """When each transfer happens; cycle 0 is the first in which the unit accepts one."""

    accepted: tuple[int, ...]
    """Cycle of every input transfer."""
    delivered: tuple[int, ...]
    """Cycle of every output transfer."""

    @property
    def total(self) -> int:
        """Cycles from the first transfer in to the last one out, both counted."""
        return self.delivered[-1] - self.accepted[0] + 1


class _Credits:
    """A store's places as its counter has them: taken in some cycles, freed in others."""

    def __init__(self, depth: int):
        self._depth = depth
        self.taken: list[int] = []
        self.freed: list[int] = []

    def granted(self, cycle: int) -> bool:
        """Whether a head that acts in `cycle` had a grant: the counter lags, and so does the head.

        The reserve, `GRANT_DELAY` places, covers what is taken between a grant and its use.
        """
        seen = cycle - GRANT_DELAY
        held = bisect_left(self.taken, seen) - bisect_left(self.freed, seen)
        return seen >= 0 and held < self._depth - GRANT_DELAY


class _Pass:
    """A row buffer and the reader behind it: when words are taken and issued, and rows loaded."""

    def __init__(self, config: RowBufferConfig):
        self._fill_latency = config.fill_latency
        self.words = _Credits(config.depth_words)
        self.rows = _Credits(config.depth_rows)

    @property
    def credits(self) -> tuple[_Credits, ...]:
        """What a head must find in this buffer."""
        return self.words, self.rows

    def load(self) -> int:
        """Load the row whose last word was taken last; give the cycle of its first issue."""
        self.rows.taken.append(self.words.taken[-1])
        known = self.words.taken[-1] + self._fill_latency + 1
        issued = self.words.freed
        self.rows.freed.append(max(known, issued[-1] if issued else 0))
        return self.rows.freed[-1] + 1


def _first(cycle: int, credits: Sequence[_Credits]) -> int:
    """First cycle from `cycle` on in which every one of `credits` is granted."""
    while not all(each.granted(cycle) for each in credits):
        cycle += 1
    return cycle


def softmax_cycles(config: SoftmaxConfig, lengths: Sequence[int]) -> SoftmaxCycles:
    """Cycles of rows of these `lengths`, in elements, back to back.

    Raises
    ------
    ValueError
        A row is empty or longer than the maximum.
    """
    longest = config.numerics.max_length
    timing = SoftmaxTiming(config)
    scores, weights = _Pass(timing.scores), _Pass(timing.weights)
    output = _Credits(timing.output.depth)
    delivered: list[int] = []
    cycle = GRANT_DELAY
    for row, length in enumerate(lengths):
        if not 1 <= length <= longest:
            raise ValueError(f"row {row} has {length} elements; a row has 1 to {longest}")
        words = range(-(-length // config.lanes))
        for _ in words:
            cycle = _first(cycle, scores.credits)
            scores.words.taken.append(cycle)
            cycle += 1
        issue = scores.load()
        for _ in words:
            issue = _first(issue, weights.credits)
            scores.words.freed.append(issue)
            weights.words.taken.append(issue)
            issue += 1
        issue = weights.load()
        for _ in words:
            issue = _first(issue, (output,))
            weights.words.freed.append(issue)
            output.taken.append(issue)
            delivered.append(issue + timing.scale_latency + timing.output.latency)
            output.freed.append(delivered[-1])
            issue += 1
    start = scores.words.taken[0] if delivered else 0
    return SoftmaxCycles(
        accepted=tuple(taken - start for taken in scores.words.taken),
        delivered=tuple(done - start for done in delivered),
    )
