"""The bench of a core of two layers: jobs of blocks in, results and the cycles of transfers out.

What is sent in which order is the manifest's section ``streams``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.butterfly.mixing import MixingConfig
from sim.bench.butterfly import packed, signed
from sim.bench.streams import Sink, Source, budget_of, run_streams, seconds_of
from sim.cycle.two_layer import BlockSize, two_layer_cycles

__all__ = ["BlocksTrace", "block_sizes", "blocks_per_second", "simulate_blocks"]

Integers = NDArray[np.int64]


class BlocksTrace(NamedTuple):
    """What came out of the simulated core, block by block in the order of the jobs."""

    y: list[Integers]
    """(rows, columns) each."""
    exponent: list[int]
    saturated: list[bool]
    cycles: dict[str, list[int]]
    """Stream -> cycle of every transfer; 0 is that of the first one in."""


def block_sizes(config: MixingConfig, jobs: Sequence[Integers]) -> list[BlockSize]:
    """What of the jobs, blocks (blocks, rows, columns) each, decides their cycles."""
    return [
        BlockSize(shape=config.check_block("block", *job.shape[1:]), blocks=len(job))
        for job in jobs
    ]


def blocks_per_second(config: MixingConfig) -> float:
    """Cycles a second that Icarus manages on two slow cores, roughly."""
    return 3000 / (1 + config.units)


def simulate_blocks(
    config: MixingConfig,
    verilog: Path,
    jobs: Sequence[Integers],
    *,
    top: str,
    folder: Path,
    stall: float = 0.0,
    seed: int = 1,
) -> BlocksTrace:
    """Run jobs through emitted Verilog in Icarus; see `sim.bench.butterfly.simulate`."""
    words, bits = config.stream_words, config.butterfly.data_bits
    sources = {
        "i_job": Source(
            fields={
                "log2_rows": [job.shape[1].bit_length() - 1 for job in jobs],
                "log2_columns": [job.shape[2].bit_length() - 1 for job in jobs],
                "blocks": [len(job) for job in jobs],
            }
        ),
        "i": Source(
            fields={
                part: [
                    transfer
                    for job in jobs
                    for transfer in packed(job[:, first::2].reshape(-1, words), bits)
                ]
                for first, part in enumerate(("re", "im"))
            }
        ),
    }
    fields = ["re", "exponent", "last"]
    if config.butterfly.shifts is not None:
        fields.append("saturated")
    expected = two_layer_cycles(config, block_sizes(config, jobs)).total
    budget = budget_of(expected, max(map(len, sources.values())), stall)
    trace = run_streams(
        verilog,
        top=top,
        folder=folder,
        sources=sources,
        sinks={"o": Sink(fields=fields, ends=sum(len(job) for job in jobs))},
        budget=budget,
        seconds=seconds_of(budget, blocks_per_second(config)),
        stall=stall,
        seed=seed,
    )
    told, start = trace.outputs["o"], 0
    out = BlocksTrace([], [], [], trace.cycles)
    for shape in (job.shape[1:] for job in jobs for _ in job):
        span = slice(start, start + shape[0] * shape[1] // words)
        start = span.stop
        mask = (1 << bits) - 1
        numbers = [
            signed(transfer >> bits * k & mask, bits)
            for transfer in told["re"][span]
            for k in range(words)
        ]
        exponents = {signed(each, config.exponent_shape.width) for each in told["exponent"][span]}
        flags = set(told["saturated"][span]) if "saturated" in told else {0}
        ends = told["last"][span]
        if len(exponents) != 1 or len(flags) != 1 or ends != [0] * (len(ends) - 1) + [1]:
            raise AssertionError(f"block {len(out.y)}: its transfers differ in what they say")
        out.y.append(np.array(numbers, np.int64).reshape(shape))
        out.exponent.append(exponents.pop())
        out.saturated.append(bool(flags.pop()))
    return out
