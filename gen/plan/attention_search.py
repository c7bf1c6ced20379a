"""Arrays of an attention core that could be built: fastest first, the smallest of equals."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gen.devices import Resources
from gen.plan.candidates import Candidate, Search, many
from gen.plan.least import attention_least, row_multipliers
from gen.plan.work import heads_of
from hw.attention.config import SLACK_TILES, AttentionConfig
from hw.attention.mac_array import SIDES
from hw.prim.target import Target
from sim.cycle.heads import head_answers, visible_tiles
from spec import Attention, Softmax
from spec.tiles import check_ring

__all__ = ["AttentionSearch"]

PROB_BITS = (None, 16, 14, 12)
"""Widths of weights that are tried, the widest first; None is the layer's own default."""

NEAR = 1.5
"""Times the fastest one's cycles, by closed form, up to which an attention core may be as fast."""

MODELLED_TILES = 40_000
"""Of a head without a mask, up to which arrays are compared by the cycle model: it leads one head
or two through them, ten microseconds a tile."""

RANKED_SIDE = 16
"""Side of the tiles by which masks are compared: exact ones would cost more than they tell."""


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
                        yield self._candidate(config, hardware, share, fullest)

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

    def _candidate(
        self, config: AttentionConfig, hardware: Mapping[str, Any], share: float, fullest: float
    ) -> Candidate:
        layer, dims = config.layer, config.layer.head_dim
        products = config.rows * (config.columns + config.value_columns)
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
        parts.append(many(hardware["value_columns"], "value column"))
        if hardware["buffers"] > 1:
            parts.append(f"{hardware['buffers']} sets of operands")
        if logic := hardware.get("logic_rows"):
            parts.append(f"{many(logic, 'score row')} of logic")
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
