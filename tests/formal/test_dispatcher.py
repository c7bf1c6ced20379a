"""Proofs of the whole dispatcher: every visible tile once and in order, flags, refusals, streams.

The mask source is replaced by one that may answer anything, also let groups through in which there
is nothing; so what holds here holds for every source.

The rules of streams hold for ever, by induction. That the commands are those due is checked from
reset on for a bounded time: for any two jobs on any mask until some commands of the first have
come, and for two whole jobs of all lengths' longest on one mask, under any stalls. What follows is
in the parts, which `test_dispatch_units` proves for ever: the walks, the queues between them, the
commands. And `tests/hw/dispatch/test_every_mask` simulates every mask of this size at every length.
"""

import sys
from typing import Any, NamedTuple

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import View

from hw.dispatch import coarse, core
from hw.dispatch.config import DispatchConfig, DispatchSizes
from hw.dispatch.core import Dispatcher, DispatchTiming
from hw.dispatch.sieve import SieveFifo
from hw.dispatch.source import SourceLatency, source_members
from tests.support.abstract import fifo_state
from tests.support.formal import ProofFailed, prove, prove_stream_rules
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

BLOCKS, JOBS = 2, 2
MASK = 0b111010
"""One of the first row block's three tiles is visible, all of the second's: one is refused."""
ANY_BOUND = 18
TWO_JOBS_BOUND = 27
"""Cycles of the bounded checks."""


def config_of(tiles: int, max_tiles: int | None) -> DispatchConfig:
    """Two row blocks of a query by `tiles` key tiles of two keys, in groups of two."""
    return DispatchConfig(
        sizes=DispatchSizes(rows=1, columns=2, queries=BLOCKS, keys=2 * tiles),
        max_tiles=max_tiles,
        command_depth=6,
        group=2,
    )


class AnyMask(wiring.Component):
    """A mask source of any answers: a bit a tile and one more a group, which are never changed."""

    coarse: Any
    coarse_answer: Any
    fine: Any
    fine_answer: Any

    def __init__(self, config: DispatchConfig):
        self.config = config
        tiles = BLOCKS * config.sizes.key_tiles
        self.true, self.false = Signal(tiles), Signal(tiles)
        self.vague = Signal(BLOCKS * config.groups)
        super().__init__(source_members(config))

    @staticmethod
    def latency_of(config: DispatchConfig) -> SourceLatency:
        """As short as there is."""
        return SourceLatency(coarse=1, fine=1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, tiles = self.config, self.config.sizes.key_tiles
        groups, fine = [], []
        for block in range(BLOCKS):
            row = self.true.word_select(block, tiles)
            for k in range(config.groups):
                vague = self.vague[block * config.groups + k]
                groups.append(row[config.group * k : config.group * (k + 1)].any() | vague)
            for k in range(tiles):
                at = block * tiles + k
                fine.append(Cat(self.true[at], self.false[at]))
        rows = Array(Array(groups[b * config.groups :][: config.groups]) for b in range(BLOCKS))
        m.d.sync += self.coarse_answer.may.eq(rows[self.coarse.q_low][self.coarse.group])
        rows = Array(Array(fine[b * tiles :][:tiles]) for b in range(BLOCKS))
        m.d.sync += self.fine_answer.eq(rows[self.fine.q_low][self.fine.tile])
        return m


class Job(NamedTuple):
    """Its lengths."""

    queries: Any
    keys: Any


def constant(m: Module, signals: list[Signal]) -> None:
    """Assume that free signals never change."""
    started = Signal(name="started")
    m.d.sync += started.eq(1)
    for each in signals:
        before = Signal.like(each, name=f"{each.name}_before")
        m.d.sync += before.eq(each)
        m.d.comb += Assume(~started | (each == before), f"{each.name} is one for ever")


class Due(NamedTuple):
    """The next command, and where the one after it is looked for."""

    fields: dict[str, Value]
    row_block: Value
    tile: Value
    number: Value


def due(m: Module, source: AnyMask, job: Job, row_block: Value, tile: Value, count: Value) -> Due:
    """What must be commanded from a place in a job on, by the definition of visible."""
    tiles = source.config.sizes.key_tiles
    limit = source.config.ring_tiles or tiles
    some = (job.queries != 0) & (job.keys != 0)
    final = job.queries > 1
    place = row_block * tiles + tile
    seen, falls = Signal(BLOCKS * tiles, name="seen"), Signal(BLOCKS * tiles, name="falls")
    found, its_block = Signal(name="found"), Signal(name="its_block")
    its_tile = Signal(range(tiles), name="its_tile")
    rest, partial = Signal(name="rest"), Signal(name="partial")
    m.d.comb += its_block.eq(final)
    for k in reversed(range(BLOCKS * tiles)):
        block, at = divmod(k, tiles)
        m.d.comb += [
            seen[k].eq(some & (block <= final) & (2 * at < job.keys) & source.true[k]),
            falls[k].eq(source.false[k] | (2 * at + 1 >= job.keys)),
        ]
        with m.If(seen[k] & (place <= k)):
            m.d.comb += [
                found.eq(1),
                its_block.eq(block),
                its_tile.eq(at),
                partial.eq(falls[k]),
                rest.eq(seen[k + 1 : (block + 1) * tiles].any()),
            ]
    same = its_block == row_block
    number = Mux(same, count, 0)
    fits = number + 1 < limit
    last = ~found | ~rest | ~fits
    fields = {
        "row_block": its_block,
        "key_tile": its_tile,
        "partial": partial,
        "first": ~same | (count == 0),
        "last": last,
        "none": ~found,
        "end": last & (its_block == final),
        "refused": rest & ~fits,
        "skips": ~same,
    }
    return Due(fields, its_block, its_tile, number)


class Contract:
    """Two jobs, offered and accepted at any time; every command is what is due.

    Without `mask`, the lengths of both and the mask are any. With it, its bits are the visible
    tiles, and both jobs are as long as there are.
    """

    def __init__(self, tiles: int, max_tiles: int | None = None, mask: int | None = None):
        self.m = m = Module()
        config = config_of(tiles, max_tiles)
        timing = DispatchTiming(config)
        dut = Dispatcher(config)
        module, _ = opened(dut)
        source: AnyMask = module.submodules.generator
        m.submodules.dut = dut
        i: Any = dut.i_job
        o: Any = dut.o
        jobs = [
            Job(Signal(2, name=f"queries_{n}"), Signal(4, name=f"keys_{n}")) for n in range(JOBS)
        ]
        free = [source.true, source.false, source.vague, *(each for job in jobs for each in job)]
        self.ports = [i.valid, o.ready]
        if mask is None:
            constant(m, free)
            self.ports += free
        else:
            m.d.comb += [source.true.eq(mask), source.false.eq(mask & 0b101010), source.vague.eq(1)]
            m.d.comb += [job.queries.eq(BLOCKS) for job in jobs]
            m.d.comb += [job.keys.eq(2 * tiles - 1) for job in jobs]
        sent, done = Signal(range(JOBS + 1)), Signal(range(JOBS + 1))
        for n, job in enumerate(jobs):
            m.d.comb += [
                Assume(job.queries <= BLOCKS, "no longer than there is"),
                Assume(job.keys <= 2 * tiles, "no longer than there is"),
            ]
            with m.If(sent == n):
                m.d.comb += [i.payload[name].eq(value) for name, value in job._asdict().items()]
        m.d.comb += Assume(~i.valid | (sent < JOBS), "so many jobs")
        m.d.sync += sent.eq(sent + (i.valid & i.ready))

        row_block, tile = Signal(range(BLOCKS)), Signal(range(tiles))
        count = Signal(range(tiles + 1))
        now = Job(
            Mux(done == 0, jobs[0].queries, jobs[1].queries),
            Mux(done == 0, jobs[0].keys, jobs[1].keys),
        )
        wanted = due(m, source, now, row_block, tile, count)
        ends, last = Signal(), Signal()
        m.d.comb += [ends.eq(wanted.fields["end"]), last.eq(wanted.fields["last"])]
        with m.If(o.valid):
            m.d.comb += Assert(done < sent, "commands nothing that is no job's")
            for name, value in wanted.fields.items():
                m.d.comb += Assert(o.payload[name] == value, "every field is what is due")
        with m.If(o.valid & o.ready):
            m.d.sync += [
                row_block.eq(Mux(ends, 0, wanted.row_block + last)),
                tile.eq(Mux(last, 0, wanted.tile + 1)),
                count.eq(Mux(last, 0, wanted.number + 1)),
                done.eq(done + ends),
            ]

        contexts = module.submodules.coarse.contexts
        m.d.comb += Assert(~contexts.take | contexts.grant, "every job's context finds room")

        # Nothing is lost at the end either: who waits for a command gets it, and soon.
        idle, most = Signal(8), timing.latency + BLOCKS * (config.groups + tiles)
        m.d.sync += idle.eq(Mux(o.ready & ~o.valid & (done < sent), idle + 1, 0))
        m.d.comb += Assert(idle < most, "a job has commands to the end")

        stalls = Signal(4)
        m.d.sync += stalls.eq(stalls + (o.valid & ~o.ready))
        m.d.comb += Cover((done == JOBS) & (stalls == 2), "two jobs, and two cycles of stalls")


@pytest.fixture
def small(monkeypatch):
    """Any mask, and queues that are just large enough."""
    monkeypatch.setitem(core.UNITS, "generator", AnyMask)
    monkeypatch.setattr(coarse, "AHEAD", 0)
    monkeypatch.setattr(coarse, "SMALL_FIFO", 2)


def bounded(proof: Contract, name: str, depth: int) -> None:
    """Check from reset on. Bits rather than arrays, and every cycle by itself, are faster here."""
    prove(
        proof.m,
        name=name,
        ports=proof.ports,
        depth=depth,
        mode="bmc",
        engine="smtbmc --unroll --nopresat z3 -- --noincr",
        script=("memory_map", "opt -full"),
        timeout_s=600,
    )


@pytest.mark.parametrize("max_tiles", [None, 2])
def test_commands_of_any_mask_are_due(max_tiles, small):
    # The first command comes in cycle 13; from there on a cycle more takes about twice as long.
    bounded(Contract(3, max_tiles), f"dispatcher_any_{max_tiles}", ANY_BOUND)


def test_commands_of_two_jobs_are_due_under_any_stalls(small):
    bounded(Contract(3, max_tiles=2, mask=MASK), "dispatcher_two_jobs", TWO_JOBS_BOUND)


def test_two_jobs_end_within_the_bound_with_stalls(small):
    proof = Contract(3, max_tiles=2, mask=MASK)
    prove(proof.m, name="dispatcher_cover", ports=proof.ports, depth=TWO_JOBS_BOUND, mode="cover")


def test_answers_that_come_late_are_found(small, monkeypatch):
    right = "wanted - timing.select - own"
    monkeypatch.setattr(
        sys.modules[__name__], "Dispatcher", mutant(Dispatcher, right, f"{right} + 1")
    )
    with pytest.raises(ProofFailed, match="assertion fails"):
        bounded(Contract(3, max_tiles=2, mask=MASK), "wrong_dispatcher", ANY_BOUND)


def queue_state(m: Module, queue: SieveFifo, flying: Value) -> None:
    """Assert what the counts of a queue mean; `flying` places are on their way to it."""
    fifo_state(m, queue.queue, Const(0))
    free = queue.spare + 1
    m.d.comb += [
        Assert(free >= 0, "gives no place twice"),
        Assert(free + queue.queue.stored + 1 + flying == queue.config.depth, "counts its places"),
    ]


def rules(dispatcher: type[Dispatcher], max_tiles: int | None, mode: Any = "prove") -> None:
    """The rules of streams at its output, whatever it is answered in any cycle."""
    dut = dispatcher(config_of(3, max_tiles))
    module, _ = opened(dut)
    parts = module.submodules
    _, inner = opened(parts.fine)
    _, held = opened(parts.commands)
    name = f"dispatcher_rules_{max_tiles}_{mode}"

    def state(m: Module) -> None:
        flying = Cat(inner[f"fine_valid_{k}"] for k in range(1, parts.fine.latency + 1))
        queue_state(m, parts.queue, sum((flying[k] for k in range(len(flying))), held["holds"]))
        m.d.comb += Assert(
            ~held["holds"] | View(dut.config.command_shape, held["held"]).last | held["opened"],
            "a held tile's row block goes on",
        )

    prove_stream_rules(dut, name=name, also=state, mode=mode, depth=2 if mode == "prove" else 18)


@pytest.mark.parametrize("max_tiles", [None, 2])
def test_the_dispatcher_keeps_the_rules_of_streams(max_tiles, small):
    rules(Dispatcher, max_tiles)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("queue.take.eq(fine.take)", "queue.take.eq(commands.o.valid)"),
        ("queue.give_back.eq(commands.give_back)", "queue.give_back.eq(0)"),
    ],
)
def test_a_queue_joined_wrong_is_found(right, wrong, small):
    with pytest.raises(ProofFailed, match="assertion fails"):
        rules(mutant(Dispatcher, right, wrong), 2, "bmc")
