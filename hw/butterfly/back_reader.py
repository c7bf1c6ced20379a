"""The reader behind the second layer of a mixed block: real rows, one exponent."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.align import Operands, aligned
from hw.butterfly.mixing import MixingConfig
from hw.butterfly.reader import follow, parts_of, read_members
from hw.butterfly.walk import MirrorWalk
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["BackReader"]


class BackReader(wiring.Component):
    """The rows of a block's real result from its columns.

    Row m of columns 1 to D/2 − 1 is the real part of their vectors' word m; row m of column D − k
    is row −m of column k. Vector 0 holds columns 0 and D/2: (X[m] + X[−m]) / 2, whose real part is
    the one, the imaginary part the other. All at the common exponent, rounded once.

    Contract, *Members*: those of `hw.butterfly.middle_reader.MiddleReader` but for pairs; with each
    word goes the `exponent` of its block, and whether that is `saturated`, as they were when it was
    asked for.

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

    def __init__(self, config: MixingConfig):
        self.config = config
        super().__init__(
            {
                **read_members(config, config.back),
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
        ask = follow(m, self, walk, queue)
        m.d.comb += queue.take.eq(ask & ~walk.head)
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
            data = [parts_of(self.read_data[k], bits) for k in range(words)]
            head_re, head_im = parts_of(head, bits)
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


def _pack(high: Value, low: Value) -> Value:
    return Value.cast(high) << 1 | Value.cast(low)
