"""What the manifest says of a butterfly core of two layers."""

from collections.abc import Mapping
from typing import Any

from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import BlockShape
from hw.butterfly.mixing import MixingConfig
from sim.cycle.two_layer import BlockSize, two_layer_cycles

__all__ = ["cycles", "least_points", "streams", "summary"]

AnyConfig = MixingConfig | DividedConfig

FEW, MORE = 4, 8
"""Blocks between which the cycles of each further one are taken."""


def least_points(config: AnyConfig) -> int:
    """Least side of a block, or least vector."""
    if isinstance(config, MixingConfig):
        return 1 << config.core.min_stages
    return 1 << config.sizes.start


def cycles(config: AnyConfig) -> dict[str, Any]:
    """Of the largest blocks or vectors: one alone, and each of many."""
    if isinstance(config, DividedConfig):
        points = config.butterfly.points
        shape = config.shape_of(points)
        size, what = {"points": points}, "vector"
    else:
        rows, columns = config.butterfly.block
        shape = config.check_block("block", rows, columns)
        size, what = {"rows": rows, "columns": columns}, "block"
    return {
        **size,
        f"one_{what}": _total(config, shape, 1),
        f"each_further_{what}": (_total(config, shape, MORE) - _total(config, shape, FEW))
        // (MORE - FEW),
        "steps": shape.butterflies // config.units,
    }


def _total(config: AnyConfig, shape: BlockShape, blocks: int) -> int:
    return two_layer_cycles(config, [BlockSize(shape=shape, blocks=blocks)]).total


def streams(config: AnyConfig) -> dict[str, str]:
    """The order of words, for whoever drives the ports."""
    words, fixed = config.stream_words, config.butterfly.shifts is not None
    if isinstance(config, DividedConfig):
        flag = "; saturated with every word of a vector" if fixed else ""
        return {
            "i_job": "one transfer a run of vectors: log2 of their points, and how many; which of "
            "two transforms; a vector is finished when the next one of the run was given",
            "i": f"each job: each vector: {words} words a transfer, in order, re and im",
            "o": f"each vector: {words} words a transfer, in order, re and im, and the vector's "
            f"exponent; the result is the word times 2^exponent{flag}; last with its last word",
        }
    flag = "; saturated with every word of a block" if fixed else ""
    return {
        "i_job": "one transfer a run of blocks: log2 of their rows and columns, and how many; a "
        "block is finished when the next one of the run was given",
        "i": f"each block: each pair of rows 2a and 2a + 1: {words} words a transfer, in order; of "
        "row 2a in re, of row 2a + 1 in im",
        "o": f"each block: each row: {words} words a transfer, in order, and the block's exponent; "
        f"the result is the word times 2^exponent{flag}; last with a block's last word",
    }


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """Sides and cycles of blocks, and bytes of tables."""
    told = manifest["cycles"]
    return [
        f"mixing of real blocks, {manifest['numerics']['least_points']} to {told['rows']} rows and "
        f"to {told['columns']} columns, {manifest['configuration']['units']} units",
        f"{told['rows']} x {told['columns']}: {told['one_block']} cycles for one block, "
        f"{told['each_further_block']} for each further block",
        f"tables {manifest['tables']['bytes']} bytes",
    ]
