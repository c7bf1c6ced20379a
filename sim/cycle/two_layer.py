"""Cycle of every transfer of a core of two layers, from its configuration and its jobs alone.

Exact for inputs that always offer and an output that always accepts. Cycle 0 is the first after
reset. Within lies the model of the butterfly core, whose input begins later and whose output goes
to the scratchpads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import QUEUE, BlockShape
from hw.butterfly.mixing import MixingConfig
from sim.cycle.butterfly import ButterflyCycles, CoreState, JobSize, butterfly_cycles

__all__ = ["BlockSize", "TwoLayerCycles", "two_layer_cycles", "vector_cycles"]

LOOKED_UP = 1
"""Cycles from a job until its first layer is chosen."""

CHOSEN = 2
"""Cycles from the last word of a layer to the offer of the next, and to the next job."""


@dataclass(frozen=True, kw_only=True)
class BlockSize:
    """What of a job decides its cycles.

    Parameters
    ----------
    shape
        Of its blocks, from `MixingConfig.check_block` or `DividedConfig.shape_of`.
    blocks
        How many.
    """

    shape: BlockShape
    blocks: int


@dataclass(kw_only=True)
class TwoLayerCycles:
    """When each transfer happens."""

    jobs: list[int] = field(default_factory=list)
    """Cycle of every job's transfer."""
    accepted: list[int] = field(default_factory=list)
    """Of every input transfer."""
    delivered: list[int] = field(default_factory=list)
    """Of every output transfer."""
    steps: int = 0
    """Cycles in which the units work."""

    @property
    def total(self) -> int:
        """Cycles from the first input transfer to the last output transfer, both counted."""
        return self.delivered[-1] - self.accepted[0] + 1


class _Blocks:
    """The state of the scratchpads between two layers."""

    def __init__(self, config: MixingConfig | DividedConfig):
        self.config = config
        self.cycles = TwoLayerCycles()
        self.inner = CoreState(config.core, self._gate)
        self.free_from = 0
        # Of blocks since reset: written by each layer, and read out of the last scratchpad.
        self.written: tuple[list[int], list[int]] = ([], [])
        self.stored: list[int] = []
        self.layer = 0
        self.paired = False
        self.begun = 0

    def run(self, job: BlockSize) -> None:
        """All of a job's blocks."""
        taken = max(self.free_from, self.stored[-1] + 1 if self.stored else 0)
        self.cycles.jobs.append(taken)
        self.inner.job_from = taken + LOOKED_UP + 1
        if isinstance(self.config, DividedConfig):
            self._fill(taken + 1, job.shape)
        self.paired = job.shape.paired
        first = len(self.written[0])
        for self.layer in _order(job.blocks):
            self._pass(job.shape, len(self.written[0]) + 1 < first + job.blocks)
        self.free_from = self.inner.cycles.accepted[-1] + CHOSEN

    def _fill(self, start: int, shape: BlockShape) -> None:
        """The first scratchpad takes a vector."""
        self.cycles.accepted += range(start, start + shape.size // self.config.stream_words)

    def _pass(self, shape: BlockShape, more: bool) -> None:
        """One layer of one block, of whose job there is one `more`."""
        inner, layer = self.inner, self.layer
        inner.run(
            JobSize(
                points=shape.points[layer],
                vectors=shape.vectors[layer],
                skipped=shape.skipped if layer else 0,
            )
        )
        fed, written = inner.cycles.accepted, inner.cycles.delivered[-1]
        inner.job_from = fed[-1] + CHOSEN
        self.written[layer].append(written)
        own = fed[-shape.size // self.config.stream_words :]
        if layer:
            self._store(shape, written)
        elif isinstance(self.config, MixingConfig):
            self.cycles.accepted += own
        elif more:
            self._fill(_last_asked(self.begun + 1, own) + 1, shape)

    def _gate(self, taken: int) -> int:
        """Cycle from which a layer's words are offered, once its job was taken.

        A buffer of the middle scratchpad is always free by then: of two blocks before, the second
        layer was fed.
        """
        start = taken + 1
        if self.layer == 0:
            if isinstance(self.config, MixingConfig):
                return start + 1
            self.begun = max(start, self.cycles.accepted[-1] + 1)
            return self.begun + 1 + self.config.front_latency
        block = len(self.written[1])
        start = max(start, self.written[0][block] + 1)
        buffers = self.config.back.buffers
        if block >= buffers:
            start = max(start, self.stored[block - buffers] + 1)
        return start + self.paired + self.config.middle_latency

    def _store(self, shape: BlockShape, written: int) -> None:
        """A block leaves the last scratchpad as soon as it is whole; of rows with heads before."""
        asked = max(written, self.stored[-1] if self.stored else 0) + 2
        if isinstance(self.config, DividedConfig):
            end = asked + shape.size // self.config.stream_words
            latency = self.config.back_latency
            self.cycles.delivered += range(asked + latency, end + latency)
            self.stored.append(end - 1)
            return
        columns, rows = shape.points
        transfers = columns // self.config.stream_words
        for _ in range(rows):
            first = asked + 1 + self.config.back_latency
            self.cycles.delivered += range(first, first + transfers)
            asked += 1 + transfers
        self.stored.append(asked - 1)


def _last_asked(start: int, taken: Sequence[int]) -> int:
    """Cycle of a reader's last read, by those in which its words were taken off its queue."""
    asked = start - 1
    for number in range(len(taken)):
        room = taken[number - QUEUE] + 1 if number >= QUEUE else 0
        asked = max(asked + 1, room)
    return asked


def _order(blocks: int) -> list[int]:
    """Layers in the order in which the core does them: first of the next before second."""
    middle = [layer for _ in range(blocks - 1) for layer in (0, 1)]
    return [0, *middle, 1]


def two_layer_cycles(
    config: MixingConfig | DividedConfig, jobs: Sequence[BlockSize]
) -> TwoLayerCycles:
    """Cycles of jobs, back to back from reset."""
    blocks = _Blocks(config)
    for job in jobs:
        blocks.run(job)
    blocks.cycles.steps = blocks.inner.cycles.steps
    return blocks.cycles


def vector_cycles(
    config: ButterflyConfig | DividedConfig, jobs: Sequence[JobSize]
) -> ButterflyCycles | TwoLayerCycles:
    """Cycles of jobs of vectors on the core that the configuration builds."""
    if isinstance(config, ButterflyConfig):
        return butterfly_cycles(config, jobs)
    for job in jobs:
        config.check_points("points", job.points)
    return two_layer_cycles(
        config, [BlockSize(shape=config.shape_of(job.points), blocks=job.vectors) for job in jobs]
    )
