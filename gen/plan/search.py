"""Configurations that could be built of a description, fastest first, by closed forms alone.

For each there are the cycles that it takes by a bound close enough to rank by, and what it takes at
least of a chip, so that most of what does not fit is known not to without making its gates.
"""

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gen.devices import Resources
from gen.kinds import kind_of
from gen.plan.least import attention_least, butterfly_least, row_multipliers
from gen.plan.work import heads_of
from hw.attention.config import SLACK_TILES, AttentionConfig
from hw.attention.mac_array import SIDES
from hw.butterfly.config import UNITS
from hw.prim.target import Target
from hw.softmax.config import MAX_LANES
from sim.cycle.heads import head_answers, visible_tiles
from spec import Attention, Softmax, SpecError
from spec.butterfly import Butterfly
from spec.tiles import check_ring

__all__ = ["Candidate", "Search", "search_of"]

PROB_BITS = (None, 16, 14, 12)
"""Widths of weights that are tried, the widest first; None is the layer's own default."""

NEAR = 1.5
"""Times the fastest one's cycles, by closed form, up to which an attention core may be as fast."""

MODELLED_TILES = 40_000
"""Of a head without a mask, up to which arrays are compared by the cycle model: it leads one head
or two through them, ten microseconds a tile."""

RANKED_SIDE = 16
"""Side of the tiles by which masks are compared: exact ones would cost more than they tell."""


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
        return sorted(found, key=_rank)

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


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number > 1 else ''}"


def _rank(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.cycles, candidate.size, sorted(map(str, candidate.hardware.items()))


class AttentionSearch(Search):
    """Sides of the arrays, sets of operands, score ring, rows of logic, width of weights."""

    description: Attention
    margin = 1.02

    def every(self) -> Iterator[Candidate]:
        """All sides that fit the layer, with one set of operands and with two."""
        layer = self.description
        share, fullest = self._density()
        values = [side for side in SIDES if layer.columns % side == 0]
        # Of logic there may be no more rows than there are.
        logic = self.fixed.get("logic_rows", 0)
        sides = tuple(side for side in _sides(layer.queries) if side >= logic) or (SIDES[-1],)
        for rows in self.choices("rows", sides):
            for columns in self.choices("columns", _sides(layer.keys)):
                for value_columns in self.choices("value_columns", tuple(values)):
                    for buffers in self.choices("buffers", (1, 2) if layer.heads > 1 else (1,)):
                        hardware = {
                            **self.fixed,
                            "rows": rows,
                            "columns": columns,
                            "value_columns": value_columns,
                            "buffers": buffers,
                        }
                        config = AttentionConfig(layer=layer, **hardware)
                        yield self._candidate(config, share, fullest)

    def ranked(self) -> list[Candidate]:
        """The fastest first; those of narrower weights, which help iCE40 only, after all others."""
        found = super().ranked()
        if self.target is Target.ECP5 or self.description.prob_bits or not self._narrowable:
            return found
        return found + [
            dataclasses.replace(
                each,
                description=layer,
                label=self._label(layer, each.hardware),
            )
            for layer in (
                dataclasses.replace(self.description, prob_bits=bits) for bits in PROB_BITS[1:]
            )
            for each in found
        ]

    @property
    def _narrowable(self) -> bool:
        row = self.description.row
        return not (isinstance(row, Softmax) and row.method != "exact")

    def _density(self) -> tuple[float, float]:
        """Share of the tiles that are visible, and of those of the fullest row block."""
        layer = self.description
        if layer.mask is None or "generator" not in layer.masks:
            return 1.0, 1.0
        coarse = AttentionConfig(
            layer=layer, rows=RANKED_SIDE, columns=RANKED_SIDE, value_columns=1
        )
        found = [
            visible_tiles(answers)
            for answers in head_answers(coarse, layer.queries, layer.keys, [None] * layer.heads)
        ]
        share = float(np.mean(found)) / coarse.key_tiles
        return share, float(np.max(found)) / coarse.key_tiles

    def _candidate(self, config: AttentionConfig, share: float, fullest: float) -> Candidate:
        layer, dims = config.layer, config.layer.head_dim
        products = config.rows * (config.columns + config.value_columns)
        hardware = {
            **self.fixed,
            "rows": config.rows,
            "columns": config.columns,
            "value_columns": config.value_columns,
            "buffers": config.buffers,
        }
        # Keys and values are loaded once a head of theirs.
        pace = _pace(config)
        of_keys = config.key_tiles * max(dims, config.columns * config.groups)
        load = max(config.row_blocks * dims, of_keys / layer.groups)
        work = share * config.row_blocks * config.key_tiles * pace
        a_head = load + work if config.buffers == 1 else max(load, work)
        cycles = layer.heads * a_head + fullest * config.key_tiles * pace
        if config.buffers > 1:
            cycles += max(config.row_blocks * dims, of_keys)
        return Candidate(
            description=layer,
            hardware=hardware,
            cycles=cycles,
            size=products * config.buffers,
            label=self._label(layer, hardware),
        )

    def _label(self, layer: Attention, hardware: Mapping[str, Any]) -> str:
        parts = [f"arrays of {hardware['rows']} x {hardware['columns']}"]
        parts.append(_many(hardware["value_columns"], "value column"))
        if hardware["buffers"] > 1:
            parts.append(f"{hardware['buffers']} sets of operands")
        if logic := hardware.get("logic_rows"):
            parts.append(f"{_many(logic, 'score row')} of logic")
        if layer.prob_bits != self.description.prob_bits:
            parts.append(f"weights of {layer.prob_bits} bits")
        return ", ".join(parts)

    def least(self, candidate: Candidate) -> Resources:
        """By the sizes of its memories and arrays, its score ring as shallow as it may become."""
        layer, hardware = candidate.description, candidate.hardware
        if self._ring_is_known(layer):
            hardware = {"score_tiles": SLACK_TILES, **hardware}
        return attention_least(AttentionConfig(layer=layer, **hardware), self.target)

    def check(self, candidate: Candidate) -> None:
        """Of the description's own mask no row block may have more tiles than the ring holds."""
        super().check(candidate)
        layer: Attention = candidate.description
        config = AttentionConfig(layer=layer, **candidate.hardware)
        if "score_tiles" in self.fixed and config.most_tiles is not None:
            fullest = _fullest(config) if "generator" in layer.masks else config.key_tiles
            arrays = f"{config.rows} x {config.columns}"
            check_ring(f"with arrays of {arrays} a row block sees", fullest, config.most_tiles)

    def relieved(self, candidate: Candidate, multipliers: int) -> Candidate:
        """With as few rows of the score array made of logic as save them, if the user set none.

        Of an array that waits half of the time for the value array, none: one of half the rows
        would be as fast.
        """
        config = AttentionConfig(layer=candidate.description, **candidate.hardware)
        each = row_multipliers(config.columns, self.target)
        if multipliers <= 0 or not each or "logic_rows" in self.fixed:
            return candidate
        if 2 * config.layer.head_dim <= _pace(config):
            return candidate
        rows = min(config.rows, config.logic_rows + -(-multipliers // each))
        hardware = {**candidate.hardware, "logic_rows": rows}
        label = self._label(config.layer, hardware)
        return dataclasses.replace(candidate, hardware=hardware, label=label)

    def comparable(self, fastest: Candidate, other: Candidate) -> bool:
        """By closed forms, which are not that far off; where the cycle model is quick, too."""
        if other.description is not fastest.description or other.cycles > NEAR * fastest.cycles:
            return False
        layer: Attention = fastest.description
        tiles = (
            -(-layer.queries // each.hardware["rows"]) * -(-layer.keys // each.hardware["columns"])
            for each in (fastest, other)
        )
        return max(tiles) <= MODELLED_TILES

    def exceeds(self, candidate: Candidate, other: Candidate) -> bool:
        """The same arrays with more sets of operands."""
        sides = ("rows", "columns", "value_columns")
        same = all(candidate.hardware[side] == other.hardware[side] for side in sides)
        return same and candidate.hardware["buffers"] > other.hardware["buffers"]

    def exact_cycles(self, candidate: Candidate) -> int:
        """By the cycle model, every head under the layer's own mask."""
        return heads_of(AttentionConfig(layer=candidate.description, **candidate.hardware)).total

    def grows(self, resource: str) -> bool:
        """Memories do not: a wider one may take fewer blocks."""
        return resource not in ("block RAMs", "single-port RAMs")

    def _ring_is_known(self, layer: Attention) -> bool:
        """Whether the gates' own mask tells how many tiles a row block can have."""
        own = layer.masks == ("generator",) and layer.mask is not None
        return own and layer.row_numerics.needs_max and "score_tiles" not in self.fixed

    def settled(self, candidate: Candidate) -> Candidate:
        """With a score ring as deep as the fullest row block asks for, if gates make the mask."""
        layer: Attention = candidate.description
        if not self._ring_is_known(layer):
            return candidate
        config = AttentionConfig(layer=layer, **candidate.hardware)
        places = max(2, _fullest(config) + SLACK_TILES)
        hardware = {
            **candidate.hardware,
            "score_tiles": places if places < config.ring_tiles else None,
        }
        return dataclasses.replace(candidate, hardware=hardware)


def _fullest(config: AttentionConfig) -> int:
    """Tiles of the row block that has most, by the layer's own mask."""
    return _fullest_of(config.layer, config.rows, config.columns)


@functools.lru_cache(maxsize=64)
def _fullest_of(layer: Attention, rows: int, columns: int) -> int:
    config = AttentionConfig(layer=layer, rows=rows, columns=columns, value_columns=1)
    answers = head_answers(config, layer.queries, layer.keys, [None] * layer.heads)
    return max(int(visible_tiles(each).max()) for each in answers)


def _pace(config: AttentionConfig) -> int:
    """A tile's cycles in the slower array."""
    of_values = config.groups * max(config.rows, config.columns)
    return max(config.layer.head_dim, config.tile.words, of_values, 5)


def _sides(length: int) -> tuple[int, ...]:
    """Sides of an array that a length can fill."""
    return tuple(side for side in SIDES if side == 1 or side <= length)


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
                label=_many(each, "lane"),
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
                    label=f"{_many(units, 'unit')}, {_many(words, 'word')} a cycle",
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
