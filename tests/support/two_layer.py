"""Jobs of the core of two layers: random blocks, what the streams carry, what golden has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.butterfly.divided import DividedConfig
from hw.butterfly.mixing import MixingConfig
from sim.cycle.two_layer import BlockSize
from sim.golden.mixing import mixing
from spec import Butterfly

__all__ = ["DIVIDED", "MIXING", "expected", "inputs", "random_blocks", "sizes"]

Integers = NDArray[np.int64]


def _mixing(points: int, units: int, stream_words: int, **fields: Any) -> MixingConfig:
    butterfly = Butterfly("mixing", points=points, **fields)
    return MixingConfig(butterfly=butterfly, units=units, stream_words=stream_words)


MIXING = {
    "smallest": _mixing(8, 1, 1),
    "one": _mixing(16, 1, 1),
    "two": _mixing(16, 2, 2, data_bits=11, coefficient_bits=13),
    "four": _mixing(16, 4, 4),
    "eight": _mixing(16, 8, 2),
    "flat": _mixing(32, 4, 2, rows=8),
    "tall": _mixing(32, 2, 2, columns=16, data_bits=12),
    "shifts": _mixing(16, 2, 1, shifts=1),
    "shifts_4": _mixing(16, 4, 2, shifts=(0, 1, 0, 1)),
}
"""Name -> configuration: the smallest, every number of units and words, oblong ones, scaling."""


def _divided(
    transforms: Any, points: int, units: int, stream_words: int, **fields: Any
) -> DividedConfig:
    butterfly = Butterfly(transforms, points=points, **{"divided_from": 64, **fields})
    return DividedConfig(butterfly=butterfly, units=units, stream_words=stream_words)


BOTH = ("fft", "inverse")
DIVIDED = {
    "smallest": _divided("fft", 64, 1, 1),
    "two": _divided(BOTH, 256, 2, 2, data_bits=11, coefficient_bits=13),
    "four": _divided(BOTH, 128, 4, 4),
    "eight": _divided("inverse", 256, 8, 2, divided_from=128),
    "shifts": _divided(BOTH, 128, 2, 1, shifts=1),
    "clips": _divided("fft", 128, 4, 2, shifts=0),
}
"""The same of vectors: every number of units and words, square and oblong, scaling."""


def random_blocks(
    config: MixingConfig, plan: Sequence[tuple[int, int, int]], seed: int = 1
) -> list[Integers]:
    """White noise, each row as loud as chance has it: (rows, columns, blocks) of every job."""
    rng, most = np.random.default_rng(seed), config.butterfly.data_max
    jobs = []
    for rows, columns, blocks in plan:
        noise = rng.integers(-most - 1, most, (blocks, rows, columns), endpoint=True)
        quiet = rng.integers(0, config.butterfly.data_bits, (blocks, rows, 1))
        quiet[rng.random((blocks, rows, 1)) < 0.5] = 0
        # The extremes too: a block of full scale, of one sign or alternating.
        loud = rng.integers(0, 4, blocks)
        noise[loud == 0] = -most - 1
        noise[loud == 1] = np.where(np.arange(columns) % 2, -most - 1, most)
        jobs.append(np.where((loud < 2)[:, None, None], noise, noise >> quiet))
    return jobs


def sizes(config: MixingConfig, jobs: Sequence[Integers]) -> list[BlockSize]:
    """What of the jobs decides their cycles."""
    return [
        BlockSize(shape=config.check_block("block", *job.shape[1:]), blocks=len(job))
        for job in jobs
    ]


def inputs(config: MixingConfig, jobs: Sequence[Integers]) -> dict[str, list[Any]]:
    """Payloads of the input streams."""
    streams: dict[str, list[Any]] = {"i_job": [], "i": []}
    for job in jobs:
        blocks, rows, columns = job.shape
        log2 = {"log2_rows": rows.bit_length() - 1, "log2_columns": columns.bit_length() - 1}
        streams["i_job"].append({**log2, "blocks": blocks})
        re, im = (job[:, k::2].reshape(-1, config.stream_words).tolist() for k in (0, 1))
        streams["i"] += [{"re": a, "im": b} for a, b in zip(re, im, strict=True)]
    return streams


def expected(config: MixingConfig, jobs: Sequence[Integers]) -> list[Any]:
    """Payloads of the output stream."""
    out: list[Any] = []
    for block in (block for job in jobs for block in job):
        found = mixing(config.butterfly, block)
        transfers = found.y.reshape(-1, config.stream_words).tolist()
        for k, words in enumerate(transfers):
            last = int(k == len(transfers) - 1)
            told = {"re": words, "exponent": found.exponent, "last": last}
            if config.butterfly.shifts is not None:
                told["saturated"] = int(found.saturated)
            out.append(told)
    return out
