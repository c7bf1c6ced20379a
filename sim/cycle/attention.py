"""Cycles of the attention core, from its configuration and its tile lists alone.

Every moment is the largest of a few others plus a constant, so no cycle is stepped through: a tile
starts when its operands are there, its predecessor is far enough and a place is free, and what
frees the place is a tile long before it. Cycle 0 is the first in which inputs are offered.

A row block that finds whatever it may wait for as an equal one found it, relative to the cycle in
which it begins, does what that one did. Its moments are copied, so that of many equal heads little
more than the first is led through the arrays tile by tile.
"""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from hw.attention.config import AttentionConfig
from hw.attention.pace import DECISION, SETTLE
from hw.attention.timing import AttentionTiming
from sim.cycle.dispatch import DispatchCycles, DispatchJob, DispatchState
from sim.cycle.waiting import Moments, Operand, Output

__all__ = ["AttentionCycles", "Job", "attention_cycles"]


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


def attention_cycles(
    config: AttentionConfig, jobs: Sequence[Job], *, repeats: bool = True
) -> AttentionCycles:
    """Cycles of a sequence of jobs, every input offered at once and every output accepted.

    Without `repeats` every tile is led through the arrays, also of row blocks that find everything
    as an equal one before them did. The moments are the same.
    """
    return _Run(config, jobs).run(repeats=repeats)


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


@dataclass(kw_only=True)
class _Stretch:
    """What the commands of a row block did.

    Parameters
    ----------
    first, end
        The first of them, and the one after the last.
    now, done
        `_Run.done` before and after.
    places
        From where to where their moments lie, of each kind.
    scalars, dispatch
        What followed, relative to `done`.
    after
        The number of that state, once it was asked for.
    """

    first: int
    end: int
    now: int
    done: int
    places: tuple[tuple[int, int], ...]
    scalars: tuple[int, ...]
    dispatch: DispatchState
    after: int | None = None


class _Run:
    """One sequence of jobs."""

    def __init__(self, config: AttentionConfig, jobs: Sequence[Job]):
        self.config = config
        self.timing = timing = AttentionTiming(config)
        self.jobs = jobs
        self.result = AttentionCycles()
        self.output = Output(timing)
        dims, groups, sets = config.layer.head_dim, config.groups, config.buffers
        # Which set of keys and values each job uses.
        self.kv_of: list[int] = []
        for n in range(len(jobs)):
            kept = n > 0 and jobs[n - 1].keep
            self.kv_of.append((self.kv_of[-1] if n else -1) + (not kept))
        firsts = [jobs[self.kv_of.index(kv)] for kv in range(self.kv_of[-1] + 1)] if jobs else []
        tiles = [-(-job.keys // config.columns) for job in firsts]
        self.query = Operand(sets, [-(-job.queries // config.rows) * dims for job in jobs])
        self.key = Operand(sets, [count * dims for count in tiles])
        self.value = Operand(sets, [count * config.columns * groups for count in tiles])
        self.dispatch = DispatchCycles(timing.dispatch, [job.tiles for job in jobs])
        self.commands = 0
        self.place = 0, 0
        """Job and row block that come next."""
        self.states: dict[Hashable, int] = {}
        self.copied: list[_Stretch] = []
        """Row blocks that were repeated last, whose moments are still to be copied."""
        # Of the last command: seen by the score array's controller, as the two before it; and how
        # long that is busy.
        self.done = self.before = self.handed = self.handed_2 = -1
        self.settled = self.free = 0
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

        at_most = 2 + self.hop
        self.moments = (
            Moments(self.issued_last, self.score_places, at_most),
            Moments(self.divided, self.score_places, at_most),
            Moments(self.freed, self.weight_places, at_most),
            Moments(self.log_reads, self.log_places, at_most),
            Moments(self.log_pops, self.log_ahead, at_most),
            Moments(self.value_done, 2, at_most),
            *self.query.moments,
            *self.key.moments,
            *self.value.moments,
            *self.output.moments,
        )
        told = self.result.tile_starts, self.result.value_starts, self.output.delivered
        self.repeated = (*told, *(each.cycles for each in self.moments))

    def run(self, *, repeats: bool = True) -> AttentionCycles:
        """Lead every command through both arrays, or what repeats itself past them."""
        result, dispatch = self.result, self.dispatch
        if not self.jobs:
            return result
        result.loaded = max(self.query.full(0), self.key.full(0))
        known: dict[Hashable, _Stretch] = {}
        count, clean = dispatch.count, True
        before: _Stretch | None = None
        while self.commands < count:
            if not repeats or not clean:
                clean = self._lead()
                continue
            key = self._key(before)
            same = known.get(key)
            if same is not None:
                self._repeat(same)
                before = same
                continue
            self._copy()
            first, now, lengths = self.commands, self.done, self._lengths()
            clean, before = self._lead(), None
            if clean:
                known[key] = before = _Stretch(
                    first=first,
                    end=self.commands,
                    now=now,
                    done=self.done,
                    places=tuple(zip(lengths, self._lengths(), strict=True)),
                    scalars=self._scalars(self.done),
                    dispatch=dispatch.state(self.done),
                )
        self._copy()
        result.delivered = self.output.delivered
        return result

    def _lead(self) -> bool:
        """Lead commands through both arrays up to the last of a row block; whether all were asked.

        Where the score ring had no room for some of its tiles, the dispatcher is not yet through.
        """
        jobs, config, timing, dispatch = self.jobs, self.config, self.timing, self.dispatch
        result = self.result
        dims = config.layer.head_dim
        interval = timing.score_sequencer.interval
        whole = config.layer.row_numerics.needs_max
        done, before, handed, handed_before = self.done, self.before, self.handed, self.handed_2
        settled, free, far = self.settled, self.free, timing.far
        n = self.place[0]
        loaded = max(self.query.full(n), self.key.full(self.kv_of[n]))
        while True:
            # A skid buffer holds two commands: the one before the last must have left. In front of
            # it is another one where the dispatcher lies far away.
            left = handed_before if far else before
            taken = max(dispatch.offered(self.commands), left + 1)
            command = dispatch.commands[self.commands]
            dispatch.taken(self.commands, taken)
            self.commands += 1
            handed_before = handed
            handed = max(taken + 1, handed + 1, before + 1) if far else taken
            before, seen = done, max(handed, done, loaded, self._log_room())
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
            if command.last:
                break
        self.done, self.before, self.handed, self.handed_2 = done, before, handed, handed_before
        self.settled, self.free = settled, free
        if self.commands < dispatch.count:
            self.place = dispatch.place
        return not command.refused

    # --- what repeats itself ---

    def _key(self, before: "_Stretch | None") -> Hashable:
        """What decides all that the commands of the next row block do, in relative cycles."""
        job, block = self.place
        units = self.dispatch.rows(job).units
        kind, end = units[block]
        arriving: tuple[int, ...] = ()
        if block == 0:
            self._copy()
            kept = self.kv_of[job] == self.kv_of[job - 1] if job else False
            loads = self.query.loads[job], self.key.loads[self.kv_of[job]]
            arriving = (*self.dispatch.arriving(job), kept, *loads)
        leaving = (0, False)
        if end == len(units):
            leaving = self.jobs[job].queries % self.config.rows, self.jobs[job].keep
        # What follows a row block is the same each time.
        state = before.after if before else None
        if state is None:
            self._copy()
            state = self.states.setdefault(self._state(), len(self.states))
            if before:
                before.after = state
        return kind, arriving, leaving, state

    def _state(self) -> Hashable:
        """All that the commands to come may wait for, relative to the last one."""
        now, tails = self.done, []
        for cycles, last, delay in self.moments:
            # Not what is so long ago that nobody waits for it.
            first = bisect_right(cycles, now - delay, max(0, len(cycles) - last))
            tails.append(tuple([cycle - now for cycle in cycles[first:]]))
        return tuple(tails), self._scalars(now), self.dispatch.state(now)

    def _scalars(self, now: int) -> tuple[int, ...]:
        """Moments that are kept by themselves; what lies in the past is dated to now."""
        before = self.before - now, self.handed - now, self.handed_2 - now
        output = self.output
        later = (
            self.settled, self.free, self.value_settled, self.value_free,
            output.unfolded, output.idle,
        )  # fmt: skip
        return (*before, *[max(cycle - now, 0) for cycle in later])

    def _lengths(self) -> list[int]:
        return [len(moments) for moments in self.repeated]

    def _repeat(self, same: "_Stretch") -> None:
        """Come to the end of the next row block as an equal one came to its own."""
        copied = self.copied
        if copied and copied[-1].end != same.first:
            self._copy()
        self.copied.append(same)
        self.done += same.done - same.now
        self.commands += same.end - same.first
        job, block = self.place
        units = self.dispatch.rows(job).units
        end = units[block][1]
        self.place = (job, end) if end < len(units) else (job + 1, 0)

    def _copy(self) -> None:
        """Copy the moments of the row blocks, one behind the other, that were repeated."""
        if not self.copied:
            return
        first, last, now = self.copied[0], self.copied[-1], self.done
        by = now - last.done
        for moments, (begin, _), (_, end) in zip(
            self.repeated, first.places, last.places, strict=True
        ):
            moments += [cycle + by for cycle in moments[begin:end]]
        self.before, self.handed, self.handed_2, *later = (cycle + now for cycle in last.scalars)
        self.settled, self.free, self.value_settled, self.value_free, *later = later
        self.output.unfolded, self.output.idle = later
        self.recorded = len(self.log_reads)
        self.dispatch.repeat(first.first, last.end, by, last.dispatch, now, self.place)
        self.copied = []

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
        loaded = self.value.full(self.kv_of[self.waiting[0].job])
        for record in self.waiting:
            self._use(record, max(loaded, self._weigh(ready)) if record.data else loaded)
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

    def _use(self, record: _Record, there: int) -> None:
        """Lead a record through the log, and its tile through the value array.

        Its weights, if any, and its values are `there` from a cycle on.
        """
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
        seen = max(taken, self.value_done[-1], there)
        if record.last or not record.data:
            seen = max(seen, self.output.room())
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
