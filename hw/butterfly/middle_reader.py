"""The reader between the layers: pairs of words, taken apart, at one exponent."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.align import Operands, aligned
from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import TwoLayerConfig
from hw.butterfly.reader import follow, parts_of, read_members
from hw.butterfly.walk import Walk
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["MiddleReader"]


class MiddleReader(wiring.Component):
    """The second layer's vectors from the first one's, all at the common exponent, rounded once.

    Of a divided vector: words r, or r and r + V in turn, of all vectors, for each r below V.

    Of a mixed block: real rows out of complex ones. A row vector Z held two real rows, a in its
    real and b in its imaginary parts. Of words k and D − k it makes (Z[k] + conj Z[D−k]) / 2 of a
    and −i·(Z[k] − conj Z[D−k]) / 2 of b; of words 0 and D/2, words of two rows whose parts are
    those of columns 0 and D/2.

    Contract: `start` comes while not `busy`; the limits hold still while it is.

    *Timing*: the first read is asked for a cycle after `start`, and its words are offered
    `config.middle_latency` cycles later, one less if not `paired`; then S words a cycle.

    *Members*
    start, last_word, last_group, paired, partner, top
        See `hw.butterfly.walk.Walk`.
    busy, done
        Reads are left; the last one was asked for.
    read_group, read_word, read_data, down
        The scratchpad's read port, and the shifts that belong to its words.
    o
        Stream of the core's words.
    """

    start: Signal
    last_word: Signal
    last_group: Signal
    paired: Signal
    partner: Signal
    top: Signal
    busy: Signal
    done: Signal
    read_group: Signal
    read_word: Signal
    read_data: Any
    down: Any
    o: stream.Interface

    def __init__(self, config: TwoLayerConfig):
        self.config = config
        self.divides = isinstance(config, DividedConfig)
        pad = config.middle
        super().__init__(
            {
                **read_members(config, pad),
                "paired": In(1),
                "partner": In(pad.log2_words),
                "top": In(pad.log2_words),
                "o": Out(stream.Signature(config.core.i_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask for both words of a pair, and choose what is to be added."""
        m = Module()
        config, pad = self.config, self.config.middle
        words = config.stream_words
        m.submodules.walk = walk = Walk(
            pad.log2_words, pad.log2_vectors - pad.log2_stream, descending=not self.divides
        )
        m.submodules.queue = queue = CreditFifo(config.queue(config.core.i_shape))
        ask = follow(m, self, walk, queue)
        m.d.comb += [
            walk.paired.eq(self.paired),
            walk.partner.eq(self.partner),
            walk.top.eq(self.top),
            queue.take.eq(ask),
        ]
        bits = config.butterfly.data_bits
        operands, valid = self._choose(m, ask, walk)
        end = aligned(m, operands, width=bits, valid=valid)
        m.d.comb += queue.i.valid.eq(end.valid)
        for k in range(words):
            m.d.comb += [
                queue.i.payload.re[k].eq(getattr(end, f"word{2 * k}")),
                queue.i.payload.im[k].eq(getattr(end, f"word{2 * k + 1}")),
            ]
        connect(m, queue.o, flipped(self.o))
        return m

    def _choose(self, m: Module, ask: Value, walk: Walk) -> tuple[list[Operands], Value]:
        """What makes S words, from registers.

        The first words of a group's pairs wait for their partners; then come S words of the lower
        half of the group, and a cycle later S of the upper.
        """
        pad, words = self.config.middle, self.config.stream_words
        first, partner_1 = (
            [Signal(pad.width, name=f"{name}{k}", reset_less=True) for k in range(words)]
            for name in ("first", "partner_1_")
        )
        down_1 = [
            Signal.like(self.down[k], name=f"down_1_{k}", reset_less=True) for k in range(words)
        ]
        upper = Signal()
        zero_1 = Signal(name="zero_1", reset_less=True)
        with Pipe(
            m, "middle", latency=pad.latency, valid=ask, second=walk.second, zero=walk.zero
        ) as p:
            p.through(pad.latency, keep=("second", "zero"))
            lower, zero = p.valid & (p.second | ~self.paired), p.zero
            m.d.sync += [upper.eq(lower & self.paired), zero_1.eq(zero)]
            for k in range(words):
                m.d.sync += [partner_1[k].eq(self.read_data[k]), down_1[k].eq(self.down[k])]
                with m.If(p.valid & ~p.second):
                    m.d.sync += first[k].eq(self.read_data[k])
        operands = []
        for k in range(words):
            of_lower = self._of_pair(k, first, self.read_data, self.down, zero)
            of_upper = self._of_pair(words + k, first, partner_1, down_1, zero_1)
            if self.divides:
                of_lower = self._unless_paired(of_lower, self.read_data[k], self.down[k])
            for part in range(2):
                both = zip(of_lower[part], of_upper[part], strict=True)
                chosen = []
                for number, (a, b) in enumerate(both):
                    value = Mux(upper, b, a)
                    name = f"choice{k}_{part}_{number}"
                    register = Signal(value.shape(), name=name, reset_less=True)
                    m.d.sync += register.eq(value)
                    chosen.append(register)
                operands.append(Operands(*chosen))
        valid = Signal(name="chosen")
        m.d.sync += valid.eq(lower | upper)
        return operands, valid

    def _of_pair(self, place: int, first: Any, partner: Any, down: Any, zero: Value) -> Any:
        """What makes the real and the imaginary part of the word at a place of a group's 2S."""
        neighbour, odd = divmod(place, 2)
        (a_re, a_im), (b_re, b_im) = (
            parts_of(each[neighbour], self.config.butterfly.data_bits) for each in (first, partner)
        )
        by = down[neighbour]
        if self.divides:
            return tuple(
                Operands(part, part, Const(0, 1), by)
                for part in ((b_re, b_im) if odd else (a_re, a_im))
            )
        minus = ~zero
        if odd:
            return (
                Operands(a_im, Mux(zero, a_im, b_im), Const(0, 1), by),
                Operands(Mux(zero, b_im, b_re), Mux(zero, b_im, a_re), minus, by),
            )
        return (
            Operands(a_re, Mux(zero, a_re, b_re), Const(0, 1), by),
            Operands(Mux(zero, b_re, a_im), Mux(zero, b_re, b_im), minus, by),
        )

    def _unless_paired(self, pair: Any, word: Value, down: Value) -> Any:
        """The word as it was read, or what it would be in a pair."""
        parts = parts_of(word, self.config.butterfly.data_bits)
        return tuple(
            Operands(*(Mux(self.paired, a, b) for a, b in zip(of_pair, alone, strict=True)))
            for of_pair, alone in zip(
                pair, (Operands(part, part, Const(0, 1), down) for part in parts), strict=True
            )
        )
