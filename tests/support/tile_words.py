"""Row blocks to the words of their tiles, words to cycles, and what a trace says was pushed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from hw.attention.tile import TileWords
from tests.support.netlist import Trace
from tests.support.payload import decode, encode

__all__ = ["Block", "payload_shape", "present", "pushed", "random_blocks", "rows_of", "tile_words"]

Block = NDArray[np.int64]
"""Scores of a row block, (tiles, rows, columns)."""


def tile_words(tile: TileWords, blocks: Iterable[Block]) -> Iterator[dict[str, Any]]:
    """Every word in order: its scores, row_index, row_end, end, first and last."""
    for block in blocks:
        for number, scores in enumerate(block):
            for word in range(tile.words):
                row, place = divmod(word, tile.row_words)
                lanes = scores[row, place * tile.lanes : (place + 1) * tile.lanes]
                yield {
                    "score": [int(score) for score in lanes],
                    "row_index": row,
                    "row_end": int(place == tile.row_words - 1),
                    "end": int(word == tile.words - 1),
                    "first": int(number == 0),
                    "last": int(number == len(block) - 1),
                }


def rows_of(block: Block) -> NDArray[np.int64]:
    """The rows of a row block, (rows, keys)."""
    return block.transpose(1, 0, 2).reshape(block.shape[1], -1)


def random_blocks(
    tile: TileWords, score_bits: int, tiles: Sequence[int], seed: int, step: float = 1.0
) -> list[Block]:
    """Row blocks of so many tiles each: rows flat, peaked, at the ends, partly or wholly masked.

    The lowest code is a masked score; `step` is the score that one unit of spread stands for.
    """
    rng = np.random.default_rng(seed)
    top = 1 << score_bits - 1
    blocks = []
    for count in tiles:
        shape = (count, tile.rows, tile.columns)
        of_row = (1, tile.rows, 1)
        spread = rng.choice([0.0, 1.0, 4.0, 16.0, 64.0, top / step], of_row) * step
        scores = np.round(rng.normal(rng.integers(-top, top, of_row), spread, shape))
        codes = np.clip(scores, 1 - top, top - 1).astype(np.int64)
        hidden = rng.random(shape) < rng.choice([0.0, 0.0, 0.1, 0.5, 0.9, 1.0], of_row)
        blocks.append(np.where(hidden, -top, codes))
    return blocks


def payload_shape(unit: wiring.Component, port: str) -> Any:
    """Shape of what a Push of `unit` carries."""
    return unit.signature.members[port].signature.members["payload"].shape


def present(
    unit: wiring.Component, port: str, payloads: Iterable[Mapping[str, Any]], gaps: Iterable[int]
) -> tuple[list[dict[str, int]], list[int]]:
    """Stimulus that pushes `payloads`, after so many idle cycles each; and the cycles it does."""
    shape = payload_shape(unit, port)
    waits = iter(gaps)
    stimulus: list[dict[str, int]] = []
    cycles = []
    for payload in payloads:
        # What stands at an idle port is not looked at: the payload before stays.
        stimulus += [{f"{port}__valid": 0}] * next(waits, 0)
        cycles.append(len(stimulus))
        known = {key: value for key, value in payload.items() if key in shape.members}
        stimulus.append({f"{port}__valid": 1, f"{port}__payload": encode(known, shape)})
    return stimulus, cycles


def pushed(unit: wiring.Component, trace: Trace, port: str) -> dict[int, Any]:
    """Cycle -> what was pushed at an output in it."""
    shape = payload_shape(unit, port)
    found = {}
    for cycle, now in enumerate(trace):
        if now[f"{port}__valid"]:
            bits = now[f"{port}__payload"]
            assert bits is not None
            found[cycle] = decode(bits, shape)
    return found
