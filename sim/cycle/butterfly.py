"""Cycle of every transfer of a butterfly core, from its configuration and its jobs alone.

Exact for inputs that always offer and an output that always accepts. Cycle 0 is the first after
reset. The core is three machines, joined by rings of vectors: the loader, the sequencer (a planner
of batches and a runner of steps) and the storer; each acts on what the others did cycles before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.sequencer import COUNTED
from hw.butterfly.timing import JOBS, LOAD_LATENCY, ButterflyTiming

__all__ = ["ButterflyCycles", "CoreState", "JobSize", "butterfly_cycles"]

PLANNED = 3
"""Cycles from the size of a batch until it can be offered: rest, compare, wait."""

JOB_LATENCY = 2
"""Cycles from a job's transfer to its offer behind the queue: passed on, queue."""

JOBS_AHEAD = 2
"""Jobs in the registers between the queue and the planner."""

NEXT = 2
"""Cycles from the start of a batch until its job may be done: taken, next."""

RESIZED = 3
"""Cycles in which the figures of another size are looked up, twice, and the rings restarted."""

STORED = 2
"""Cycles from the end of a vector's storing until its place counts: told, counted."""

CONSUMED = 2
"""The same of the input ring."""

LATE = 1
"""Cycles by which a ring is known to be empty later."""


@dataclass(frozen=True, kw_only=True)
class JobSize:
    """What of a job decides its cycles.

    Parameters
    ----------
    points, vectors
        Of each vector, and how many.
    bpmm
        Whether it uses a matrix.
    keep
        Whether the next job that uses one uses the same.
    skipped
        Stages that are left out.
    """

    points: int
    vectors: int
    bpmm: bool = False
    keep: bool = False
    skipped: int = 0


@dataclass(kw_only=True)
class ButterflyCycles:
    """When each transfer happens."""

    jobs: list[int] = field(default_factory=list)
    """Cycle of every job's transfer."""
    accepted: list[int] = field(default_factory=list)
    """Of every input transfer."""
    weights: list[int] = field(default_factory=list)
    """Of every line of a matrix."""
    delivered: list[int] = field(default_factory=list)
    """Of every output transfer."""
    steps: int = 0
    """Cycles in which the units work."""
    busy: int = 0
    """Cycles from the first step to the last."""

    @property
    def total(self) -> int:
        """Cycles from the first input transfer to the last output transfer, both counted."""
        return self.delivered[-1] - self.accepted[0] + 1


class _Matrices:
    """Matrices held: when each is complete, and when it is given up."""

    def __init__(self, sets: int):
        self._sets = sets
        self.complete: list[int] = []
        self.released: list[int] = []

    def load(self, lines: int) -> range:
        """Cycles of the next matrix's lines."""
        at = len(self.complete)
        start = self.complete[-1] + 1 if at else 0
        if at >= self._sets:
            start = max(start, self.released[at - self._sets] + 1)
        self.complete.append(start + lines - 1)
        return range(start, start + lines)

    @property
    def ready(self) -> int:
        """Cycle from which the next job may use the newest matrix."""
        before = self.released[-1] + 1 if self.released else 0
        return max(before, self.complete[-1] + 1)


class CoreState:
    """The state of the three machines between two batches.

    Parameters
    ----------
    gate
        Cycle from which the first word of a job is offered, by that in which the job was taken;
        the others follow in every cycle. Without it they are offered always.
    """

    def __init__(self, config: ButterflyConfig, gate: Callable[[int], int] | None = None):
        self.gate = gate
        self.job_from = 0
        """Cycle from which the next job is offered."""
        self.config = config
        self.timing = ButterflyTiming(config)
        self.cycles = ButterflyCycles()
        self.matrices = _Matrices(config.weight_sets)
        self.points = 0
        # Of vectors since reset.
        self.consumed: list[int] = []
        self.stored: list[int] = []
        self.told: list[int] = []
        # Of jobs: taken off the queue, and done.
        self.popped: list[int] = []
        self.done: list[int] = []
        self.loader_free = 0
        self.held = False
        self.runs_until = -1
        self.issued: list[int] = []

    def run(self, job: JobSize) -> None:
        """All of a job's vectors."""
        resized = job.points != self.points
        taken = self._take(job, resized)
        if job.bpmm and not self.held:
            stages = job.points.bit_length() - 1
            self.cycles.weights += self.matrices.load(stages * self.timing.vector_cycles(stages))
        plan = max(self.done[-1] if self.done else 0, self._pop(taken)) + 2
        if resized:
            # Nothing runs, and everything is stored.
            drained = self.stored[-1] + STORED + LATE if self.stored else 0
            plan = max(plan, self.runs_until + 1, drained) + RESIZED
        self.points = job.points
        plan += 1
        left, begin = job.vectors, 0
        first = len(self.told)
        most = self.timing.batch_vectors(job.points.bit_length() - 1)
        while left:
            batch = min(left, most)
            left -= batch
            for _ in range(batch):
                self._load(job, len(self.told) == first)
            offered = max(plan + PLANNED, self.told[-1] + 2)
            if job.bpmm:
                offered = max(offered, self.matrices.ready if not self.held else 0)
            begin = max(offered + 1, self.runs_until)
            self._run(job, begin, batch)
            plan = begin + NEXT + 1
        self.done.append(begin + NEXT)
        if job.bpmm:
            self.held = job.keep
            if not job.keep:
                self.matrices.released.append(self.runs_until + COUNTED + self.timing.lines)

    def _take(self, job: JobSize, resized: bool) -> int:
        """The loader takes a job, and is ready for its first vector's place."""
        at = max(self.loader_free, self.job_from)
        if len(self.popped) >= JOBS:
            at = max(at, self.popped[-JOBS] + 1)
        self.cycles.jobs.append(at)
        self.place = at + 2
        if resized:
            empty = self.consumed[-1] + CONSUMED + LATE if self.consumed else 0
            self.place = max(at + 1, empty) + 2
        if self.gate is not None:
            self.place = max(self.place, self.gate(at) - 1)
        return at

    def _pop(self, taken: int) -> int:
        """The job leaves the queue; it is seen in the cycle after, or after the job before it."""
        at = taken + JOB_LATENCY
        if self.popped:
            at = max(at, self.popped[-1] + 1)
        if len(self.popped) >= JOBS_AHEAD:
            at = max(at, self.done[-JOBS_AHEAD] + 1)
        self.popped.append(at)
        return at

    def _load(self, job: JobSize, first: bool) -> None:
        """A place in the ring, and a vector's words."""
        most = self.timing.batch_vectors(job.points.bit_length() - 1)
        at = self.place if first else self.loader_free - 1
        before = len(self.told) - most
        if before >= 0:
            at = max(at, self.consumed[before] + CONSUMED)
        transfers = job.points // self.config.stream_words
        self.cycles.accepted += range(at + 1, at + 1 + transfers)
        self.loader_free = at + transfers + 1
        self.told.append(at + transfers + LOAD_LATENCY + 1)

    def _run(self, job: JobSize, begin: int, batch: int) -> None:
        """Every stage of a batch; its first step is issued in the cycle after it begins."""
        timing = self.timing
        stages = job.points.bit_length() - 1
        own, most = timing.vector_cycles(stages), timing.batch_vectors(stages)
        issue = begin + 1
        # Told a cycle after the last step is issued.
        self.consumed += (issue + (vector + 1) * own for vector in range(batch))
        self.issued.append(issue)
        done = stages - job.skipped
        issue += (done - 1) * timing.stage_cycles(stages, batch)
        for _ in range(batch):
            before = len(self.stored) - most
            if before >= 0:
                issue = max(issue, self.stored[before] + STORED)
            self._store(job, issue + own - 1)
            issue += own
        self.runs_until = issue - 1
        self.issued.append(self.runs_until)
        self.cycles.steps += done * batch * own

    def _store(self, job: JobSize, last_step: int) -> None:
        """A vector leaves when its last step's results are known, and the one before has left."""
        told = last_step + COUNTED + self.timing.offered
        ask = max(told, self.stored[-1] + 1 if self.stored else 0)
        transfers = job.points // self.config.stream_words
        latency = self.timing.store_latency
        self.cycles.delivered += range(ask + latency, ask + latency + transfers)
        self.stored.append(ask + transfers - 1)


def butterfly_cycles(config: ButterflyConfig, jobs: Sequence[JobSize]) -> ButterflyCycles:
    """Cycles of jobs, back to back from reset.

    Raises
    ------
    SpecError
        A job's size or mode is none of the core's.
    """
    core = CoreState(config)
    for job in jobs:
        config.check_points("points", job.points)
        core.run(job)
    core.cycles.busy = core.issued[-1] - core.issued[0] + 1 if core.issued else 0
    return core.cycles
