"""Running an attention layer on queries, keys and values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gen.design import Design
from hw.attention.config import AttentionConfig
from sim.arrays import attention as of
from sim.arrays.attention import Heads, Result
from sim.bench.attention import cycles_per_second, simulate
from sim.bench.runner import BenchError
from sim.cycle.heads import head_answers, head_cycles, visible_tiles
from sim.run.runner import Runner

__all__ = ["AttentionRunner"]


class AttentionRunner(Runner):
    """``q``, ``k``, ``v`` int8, and ``mask`` bool, True = attend."""

    arrays = of.NAMES

    def read(self, path: Path, given: Mapping[str, NDArray[Any]], design: Design) -> Heads:
        """Operands and mask, checked against the layer and the core."""
        return self._read(path, given, design, reorder=False)

    def read_reordered(
        self, path: Path, given: Mapping[str, NDArray[Any]], design: Design
    ) -> Heads:
        """The same with tokens in an order in which the mask leaves fewer tiles."""
        return self._read(path, given, design, reorder=True)

    def _read(
        self, path: Path, given: Mapping[str, NDArray[Any]], design: Design, *, reorder: bool
    ) -> Heads:
        config: AttentionConfig = design.config
        work = of.read(path, given, config.layer, config, reorder=reorder)
        if not work.nothing and config.most_tiles is not None:
            tiles = [visible_tiles(each) for each in _answers(config, work)]
            of.check_rows(path, config, config.most_tiles, tiles)
        return work

    def golden(self, design: Design, work: Heads) -> Result:
        """Bits by the golden model, cycles by the cycle model."""
        config: AttentionConfig = design.config
        if work.nothing:
            return of.golden(config.layer, work, 0, 0)
        found = head_cycles(config, work.q.shape[1], work.k.shape[1], work.loaded)
        return of.golden(config.layer, work, found.total, found.tiles)

    def rtl(self, design: Design, work: Heads, folder: Path, verilog: Path) -> Result:
        """Bits and cycles by the emitted Verilog in Icarus."""
        config: AttentionConfig = design.config
        if work.nothing:
            return self.golden(design, work)
        trace = simulate(
            config,
            verilog,
            work.q,
            work.k,
            work.v,
            work.loaded,
            top=design.name,
            folder=folder,
        )
        if trace.refused.any():
            raise BenchError("the core refused a row block that its score ring should hold")
        tiles = sum(int(visible_tiles(each).sum()) for each in _answers(config, work))
        return of.result(config.layer, work, trace.o, trace.empty, trace.total, tiles)

    def rtl_seconds(self, design: Design, work: Heads) -> float:
        """How long `rtl` takes, roughly."""
        if work.nothing:
            return 0
        config: AttentionConfig = design.config
        cycles = head_cycles(config, work.q.shape[1], work.k.shape[1], work.loaded).total
        return cycles / cycles_per_second(config)

    def summary(self, work: Heads, result: Result) -> dict[str, Any]:
        """Sizes, cycles and how much of them the tiles alone would take."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)


def _answers(config: AttentionConfig, work: Heads) -> list[Any]:
    loaded = list(work.loaded) * (work.q.shape[0] if len(work.loaded) == 1 else 1)
    return head_answers(config, work.q.shape[1], work.k.shape[1], loaded)
