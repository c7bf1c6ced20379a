"""The mask source of column intervals: per key two ranges of queries that do not see it."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In

from hw.dispatch.banks import KeyBanks
from hw.dispatch.config import DispatchConfig, log2
from hw.dispatch.source import SourceLatency, source_members
from hw.lib.arith import greater
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.ram import Ram, RamConfig

__all__ = ["ColumnSource"]


class GroupSummary(wiring.Component):
    """What the keys of a group have in common, gathered while they are loaded.

    ``head`` queries from 0 on see none of its keys, nor do those from ``start`` to ``end``: the
    least end of ranges that start at 0, and the intersection of the keys' last ranges.

    Groups past the last that there is room for are dropped.

    *Timing*: written two cycles after the group's last word; read like a `Ram`.

    *Members*: ``load`` as that of `KeyBanks`; ``group``; ``head``, ``start``, ``end``.
    """

    load: Push
    group: Signal
    head: Signal
    start: Signal
    end: Signal

    def __init__(self, config: DispatchConfig):
        self.config = config
        bound = config.bound_shape
        self.layout = StructLayout({"head": bound, "start": bound, "end": bound})
        self.ram = RamConfig(width=self.layout.size, depth=config.groups)
        super().__init__(
            {
                "load": In(PushSignature(config.column_word_shape)),
                "group": In(self.ram.address_width),
                **{name: wiring.Out(bound) for name in self.layout.members},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Classify each word, then fold it into the group so far."""
        m = Module()
        word: Any = self.load.payload
        keys = self.config.sizes.columns * self.config.group
        key = Signal(max(1, log2(keys)))
        one: Any = Signal(self.layout, reset_less=True)
        arrives = Signal()
        opens = Signal()
        closes = Signal()
        ends = word.last | (key == keys - 1)
        with m.If(self.load.valid):
            m.d.sync += key.eq(Mux(ends, 0, key + 1))
        # An absent range is (0, 0): of two, the second one.
        m.d.sync += [
            arrives.eq(self.load.valid),
            opens.eq(key == 0),
            closes.eq(ends),
            one.head.eq(Mux(word.start0 == 0, word.end0, 0)),
            one.start.eq(Mux(word.end1 == 0, word.start0, word.start1)),
            one.end.eq(Mux(word.end1 == 0, word.end0, word.end1)),
        ]
        both: Any = Signal(self.layout)
        before: Any = Signal(self.layout, reset_less=True)
        group = Signal(self.ram.address_width)
        free = Signal(init=1)
        write = Signal()
        m.d.comb += [
            both.head.eq(Mux(~opens & greater(one.head, before.head), before.head, one.head)),
            both.start.eq(Mux(~opens & greater(before.start, one.start), before.start, one.start)),
            both.end.eq(Mux(~opens & greater(one.end, before.end), before.end, one.end)),
        ]
        last = Signal()
        m.d.sync += [write.eq(arrives & closes), last.eq(word.last)]
        with m.If(arrives):
            m.d.sync += before.eq(both)
        last_written = Signal()
        m.d.sync += last_written.eq(last)
        with m.If(write):
            m.d.sync += [
                group.eq(Mux(last_written, 0, group + 1)),
                free.eq(last_written | (free & (group != self.ram.depth - 1))),
            ]
        m.submodules.ram = ram = Ram(self.ram)
        found: Any = Signal(self.layout)
        m.d.comb += [
            ram.write.enable.eq(write & free),
            ram.write.address.eq(group),
            ram.write.data.eq(before),
            ram.read.address.eq(self.group),
            found.eq(ram.read.data),
            *(getattr(self, name).eq(found[name]) for name in self.layout.members),
        ]
        return m


class ColumnSource(wiring.Component):
    """A query sees a key unless it lies in one of the key's two ranges, or causality forbids it.

    Contract: the fine answers are exact, the coarse one is conservative. Words are canonical, as
    `spec.tiles.ColumnIntervals` makes them: ranges in order, never touching, an absent one (0, 0)
    and the second before the first. With `causal`, query q sees key k only if k <= q + offset.

    *Timing*: latency ``latency_of(config)``, interval 1.

    *Members*: those of `source_members`; ``load``, pushes in the order of keys.
    """

    load: Push
    coarse: Any
    coarse_answer: Any
    fine: Any
    fine_answer: Any

    def __init__(self, config: DispatchConfig):
        self.config = config
        super().__init__(
            {"load": In(PushSignature(config.column_word_shape)), **source_members(config)}
        )

    @staticmethod
    def latency_of(config: DispatchConfig) -> SourceLatency:
        """Read, compare and decide; the fine level decides key by key first, then over all."""
        return SourceLatency(coarse=4, fine=5)

    def elaborate(self, platform: object) -> Module:
        """Build the two levels beside each other."""
        m = Module()
        m.submodules.summary = summary = GroupSummary(self.config)
        m.submodules.banks = banks = KeyBanks(self.config, self.config.sizes.columns)
        for each in (summary, banks):
            m.d.comb += [
                each.load.valid.eq(self.load.valid),
                each.load.payload.eq(self.load.payload),
            ]
        self._build_coarse(m, summary)
        self._build_fine(m, banks)
        return m

    def _build_coarse(self, m: Module, summary: GroupSummary) -> None:
        ask = self.coarse
        m.d.comb += summary.group.eq(ask.group)
        with Pipe(
            m,
            "coarse",
            latency=self.latency_of(self.config).coarse,
            valid=0,
            low=ask.q_low,
            high=ask.q_high,
            edge=ask.k_low - ask.offset,
            causal=ask.causal,
        ) as p:
            p.through(summary.ram.latency, keep=("low", "high", "edge", "causal"))
            p.stage(
                "compare",
                before_head=greater(summary.head, p.high),
                after_start=~greater(summary.start, p.low),
                before_end=greater(summary.end, p.high),
                too_early=p.causal & greater(p.edge, p.high),
            )
            p.stage(
                "decide",
                may=~(p.before_head | (p.after_start & p.before_end) | p.too_early),
            )
            m.d.comb += self.coarse_answer.may.eq(p.may)

    def _build_fine(self, m: Module, banks: KeyBanks) -> None:
        ask, columns = self.fine, self.config.sizes.columns
        kept = ("low", "high", "edge", "last", "causal")
        m.d.comb += banks.address.eq(ask.tile)
        with Pipe(
            m,
            "fine",
            latency=self.latency_of(self.config).fine,
            valid=0,
            low=ask.q_low,
            high=ask.q_high,
            edge=ask.k_low - ask.offset,
            last=ask.k_high[: log2(columns)],
            causal=ask.causal,
        ) as p:
            p.through(banks.latency, keep=kept)
            bits: dict[str, list[Any]] = {}

            def note(name: str, value: Any) -> None:
                bits.setdefault(name, []).append(value)

            for k in range(columns):
                edge = p.edge + k
                note("absent", p.last < k)
                note("early", p.causal & greater(edge, p.low))
                note("too_early", p.causal & greater(edge, p.high))
                for n in "01":
                    start, end = banks.columns[k][f"start{n}"], banks.columns[k][f"end{n}"]
                    note(f"begun{n}", ~greater(start, p.low) | (p.causal & ~greater(start, edge)))
                    note(f"begins{n}", ~greater(start, p.high))
                    note(f"lasts{n}", greater(end, p.low))
                    note(f"outlasts{n}", greater(end, p.high))
            p.stage("compare", keep=(), **{name: Cat(each) for name, each in bits.items()})
            inside = (p.begun0 & p.outlasts0) | (p.begun1 & p.outlasts1)
            touched = (p.begins0 & p.lasts0) | (p.begins1 & p.lasts1)
            p.stage(
                "key",
                hidden=p.absent | p.too_early | inside,
                touched=p.early | touched,
            )
            p.stage("tile", true=~p.hidden.all(), false=p.touched.any())
            m.d.comb += [
                self.fine_answer.may_be_true.eq(p.true),
                self.fine_answer.may_be_false.eq(p.false),
            ]
