"""Cycle of every transfer of a core of two layers, from its configuration and its jobs alone.

Exact for inputs that always offer and an output that always accepts. Cycle 0 is the first after
reset. Within lies the model of the butterfly core, whose input begins later and whose output goes
to the scratchpads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hw.butterfly.layers import BlockShape, TwoLayerConfig
from sim.cycle.butterfly import CoreState, JobSize

__all__ = ["BlockSize", "TwoLayerCycles", "two_layer_cycles"]

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
        Of its blocks, from `TwoLayerConfig.check_block`.
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

    def __init__(self, config: TwoLayerConfig):
        self.config = config
        self.cycles = TwoLayerCycles()
        self.inner = CoreState(config.core, self._gate)
        self.free_from = 0
        # Of blocks since reset: written by each layer, and read out of the last scratchpad.
        self.written: tuple[list[int], list[int]] = ([], [])
        self.stored: list[int] = []
        self.layer = 0

    def run(self, job: BlockSize) -> None:
        """All of a job's blocks."""
        taken = max(self.free_from, self.stored[-1] + 1 if self.stored else 0)
        self.cycles.jobs.append(taken)
        self.inner.job_from = taken + LOOKED_UP + 1
        for self.layer in _order(job.blocks):
            self._pass(job.shape)
        self.free_from = self.inner.cycles.accepted[-1] + CHOSEN

    def _pass(self, shape: BlockShape) -> None:
        """One layer of one block."""
        inner, layer = self.inner, self.layer
        inner.run(JobSize(points=shape.points[layer], vectors=shape.vectors[layer]))
        fed, written = inner.cycles.accepted, inner.cycles.delivered[-1]
        inner.job_from = fed[-1] + CHOSEN
        self.written[layer].append(written)
        if layer == 0:
            self.cycles.accepted += fed[-shape.size // self.config.stream_words :]
        else:
            self._store(shape, written)

    def _gate(self, taken: int) -> int:
        """Cycle from which a layer's words are offered, once its job was taken.

        A buffer of the middle scratchpad is always free by then: of two blocks before, the second
        layer was fed.
        """
        start = taken + 1
        if self.layer == 0:
            return start + 1
        block = len(self.written[1])
        start = max(start, self.written[0][block] + 1)
        buffers = self.config.back.buffers
        if block >= buffers:
            start = max(start, self.stored[block - buffers] + 1)
        return start + 1 + self.config.middle_latency

    def _store(self, shape: BlockShape, written: int) -> None:
        """Rows leave the last scratchpad as soon as the block is whole, with a head before each."""
        columns, rows = shape.points
        transfers = columns // self.config.stream_words
        asked = max(written, self.stored[-1] if self.stored else 0) + 2
        for _ in range(rows):
            first = asked + 1 + self.config.back_latency
            self.cycles.delivered += range(first, first + transfers)
            asked += 1 + transfers
        self.stored.append(asked - 1)


def _order(blocks: int) -> list[int]:
    """Layers in the order in which the core does them: first of the next before second."""
    middle = [layer for _ in range(blocks - 1) for layer in (0, 1)]
    return [0, *middle, 1]


def two_layer_cycles(config: TwoLayerConfig, jobs: Sequence[BlockSize]) -> TwoLayerCycles:
    """Cycles of jobs, back to back from reset."""
    blocks = _Blocks(config)
    for job in jobs:
        blocks.run(job)
    blocks.cycles.steps = blocks.inner.cycles.steps
    return blocks.cycles
