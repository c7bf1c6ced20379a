"""Empties the output memory: words of a vector in order, rounded to the width of a stream."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.jobs import by_size, own_copy
from hw.butterfly.timing import ButterflyTiming
from hw.lib.credit import CreditFifo
from hw.lib.pipe import Pipe

__all__ = ["Storer"]


class Storer(wiring.Component):
    """Reads a vector's words, divides them by 2^shift, rounds half up, saturates to `data_bits`.

    Contract: vectors are told at `i` in the order in which they lie in the ring; each leaves as one
    transfer after the other. When `restart` is high, nothing waits and the next vector, two
    cycles later at the earliest, begins at line 0; so before the first one. Of a matrix's vector
    imaginary parts are zero; those of the inverse are exchanged.

    *Timing*: one transfer a cycle, the first `timing.store_latency` cycles after its vector.

    *Members*
    i
        Stream of what is known of a vector.
    log2_points
        Size of the vectors.
    restart
        The ring begins anew.
    line, data
        The line to read, in all banks, and every bank's word.
    stored
        A vector's last line was asked for: its place is free.
    o
        Stream of transfers.
    """

    i: stream.Interface
    log2_points: Signal
    restart: Signal
    line: Signal
    data: Any
    stored: Signal
    o: stream.Interface

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config, ring = timing.config, timing.ring
        super().__init__(
            {
                "i": In(stream.Signature(timing.vector_shape)),
                "log2_points": In(range(config.stages + 1)),
                "restart": In(1),
                "line": Out(ring.ram.address_width),
                "data": In(ArrayLayout(config.unit.word_shape, config.banks)),
                "stored": Out(1),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask for words while there is room, and bring them into shape."""
        m = Module()
        timing, config, vector = self.timing, self.timing.config, self.i.payload
        m.submodules.queue = queue = CreditFifo(timing.store_queue)
        log2_stream = config.stream_words.bit_length() - 1
        at = Signal(timing.log2_batch_lines + config.log2_line - log2_stream, reset_less=True)
        # One less than is left after this transfer, so that the sign says "the last".
        left = Signal(signed(config.stages - log2_stream + 1), reset_less=True)
        again = Signal.like(left, name="again")
        ask, last = Signal(name="ask"), left[-1]
        size = own_copy(m, self.log2_points, 2)
        m.d.sync += again.eq(by_size(config, size, lambda n: (1 << n - log2_stream) - 2))
        m.d.comb += [
            ask.eq(self.i.valid & queue.grant),
            self.i.ready.eq(queue.grant & last),
            self.stored.eq(ask & last),
        ]
        # The queue's count sees what was asked a cycle later.
        restart = Signal(name="restart_late")
        m.d.sync += [queue.take.eq(ask), restart.eq(self.restart)]
        with m.If(ask):
            m.d.sync += [at.eq(at + 1), left.eq(Mux(last, again, left - 1))]
        with m.If(restart):
            m.d.sync += [at.eq(0), left.eq(again)]

        held = {
            name: vector[name] for name in ("exponent", "shift", "saturated", "bpmm", "inverse")
        }
        keep = (*held, "last")
        p = config.log2_units
        index = Cat(Const(0, log2_stream), at)
        with Pipe(
            m, "store", latency=timing.store_read, valid=ask, index=index, last=last, **held
        ) as pipe:
            pipe.stage("line", index=pipe.index, keep=keep)
            m.d.comb += self.line.eq(pipe.index[p + 1 :])
            lane = pipe.index[log2_stream:p]
            pipe.stage("read", lane=lane, half=pipe.index[p:].xor(), keep=keep)
            pipe.through(timing.ring.latency - 1, keep=(*keep, "lane", "half"))
            # Memories lie far apart: one gate on the way from each.
            units, words = config.units, list(self.data)
            pipe.stage(
                "half",
                keep=(*keep, "lane"),
                **{
                    f"of_lane{unit}": Mux(
                        pipe.half, Value.cast(words[units + unit]), Value.cast(words[unit])
                    )
                    for unit in range(units)
                },
            )
            chosen: dict[str, Any] = {
                f"word{k}": Array(
                    getattr(pipe, f"of_lane{unit}") for unit in range(k, units, config.stream_words)
                )[pipe.lane]
                for k in range(config.stream_words)
            }
            pipe.stage("lane", keep=keep, **chosen)
            # Half a unit of what is kept.
            half_unit = Mux(pipe.shift == 2, 2, pipe.shift == 1)
            sums: dict[str, Any] = {}
            for k in range(config.stream_words):
                for part in range(config.unit.parts):
                    value = self._part(getattr(pipe, f"word{k}"), part)
                    sums[f"sum{k}_{part}"] = value + half_unit
            pipe.stage("round", keep=keep, **sums)
            kept = ("exponent", "saturated", "last")
            shifted: dict[str, Any] = {}
            for name in sums:
                shifted |= self._shifted(name, getattr(pipe, name), pipe.shift)
            pipe.stage("shift", keep=(*kept, "bpmm", "inverse"), **shifted)
            results = {
                name: Mux(
                    getattr(pipe, f"over_{name}"),
                    _greatest(getattr(pipe, f"sign_{name}"), config.butterfly.data_bits),
                    getattr(pipe, name),
                )
                for name in sums
            }
            pipe.stage("result", keep=kept, **self._in_place(pipe, results))
            m.d.comb += queue.i.valid.eq(pipe.valid)
            payload = queue.i.payload
            for name in kept:
                if name in payload.shape().members:
                    m.d.comb += payload[name].eq(getattr(pipe, name))
            for k in range(config.stream_words):
                for part, name in enumerate(config.parts):
                    m.d.comb += payload[name][k].eq(getattr(pipe, f"sum{k}_{part}"))
        connect(m, queue.o, flipped(self.o))
        return m

    def _part(self, packed: Value, part: int) -> Value:
        return packed.word_select(part, self.timing.config.unit.word_bits).as_signed()

    def _shifted(self, name: str, value: Value, shift: Value) -> dict[str, Any]:
        """A result's bits, whether it needs more of them, and its sign."""
        bits = self.timing.config.butterfly.data_bits
        low = [value[by : by + bits] for by in range(3)]
        tops = [value[by + bits - 1 :] for by in range(3)]
        over = [top.any() & ~top.all() for top in tops]
        return {
            name: Mux(shift[1], low[2], Mux(shift[0], low[1], low[0])),
            f"over_{name}": Mux(shift[1], over[2], Mux(shift[0], over[1], over[0])),
            f"sign_{name}": value[-1],
        }

    def _in_place(self, pipe: Pipe, results: dict[str, Any]) -> dict[str, Any]:
        """Parts exchanged for the inverse, and no imaginary part of a matrix's vector."""
        config = self.timing.config
        if not config.fft:
            return results
        placed = {}
        for k in range(config.stream_words):
            re, im = results[f"sum{k}_0"], results[f"sum{k}_1"]
            placed[f"sum{k}_0"] = Mux(pipe.inverse, im, re)
            placed[f"sum{k}_1"] = Mux(pipe.bpmm, 0, Mux(pipe.inverse, re, im))
        return placed


def _greatest(sign: Value, bits: int) -> Value:
    """The greatest number of that many bits, or the least."""
    return Cat((~sign).replicate(bits - 1), sign)
