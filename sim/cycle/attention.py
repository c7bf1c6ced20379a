"""Cycles of the attention core, from its configuration and its tile lists alone.

Every moment is the largest of a few others plus a constant, so no cycle is stepped through: a tile
starts when its operands are there, its predecessor is far enough and a place is free, and what
frees the place is a tile long before it. Cycle 0 is the first in which inputs are offered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hw.attention.config import AttentionConfig
from hw.attention.pace import DECISION, SETTLE
from hw.attention.timing import AttentionTiming
from sim.cycle.dispatch import DispatchCycles, DispatchJob

__all__ = ["AttentionCycles", "Job", "attention_cycles"]

UNITS_WAITING = 2
"""Places for row blocks between the two halves of the output unit."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One query head's work.

    Parameters
    ----------
    queries, keys
        Lengths, at least 1.
    tiles
        What its mask looks like to the dispatcher.
    keep
        Whether the next job uses the same keys and values.
    """

    queries: int
    keys: int
    tiles: DispatchJob
    keep: bool = False


@dataclass(kw_only=True)
class AttentionCycles:
    """When everything happened.

    Attributes
    ----------
    tile_starts
        Cycle in which each visible tile started in the score array.
    value_starts
        The same in the value array.
    delivered
        Cycle of every transfer at the output.
    loaded
        Cycle from which the operands of the first job were there.
    """

    tile_starts: list[int] = field(default_factory=list)
    value_starts: list[int] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    loaded: int = 0

    @property
    def tiles(self) -> int:
        """Visible tiles."""
        return len(self.tile_starts)

    @property
    def total(self) -> int:
        """Cycles from the first offered input to the last output."""
        return self.delivered[-1] + 1 if self.delivered else 0

    @property
    def busy(self) -> int:
        """Cycles from the moment when the first job's operands are there to the last output."""
        return self.total - self.loaded


class _Operand:
    """When sets of an operand are full, loaded as fast as they are taken."""

    def __init__(self, sets: int, loads: Sequence[int]):
        self._sets = sets
        self._full: list[int] = []
        self._released: list[int] = []
        self._loads = loads

    def full(self, index: int) -> int:
        """Cycle from which set `index` is full, all sets before it having been released."""
        while len(self._full) <= index:
            at = len(self._full)
            # A word a cycle; the first one once the set before it is whole and a place is free.
            first = self._full[-1] if at else 0
            if at >= self._sets:
                first = max(first, self._released[at - self._sets] + 1)
            self._full.append(first + self._loads[at])
        became = self._full[index]
        if index:
            became = max(became, self._released[index - 1] + 1)
        return became

    def release(self, cycle: int) -> None:
        """The oldest set is released."""
        self._released.append(cycle)


class _Output:
    """When row blocks leave."""

    def __init__(self, timing: AttentionTiming):
        self._config = timing.output
        self._units: list[int] = []
        self._begins: list[int] = []
        self._done: list[int] = []
        self._taken = 0
        self._unfolded = self._idle = 0
        self.delivered: list[int] = []

    def room(self) -> int:
        """First cycle in which there is room for one more descriptor."""
        before = self._taken - self._config.blocks
        return self._done[before] + 1 if before >= 0 else 0

    def push(self, at: int, *, skips: int, data: bool, rows: int, complete: int) -> None:
        """A descriptor comes; with data its last word comes in cycle `complete`."""
        config = self._config
        self._taken += 1
        accepted = max(at + 1, self._unfolded)
        for unit in range(skips + data):
            final = unit == skips + data - 1
            offered = max(accepted + 1, self._units[-1] + 1 if self._units else 0)
            if len(self._units) >= UNITS_WAITING:
                offered = max(offered, self._begins[len(self._units) - UNITS_WAITING] + 1)
            self._units.append(offered)
            skip = not (final and data)
            begin = max(offered + 1, self._idle)
            if not skip:
                begin = max(begin, complete + 1)
            self._begins.append(begin)
            rows_here = rows if final else config.rows
            words = 1 if skip and config.compact else rows_here * config.groups
            first = begin + 1 + config.send_latency + 1
            self.delivered.extend(range(first, first + words))
            self._idle = begin + words
        self._unfolded = self._units[-1]
        self._done.append(self._idle)


def attention_cycles(config: AttentionConfig, jobs: Sequence[Job]) -> AttentionCycles:
    """Cycles of a sequence of jobs, every input offered at once and every output accepted."""
    return _Run(config, jobs).run()


@dataclass
class _Record:
    """A tile, or the end of a head without one, on its way from one array to the other."""

    pushed: int
    job: int
    data: bool
    last: bool
    end: bool
    skips: int
    announced: int = 0


class _Run:
    """One sequence of jobs."""

    def __init__(self, config: AttentionConfig, jobs: Sequence[Job]):
        self.config = config
        self.timing = timing = AttentionTiming(config)
        self.jobs = jobs
        self.result = AttentionCycles()
        self.output = _Output(timing)
        dims, groups, sets = config.layer.head_dim, config.groups, config.buffers
        # Which set of keys and values each job uses.
        self.kv_of: list[int] = []
        for n in range(len(jobs)):
            kept = n > 0 and jobs[n - 1].keep
            self.kv_of.append((self.kv_of[-1] if n else -1) + (not kept))
        firsts = [jobs[self.kv_of.index(kv)] for kv in range(self.kv_of[-1] + 1)] if jobs else []
        tiles = [-(-job.keys // config.columns) for job in firsts]
        self.query = _Operand(sets, [-(-job.queries // config.rows) * dims for job in jobs])
        self.key = _Operand(sets, [count * dims for count in tiles])
        self.value = _Operand(sets, [count * config.columns * groups for count in tiles])
        # Moments by tile, or by record of the log.
        self.issued_last: list[int] = []
        self.divided: list[int] = []
        self.freed: list[int] = []
        self.log_reads: list[int] = []
        self.log_pops: list[int] = []
        self.recorded = 0
        self.waiting: list[_Record] = []
        self.value_done = [-1, -1]
        self.value_settled = self.value_free = 0
        self.skips_before = 0

        # Constants, worked out once: the loops below run for every tile.
        words = config.tile.words
        self.words, self.hop = words, timing.hop
        self.score_places = config.ring_tiles
        self.weight_places = timing.weights.tiles
        self.log_places, self.log_ahead = timing.log.depth, timing.log.ahead.depth
        self.to_offer = timing.log.latency - 1
        self.to_announcement = (
            timing.score_start
            + words
            - 1
            + timing.alu.latency
            + timing.row_max.block_latency
            + timing.scores.announce_latency
        )
        to_word = timing.scores.latency + words - 1
        self.to_weights = to_word + timing.weight_latency + timing.settle + 1
        self.divides = timing.undivided is not None
        if timing.undivided is not None:
            told = to_word + timing.weigher.factor_latency
            self.to_division = told + timing.undivided.announce_latency
        self.reads = timing.value_sequencer.read_cycles
        self.value_interval = timing.value_sequencer.interval
        self.to_complete = self._to_complete()

    def run(self) -> AttentionCycles:
        """Lead every command through both arrays."""
        jobs, config, timing = self.jobs, self.config, self.timing
        result = self.result
        if not jobs:
            return result
        dispatch = DispatchCycles(timing.dispatch, [job.tiles for job in jobs])
        dims = config.layer.head_dim
        interval = timing.score_sequencer.interval
        whole = config.layer.row_numerics.needs_max
        result.loaded = max(self.query.full(0), self.key.full(0))
        done = before = handed = handed_before = -1
        settled = free = 0
        for index in range(dispatch.count):
            # A skid buffer holds two commands: the one before the last must have left. In front of
            # it is another one where the dispatcher lies far away.
            left = handed_before if timing.far else before
            taken = max(dispatch.offered(index), left + 1)
            command = dispatch.commands[index]
            n = command.job
            dispatch.taken(index, taken)
            handed_before = handed
            handed = max(taken + 1, handed + 1, before + 1) if timing.far else taken
            before, seen = done, max(handed, done)
            seen = max(seen, self._log_room())
            seen = max(seen, self.query.full(n), self.key.full(self.kv_of[n]))
            if not command.none:
                seen = max(seen, self._ring_room())
            done = max(seen + 1 + DECISION, settled, free)
            if not command.none:
                result.tile_starts.append(done)
                free = done + interval
            if command.end:
                released = done + 1 + (0 if command.none else dims)
                settled = released + SETTLE
                self.query.release(released + 2)
                if not jobs[n].keep:
                    self.key.release(released + 2)
            record = _Record(
                pushed=done + 1,
                job=n,
                data=not command.none,
                last=command.last,
                end=command.end,
                skips=command.skips + command.none,
                announced=done + self.to_announcement,
            )
            self.recorded += 1
            self.waiting.append(record)
            if command.last or not whole:
                self._flush()
        result.delivered = self.output.delivered
        return result

    def _ring_room(self) -> int:
        """First cycle in which the score ring has a place for the next tile."""
        before = len(self.result.tile_starts) - self.score_places
        return self.issued_last[before] + 2 if before >= 0 else 0

    def _log_room(self) -> int:
        """First cycle in which the log has a place for the next record."""
        before = self.recorded - self.log_places
        return self.log_reads[before] + 1 if before >= 0 else 0

    def _flush(self) -> None:
        """Weigh the tiles that may be weighed, and lead them through the value array."""
        tiles = sum(record.data for record in self.waiting)
        ready = self.waiting[-1].announced
        if self.divides:
            ready = self._sum(tiles, ready)
        for record in self.waiting:
            self._use(record, self._weigh(ready) if record.data else 0)
        self.waiting.clear()

    def _sum(self, tiles: int, ready: int) -> int:
        """Lead a row block's tiles into the second ring; when they may be read there."""
        start = 0
        for _ in range(tiles):
            before = len(self.issued_last) - self.score_places
            start = max(ready, self.divided[before] + 2 + self.hop if before >= 0 else 0)
            if self.issued_last:
                start = max(start, self.issued_last[-1])
            self.issued_last.append(start + self.words)
        return start + self.to_division

    def _weigh(self, ready: int) -> int:
        """Let the next tile start in the last ring; when its weights may be used."""
        ends = self.divided if self.divides else self.issued_last
        before = len(ends) - self.weight_places
        start = max(ready, self.freed[before] + 1 + self.hop if before >= 0 else 0)
        if ends:
            start = max(start, ends[-1])
        ends.append(start + self.words)
        return start + self.to_weights

    def _use(self, record: _Record, written: int) -> None:
        """Lead a record through the log, and its tile through the value array."""
        index = len(self.log_reads)
        read = record.pushed + 1
        if index:
            read = max(read, self.log_reads[-1] + 1)
        before = index - self.log_ahead
        if before >= 0:
            read = max(read, self.log_pops[before] + 1)
        self.log_reads.append(read)
        offered = read + self.to_offer
        # Two records may wait, too.
        taken = max(offered, self.value_done[-2] + 1)
        self.log_pops.append(taken)
        kv = self.kv_of[record.job]
        seen = max(taken, self.value_done[-1], self.value.full(kv))
        if record.last or not record.data:
            seen = max(seen, self.output.room())
        if record.data:
            seen = max(seen, written)
        start = max(seen + 1 + DECISION, self.value_settled, self.value_free)
        complete = 0
        if record.data:
            self.result.value_starts.append(start)
            self.freed.append(start + 1 + self.reads)
            self.value_free = start + self.value_interval
            complete = start + self.to_complete
        self.value_done.append(start)
        if record.end:
            released = start + 1 + (self.reads if record.data else 0)
            self.value_settled = released + SETTLE
            if not self.jobs[record.job].keep:
                self.value.release(released + 2)
        self.skips_before += record.skips
        if record.last or not record.data:
            self.output.push(
                start + 2,
                skips=self.skips_before,
                data=record.data,
                rows=self._rows_of(record),
                complete=complete,
            )
            self.skips_before = 0

    def _rows_of(self, record: _Record) -> int:
        """Queries of the last row block that a record speaks of."""
        rows = self.config.rows
        if not record.end:
            return rows
        return (self.jobs[record.job].queries - 1) % rows + 1

    def _to_complete(self) -> int:
        """Cycles from the start of a row block's last tile to its last word at the output."""
        config, timing = self.config, self.timing
        last_key = 2 + (config.groups - 1) * timing.value_sequencer.pass_cycles + config.columns - 1
        summed = timing.value_read_latency + timing.values.latency + config.rows - 1
        return last_key + summed + timing.factors.latency + timing.normaliser.latency
