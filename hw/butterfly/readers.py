"""Readers of the scratchpads: walk, take apart, bring to one exponent, and queue."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.align import Operands, aligned
from hw.butterfly.layers import TwoLayerConfig
from hw.butterfly.scratchpad import ScratchpadConfig
from hw.butterfly.walk import MirrorWalk, Walk
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["BackReader", "MiddleReader"]


def _read_members(config: TwoLayerConfig, pad: ScratchpadConfig) -> dict[str, Any]:
    """What every reader has: a scratchpad's port, and when to begin."""
    groups = pad.log2_vectors - pad.log2_stream
    return {
        "start": In(1),
        "last_word": In(pad.log2_words),
        "last_group": In(groups),
        "busy": Out(1),
        "done": Out(1),
        "read_group": Out(groups),
        "read_word": Out(pad.log2_words),
        "read_data": In(ArrayLayout(pad.width, pad.stream_words)),
        "down": In(ArrayLayout(config.core.exponent_shape.width, pad.stream_words)),
    }


class MiddleReader(wiring.Component):
    """Real rows out of complex ones: the second layer's vectors from the first one's.

    A row vector Z held two real rows, a in its real and b in its imaginary parts. Of words k and
    D − k it makes F_a[k] = (Z[k] + conj Z[D−k]) / 2 and F_b[k] = −i·(Z[k] − conj Z[D−k]) / 2; of
    words 0 and D/2, the words of two rows whose parts are F[0] and F[D/2]. All at the common
    exponent, rounded once.

    Contract: `start` comes while not `busy`; the limits hold still while it is.

    *Timing*: the first read is asked for a cycle after `start`, and its words are offered
    `config.middle_latency` cycles later; then S words a cycle.

    *Members*
    start, last_word, last_group, partner, top
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
        pad = config.middle
        super().__init__(
            {
                **_read_members(config, pad),
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
            pad.log2_words, pad.log2_vectors - pad.log2_stream, descending=True
        )
        m.submodules.queue = queue = CreditFifo(config.queue(config.core.i_shape))
        ask = Signal(name="ask")
        m.d.comb += [
            walk.start.eq(self.start),
            walk.last_word.eq(self.last_word),
            walk.last_group.eq(self.last_group),
            walk.paired.eq(1),
            walk.partner.eq(self.partner),
            walk.top.eq(self.top),
            walk.go.eq(queue.grant),
            ask.eq(walk.busy & queue.grant),
            queue.take.eq(ask),
            self.busy.eq(walk.busy),
            self.done.eq(ask & walk.last),
            self.read_group.eq(walk.group),
            self.read_word.eq(walk.word),
        ]
        # The first words of a group's pairs wait for their partners; then come S words of the
        # lower half of the group, and a cycle later S of the upper.
        bits = config.butterfly.data_bits
        first = [Signal(pad.width, name=f"first{k}", reset_less=True) for k in range(words)]
        partner_1 = [Signal(pad.width, name=f"partner{k}_1", reset_less=True) for k in range(words)]
        down_1 = Signal.like(Value.cast(self.down), name="down_1", reset_less=True)
        upper, zero_1 = Signal(), Signal(name="zero_1", reset_less=True)
        with Pipe(
            m, "middle", latency=pad.latency, valid=ask, second=walk.second, zero=walk.zero
        ) as p:
            p.through(pad.latency, keep=("second", "zero"))
            lower = p.valid & p.second
            m.d.sync += [
                upper.eq(lower),
                zero_1.eq(p.zero),
                down_1.eq(Value.cast(self.down)),
            ]
            for k in range(words):
                m.d.sync += partner_1[k].eq(self.read_data[k])
                with m.If(p.valid & ~p.second):
                    m.d.sync += first[k].eq(self.read_data[k])
            zero = p.zero
        operands = []
        for k in range(words):
            sources = [
                self._of_pair(
                    half * words + k,
                    first,
                    [self.read_data[each] for each in range(words)] if not half else partner_1,
                    [self.down[each] for each in range(words)]
                    if not half
                    else [down_1.word_select(each, len(self.down[0])) for each in range(words)],
                    zero if not half else zero_1,
                )
                for half in range(2)
            ]
            for part in range(2):
                operands.append(
                    Operands(
                        *(
                            _register(m, f"choice{k}_{part}_{n}", Mux(upper, b, a))
                            for n, (a, b) in enumerate(
                                zip(sources[0][part], sources[1][part], strict=True)
                            )
                        )
                    )
                )
        chosen = Signal()
        m.d.sync += chosen.eq(lower | upper)
        end = aligned(m, operands, width=bits, valid=chosen)
        m.d.comb += queue.i.valid.eq(end.valid)
        for k in range(words):
            m.d.comb += [
                queue.i.payload.re[k].eq(getattr(end, f"word{2 * k}")),
                queue.i.payload.im[k].eq(getattr(end, f"word{2 * k + 1}")),
            ]
        connect(m, queue.o, flipped(self.o))
        return m

    def _of_pair(
        self, place: int, first: Any, partner: Any, down: Any, zero: Value
    ) -> tuple[Operands, Operands]:
        """What makes the real and the imaginary part of the word at a place of a group's 2S."""
        neighbour, odd = divmod(place, 2)
        (a_re, a_im), (b_re, b_im) = (
            _parts(each[neighbour], self.config.butterfly.data_bits) for each in (first, partner)
        )
        by = down[neighbour]
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


class BackReader(wiring.Component):
    """The rows of a block's real result from its columns.

    Row m of columns 1 to D/2 − 1 is the real part of their vectors' word m; row m of column D − k
    is row −m of column k. Vector 0 holds columns 0 and D/2: (X[m] + X[−m]) / 2, whose real part is
    the one, the imaginary part the other. All at the common exponent, rounded once.

    Contract, *Members*: those of `MiddleReader`; with each word goes the `exponent` of its block,
    and whether that is `saturated`, as they were when it was asked for.

    *Timing*: the first words are offered `config.back_latency` + 1 cycles after the first read;
    a row takes a cycle more than its D/S transfers.
    """

    start: Signal
    last_word: Signal
    last_group: Signal
    busy: Signal
    done: Signal
    read_group: Signal
    read_word: Signal
    read_data: Any
    down: Any
    exponent: Signal
    saturated: Signal
    o: stream.Interface

    def __init__(self, config: TwoLayerConfig):
        self.config = config
        super().__init__(
            {
                **_read_members(config, config.back),
                "exponent": In(config.exponent_shape),
                "saturated": In(1),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask for words of a row and of its mirror image, and choose what is to be added."""
        m = Module()
        config, pad = self.config, self.config.back
        words, bits = config.stream_words, config.butterfly.data_bits
        m.submodules.walk = walk = MirrorWalk(pad.log2_words, pad.log2_vectors - pad.log2_stream)
        m.submodules.queue = queue = CreditFifo(config.queue(config.o_shape))
        ask = Signal(name="ask")
        m.d.comb += [
            walk.start.eq(self.start),
            walk.last_word.eq(self.last_word),
            walk.last_group.eq(self.last_group),
            walk.go.eq(queue.grant),
            ask.eq(walk.busy & queue.grant),
            queue.take.eq(ask & ~walk.head),
            self.busy.eq(walk.busy),
            self.done.eq(ask & walk.last),
            self.read_group.eq(walk.group),
            self.read_word.eq(walk.word),
        ]
        head = Signal(pad.width, name="head", reset_less=True)
        # Of column D/2, and of the column before the ones at hand.
        centre, held = (
            Signal(signed(bits), name=name, reset_less=True) for name in ("centre", "held")
        )
        centre_down, held_down = (
            Signal(len(self.down[0]), name=f"{name}_down", reset_less=True)
            for name in ("centre", "held")
        )
        with Pipe(
            m,
            "back",
            latency=pad.latency + 1,
            valid=ask,
            head=walk.head,
            back=walk.back,
            at_first=walk.group == 0,
            at_last=walk.group == self.last_group,
            last=walk.last,
            exponent=self.exponent,
            saturated=self.saturated,
        ) as p:
            # The next block's first reads follow directly.
            told = ("last", "exponent", "saturated")
            p.through(pad.latency, keep=("head", "back", "at_first", "at_last", *told))
            data = [_parts(self.read_data[k], bits) for k in range(words)]
            head_re, head_im = _parts(head, bits)
            forth = p.valid & ~p.head & ~p.back
            with m.If(p.valid & p.head):
                m.d.sync += head.eq(self.read_data[0])
            with m.If(forth & p.at_first):
                m.d.sync += [centre.eq(data[0][1]), centre_down.eq(self.down[0])]
            with m.If(p.valid & p.back):
                m.d.sync += [held.eq(data[0][0]), held_down.eq(self.down[0])]
            # Forth, forth at the first group, back, back at the last group.
            which = _pack(p.back, Mux(p.back, p.at_last, p.at_first))
            own = data[0][0]
            chosen: dict[str, Any] = {
                "first0": Array([own, own, held, centre])[which],
                "second0": Array([own, head_re, held, head_im])[which],
                "down0": Array([self.down[0], self.down[0], held_down, centre_down])[which],
            }
            for k in range(1, words):
                chosen[f"first{k}"] = chosen[f"second{k}"] = Mux(
                    p.back, data[words - k][0], data[k][0]
                )
                chosen[f"down{k}"] = Mux(p.back, self.down[words - k], self.down[k])
            p.stage("choose", keep=("head", *told), **chosen)
            operands = [
                Operands(
                    getattr(p, f"first{k}"),
                    getattr(p, f"second{k}"),
                    Const(0, 1),
                    getattr(p, f"down{k}"),
                )
                for k in range(words)
            ]
            end = aligned(
                m,
                operands,
                width=bits,
                valid=p.valid & ~p.head,
                **{name: getattr(p, name) for name in told},
            )
        payload = queue.i.payload
        m.d.comb += [
            queue.i.valid.eq(end.valid),
            payload.exponent.eq(end.exponent),
            payload.last.eq(end.last),
            *(payload.re[k].eq(getattr(end, f"word{k}")) for k in range(words)),
        ]
        if "saturated" in payload.shape().members:
            m.d.comb += payload.saturated.eq(end.saturated)
        connect(m, queue.o, flipped(self.o))
        return m


def _parts(word: Value, bits: int) -> tuple[Value, Value]:
    """Real and imaginary part of a packed word."""
    return word[:bits].as_signed(), word[bits:].as_signed()


def _pack(high: Value, low: Value) -> Value:
    return Value.cast(high) << 1 | Value.cast(low)


def _register(m: Module, name: str, value: Value) -> Signal:
    register = Signal(value.shape(), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register
