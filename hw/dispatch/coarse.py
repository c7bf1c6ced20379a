"""The first level of the scan: groups of key tiles, of which the surely empty ones are dropped."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect

from hw.dispatch.config import DispatchConfig, log2
from hw.dispatch.sieve import SieveFifo
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["ASKED", "CoarseScan", "CoarseScanConfig", "coarse_answer_shape", "ends_of"]

SMALL_FIFO = 16
"""Entries of a FIFO in distributed RAM that cost no more than two."""

AHEAD = 4
"""Groups that can wait, at least, while the scan of empty ones goes on at full rate."""


ASKED = ("batch", "head", "offset", "source", "causal")
"""What a query takes over from the job's context."""


def coarse_answer_shape(config: DispatchConfig) -> StructLayout:
    """Whether a mask may be true somewhere in a group, and the hint for the fine level."""
    return StructLayout({"may": 1, "hint": config.hint_shape})


def ends_of(index: Value, size: int) -> tuple[Value, Value]:
    """First and last of the `size` numbers, a power of two, in block `index`."""
    low = Const(0, log2(size))
    return Cat(low, index), Cat(~low, index)


class CoarseScanConfig:
    """Latency and depths of a `CoarseScan`.

    Parameters
    ----------
    config
        The dispatcher's.
    answer_latency
        Cycles from a query to its answer.
    """

    def __init__(self, config: DispatchConfig, answer_latency: int):
        self.dispatch = config
        self.answer_latency = answer_latency
        places = self.latency + 2 + AHEAD + 2
        contexts = max(SMALL_FIFO, 1 << (places - 1).bit_length())
        self.entries = CreditFifoConfig(shape=config.entry_shape, depth=contexts - 2)
        # One for every entry that has a place, one for the job that the fine level walks, and one
        # that was started and has taken no place yet: so it never overflows.
        self.contexts = CreditFifoConfig(shape=config.context_shape, depth=contexts)

    @property
    def latency(self) -> int:
        """Cycles from the step at a group to the push of its entry: bound, answer, decide."""
        return self.answer_latency + 2

    @property
    def interval(self) -> int:
        """Cycles between steps, within a job and from one job to the next."""
        return 1


class CoarseScan(wiring.Component):
    """Walks the row blocks of every job, and in each the groups of key tiles, one a cycle.

    Contract: for every job in turn, every row block in turn, `o` carries the groups for which
    `answer` said `may`, in order, and the last group of the row block in any case. `o_context`
    carries a context for every job, which is offered before the job's first entry is.

    *Timing*: a step a cycle without a gap between row blocks or jobs, as long as `o` has room. A
    step is pushed `config.latency` cycles later and offered in the next.

    *Members*
    i
        Stream of contexts.
    allow, start
        The context on offer may be started; it is.
    query
        What the mask sources are asked; `valid` is for proofs and models.
    answer
        Their answer, `answer_latency` cycles later.
    o, o_context
        Streams of `entry_shape` and `context_shape`.
    """

    i: stream.Interface
    allow: Signal
    start: Signal
    query: Push
    answer: Any
    o: stream.Interface
    o_context: stream.Interface

    def __init__(self, config: DispatchConfig, answer_latency: int):
        self.config = config
        self.timing = CoarseScanConfig(config, answer_latency)
        super().__init__(
            {
                "i": In(stream.Signature(config.context_shape)),
                "allow": In(1),
                "start": Out(1),
                "query": Out(PushSignature(config.query_shape)),
                "answer": In(coarse_answer_shape(config)),
                "o": Out(stream.Signature(config.entry_shape)),
                "o_context": Out(stream.Signature(config.context_shape)),
            }
        )
        self.entries = SieveFifo(self.timing.entries)
        self.contexts = CreditFifo(self.timing.contexts)

    def elaborate(self, platform: object) -> Module:
        """Join the walk, the pipeline around the answer, and the two queues."""
        m = Module()
        m.submodules.entries = entries = self.entries
        m.submodules.contexts = contexts = self.contexts
        connect(m, entries.o, wiring.flipped(self.o))
        connect(m, contexts.o, wiring.flipped(self.o_context))
        m.d.comb += [
            contexts.take.eq(self.start),
            contexts.i.valid.eq(self.start),
            contexts.i.payload.eq(self.i.payload),
            self.i.ready.eq(self.start),
        ]
        step, at, context = self._walk(m)
        m.d.comb += entries.take.eq(step)

        sizes, group = self.config.sizes, self.config.group
        q_low, q_top = ends_of(at.row_block, sizes.rows)
        k_low, k_top = ends_of(at.group, sizes.columns * group)
        last_left = (context.keys_last >> log2(sizes.columns))[: log2(group)]
        names = ("row_block", "group", "row_end", "final")
        with Pipe(
            m,
            "coarse",
            latency=self.timing.latency,
            valid=step,
            at=at,
            context=context,
        ) as p:
            p.stage(
                "bound",
                q_low=q_low,
                q_high=Mux(at.final, context.queries_last, q_top),
                k_low=k_low,
                k_high=Mux(at.row_end, context.keys_last, k_top),
                left=Mux(at.row_end, last_left, group - 1),
                at=at,
                context=context,
            )
            ask = self.query.payload
            m.d.comb += [
                self.query.valid.eq(p.valid),
                *(ask[name].eq(getattr(p, name)) for name in ("q_low", "q_high", "k_low")),
                *(ask[name].eq(p.at[name]) for name in ("group", "number")),
                *(ask[name].eq(p.context[name]) for name in ASKED),
                ask.k_high.eq(p.k_high),
            ]
            fields = {name: p.at[name] for name in names}
            p.through(0, left=p.left, empty=p.context.empty, **fields)
            p.through(
                self.timing.answer_latency,
                keep=("left", "empty", *names),
                may=self.answer.may,
                hint=self.answer.hint,
            )
            may = p.may & ~p.empty
            p.stage(
                "decide",
                kept=may | p.row_end,
                may=may,
                left=Mux(may, p.left, 0),
                keep=("hint", *names),
            )
            m.d.comb += [
                entries.give_back.eq(p.valid & ~p.kept),
                entries.i.valid.eq(p.valid & p.kept),
                *(
                    entries.i.payload[name].eq(getattr(p, name))
                    for name in ("left", "may", "hint", *names)
                ),
            ]
        return m

    def _walk(self, m: Module) -> tuple[Signal, Any, Any]:
        """The step of this cycle, if one is made, where it is, and its job's context."""
        config, sizes = self.config, self.config.sizes
        place = StructLayout(
            {
                "row_block": range(sizes.row_blocks),
                "group": range(config.groups),
                "number": config.query_shape.members["number"],
                "row_end": 1,
                "final": 1,
            }
        )
        active = Signal()
        step = Signal()
        over = Signal()
        at: Any = Signal(place, reset_less=True)
        context: Any = Signal(config.context_shape, reset_less=True)
        # What follows the place in its row block and in its job; the flags are known beforehand.
        groups_left = Signal(range(config.groups), reset_less=True)
        blocks_left = Signal(range(sizes.row_blocks), reset_less=True)
        one_group = Signal(reset_less=True)
        log2_group = log2(sizes.columns * config.group)
        upcoming: Any = self.i.payload
        upcoming_groups = upcoming.keys_last >> log2_group
        upcoming_blocks = upcoming.queries_last >> log2(sizes.rows)
        m.d.comb += [
            step.eq(active & self.entries.grant),
            over.eq(step & at.row_end & at.final),
            self.start.eq(self.i.valid & self.allow & (~active | over)),
        ]
        with m.If(step):
            m.d.sync += [
                at.number.eq(at.number + 1),
                at.group.eq(at.group + 1),
                groups_left.eq(groups_left - 1),
                at.row_end.eq(groups_left == 1),
            ]
            with m.If(at.row_end):
                m.d.sync += [
                    at.group.eq(0),
                    groups_left.eq(context.keys_last >> log2_group),
                    at.row_end.eq(one_group),
                    at.row_block.eq(at.row_block + 1),
                    blocks_left.eq(blocks_left - 1),
                    at.final.eq(blocks_left == 1),
                ]
        with m.If(over):
            m.d.sync += active.eq(0)
        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                context.eq(upcoming),
                at.row_block.eq(0),
                at.group.eq(0),
                at.number.eq(0),
                groups_left.eq(upcoming_groups),
                at.row_end.eq(upcoming_groups == 0),
                one_group.eq(upcoming_groups == 0),
                blocks_left.eq(upcoming_blocks),
                at.final.eq(upcoming_blocks == 0),
            ]
        return step, at, context
