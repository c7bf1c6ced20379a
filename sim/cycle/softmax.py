"""Cycle of every transfer of a softmax unit, from its configuration and the rows' lengths alone.

Exact for an input that always offers and an output that always accepts. The unit is three passes,
each a fixed pipeline behind a credit: a word moves on in the first cycle in which its row is known,
the word before it has moved, and the places that it needs further on have been granted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import SoftmaxTiming
from hw.softmax.row_buffer import RowBufferConfig

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


class _Pass:
    """A row buffer and the reader behind it: when words are issued, and rows loaded."""

    def __init__(self, config: RowBufferConfig):
        self._config = config
        self.issued: list[int] = []
        self.loaded: list[int] = []

    def room(self, word: int, row: int) -> int:
        """First cycle that grants `word`, the next to be taken, and a place for its row."""
        config = self._config
        freed_word = self.issued[word - config.depth_words] if word >= config.depth_words else -1
        freed_row = self.loaded[row - config.depth_rows] if row >= config.depth_rows else -1
        return max(freed_word, freed_row) + 1

    def load(self, filled: int) -> None:
        """Load the next row, whose last word was taken in cycle `filled`."""
        known = filled + self._config.fill_latency + 1
        self.loaded.append(max(known, self.issued[-1] if self.issued else 0))

    def issue(self, room: int) -> None:
        """Issue the loaded row's next word, no sooner than there is `room` for it."""
        before = max(self.loaded[-1], self.issued[-1] if self.issued else 0)
        self.issued.append(max(before + 1, room))


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
    accepted: list[int] = []
    delivered: list[int] = []
    for row, length in enumerate(lengths):
        if not 1 <= length <= longest:
            raise ValueError(f"row {row} has {length} elements; a row has 1 to {longest}")
        words = range(len(accepted), len(accepted) + -(-length // config.lanes))
        for word in words:
            accepted.append(max(word and accepted[-1] + 1, scores.room(word, row)))
        scores.load(accepted[-1])
        for word in words:
            scores.issue(weights.room(word, row))
        weights.load(scores.issued[-1])
        for word in words:
            depth = timing.output.depth
            weights.issue(delivered[word - depth] + 1 if word >= depth else 0)
            delivered.append(weights.issued[-1] + timing.scale_latency + timing.output.latency)
    return SoftmaxCycles(accepted=tuple(accepted), delivered=tuple(delivered))
