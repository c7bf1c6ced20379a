"""The first pass over a row: accept its scores, refuse what is too long, find the maximum."""

import itertools

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.arith import greater
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.softmax.config import SoftmaxConfig

__all__ = ["RowMax", "RowMaxConfig", "max_row_shape", "score_word_shape"]


def score_word_shape(config: SoftmaxConfig) -> StructLayout:
    """What waits for the row maximum: a transfer without its `last`."""
    fields = config.input_shape.members
    return StructLayout({name: fields[name] for name in ("score", "visible")})


def max_row_shape(config: SoftmaxConfig) -> StructLayout:
    """What the first pass knows of a row."""
    return StructLayout({"row_max": config.score_shape, "empty": 1, "refused": 1})


class RowMaxConfig:
    """Latency of `RowMax`, from the softmax's configuration."""

    def __init__(self, config: SoftmaxConfig):
        self.softmax = config

    @property
    def latency(self) -> int:
        """Cycles from a row's last transfer to its descriptor: hide, then compare and select.

        Lanes pair by pair, a transfer with the one before it, and both with the row so far.
        """
        return 1 + 2 * (self.softmax.log2_lanes + 2)


class RowMax(wiring.Component):
    """Maximum of the visible scores of each row, and the words that the row buffer keeps.

    Contract: a transfer is accepted only in the cycle after a `grant`, and takes a place with it.
    A row of more than `max_words` transfers is accepted to its end, keeps its first `max_words`
    words, and is marked refused; the rows after it are not touched. A row without a visible
    element is marked empty; its maximum is the lowest score.

    *Timing*: word 1 cycle after its transfer, descriptor `latency` cycles after the row's last.

    *Members*
    i
        Stream of {score, visible, last}.
    grant, take, take_row
        Room in the row buffer, taken by the word and by the row's end.
    o_word, o_row
        Pushes of words and of {count, row}, for `hw.softmax.row_buffer.RowBuffer`.
    """

    i: stream.Interface
    grant: Signal
    take: Signal
    take_row: Signal
    o_word: Push
    o_row: Push

    def __init__(self, config: SoftmaxConfig):
        self.softmax = config
        self.config = RowMaxConfig(config)
        row = max_row_shape(config)
        super().__init__(
            {
                "i": In(stream.Signature(config.input_shape)),
                "grant": In(1),
                "take": Out(1),
                "take_row": Out(1),
                "o_word": Out(PushSignature(score_word_shape(config))),
                "o_row": Out(
                    PushSignature(StructLayout({"count": config.count_shape, "row": row}))
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Accept and count, then compare lane by lane and transfer by transfer."""
        m = Module()
        config = self.softmax
        n = config.numerics
        lowest = -(1 << n.score_bits - 1)

        # Count a row's transfers less two; past the longest row, drop until its end.
        count = Signal(config.count_shape, init=-1)
        dropping = Signal()
        accept = self.i.valid & self.i.ready
        last = self.i.payload.last
        m.d.comb += [
            self.take.eq(accept & ~dropping),
            self.take_row.eq(accept & last),
        ]
        m.d.sync += self.i.ready.eq(self.grant)
        with m.If(accept):
            with m.If(last):
                m.d.sync += [count.eq(-1), dropping.eq(0)]
            with m.Elif(count == config.max_words - 2):
                m.d.sync += dropping.eq(1)
            with m.Else():
                m.d.sync += count.eq(count + 1)

        payload = self.i.payload
        with Pipe(
            m,
            "max",
            latency=self.config.latency,
            valid=accept,
            score=payload.score,
            visible=payload.visible,
            last=last,
            count=count,
            refused=dropping,
        ) as p:
            hidden = [Mux(p.visible[lane], p.score[lane], lowest) for lane in range(config.lanes)]
            p.stage(
                "hide",
                **{f"best{lane}": score for lane, score in enumerate(hidden)},
                seen=p.visible.any(),
                keep=("score", "visible", "last", "count", "refused"),
            )
            m.d.comb += [
                self.o_word.valid.eq(p.valid & ~p.refused),
                self.o_word.payload.score.eq(p.score),
                self.o_word.payload.visible.eq(p.visible),
            ]
            row = ("last", "count", "refused", "seen")
            for level in range(config.log2_lanes):
                pairs = range(config.lanes >> level + 1)
                both = [(f"best{2 * pair}", f"best{2 * pair + 1}") for pair in pairs]
                wins = {
                    f"wins{i}": greater(getattr(p, a), getattr(p, b))
                    for i, (a, b) in enumerate(both)
                }
                p.stage("compare", **wins, keep=(*itertools.chain(*both), *row))
                best = {
                    f"best{i}": Mux(getattr(p, f"wins{i}"), getattr(p, a), getattr(p, b))
                    for i, (a, b) in enumerate(both)
                }
                p.stage("select", **best, keep=row)

            # A compare and a select take two cycles, and a row may bring a transfer in each. So a
            # transfer is first joined with the one before it, and this with the row so far as of
            # two transfers ago. A cycle without a transfer stands for one with nothing to see.
            best = Mux(p.valid, p.best0, lowest)
            first = Signal(init=1)
            with m.If(p.valid):
                m.d.sync += first.eq(p.last)
            begins = Signal()
            m.d.comb += begins.eq(p.valid & first)
            before = Signal.like(p.best0, name="before", reset_less=True)
            m.d.sync += before.eq(best)
            seen = Signal()
            m.d.sync += seen.eq(Mux(p.valid, p.seen | (seen & ~first), seen))
            p.stage(
                "compare",
                wins=begins | greater(best, before),
                best=best,
                before=before,
                begins=begins,
                keep=("last", "count", "refused"),
            )
            p.stage(
                "select",
                best=Mux(p.wins, p.best, p.before),
                seen=seen,
                keep=("begins", "last", "count", "refused"),
            )
            begun = Signal()
            so_far = Signal.like(p.best, name="so_far")
            m.d.sync += begun.eq(p.begins)
            keep = ("best", "seen", "last", "count", "refused")
            p.stage(
                "compare", wins=p.begins | begun | greater(p.best, so_far), so_far=so_far, keep=keep
            )
            p.stage(
                "select",
                row_max=Mux(p.wins, p.best, p.so_far),
                keep=("seen", "last", "count", "refused"),
            )
            m.d.comb += so_far.eq(p.row_max)
            m.d.comb += [
                self.o_row.valid.eq(p.valid & p.last),
                self.o_row.payload.count.eq(p.count),
                self.o_row.payload.row.row_max.eq(p.row_max),
                self.o_row.payload.row.empty.eq(~p.seen),
                self.o_row.payload.row.refused.eq(p.refused),
            ]
        return m
