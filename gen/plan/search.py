"""Configurations of each kind that could be built, fastest first, by closed forms alone.

For each there are the cycles that it takes by a bound close enough to rank by, and what it takes at
least of a chip, so that most of what does not fit is known not to without making its gates.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gen.devices import Resources
from gen.kinds import kind_of
from gen.plan.attention_search import AttentionSearch
from gen.plan.candidates import Candidate, Search, many
from gen.plan.least import butterfly_least
from hw.attention.mac_array import SIDES
from hw.butterfly.config import UNITS
from hw.prim.target import Target
from hw.softmax.config import MAX_LANES
from spec import Attention, Softmax, SpecError
from spec.butterfly import Butterfly

__all__ = ["search_of"]


class SoftmaxSearch(Search):
    """Lanes."""

    description: Softmax

    def every(self) -> Iterator[Candidate]:
        """Every number of lanes that divides the longest row."""
        longest = self.description.max_length
        lanes = [n for n in SIDES if n <= MAX_LANES and longest % n == 0]
        for each in self.choices("lanes", tuple(lanes)):
            yield Candidate(
                description=self.description,
                hardware={**self.fixed, "lanes": each},
                cycles=longest / each,
                size=each,
                label=many(each, "lane"),
            )

    def least(self, candidate: Candidate) -> Resources:
        """Nothing worth knowing before its gates are counted, which is quick."""
        return Resources()


class ButterflySearch(Search):
    """Units, and words a cycle of input and of output."""

    description: Butterfly

    def every(self) -> Iterator[Candidate]:
        """All that the core's rules allow."""
        core = self.description
        points = core.points
        size, steps = points, points // 2 * core.stages
        if "mixing" in core.transforms:
            rows, columns = core.block
            size = rows * columns
            steps = size // 4 * (rows.bit_length() + columns.bit_length() - 2)
        for units in self.choices("units", UNITS):
            for words in self.choices("stream_words", (1, 2, 4)):
                if words > units or ("increasing" in core.orders and words > 2):
                    continue
                yield Candidate(
                    description=core,
                    hardware={**self.fixed, "units": units, "stream_words": words},
                    # In a stream, and of equal ones the one that is sooner through.
                    cycles=max(steps / units, size / words) + (steps / units + size / words) / 1000,
                    size=units * (1 + words),
                    label=f"{many(units, 'unit')}, {many(words, 'word')} a cycle",
                )

    def least(self, candidate: Candidate) -> Resources:
        """By its units, banks and weights."""
        config = kind_of(self.description).configure(self.description, candidate.hardware)
        return butterfly_least(config, self.target)


SEARCHES: Mapping[type, type[Search]] = {
    Attention: AttentionSearch,
    Softmax: SoftmaxSearch,
    Butterfly: ButterflySearch,
}


def search_of(description: Any, fixed: Mapping[str, Any], target: Target) -> Search:
    """The search for a description."""
    for kind, search in SEARCHES.items():
        if isinstance(description, kind):
            return search(description, fixed, target)
    raise SpecError(f"{type(description).__name__} cannot be planned")
