"""The dispatcher: from jobs and masks to commands for the tiles that are not empty."""

from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.dispatch.bitmap import BitmapSource
from hw.dispatch.coarse import CoarseScan, CoarseScanConfig
from hw.dispatch.columns import ColumnSource
from hw.dispatch.commands import Commands
from hw.dispatch.config import DispatchConfig
from hw.dispatch.fine import FineScan
from hw.dispatch.generator import GeneratorSource
from hw.dispatch.jobs import JobPreparation, LoadGate
from hw.dispatch.sieve import SieveFifo
from hw.dispatch.source import SourceLatency
from hw.lib.credit import CreditFifoConfig, Push, PushSignature
from hw.lib.pipe import delay

__all__ = ["DispatchTiming", "Dispatcher"]

UNITS = {"generator": GeneratorSource, "columns": ColumnSource, "bitmap": BitmapSource}


class DispatchTiming:
    """Every latency and depth of a dispatcher, from its configuration alone."""

    def __init__(self, config: DispatchConfig):
        self.sources = [UNITS[source].latency_of(config) for source in config.sources]
        # Sources may be chosen by job, so all answer as late as the slowest; and one rank selects.
        select = int(len(config.sources) > 1)
        self.answer = SourceLatency(
            coarse=max(each.coarse for each in self.sources) + select,
            fine=max(each.fine for each in self.sources) + select,
        )
        self.select = select
        self.coarse = CoarseScanConfig(config, self.answer.coarse)
        self.fine_latency = self.answer.fine + 2
        self.commands = CreditFifoConfig(shape=config.command_shape, depth=config.command_depth)

    @property
    def latency(self) -> int:
        """Cycles from an accepted job to its first command's offer, at the least.

        Two to prepare it, one to start, the two levels with a queue between them, and one each to
        hold the command and to queue it.
        """
        return 2 + 1 + self.coarse.latency + 2 + self.fine_latency + 2

    @property
    def gap(self) -> int:
        """Cycles from a command to the next, beyond a cycle a step of either walk.

        Counted are the groups and the tiles walked from the first of the two to the tile after the
        second, which shows that it is not the last; the end of a row block whose last group was
        dropped counts as a tile. It takes a consumer that accepts at once, and a queue that hides
        the fine level: ``command_depth >= fine_latency + 3``.
        """
        return 2


class Dispatcher(wiring.Component):
    """Scans the mask of every job and commands the tiles that hold something, and only those.

    Contract: for every job in turn, its visible tiles, in order of row blocks and in each of key
    tiles, each exactly once; row blocks without one are counted in `skips` of the next
    command, which is `none` if the last row block is such a one. A tile is visible if
    its source cannot rule out that the mask is true in it, and partial if it cannot rule out that
    the mask is false or the tile hangs over the keys. More tiles than `max_tiles` in a row block:
    the last that fits is `refused`, and the rest of the row block is dropped. A job without keys
    is a single `none`; so is one without queries, as if it had one row block.

    *Timing*: a group a cycle, and a tile of those that may hold something, without a gap between
    row blocks or jobs; `sim.cycle.dispatch` gives the cycle of every command. A run of n empty
    groups and t empty tiles in groups that may hold something is passed in n + t cycles at most;
    see `DispatchTiming.gap`.

    *Members*
    i_job
        Stream of `DispatchConfig.job_shape`.
    o
        Stream of `DispatchConfig.command_shape`.
    i_columns, i_bitmap, i_tokens
        Streams of a mask's words, for the sources that are loaded; `i_tokens` comes with the
        bitmap, and a bitmap without partial tiles needs one word there too, of any bits.
    load_columns, load_tokens
        The words that were accepted, for a `TokenMask` outside.
    loaded
        A bit for every source: its mask is there. Jobs wait for it.
    done
        A job, once started, needs its mask no more: from then on another may be loaded. These six
        exist only where something is loaded.
    """

    i_job: stream.Interface
    o: stream.Interface
    i_columns: stream.Interface
    i_bitmap: stream.Interface
    i_tokens: stream.Interface
    load_columns: Push
    load_tokens: Push
    loaded: Signal
    done: Signal

    def __init__(self, config: DispatchConfig):
        self.config = config
        self.timing = DispatchTiming(config)
        members: dict[str, Any] = {
            "i_job": In(stream.Signature(config.job_shape)),
            "o": Out(stream.Signature(config.command_shape)),
        }
        if "columns" in config.sources:
            members["i_columns"] = In(stream.Signature(config.column_word_shape))
            members["load_columns"] = Out(PushSignature(config.column_word_shape))
        if "bitmap" in config.sources:
            members["i_bitmap"] = In(stream.Signature(config.bitmap_word_shape))
            members["i_tokens"] = In(stream.Signature(config.token_word_shape))
            members["load_tokens"] = Out(PushSignature(config.token_word_shape))
        if config.loadable:
            members["loaded"] = Out(len(config.sources))
            members["done"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Join the levels of the scan, ask the sources, and queue the commands."""
        m = Module()
        config, timing = self.config, self.timing
        m.submodules.jobs = jobs = JobPreparation(config)
        m.submodules.coarse = coarse = CoarseScan(config, timing.answer.coarse)
        m.submodules.fine = fine = FineScan(config, timing.answer.fine)
        m.submodules.commands = commands = Commands(config)
        m.submodules.queue = queue = SieveFifo(timing.commands)
        connect(m, wiring.flipped(self.i_job), jobs.i)
        connect(m, jobs.o, coarse.i)
        connect(m, coarse.o, fine.i)
        connect(m, coarse.o_context, fine.i_context)
        connect(m, fine.o, commands.i)
        connect(m, commands.o, queue.i)
        connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += [
            fine.grant.eq(queue.grant),
            queue.take.eq(fine.take),
            queue.give_back.eq(commands.give_back),
        ]
        sources = self._sources(m)
        for name, level, wanted in (
            ("coarse", coarse, timing.answer.coarse),
            ("fine", fine, timing.answer.fine),
        ):
            answers = []
            for source, unit in sources.items():
                m.d.comb += getattr(unit, name).eq(level.query.payload)
                own = getattr(UNITS[source].latency_of(config), name)
                own += unit.wait if name == "coarse" and source == "bitmap" else 0
                answer = getattr(unit, f"{name}_answer")
                answers.append(delay(m, f"{name}_{source}", answer, wanted - timing.select - own))
            if not timing.select:
                m.d.comb += level.answer.eq(answers[0])
                continue
            chosen = delay(m, f"{name}_source", level.query.payload.source, wanted - 1)
            m.d.sync += level.answer.eq(Array(answers)[chosen])
        self._load(m, coarse, sources)
        return m

    def _sources(self, m: Module) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for source in self.config.sources:
            if source == "bitmap":
                own = BitmapSource.latency_of(self.config).coarse
                wait = self.timing.answer.coarse - self.timing.select - own
                unit = BitmapSource(self.config, wait)
            else:
                unit = UNITS[source](self.config)
            m.submodules[source] = found[source] = unit
        return found

    def _load(self, m: Module, coarse: CoarseScan, sources: dict[str, Any]) -> None:
        if not self.config.loadable:
            m.d.comb += coarse.allow.eq(1)
            return
        m.submodules.gate = gate = LoadGate(self.config)
        m.d.comb += [
            gate.source.eq(coarse.i.payload.source),
            gate.pending.eq(coarse.i.valid),
            coarse.allow.eq(gate.allow),
            gate.start.eq(coarse.start),
            gate.done.eq(self.done),
            self.loaded.eq(gate.loaded),
        ]
        users: dict[str, list[Push]] = {name: [] for name in gate.streams}
        if "columns" in sources:
            users["columns"] = [sources["columns"].load, self.load_columns]
        if "bitmap" in sources:
            users["bitmap"], users["tokens"] = [sources["bitmap"].load], [self.load_tokens]
        for k, name in enumerate(gate.streams):
            words: stream.Interface = getattr(self, f"i_{name}")
            m.d.comb += [
                words.ready.eq(gate.open),
                gate.word[k].eq(words.valid & gate.open),
                gate.word_last[k].eq(words.payload.last),
            ]
            for user in users[name]:
                m.d.comb += [user.valid.eq(gate.word[k]), user.payload.eq(words.payload)]
