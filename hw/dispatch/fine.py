"""The second level of the scan: the key tiles of the groups that may hold something."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.dispatch.coarse import ASKED, ends_of
from hw.dispatch.config import DispatchConfig, log2
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["FINE_ANSWER", "FineScan"]

FINE_ANSWER = StructLayout({"may_be_true": 1, "may_be_false": 1})
"""Whether a mask may be true somewhere in a tile, and whether it may be false somewhere."""


class FineScan(wiring.Component):
    """Walks the key tiles of every entry, one a cycle.

    Contract: `o` carries every tile of the entries in turn; an entry that may not is one step that
    is not visible. Keys that do not exist make a visible tile partial. A job without queries or
    keys sees nothing, whatever the answers.

    *Timing*: a step a cycle without a gap, as long as `grant` and `i.valid` are high. From `take`
    to `o`, `latency` cycles.

    *Members*
    i, i_context
        Streams of entries and of contexts; a context is offered before its job's first entry, and
        accepted with its last step.
    query, answer
        As those of `CoarseScan`.
    grant, take
        There is room for one more step; one is taken.
    o
        Steps, without ready.
    """

    i: stream.Interface
    i_context: stream.Interface
    query: Push
    answer: Any
    grant: Signal
    take: Signal
    o: Push

    def __init__(self, config: DispatchConfig, answer_latency: int):
        self.config = config
        self.answer_latency = answer_latency
        super().__init__(
            {
                "i": In(stream.Signature(config.entry_shape)),
                "i_context": In(stream.Signature(config.context_shape)),
                "query": Out(PushSignature(config.query_shape)),
                "answer": In(FINE_ANSWER),
                "grant": In(1),
                "take": Out(1),
                "o": Out(PushSignature(config.step_shape)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the step at a tile to `o`: bound, answer, decide."""
        return self.answer_latency + 2

    def elaborate(self, platform: object) -> Module:
        """Count through an entry, and carry what belongs to a tile past the answer."""
        m = Module()
        sizes, log2_group = self.config.sizes, log2(self.config.group)
        active = Signal()
        at_end = Signal()
        ends = Signal()
        entry: Any = Signal(self.config.entry_shape, reset_less=True)
        index = Signal(log2_group)
        m.d.comb += [
            self.take.eq(active & self.grant),
            ends.eq(self.take & at_end),
            self.i.ready.eq(~active | ends),
            self.i_context.ready.eq(ends & entry.row_end & entry.final),
        ]
        with m.If(self.take):
            m.d.sync += [
                index.eq(index + 1),
                entry.left.eq(entry.left - 1),
                at_end.eq(entry.left == 1),
            ]
        with m.If(self.i.ready):
            m.d.sync += [
                active.eq(self.i.valid),
                entry.eq(self.i.payload),
                index.eq(0),
                at_end.eq(self.i.payload.left == 0),
            ]

        context: Any = self.i_context.payload
        tile = Cat(index, entry.group)[: len(Signal(range(sizes.key_tiles)))]
        row_end = at_end & entry.row_end
        q_low, q_top = ends_of(entry.row_block, sizes.rows)
        k_low, k_top = ends_of(tile, sizes.columns)
        kept = ("row_block", "tile", "may", "final", "row_end")
        with Pipe(
            m,
            "fine",
            latency=self.latency,
            valid=self.take,
            row_block=entry.row_block,
            tile=tile,
            may=entry.may & ~context.empty,
            final=entry.final,
            row_end=row_end,
        ) as p:
            p.stage(
                "bound",
                q_low=q_low,
                q_high=Mux(entry.final, context.queries_last, q_top),
                k_low=k_low,
                k_high=Mux(row_end, context.keys_last, k_top),
                overhangs=row_end & (context.keys_last[: log2(sizes.columns)] != sizes.columns - 1),
                hint=entry.hint,
                **{name: context[name] for name in ASKED},
                keep=kept,
            )
            ask = self.query.payload
            m.d.comb += self.query.valid.eq(p.valid)
            for name in ("q_low", "q_high", "k_low", "k_high", "hint", "tile", *ASKED):
                m.d.comb += ask[name].eq(getattr(p, name))
            answer = self.answer
            p.through(
                self.answer_latency,
                keep=("overhangs", *kept),
                true=answer.may_be_true,
                false=answer.may_be_false,
            )
            p.stage(
                "decide",
                visible=p.may & p.true,
                partial=p.false | p.overhangs,
                key_tile=p.tile,
                keep=("row_block", "row_end", "final"),
            )
            m.d.comb += self.o.valid.eq(p.valid)
            for name in self.config.step_shape.members:
                m.d.comb += self.o.payload[name].eq(getattr(p, name))
        return m
