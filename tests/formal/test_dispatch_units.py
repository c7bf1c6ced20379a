"""Proofs of the dispatcher's parts, by induction: nothing is lost, doubled or out of turn for ever.

Each walk is compared with a walk of the harness that goes by the definition, the commands with what
the tiles of their row block say, and the queue follows any payload. `test_dispatcher` has them
together. The harnesses share their tables of proofs and faults; hence the length of this file.
"""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value, signed
from amaranth.lib.data import StructLayout, View

from hw.dispatch.coarse import CoarseScan
from hw.dispatch.commands import Commands
from hw.dispatch.config import SOURCES, DispatchConfig, DispatchSizes
from hw.dispatch.fine import FineScan
from hw.dispatch.jobs import LOAD_SETTLES, MAX_JOBS, LoadGate
from hw.dispatch.sieve import SieveFifo
from hw.lib.credit import CreditFifoConfig
from spec.tiles import GROUP
from tests.support.abstract import delayed, fifo_state
from tests.support.formal import (
    Follow,
    ProofFailed,
    StreamRules,
    free_ports,
    prove,
)
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

Proof = tuple[Module, list[Any]]

ANSWER = 2
"""Cycles of the mask source's answer."""


def config_of(**fields: Any) -> DispatchConfig:
    """Four row blocks of two queries, six key tiles of two keys in groups of two."""
    sizes = DispatchSizes(rows=2, columns=2, queries=7, keys=12)
    return DispatchConfig(sizes=sizes, **{"group": 2, "command_depth": 4, **fields})


def inside(layout: StructLayout, flat: Signal) -> Any:
    """A register of a layout, from its name."""
    return View(layout, flat)


def sieve(unit: type[SieveFifo] = SieveFifo, depth: int = 5) -> Proof:
    """Any pipeline in front, which pushes or gives back what it took, as late as it likes."""
    m = Module()
    m.submodules.dut = dut = unit(CreditFifoConfig(shape=3, depth=depth))
    opened(dut)
    flying = Signal(range(depth + 2))
    gone = dut.i.valid + dut.give_back
    m.d.sync += flying.eq(flying + dut.take - gone)
    m.d.comb += [
        Assume(~dut.take | dut.grant, "takes only what is granted"),
        Assume(gone <= flying + dut.take, "pushes or gives back only what was taken"),
        Assert(
            dut.spare + 1 + dut.queue.stored + 1 + flying == depth,
            "counts what is neither inside nor on its way",
        ),
        Assert(dut.spare >= -1, "gives no place twice"),
    ]
    # The queue itself takes a place with each push; its own proof needs no more than that.
    held = fifo_state(m, dut.queue, Value.cast(0))
    m.submodules.follow = follow = Follow(3, depth)
    full = follow.inside == depth
    m.d.comb += [
        follow.enter.eq(dut.i.valid),
        follow.enter_payload.eq(dut.i.payload),
        follow.leave.eq(dut.o.valid & dut.o.ready),
        follow.leave_payload.eq(dut.o.payload),
        Assert(follow.inside == held, "offers what is inside"),
        Assert(dut.o.valid == (held > 0), "whenever there is something"),
        Cover(full & follow.waiting & (follow.ahead == 0), "full, and following"),
    ]
    peek = dut.queue.storage.read_port(domain="comb")
    place = dut.queue.read_at + follow.ahead
    m.d.comb += [
        peek.addr.eq(Mux(place >= depth, place - depth, place)),
        Assert(~follow.waiting | (peek.data == follow.payload), "the followed one is stored"),
    ]
    return m, [*free_ports(dut), follow.mark]


def coarse(unit: type[CoarseScan] = CoarseScan) -> Proof:
    """Any contexts and answers: the steps of the walk, what it asks, and what becomes of it."""
    config = config_of()
    m = Module()
    m.submodules.dut = dut = unit(config, ANSWER)
    module, state = opened(dut)
    queue: SieveFifo = module.submodules.entries
    i: Any = dut.i
    context: Any = inside(config.context_shape, state["context"])
    m.d.comb += Assume(
        dut.contexts.grant, "fewer jobs than contexts, which CoarseScanConfig argues"
    )
    m.d.comb += [
        Assume(i.payload.queries_last < config.sizes.queries, "no longer than there is"),
        Assume(i.payload.keys_last < config.sizes.keys, "no longer than there is"),
    ]

    # The walk by definition: from (0, 0), group by group, row block by row block, to the last.
    going, job = Signal(), Signal(config.context_shape)
    block, group = Signal(range(config.sizes.row_blocks)), Signal(range(config.groups))
    last_block, last_group = job.queries_last >> 1, job.keys_last >> 2
    row_end, final = group == last_group, block == last_block
    step, over = queue.take, Signal()
    m.d.comb += over.eq(step & row_end & final)
    with m.If(step):
        m.d.sync += [
            group.eq(Mux(row_end, 0, group + 1)),
            block.eq(Mux(row_end, block + 1, block)),
        ]
    with m.If(dut.start):
        m.d.sync += [going.eq(1), job.eq(i.payload), block.eq(0), group.eq(0)]
    with m.Elif(over):
        m.d.sync += going.eq(0)
    m.d.comb += [
        Assert(~dut.start | (i.valid & dut.allow & (~going | over)), "starts a job after another"),
        Assert(i.ready == dut.start, "accepts what it starts"),
        Assert(~step | going, "steps in a job only"),
        Assert(state["active"] == going, "the walk is where it is due"),
        Assert(~going | (Value.cast(context) == Value.cast(job)), "the walk is where it is due"),
        Assert(~going | (block <= last_block), "the walk is where it is due"),
        Assert(~going | (group <= last_group), "the walk is where it is due"),
        Assert(~going | (last_group < config.groups), "the walk is where it is due"),
        Assert(~going | (last_block < config.sizes.row_blocks), "the walk is where it is due"),
        Assert(~going | (state["groups_left"] == last_group - group), "groups left"),
        Assert(~going | (state["blocks_left"] == last_block - block), "row blocks left"),
        Assert(~going | (state["one_group"] == (last_group == 0)), "the walk is where it is due"),
    ]
    place = config.entry_shape.members
    at: Any = inside(
        StructLayout(
            {
                "row_block": place["row_block"],
                "group": place["group"],
                "number": config.query_shape.members["number"],
                "row_end": 1,
                "final": 1,
            }
        ),
        state["at"],
    )
    m.d.comb += [
        Assert(~going | (at.row_block == block), "the walk is where it is due"),
        Assert(~going | (at.group == group), "the walk is where it is due"),
        Assert(~going | (at.row_end == row_end), "the walk is where it is due"),
        Assert(~going | (at.final == final), "the walk is where it is due"),
        Assert(~going | (at.number == block * (last_group + 1) + group), "groups of the job"),
    ]

    # What is asked, a cycle later.
    ask: Any = dut.query.payload
    whole_rows, whole_keys = 2 * block + 1, 4 * group + 3
    wanted = {
        "q_low": 2 * block,
        "q_high": Mux(final, job.queries_last, whole_rows),
        "k_low": 4 * group,
        "k_high": Mux(row_end, job.keys_last, whole_keys),
        "group": group,
        "head": job.head,
        "offset": job.offset,
    }
    m.d.comb += Assert(dut.query.valid == delayed(m, step, 1), "the walk is where it is due")
    for name, value in wanted.items():
        m.d.comb += Assert(~dut.query.valid | (ask[name] == delayed(m, value, 1)), f"asks {name}")

    # What is pushed, when the answer is there: `latency` cycles after the step.
    late = dut.timing.latency
    came = delayed(m, step, late)
    may = delayed(m, dut.answer.may, 1) & ~delayed(m, job.empty, late)
    ends = delayed(m, row_end, late)
    o: Any = queue.i.payload
    m.d.comb += [
        Assert(queue.i.valid == (came & (may | ends)), "keeps what may, and ends of row blocks"),
        Assert(queue.give_back == (came & ~may & ~ends), "and gives back the rest"),
    ]
    in_last = Mux(row_end, (job.keys_last >> 1)[0], 1)
    expected = {
        "row_block": delayed(m, block, late),
        "group": delayed(m, group, late),
        "row_end": ends,
        "final": delayed(m, final, late),
        "may": may,
        "left": Mux(may, delayed(m, in_last, late), 0),
    }
    for name, value in expected.items():
        m.d.comb += Assert(~queue.i.valid | (o[name] == value), f"pushes {name}")
    return m, free_ports(dut)


def fine(unit: type[FineScan] = FineScan) -> Proof:
    """Any entries, contexts, answers and grants: each tile of each entry is one step."""
    config = config_of()
    m = Module()
    m.submodules.dut = dut = unit(config, ANSWER)
    _, state = opened(dut)
    i: Any = dut.i
    context: Any = dut.i_context.payload
    m.submodules.rules = StreamRules(dut.i_context, Assume)
    accepts = i.valid & i.ready
    going, entry = Signal(), Signal(config.entry_shape)
    index = Signal(range(2))
    ends = dut.take & (index == entry.left)
    with m.If(accepts):
        m.d.sync += [going.eq(1), entry.eq(i.payload), index.eq(0)]
    with m.Elif(ends):
        m.d.sync += going.eq(0)
    with m.Elif(dut.take):
        m.d.sync += index.eq(index + 1)
    tile = 2 * entry.group + index
    row_end = entry.row_end & (index == entry.left)
    m.d.comb += [
        Assume(~going | (tile < config.sizes.key_tiles), "tiles of the longest keys"),
        Assume(context.queries_last < config.sizes.queries, "no longer than there is"),
        Assume(context.keys_last < config.sizes.keys, "no longer than there is"),
        Assert(dut.take == (going & dut.grant), "a step whenever there is room"),
        Assert(~i.ready | ~going | ends, "an entry after another"),
        Assert(i.ready | (going & ~ends), "without a gap"),
        Assert(
            dut.i_context.ready == (ends & entry.row_end & entry.final),
            "a context is done with its job's last step",
        ),
    ]
    walked: Any = inside(config.entry_shape, state["entry"])
    m.d.comb += [
        Assert(state["active"] == going, "the walk is where it is due"),
        Assert(~going | (state["index"] == index), "the walk is where it is due"),
        Assert(~going | (index <= entry.left), "the walk is where it is due"),
        Assert(~going | (walked.left == entry.left - index), "the walk is where it is due"),
        Assert(~going | (state["at_end"] == (index == entry.left)), "the walk is where it is due"),
        *(
            Assert(~going | (walked[name] == entry[name]), "the walk is where it is due")
            for name in ("row_block", "group", "may", "row_end", "final")
        ),
    ]
    ask: Any = dut.query.payload
    wanted = {
        "q_low": 2 * entry.row_block,
        "q_high": Mux(entry.final, context.queries_last, 2 * entry.row_block + 1),
        "k_low": 2 * tile,
        "k_high": Mux(row_end, context.keys_last, 2 * tile + 1),
        "tile": tile,
        "head": context.head,
        "offset": context.offset,
    }
    m.d.comb += Assert(dut.query.valid == delayed(m, dut.take, 1), "the walk is where it is due")
    for name, value in wanted.items():
        asked = ask[name] == delayed(m, value, 1)
        m.d.comb += Assert(~dut.query.valid | asked, f"asks {name}")
    late = dut.latency
    o: Any = dut.o.payload
    hidden = delayed(m, ~entry.may | context.empty, late)
    overhangs = delayed(m, row_end & ~context.keys_last[0], late)
    expected = {
        "row_block": delayed(m, entry.row_block, late),
        "key_tile": delayed(m, tile, late),
        "row_end": delayed(m, row_end, late),
        "final": delayed(m, entry.final, late),
        "visible": delayed(m, dut.answer.may_be_true, 1) & ~hidden,
        "partial": delayed(m, dut.answer.may_be_false, 1) | overhangs,
    }
    m.d.comb += Assert(dut.o.valid == delayed(m, dut.take, late), "the walk is where it is due")
    for name, value in expected.items():
        m.d.comb += Assert(~dut.o.valid | (o[name] == value), f"tells {name}")
    return m, free_ports(dut)


def commands(unit: type[Commands] = Commands, *, max_tiles: int | None = 2) -> Proof:
    """Any steps: any one of them is followed until it is a command, with the flags it must have."""
    config = config_of(max_tiles=max_tiles)
    limit = config.ring_tiles or config.sizes.key_tiles
    m = Module()
    m.submodules.dut = dut = unit(config)
    _, state = opened(dut)
    i: Any = dut.i.payload
    o: Any = dut.o.payload
    visible, row_end = dut.i.valid & i.visible, dut.i.valid & i.row_end

    # A row block has one number, is the last or not, and has no more tiles than there are.
    begun, same_block, same_final = Signal(), Signal.like(i.row_block), Signal()
    tiles, skips = Signal(range(config.sizes.key_tiles + 1)), Signal(range(8))
    with m.If(dut.i.valid):
        m.d.sync += [begun.eq(~i.row_end), same_block.eq(i.row_block), same_final.eq(i.final)]
        m.d.sync += tiles.eq(Mux(i.row_end, 0, tiles + i.visible))
    fits = visible & (tiles < limit)
    empty = row_end & ~i.visible & (tiles == 0)
    none = empty & i.final
    enters = fits | none
    with m.If(enters):
        m.d.sync += skips.eq(0)
    with m.Elif(empty):
        m.d.sync += skips.eq(skips + 1)
    m.d.comb += [
        Assume(~dut.i.valid | ~begun | (i.row_block == same_block), "a row block is one"),
        Assume(~dut.i.valid | ~begun | (i.final == same_final), "a row block is one"),
        Assume(tiles < config.sizes.key_tiles, "no more tiles than there are"),
        Assume(~empty | none | (skips < config.sizes.row_blocks - 1), "nor row blocks"),
    ]

    # The followed one: what it was, and what is known of its row block since.
    mark, follows = Signal(), Signal()
    was: Any = Signal(config.command_shape)
    was_final, was_full = Signal(), Signal()
    more, ended, known = Signal(), Signal(), Signal()
    pushes = dut.o.valid
    m.d.comb += known.eq(more | ended)
    with m.If(follows & ~known):
        m.d.sync += [more.eq(visible), ended.eq(row_end & ~visible)]
    with m.If(follows & pushes):
        m.d.sync += follows.eq(0)
    with m.If(mark & enters & (~follows | pushes)):
        m.d.sync += [
            follows.eq(1),
            was.row_block.eq(i.row_block),
            was.key_tile.eq(Mux(none, 0, i.key_tile)),
            was.partial.eq(i.partial & ~none),
            was.none.eq(none),
            was.first.eq(tiles == 0),
            was.skips.eq(skips),
            was_final.eq(i.final),
            was_full.eq(tiles + 1 == limit),
            more.eq(0),
            ended.eq(i.row_end),
        ]
    # In the cycle of a push more may become known: the next tile of its row block comes.
    more_now = more | (visible & ~known)
    last = ended | (more_now & was_full)
    told = follows & pushes
    inside_now = Signal(2)
    m.d.sync += inside_now.eq(inside_now + enters - pushes)
    m.d.comb += [
        Assert(dut.give_back == (dut.i.valid & ~enters), "gives back what is no command"),
        Assert(~pushes | (inside_now > 0), "commands what came"),
        Assert(~told | known | visible, "tells no flag before it is known"),
        *(
            Assert(~told | (o[name] == was[name]), f"{name} is as it was")
            for name in ("row_block", "key_tile", "partial", "none", "first", "skips")
        ),
        Assert(~told | (o.last == last), "last of its row block, or of the ring"),
        Assert(~told | (o.refused == (more_now & was_full)), "refused if there are more"),
        Assert(~told | (o.end == (last & was_final)), "end of its job"),
        Assert(~(follows & known) | pushes, "told as soon as it is known"),
    ]
    # What the induction must know.
    holds, held = state["holds"], inside(config.command_shape, state["held"])
    m.d.comb += [
        Assert(inside_now == holds, "what is held is the followed one"),
        Assert(~follows | holds, "what is held is the followed one"),
        Assert(state["opened"] == (tiles > 0), "what is held is the followed one"),
        Assert(state["skips"] == skips, "what is held is the followed one"),
        Assert(begun | (tiles == 0), "what is held is the followed one"),
        Assert(~(holds & ~held.last) | (tiles > 0), "a held tile's row block goes on"),
        Assert(
            ~follows | (held.last == (ended | (more & was_full))),
            "what is held is the followed one",
        ),
        Assert(~follows | ~(more & ~was_full), "what is held is the followed one"),
        Assert(
            ~follows | known | (held.row_block == same_block), "what is held is the followed one"
        ),
        Assert(~follows | (state["final"] == was_final), "what is held is the followed one"),
        Assert(~follows | known | (was_final == same_final), "what is held is the followed one"),
        Assert(
            ~follows | known | (was_full == (tiles == limit)), "what is held is the followed one"
        ),
        Assert(~follows | known | ~(tiles > limit), "what is held is the followed one"),
        *(
            Assert(~follows | (held[name] == was[name]), "what is held is the followed one")
            for name in ("row_block", "key_tile", "partial", "none", "first", "skips")
        ),
        Assert(~follows | (held.refused == (more & was_full)), "what is held is the followed one"),
        Assert(
            ~follows | (held.end == (held.last & was_final)), "what is held is the followed one"
        ),
        Assert(skips < config.sizes.row_blocks, "what is held is the followed one"),
    ]
    if config.ring_tiles is not None:
        m.d.comb += [
            Assert(state["full"] == (tiles >= limit), "what is held is the followed one"),
            Assert(
                state["count"] == Mux(tiles > limit, limit, tiles),
                "what is held is the followed one",
            ),
        ]
    m.d.comb += [
        Cover(told & o.refused, "reached"),
        Cover(told & o.none & (o.skips == 2), "reached"),
    ]
    return m, [*free_ports(dut), mark]


def gate(unit: type[LoadGate] = LoadGate) -> Proof:
    """Any jobs, words and ends: a mask is there before its jobs start, and changes under none."""
    config = config_of(sources=SOURCES, partial_tiles=2, group=GROUP)
    m = Module()
    m.submodules.dut = dut = unit(config)
    _, state = opened(dut)
    running, was = Signal(signed(10)), Signal.like(state["running"])
    m.d.sync += [running.eq(running + dut.start - dut.done), was.eq(state["running"])]
    change = state["running"] - was
    m.d.comb += [
        Assume(~dut.start | (dut.pending & dut.allow), "starts what it may"),
        Assume(~dut.done | (running > 0), "ends what was started"),
        Assume(dut.open | ~dut.word.any(), "words come only where they may"),
        Assume(dut.source < len(config.sources), "a source there is"),
        Assert((running >= 0) & (running <= MAX_JOBS), "counts every job"),
        Assert(state["running"] + state["started"] - state["ended"] == running, "counts as here"),
        Assert((change >= -1) & (change <= 1), "counts as here"),
        Assert(state["none"] == (state["running"] == 0), "none of those that are counted"),
        Assert(state["one"] == (state["running"] == 1), "or one"),
        Assert(state["full"] == (was >= MAX_JOBS - 3), "or nearly as many as may be"),
        Assert(~dut.open | ((running == 0) & ~dut.start), "no word while a mask is in use"),
    ]
    for k, name in enumerate(dut.streams):
        # Cycles since the last word of this stream, if that ended its mask; no more than needed.
        ended, since = Signal(name=f"ended_{name}"), Signal(range(8), name=f"since_{name}")
        with m.If(dut.word[k]):
            m.d.sync += [ended.eq(dut.word_last[k]), since.eq(1)]
        with m.Elif(since < LOAD_SETTLES):
            m.d.sync += since.eq(since + 1)
        ripe = ended & (since >= LOAD_SETTLES)
        uses = Cat(dut.source == n for n, names in enumerate(dut.needs) if name in names).any()
        m.d.comb += [
            Assert(~(dut.allow & uses) | ripe, "a mask has arrived, and can be read"),
            Assert(state["complete"][k] == ripe, "and is known to be there as soon as it is"),
            Assert(
                state[f"settling_{k}"] == Mux(ended & ~ripe, 1 << (since - 1)[:2], 0),
                "counts as here",
            ),
            Assert((since <= LOAD_SETTLES) & (~ended | (since > 0)), "counts as here"),
        ]
    m.d.comb += Cover(dut.start & (dut.source == 2), "a job of the bitmap starts")
    return m, free_ports(dut)


PROOFS = {
    "sieve": (sieve, 2),
    "coarse": (coarse, ANSWER + 4),
    "fine": (fine, ANSWER + 4),
    "commands": (commands, 3),
    "gate": (gate, 3),
    "commands_unlimited": (lambda: commands(max_tiles=None), 3),
}
"""Name -> harness, and k of the induction."""


@pytest.mark.parametrize("name", PROOFS)
def test_part_keeps_its_contract(name):
    harness, depth = PROOFS[name]
    m, ports = harness()
    prove(m, name=f"dispatch_{name}", ports=ports, depth=depth)


def test_the_queue_can_be_full():
    m, ports = sieve()
    prove(m, name="dispatch_sieve_cover", ports=ports, depth=8, mode="cover")


def test_tiles_are_refused_and_empty_row_blocks_counted():
    m, ports = commands()
    prove(m, name="dispatch_commands_cover", ports=ports, depth=10, mode="cover")


def test_a_loaded_job_can_start():
    m, ports = gate()
    prove(m, name="dispatch_gate_cover", ports=ports, depth=8, mode="cover")


FAULTS = {
    "a place given back is lost": (sieve, SieveFifo, "freed ^ pop ^ take", "pop ^ take"),
    "a group is dropped": (coarse, CoarseScan, "kept=may | p.row_end", "kept=may"),
    "a job without keys is asked": (coarse, CoarseScan, "p.may & ~p.empty", "p.may"),
    "a row block is one group short": (
        coarse,
        CoarseScan,
        "at.row_end.eq(one_group)",
        "at.row_end.eq(1)",
    ),
    "the last tile is left out": (
        fine,
        FineScan,
        "at_end.eq(self.i.payload.left == 0)",
        "at_end.eq(self.i.payload.left <= 1)",
    ),
    "an overhang is not seen": (fine, FineScan, "p.false | p.overhangs", "p.false"),
    "one tile more than the ring": (commands, Commands, "count == limit - 1", "count == limit"),
    "nothing is refused": (commands, Commands, "refused.eq(visible)", "refused.eq(0)"),
    "an end is forgotten": (commands, Commands, "held.end.eq(final)", "held.end.eq(0)"),
    "empty row blocks are forgotten": (commands, Commands, "skips + 1", "skips"),
    "a mask is used too early": (gate, LoadGate, "with m.If(settling[-1])", "with m.If(settling)"),
}
"""Name -> harness, unit, what its source says, and what it says in a copy with a fault."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_with_a_fault_is_found(name):
    harness, unit, right, wrong = FAULTS[name]
    m, ports = harness(mutant(unit, right, wrong))
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="wrong_dispatch", ports=ports, depth=12, mode="bmc")
