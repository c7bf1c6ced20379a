"""The second pass over a row: a weight for every element, and the factor of their sum."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.softmax.config import SoftmaxConfig
from hw.softmax.methods import units_of

__all__ = ["Weigh", "WeighConfig", "factor_row_shape", "weight_word_shape"]


def weight_word_shape(config: SoftmaxConfig) -> ArrayLayout:
    """What waits for the row's factor: a weight for each lane."""
    return ArrayLayout(unsigned(config.numerics.weight_bits), config.lanes)


def factor_row_shape(config: SoftmaxConfig) -> StructLayout:
    """What the second pass knows of a row."""
    return StructLayout({"factor": config.numerics.factor_bits, "empty": 1, "refused": 1})


class WeighConfig:
    """Latencies of `Weigh`, from the softmax's configuration."""

    def __init__(self, config: SoftmaxConfig):
        self.softmax = config

    @property
    def weight_latency(self) -> int:
        """Cycles from a word to its weights: subtract, and the method's element."""
        numerics = self.softmax.numerics
        return 1 + units_of(numerics).element.latency_of(numerics)

    @property
    def latency(self) -> int:
        """Cycles from a row's last word to its factor: weights, sum, and the method's factor."""
        numerics = self.softmax.numerics
        total = self.weight_latency + self.softmax.log2_lanes + 1
        return total + units_of(numerics).factor.latency_of(numerics)


class Weigh(wiring.Component):
    """Weights of a row's elements, e^-(max - score), and the factor that makes them sum to one.

    Contract: every word pushed in comes out as one word of weights, in order; every row as one
    descriptor, in order. Masked elements, and all of a refused row, weigh 0. The sum is exact.

    *Timing*: weights `weight_latency` cycles after their word, the descriptor `latency` cycles
    after the row's last word; it never stalls.

    *Members*
    i
        Push of {word, row, first, last} from the row buffer.
    o_word, o_word_last, o_row
        Pushes of weights, whether they end their row, and of {count, row}: the row's words less
        two, and its factor, empty and refused.
    """

    i: Push
    o_word: Push
    o_word_last: Signal
    o_row: Push

    def __init__(self, config: SoftmaxConfig, input_shape: StructLayout):
        self.softmax = config
        self.config = WeighConfig(config)
        row = factor_row_shape(config)
        super().__init__(
            {
                "i": In(PushSignature(input_shape)),
                "o_word": Out(PushSignature(weight_word_shape(config))),
                "o_word_last": Out(1),
                "o_row": Out(
                    PushSignature(StructLayout({"count": config.count_shape, "row": row}))
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Subtract, weigh each lane, sum the lanes, sum the words, find the factor."""
        m = Module()
        config, n = self.softmax, self.softmax.numerics
        units = units_of(n)
        lanes = range(config.lanes)
        elements = [units.element(n) for _ in lanes]
        for lane, element in enumerate(elements):
            m.submodules[f"element{lane}"] = element
        m.submodules.factor = factor = units.factor(n)

        word, row = self.i.payload.word, self.i.payload.row
        flags = ("first", "last", "empty", "refused")
        with Pipe(
            m,
            "weigh",
            latency=self.config.latency,
            valid=self.i.valid,
            first=self.i.payload.first,
            last=self.i.payload.last,
            empty=row.empty,
            refused=row.refused,
        ) as p:
            p.stage(
                "subtract",
                **{
                    f"distance{lane}": (row.row_max - word.score[lane])[: n.score_bits]
                    for lane in lanes
                },
                visible=Mux(row.refused, 0, word.visible)[: config.lanes],
                keep=flags,
            )
            for lane, element in enumerate(elements):
                m.d.comb += [
                    element.distance.eq(getattr(p, f"distance{lane}")),
                    element.visible.eq(p.visible[lane]),
                ]
            addends = {f"sum{lane}": element.addend for lane, element in enumerate(elements)}
            p.through(units.element.latency_of(n), **addends, keep=flags)
            m.d.comb += [self.o_word.valid.eq(p.valid), self.o_word_last.eq(p.last)]
            for lane, element in enumerate(elements):
                m.d.comb += self.o_word.payload[lane].eq(element.weight)

            for level in range(config.log2_lanes):
                sums = {
                    f"sum{pair}": getattr(p, f"sum{2 * pair}") + getattr(p, f"sum{2 * pair + 1}")
                    for pair in range(config.lanes >> level + 1)
                }
                p.stage("add", **sums, keep=flags)

            total = Signal(n.sum_bits, reset_less=True)
            count = Signal(config.count_shape, reset_less=True)
            with m.If(p.valid):
                m.d.sync += [
                    total.eq(Mux(p.first, 0, total) + p.sum0),
                    count.eq(Mux(p.first, -1, count + 1)),
                ]
            p.through(1, total=total, count=count, keep=("last", "empty", "refused"))
            m.d.comb += factor.total.eq(p.total)
            p.through(
                units.factor.latency_of(n),
                factor=factor.factor,
                keep=("last", "count", "empty", "refused"),
            )
            descriptor = self.o_row.payload
            m.d.comb += [
                self.o_row.valid.eq(p.valid & p.last),
                descriptor.count.eq(p.count),
                descriptor.row.factor.eq(Mux(p.empty | p.refused, 0, p.factor)),
                descriptor.row.empty.eq(p.empty),
                descriptor.row.refused.eq(p.refused),
            ]
        return m
