"""What one layer leaves for the next: words, exponents, and which block has which buffer."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.butterfly.common_exponent import CommonExponent
from hw.butterfly.layers import TwoLayerConfig
from hw.butterfly.scratchpad import Scratchpad, ScratchpadConfig

__all__ = ["BlockStore"]


class BlockStore(wiring.Component):
    """A scratchpad with the exponents of its vectors and the states of its buffers.

    Contract: a block's vectors come in order, each word by word, into a buffer that was reserved
    for it; blocks are read in the order in which they were written, each after it was `full`.

    *Timing*: `free` and `full` come from registers, a cycle after what changes them.

    *Members*
    write, words, vector_ends, last_vector
        A transfer of the core, whether it is its vector's last, and the number of a block's last
        vector.
    ends
        A block's last transfer.
    reserve, free
        A buffer is given to a block that is to be written; one is free.
    full, start, done
        A block is whole; the reading of one begins; its last read is asked for.
    read_group, read_word, read_data, down, common, saturated
        See `hw.butterfly.scratchpad.Scratchpad` and `hw.butterfly.common_exponent.CommonExponent`.
    """

    write: Signal
    words: Any
    vector_ends: Signal
    last_vector: Signal
    ends: Signal
    reserve: Signal
    free: Signal
    full: Signal
    start: Signal
    done: Signal
    read_group: Signal
    read_word: Signal
    read_data: Any
    down: Any
    common: Signal
    saturated: Signal

    def __init__(self, config: TwoLayerConfig, pad: ScratchpadConfig):
        self.config = config
        self.pad = Scratchpad(pad)
        self.exponents = CommonExponent(pad, config.core.exponent_shape)
        members = self.pad.signature.members
        of_exponents = self.exponents.signature.members
        super().__init__(
            {
                "write": In(1),
                "words": In(config.core.o_shape),
                "vector_ends": In(1),
                "last_vector": In(pad.log2_vectors),
                "ends": Out(1),
                "reserve": In(1),
                "free": Out(1),
                "full": Out(1),
                "start": In(1),
                "done": In(1),
                **{name: members[name] for name in ("read_group", "read_word", "read_data")},
                **{name: of_exponents[name] for name in ("down", "common", "saturated")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count what is written, and who has which buffer."""
        m = Module()
        pad, exponents = self.pad, self.exponents
        config, buffers = pad.config, pad.config.buffers
        m.submodules.pad = pad
        m.submodules.exponents = exponents
        vector = Signal(config.log2_vectors)
        group = Signal(config.log2_words - config.log2_stream)
        write_buffer = Signal()
        read_buffer = Signal()
        # One less than are free, and than are whole: the signs say "none".
        spare = Signal(signed(3), init=buffers - 1)
        whole = Signal(signed(3), init=-1)
        m.d.comb += [
            self.ends.eq(self.vector_ends & (vector == self.last_vector)),
            self.free.eq(~spare[-1]),
            self.full.eq(~whole[-1]),
        ]
        m.d.sync += [
            spare.eq(spare + self.done - self.reserve),
            whole.eq(whole + self.ends - self.start),
        ]
        with m.If(self.write):
            m.d.sync += group.eq(Mux(self.vector_ends, 0, group + 1))
        with m.If(self.vector_ends):
            m.d.sync += vector.eq(Mux(self.ends, 0, vector + 1))
        if buffers > 1:
            m.d.sync += [
                write_buffer.eq(write_buffer ^ self.ends),
                read_buffer.eq(read_buffer ^ self.done),
            ]
        words = self.words
        for unit in (pad, exponents):
            m.d.comb += [
                unit.write_buffer.eq(write_buffer),
                unit.write_vector.eq(vector),
                unit.read_buffer.eq(read_buffer),
                unit.read_group.eq(self.read_group),
            ]
        m.d.comb += [
            pad.write.eq(self.write),
            pad.write_group.eq(group),
            pad.read_word.eq(self.read_word),
            Value.cast(self.read_data).eq(Value.cast(pad.read_data)),
            exponents.write.eq(self.vector_ends),
            exponents.write_exponent.eq(words.exponent),
            Value.cast(self.down).eq(Value.cast(exponents.down)),
            self.common.eq(exponents.common),
            self.saturated.eq(exponents.saturated),
        ]
        if "saturated" in words.shape().members:
            m.d.comb += exponents.write_saturated.eq(words.saturated)
        bits = self.config.butterfly.data_bits
        for k in range(config.stream_words):
            word = pad.write_data[k]
            m.d.comb += [word[:bits].eq(words.re[k]), word[bits:].eq(words.im[k])]
        return m
