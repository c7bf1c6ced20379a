"""What a job says, where a field of one value only was left out, and figures of its size."""

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Array, Const, Module, Signal, Value

from hw.butterfly.config import ButterflyConfig

__all__ = [
    "by_size",
    "is_bpmm",
    "is_increasing",
    "is_inverse",
    "keeps",
    "nearest_job",
    "own_copy",
]


def by_size(config: ButterflyConfig, log2_points: Value, what: Callable[[int], int]) -> Value:
    """A number that depends on the size of vectors: `what` of their stages, looked up.

    Below the smallest size it is that of the smallest.
    """
    sizes = config.sizes
    values = [what(max(sizes.start, stages)) for stages in range(sizes.stop)]
    return Array(Const(value) for value in values)[log2_points]


def own_copy(m: Module, value: Value, number: int) -> Value:
    """`value` a cycle later, in a register of the user's own, near what needs it.

    Registers that begin with different values or hold opposite ones are not merged into one by
    synthesis: there are four of them, by `number`.
    """
    copy = Signal(len(value), name="own_copy", init=-(number >> 1 & 1))
    m.d.sync += copy.eq(~value if number & 1 else value)
    return (~copy if number & 1 else copy)[: len(value)]


def nearest_job(config: ButterflyConfig, job: Any) -> dict[str, Value]:
    """The fields of the nearest job that is allowed: least or greatest size, one vector."""
    least, most = config.sizes.start, config.sizes.stop - 1
    log2_points = [min(max(size, least), most) for size in range(1 << len(job.log2_points))]
    fields = {name: job[name] for name in job.shape().members}
    return fields | {
        "log2_points": Array(Const(size) for size in log2_points)[job.log2_points],
        "vectors": job.vectors | (job.vectors == 0),
    }


def is_bpmm(config: ButterflyConfig, job: Any) -> Value:
    """Whether a job is a product with a butterfly matrix."""
    return _field(job, "bpmm", config.bpmm)


def is_inverse(config: ButterflyConfig, job: Any) -> Value:
    """Whether a job is an inverse transform."""
    return ~is_bpmm(config, job) & _field(job, "inverse", config.inverse)


def is_increasing(config: ButterflyConfig, job: Any) -> Value:
    """Whether a job's matrix has factors of increasing strides."""
    return is_bpmm(config, job) & _field(job, "increasing", config.increasing)


def keeps(job: Any) -> Value:
    """Whether the job after this one uses the same matrix."""
    return _field(job, "keep", False)


def _field(job: Any, name: str, otherwise: bool) -> Value:
    return job[name] if name in job.shape().members else Const(otherwise, 1)
