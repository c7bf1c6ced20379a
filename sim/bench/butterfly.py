"""The bench of a butterfly core: jobs of vectors in, transforms and the cycles of transfers out.

What is sent in which order is the manifest's section ``streams``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from sim.bench.streams import Sink, Source, StreamTrace, budget_of, run_streams, seconds_of
from sim.cycle.butterfly import JobSize
from sim.cycle.two_layer import vector_cycles
from spec.butterfly import block_numbers

__all__ = [
    "ButterflyJob",
    "ButterflyTrace",
    "cycles_per_second",
    "job_sizes",
    "packed",
    "signed",
    "simulate",
]

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ButterflyJob:
    """Vectors of one kind.

    Parameters
    ----------
    transform
        ``fft``, ``inverse`` or ``bpmm``.
    re, im
        (vectors, points).
    weights
        Of a product: (stages, points / 2, 2, 2), or None for the matrix of the one before.
    order
        Of its factors.
    keep
        Whether the next product uses the same matrix.
    """

    transform: str
    re: Integers
    im: Integers
    weights: Integers | None = None
    order: str = "decreasing"
    keep: bool = False


class ButterflyTrace(NamedTuple):
    """What came out of the simulated core, vector by vector in the order of the jobs."""

    re: list[Integers]
    """(points,) each."""
    im: list[Integers]
    exponent: list[int]
    saturated: list[bool]
    cycles: dict[str, list[int]]
    """Stream -> cycle of every transfer; 0 is that of the first one in."""


def job_sizes(jobs: Sequence[ButterflyJob]) -> list[JobSize]:
    """What of the jobs decides their cycles."""
    return [
        JobSize(
            points=job.re.shape[1],
            vectors=len(job.re),
            bpmm=job.transform == "bpmm",
            keep=job.keep,
        )
        for job in jobs
    ]


def cycles_per_second(config: ButterflyConfig | DividedConfig) -> float:
    """What Icarus manages on two slow cores, roughly."""
    return 4000 / (1 + config.units)


def simulate(
    config: ButterflyConfig | DividedConfig,
    verilog: Path,
    jobs: Sequence[ButterflyJob],
    *,
    top: str,
    folder: Path,
    stall: float = 0.0,
    seed: int = 1,
) -> ButterflyTrace:
    """Run jobs through emitted Verilog in Icarus.

    Parameters
    ----------
    config
        The configuration that `verilog` was emitted from.
    top
        Name of the Verilog module.
    folder
        Work folder.
    stall
        Probability, each cycle and at each stream, of not offering and of not accepting.
    seed
        Of the stalls.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails, or does not end within its bounds.
    """
    sources = {"i_job": _job_source(config, jobs), "i": _word_source(config, jobs)}
    if config.bpmm:
        sources["i_weights"] = _weight_source(config, jobs)
    fields = [*config.parts, "exponent", "last"]
    if config.butterfly.shifts is not None:
        fields.append("saturated")
    expected = vector_cycles(config, job_sizes(jobs)).total
    budget = budget_of(expected, max(map(len, sources.values())), stall)
    trace = run_streams(
        verilog,
        top=top,
        folder=folder,
        sources=sources,
        sinks={"o": Sink(fields=fields, ends=sum(len(job.re) for job in jobs))},
        budget=budget,
        seconds=seconds_of(budget, cycles_per_second(config)),
        stall=stall,
        seed=seed,
    )
    return _read(config, trace)


def _job_source(config: ButterflyConfig | DividedConfig, jobs: Sequence[ButterflyJob]) -> Source:
    values = {
        "log2_points": [job.re.shape[1].bit_length() - 1 for job in jobs],
        "vectors": [len(job.re) for job in jobs],
        "bpmm": [int(job.transform == "bpmm") for job in jobs],
        "inverse": [int(job.transform == "inverse") for job in jobs],
        "increasing": [int(job.order == "increasing") for job in jobs],
        "keep": [int(job.keep) for job in jobs],
    }
    return Source(fields={name: values[name] for name in config.job_shape.members})


def _word_source(config: ButterflyConfig | DividedConfig, jobs: Sequence[ButterflyJob]) -> Source:
    fields: dict[str, list[int]] = {part: [] for part in config.parts}
    for job in jobs:
        for part in config.parts:
            words = getattr(job, part).reshape(-1, config.stream_words)
            fields[part] += packed(words, config.butterfly.data_bits)
    return Source(fields=fields)


def _weight_source(config: ButterflyConfig | DividedConfig, jobs: Sequence[ButterflyJob]) -> Source:
    fields: dict[str, list[int]] = {"weight": [], "last": []}
    for job in jobs:
        if job.weights is not None:
            lines = list(_weight_lines(config, job))
            fields["weight"] += lines
            fields["last"] += [0] * (len(lines) - 1) + [1]
    return Source(fields=fields)


def _weight_lines(config: ButterflyConfig | DividedConfig, job: ButterflyJob) -> Iterator[int]:
    """Lines of a matrix in the order in which they are used."""
    assert job.weights is not None
    points = 2 * job.weights.shape[1]
    for stage, factor in enumerate(job.weights):
        used = factor[block_numbers(points, job.order, stage)]
        lines = used.reshape(-1, 4 * config.units)
        yield from packed(lines, config.butterfly.coefficient_bits)


def packed(rows: Integers, bits: int) -> list[int]:
    """The numbers of each row side by side, the first lowest."""
    mask = (1 << bits) - 1
    return [
        sum((number & mask) << bits * place for place, number in enumerate(row))
        for row in rows.tolist()
    ]


def _read(config: ButterflyConfig | DividedConfig, trace: StreamTrace) -> ButterflyTrace:
    told = trace.outputs["o"]
    bits = config.butterfly.data_bits
    words = {part: [_unpacked(each, bits, config) for each in told[part]] for part in config.parts}
    exponent_bits = config.exponent_shape.width
    out = ButterflyTrace([], [], [], [], trace.cycles)
    start = 0
    for at, last in enumerate(told["last"]):
        if not last:
            continue
        span = slice(start, at + 1)
        start = at + 1
        re = np.concatenate(words["re"][span])
        out.re.append(re)
        out.im.append(np.concatenate(words["im"][span]) if "im" in words else np.zeros_like(re))
        exponents = {signed(each, exponent_bits) for each in told["exponent"][span]}
        flags = set(told["saturated"][span]) if "saturated" in told else {0}
        if len(exponents) != 1 or len(flags) != 1:
            raise AssertionError(f"vector {len(out.re) - 1}: its transfers differ in what they say")
        out.exponent.append(exponents.pop())
        out.saturated.append(bool(flags.pop()))
    return out


def _unpacked(packed: int, bits: int, config: ButterflyConfig | DividedConfig) -> Integers:
    mask = (1 << bits) - 1
    numbers = [signed(packed >> bits * k & mask, bits) for k in range(config.stream_words)]
    return np.array(numbers, np.int64)


def signed(number: int, bits: int) -> int:
    """The number in two's complement that unsigned bits stand for."""
    return number - (1 << bits) if number >> bits - 1 else number
