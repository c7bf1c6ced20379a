"""A configuration that could be built, and what is asked of a search for the best of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gen.devices import Resources
from gen.kinds import kind_of
from hw.prim.target import Target
from spec import SpecError

__all__ = ["Candidate", "Search", "many", "rank"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that may be built.

    Parameters
    ----------
    description
        What is computed; a field that was left open may have a value.
    hardware
        Fields of the configuration.
    cycles
        What the layer takes, roughly.
    size
        Products a cycle, by which equally fast ones are ordered.
    label
        It in a few words.
    """

    description: Any
    hardware: Mapping[str, Any]
    cycles: float
    size: int
    label: str


class Search(ABC):
    """The configurations of one kind of description.

    Parameters
    ----------
    description
        What is computed.
    fixed
        Fields of the configuration that the user chose.
    target
        Family of the chip.
    """

    margin = 1.0
    """Of the fastest candidate's cycles, so many times may a smaller one take that is preferred."""

    def __init__(self, description: Any, fixed: Mapping[str, Any], target: Target):
        self.description, self.fixed, self.target = description, dict(fixed), target

    @abstractmethod
    def every(self) -> Iterator[Candidate]:
        """Every candidate, in any order."""

    def ranked(self) -> list[Candidate]:
        """The fastest first; of equal ones the smallest. None is against the core's own rules.

        Raises
        ------
        SpecError
            All are.
        """
        found, error = [], None
        for candidate in self.every():
            try:
                self.check(candidate)
            except SpecError as reason:
                error = reason  # of the largest, which comes last
            else:
                found.append(candidate)
        if error is not None and not found:
            raise error
        return sorted(found, key=rank)

    def check(self, candidate: Candidate) -> None:
        """Raise a SpecError for a configuration that is against a rule of its core."""
        kind_of(candidate.description).configure(candidate.description, candidate.hardware)

    @abstractmethod
    def least(self, candidate: Candidate) -> Resources:
        """What a candidate takes of a chip, at least."""

    def settled(self, candidate: Candidate) -> Candidate:
        """The candidate with what is worth working out only for one that may be taken."""
        return candidate

    def comparable(self, fastest: Candidate, other: Candidate) -> bool:
        """Whether another may be as fast, within the margin, as the fastest by its closed form."""
        return False

    def exceeds(self, candidate: Candidate, other: Candidate) -> bool:
        """Whether it is known to be the larger one of two, their gates not being counted."""
        return False

    def exact_cycles(self, candidate: Candidate) -> float:
        """What the layer takes, where a closed form says it roughly: by the cycle model."""
        return candidate.cycles

    def relieved(self, candidate: Candidate, multipliers: int) -> Candidate:
        """The candidate with so many multipliers fewer, or as many as can be; no slower."""
        return candidate

    def grows(self, resource: str) -> bool:
        """Whether the smallest candidate takes least of a resource, by its name in words."""
        return True

    def choices(self, field: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Values to try of a field: the user's, if there is one."""
        return (self.fixed[field],) if field in self.fixed else values


def many(number: int, thing: str) -> str:
    """A number of things in words."""
    return f"{number} {thing}{'s' if number > 1 else ''}"


def rank(candidate: Candidate) -> tuple[Any, ...]:
    """The fastest first, of those the smallest; then any order that is always the same."""
    return candidate.cycles, candidate.size, sorted(map(str, candidate.hardware.items()))
