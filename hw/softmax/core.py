"""The softmax units: three overlapped passes, or two where the consumer normalises."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.lib.credit import CreditFifo, CreditFifoConfig
from hw.lib.pipe import Pipe
from hw.softmax.config import SoftmaxConfig
from hw.softmax.methods import units_of
from hw.softmax.row_buffer import GRANT_DELAY, RowBuffer, RowBufferConfig
from hw.softmax.row_max import RowMax, RowMaxConfig, max_row_shape, score_word_shape
from hw.softmax.weigh import Weigh, WeighConfig, factor_row_shape, weight_word_shape

__all__ = ["Softmax", "SoftmaxTiming", "SoftmaxWeights"]

SMALL_FIFO = 16
"""Entries of a FIFO in distributed RAM that cost no more than two."""


class SoftmaxTiming:
    """Every latency and depth of the softmax units, from their configuration alone."""

    def __init__(self, config: SoftmaxConfig):
        numerics = config.numerics
        units = units_of(numerics)
        self.scores = RowBufferConfig(
            word_shape=score_word_shape(config),
            row_shape=max_row_shape(config),
            max_words=config.max_words,
            fill_latency=RowMaxConfig(config).latency,
            rows=config.rows_in_flight,
        )
        self.weights = RowBufferConfig(
            word_shape=weight_word_shape(config),
            row_shape=factor_row_shape(config),
            max_words=config.max_words,
            fill_latency=self.scores.latency + WeighConfig(config).latency,
            rows=config.rows_in_flight,
        )
        align = units.align.latency_of(numerics) if units.align else 0
        self.align_latency = align
        self.scale_latency = self.weights.latency + align + units.scale.latency_of(numerics)
        self.output = CreditFifoConfig(
            shape=config.output_shape,
            depth=max(SMALL_FIFO, self.scale_latency + 2 + GRANT_DELAY),
            reserve=GRANT_DELAY,
        )

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a row of one word to the offer of its probabilities."""
        first = self.scores.fill_latency + 2
        second = self.weights.fill_latency + 2
        return first + second + self.scale_latency + self.output.latency

    @property
    def interval(self) -> int:
        """Cycles between transfers."""
        return 1


def _first_passes(
    m: Module, config: SoftmaxConfig, timing: SoftmaxTiming
) -> tuple[RowMax, RowBuffer, Weigh]:
    m.submodules.row_max = row_max = RowMax(config)
    m.submodules.scores = scores = RowBuffer(timing.scores)
    m.submodules.weigh = weigh = Weigh(config, scores.output_shape)
    m.d.comb += [
        row_max.grant.eq(scores.grant),
        scores.take.eq(row_max.take),
        scores.take_row.eq(row_max.take_row),
    ]
    connect(m, row_max.o_word, scores.i_word)
    connect(m, row_max.o_row, scores.i_row)
    connect(m, scores.o, weigh.i)
    return row_max, scores, weigh


class Softmax(wiring.Component):
    """Softmax over rows: p = e^(s - max s) / sum e^(s - max s), in fixed point.

    Contract: the bits are those of ``sim.golden.softmax.softmax`` and depend on the numerics and
    the data alone. Transfers leave in the order in which they came, one for one; only of a refused
    row, which is longer than the maximum, do just the longest row's transfers leave, as zeros.
    A row with no visible element gives zeros and `empty`.

    Three passes run at once on different rows: find the maximum, weigh and sum, normalise.

    *Timing*: one transfer a cycle, for rows of any equal length from one transfer up, back to back
    without a bubble. ``sim.cycle.softmax`` gives the cycle of every transfer.

    *Members*
    i
        Stream of {score, visible, last}.
    o
        Stream of {p, last, empty, refused}; the flags hold for every transfer of their row.

    *Source*: method by method in ``spec.softmax``; the passes are ours.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: SoftmaxConfig):
        self.config = config
        self.timing = SoftmaxTiming(config)
        super().__init__(
            {
                "i": In(stream.Signature(config.input_shape)),
                "o": Out(stream.Signature(config.output_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join the passes: each head asks the buffer behind it for room."""
        m = Module()
        config, timing = self.config, self.timing
        n = config.numerics
        row_max, scores, weigh = _first_passes(m, config, timing)
        connect(m, wiring.flipped(self.i), row_max.i)

        m.submodules.weights = weights = RowBuffer(timing.weights)
        m.submodules.output = output = CreditFifo(timing.output)
        m.d.comb += [
            scores.advance.eq(weights.grant),
            weights.take.eq(scores.issue),
            weights.take_row.eq(scores.issue_last),
            weights.advance.eq(output.grant),
            output.take.eq(weights.issue),
        ]
        connect(m, weigh.o_word, weights.i_word)
        connect(m, weigh.o_row, weights.i_row)

        units = units_of(n)
        word, row = weights.o.payload.word, weights.o.payload.row
        flags = ("last", "empty", "refused")
        with Pipe(
            m,
            "normalise",
            latency=timing.scale_latency - timing.weights.latency,
            valid=weights.o.valid,
            word=word,
            aligned=row.factor,
            last=weights.o.payload.last,
            empty=row.empty,
            refused=row.refused,
        ) as p:
            if units.align:
                m.submodules.align = align = units.align(n)
                m.d.comb += align.factor.eq(row.factor)
                p.through(timing.align_latency, aligned=align.aligned, keep=("word", *flags))
            scales = [units.scale(n) for _ in range(config.lanes)]
            for lane, scale in enumerate(scales):
                m.submodules[f"scale{lane}"] = scale
                m.d.comb += [scale.weight.eq(p.word[lane]), scale.aligned.eq(p.aligned)]
            p.through(units.scale.latency_of(n), keep=flags)
            m.d.comb += output.i.valid.eq(p.valid)
            for lane, scale in enumerate(scales):
                m.d.comb += output.i.payload.p[lane].eq(scale.p)
            for flag in flags:
                m.d.comb += output.i.payload[flag].eq(getattr(p, flag))
        connect(m, output.o, wiring.flipped(self.o))
        return m


class SoftmaxWeights(wiring.Component):
    """The first two passes of `Softmax`: weights as they come, and each row's factor apart.

    For a consumer that normalises after it has used the weights, as an attention core does after
    the value product. The bits are those of ``sim.golden.softmax.weights`` and ``factors``.

    *Timing*: one transfer a cycle.

    *Members*
    i
        Stream of {score, visible, last}.
    o_weight
        Stream of {weight, last}, one for each transfer of `i`.
    o_row
        Stream of {factor, empty, refused}, one for each row, in the order of the rows; apart
        from that it runs on its own.
    """

    i: stream.Interface
    o_weight: stream.Interface
    o_row: stream.Interface

    def __init__(self, config: SoftmaxConfig):
        self.config = config
        self.timing = SoftmaxTiming(config)
        timing = self.timing
        weigh_latency = timing.scores.latency + WeighConfig(config).weight_latency
        self.weight_fifo = CreditFifoConfig(
            shape=config.weight_shape,
            depth=max(SMALL_FIFO, weigh_latency + 2 + GRANT_DELAY),
            reserve=GRANT_DELAY,
        )
        self.row_fifo = CreditFifoConfig(
            shape=factor_row_shape(config), depth=timing.weights.depth_rows, reserve=GRANT_DELAY
        )
        super().__init__(
            {
                "i": In(stream.Signature(config.input_shape)),
                "o_weight": Out(stream.Signature(config.weight_shape)),
                "o_row": Out(stream.Signature(factor_row_shape(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join two passes to two FIFOs; a word is issued only when both have room."""
        m = Module()
        row_max, scores, weigh = _first_passes(m, self.config, self.timing)
        connect(m, wiring.flipped(self.i), row_max.i)
        m.submodules.weights = weights = CreditFifo(self.weight_fifo)
        m.submodules.rows = rows = CreditFifo(self.row_fifo)
        descriptor = weigh.o_row.payload
        m.d.comb += [
            scores.advance.eq(weights.grant & rows.grant),
            weights.take.eq(scores.issue),
            rows.take.eq(scores.issue_last),
            weights.i.valid.eq(weigh.o_word.valid),
            weights.i.payload.weight.eq(weigh.o_word.payload),
            weights.i.payload.last.eq(weigh.o_word_last),
            rows.i.valid.eq(weigh.o_row.valid),
            rows.i.payload.eq(descriptor.row),
        ]
        connect(m, weights.o, wiring.flipped(self.o_weight))
        connect(m, rows.o, wiring.flipped(self.o_row))
        return m
