"""The scan on every mask of two row blocks by three key tiles, at every length, under stalls."""

import itertools
from typing import Any

import pytest
from amaranth.hdl import Module, Mux
from amaranth.lib import wiring

from hw.dispatch import core
from hw.dispatch.config import DispatchConfig, DispatchSizes
from hw.dispatch.core import Dispatcher
from hw.dispatch.source import SourceLatency, source_members
from tests.support.abstract import delayed
from tests.support.bench import RandomStalls, run

BLOCKS, TILES, GROUP = 2, 3, 2
MASKS = 1 << BLOCKS * TILES


class MaskByHead(wiring.Component):
    """A source of every mask: bit n of a head's number says that its n-th tile is visible.

    Tiles of an odd number may be false somewhere, and every third head has its groups let through
    whatever is in them.
    """

    coarse: Any
    coarse_answer: Any
    fine: Any
    fine_answer: Any

    def __init__(self, config: DispatchConfig):
        super().__init__(source_members(config))

    @staticmethod
    def latency_of(config: DispatchConfig) -> SourceLatency:
        return SourceLatency(coarse=2, fine=1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ask = self.coarse
        row = ask.head.word_select(ask.q_low, TILES)
        may = Mux(ask.group == 0, row[:GROUP].any(), row[GROUP:].any()) | (ask.head % 3 == 0)
        m.d.sync += self.coarse_answer.may.eq(delayed(m, may, 1))
        ask = self.fine
        row = ask.head.word_select(ask.q_low, TILES)
        m.d.sync += [
            self.fine_answer.may_be_true.eq(row.bit_select(ask.tile, 1)),
            self.fine_answer.may_be_false.eq((ask.tile + TILES * ask.q_low)[0]),
        ]
        return m


def due(queries: int, keys: int, mask: int, limit: int) -> list[tuple[int, ...]]:
    """(row_block, key_tile, partial, first, last, none, end, refused, skips) of each command."""
    found: list[tuple[int, ...]] = []
    blocks, skips = max(1, queries), 0
    for block in range(blocks):
        final = block == blocks - 1
        some = range(-(-keys // 2) if queries else 0)
        tiles = [k for k in some if mask >> block * TILES + k & 1]
        for n, k in enumerate(tiles[:limit]):
            last = n == min(limit, len(tiles)) - 1
            partial = (block * TILES + k) % 2 or 2 * k + 1 == keys
            flags = n == 0, last, 0, last and final, last and len(tiles) > limit
            found.append((block, k, partial, *flags, 0 if n else skips))
        if final and not tiles:
            found.append((block, 0, 0, 1, 1, 1, 1, 0, skips))
        skips = 0 if tiles else skips + 1
    return [tuple(map(int, each)) for each in found]


NAMES = ("row_block", "key_tile", "partial", "first", "last", "none", "end", "refused", "skips")


@pytest.mark.parametrize(("max_tiles", "stall", "depth"), [(None, 0.3, 2), (2, 0.7, 5)])
def test_every_command_is_due(max_tiles, stall, depth, monkeypatch):
    monkeypatch.setitem(core.UNITS, "generator", MaskByHead)
    sizes = DispatchSizes(rows=1, columns=2, queries=BLOCKS, keys=2 * TILES, heads=MASKS)
    config = DispatchConfig(sizes=sizes, max_tiles=max_tiles, command_depth=depth, group=GROUP)
    jobs = list(itertools.product(range(BLOCKS + 1), range(2 * TILES + 1), range(MASKS)))
    wanted = [each for job in jobs for each in due(*job, max_tiles or TILES)]
    other = {"batch": 0, "source": 0, "causal": 0}
    names = ("queries", "keys", "head")
    result = run(
        Dispatcher(config),
        {"i_job": [{**other, **dict(zip(names, job, strict=True))} for job in jobs]},
        expect=len(wanted),
        stalls=RandomStalls(probability=stall, seed=7),
        cycles_budget=40 * len(jobs),
    )
    assert [tuple(each[name] for name in NAMES) for each in result.outputs["o"]] == wanted
