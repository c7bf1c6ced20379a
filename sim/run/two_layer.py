"""Running a core of two layers on blocks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen.design import Design
from hw.butterfly.mixing import MixingConfig
from sim.arrays.butterfly import check_integers
from sim.bench.two_layer import block_sizes, blocks_per_second, simulate_blocks
from sim.cycle.two_layer import two_layer_cycles
from sim.golden.mixing import mixing
from sim.run.runner import Runner
from spec import SpecError

__all__ = ["MixingRunner"]

Integers = NDArray[np.int64]


class MixedBlocks(NamedTuple):
    """What a run of mixing gives: y · 2^exponent."""

    y: NDArray[np.int16]
    """(blocks, rows, columns), or (rows, columns) where one block was given without the first."""
    exponent: NDArray[np.int16]
    """(blocks,)."""
    saturated: NDArray[np.bool_]
    """(blocks,), True where a component did not fit fixed shifts."""
    cycles: int
    """From the first transfer in to the last one out, without stalls."""


class MixingRunner(Runner):
    """``x``, (rows, columns) or (blocks, rows, columns) integers."""

    arrays = ("x",)

    def read(self, path: Path, given: Mapping[str, NDArray[Any]], design: Design) -> Integers:
        """Blocks, checked against the description and the core."""
        config: MixingConfig = design.config
        for name in given:
            if name != "x":
                raise SpecError(f"{path}: mixing takes x alone, got {name}; leave it out")
        if "x" not in given:
            raise SpecError(f"{path}: there is no array called x")
        x, where = given["x"], f"{path}: x"
        if x.ndim not in (2, 3) or 0 in x.shape:
            raise SpecError(
                f"{where} must have shape (rows, columns) or (blocks, rows, columns), each at "
                f"least 1, got {x.shape}"
            )
        check_integers(where, x, ~config.butterfly.data_max, config.butterfly.data_max)
        config.check_block(where, *x.shape[-2:])
        if x.ndim == 3 and len(x) >= 1 << 16:
            raise SpecError(
                f"{where} must have at most 65535 blocks, got {len(x)}; run it in parts"
            )
        return x.astype(np.int64)

    def golden(self, design: Design, work: Integers) -> MixedBlocks:
        """Bits by the golden model, cycles by the cycle model."""
        config: MixingConfig = design.config
        blocks = work.reshape(-1, *work.shape[-2:])
        found = [mixing(config.butterfly, block) for block in blocks]
        return _mixed(
            work,
            [each.y for each in found],
            [each.exponent for each in found],
            [each.saturated for each in found],
            two_layer_cycles(config, block_sizes(config, [blocks])).total,
        )

    def rtl(self, design: Design, work: Integers, folder: Path, verilog: Path) -> MixedBlocks:
        """Bits and cycles by the emitted Verilog in Icarus."""
        blocks = work.reshape(-1, *work.shape[-2:])
        trace = simulate_blocks(design.config, verilog, [blocks], top=design.name, folder=folder)
        cycles = trace.cycles["o"][-1] - trace.cycles["i"][0] + 1
        return _mixed(work, trace.y, trace.exponent, trace.saturated, cycles)

    def rtl_seconds(self, design: Design, work: Integers) -> float:
        """How long `rtl` takes, roughly."""
        config: MixingConfig = design.config
        sizes = block_sizes(config, [work.reshape(-1, *work.shape[-2:])])
        return two_layer_cycles(config, sizes).total / blocks_per_second(config)

    def summary(self, work: Integers, result: Any) -> dict[str, Any]:
        """Sides, cycles, and blocks that were saturated."""
        blocks, rows, columns = work.reshape(-1, *work.shape[-2:]).shape
        return {
            "transform": "mixing",
            "blocks": blocks,
            "rows": rows,
            "columns": columns,
            "saturated": int(result.saturated.sum()),
            "cycles": int(result.cycles),
            "cycles_per_block": round(int(result.cycles) / blocks, 1),
        }

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        lines = [f"{summary['cycles']} cycles with loading, {summary['cycles_per_block']} a block"]
        if summary["saturated"]:
            lines.append(f"{summary['saturated']} blocks did not fit the shifts and are saturated")
        size = f"{summary['blocks']} x {summary['rows']} x {summary['columns']}"
        return f"mixing of {size} words", lines


def _mixed(work: Integers, y: Any, exponent: Any, saturated: Any, cycles: int) -> MixedBlocks:
    return MixedBlocks(
        np.stack(y).reshape(work.shape).astype(np.int16),
        np.array(exponent, np.int16),
        np.array(saturated, np.bool_),
        cycles,
    )
