"""What the manifest says of a butterfly core of two layers."""

from collections.abc import Mapping
from typing import Any

from hw.butterfly.layers import TwoLayerConfig
from sim.cycle.two_layer import BlockSize, two_layer_cycles

__all__ = ["cycles", "streams", "summary"]

FEW, MORE = 4, 8
"""Blocks between which the cycles of each further one are taken."""


def cycles(config: TwoLayerConfig) -> dict[str, Any]:
    """Of the largest blocks: one alone, and each of many."""
    rows, columns = config.butterfly.block
    shape = config.check_block("block", rows, columns)

    def cycles_of(blocks: int) -> int:
        return two_layer_cycles(config, [BlockSize(shape=shape, blocks=blocks)]).total

    return {
        "rows": rows,
        "columns": columns,
        "one_block": cycles_of(1),
        "each_further_block": (cycles_of(MORE) - cycles_of(FEW)) // (MORE - FEW),
        "steps": shape.butterflies // config.units,
    }


def streams(config: TwoLayerConfig) -> dict[str, str]:
    """The order of words, for whoever drives the ports."""
    words = config.stream_words
    flag = "; saturated with every word of a block" if config.butterfly.shifts is not None else ""
    return {
        "i_job": "one transfer a run of blocks: log2 of their rows and columns, and how many; a "
        "block is finished when the next one of the run was given",
        "i": f"each block: each pair of rows 2a and 2a + 1: {words} words a transfer, in order; of "
        "row 2a in re, of row 2a + 1 in im",
        "o": f"each block: each row: {words} words a transfer, in order, and the block's exponent; "
        f"the result is the word times 2^exponent{flag}; last with a block's last word",
    }


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """Sides and cycles, and bytes of tables."""
    told = manifest["cycles"]
    return [
        f"mixing of real blocks, {manifest['numerics']['least_points']} to {told['rows']} rows and "
        f"to {told['columns']} columns, {manifest['configuration']['units']} units",
        f"{told['rows']} x {told['columns']}: {told['one_block']} cycles for one block, "
        f"{told['each_further_block']} for each further block",
        f"tables {manifest['tables']['bytes']} bytes",
    ]
