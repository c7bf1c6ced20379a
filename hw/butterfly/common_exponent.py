"""The exponents of a scratchpad's vectors, and how far each is from the greatest of its block."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.scratchpad import ScratchpadConfig
from hw.lib.arith import greater
from hw.prim.ram import Ram, RamConfig

__all__ = ["CommonExponent"]


class CommonExponent(wiring.Component):
    """Holds an exponent and a flag for every vector of a block; gives right shifts to the greatest.

    Contract: the vectors of a block are told in order, from 0; a block is asked about after its
    last vector was told, and its buffer is not told of meanwhile.

    *Timing*: shifts as late after a group as the scratchpad's words, `config.latency`, interval 1;
    `common` and `saturated` the cycle after the last vector was told.

    *Members*
    write, write_buffer, write_vector, write_exponent, write_saturated
        What is told of a vector.
    read_buffer, read_group, down
        S vectors, and by how much each must be shifted right.
    common, saturated
        Greatest exponent of the block in read_buffer, and whether a vector of it is flagged.
    """

    write: Signal
    write_buffer: Signal
    write_vector: Signal
    write_exponent: Signal
    write_saturated: Signal
    read_buffer: Signal
    read_group: Signal
    down: Any
    common: Signal
    saturated: Signal

    def __init__(self, config: ScratchpadConfig, exponent: Any):
        self.config = config
        self.exponent = Shape.cast(exponent)
        super().__init__(
            {
                "write": In(1),
                "write_buffer": In(1),
                "write_vector": In(config.log2_vectors),
                "write_exponent": In(self.exponent),
                "write_saturated": In(1),
                "read_buffer": In(1),
                "read_group": In(config.log2_vectors - config.log2_stream),
                # The difference of two exponents, which is not negative.
                "down": Out(ArrayLayout(self.exponent.width, config.stream_words)),
                "common": Out(self.exponent),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A memory for each of S neighbours; the greatest of each buffer in a register."""
        m = Module()
        config = self.config
        s, buffers = config.log2_stream, config.buffers
        commons, flags = [], []
        for buffer in range(buffers):
            common = Signal(self.exponent, name=f"common{buffer}", reset_less=True)
            flag = Signal(name=f"saturated{buffer}", reset_less=True)
            first = self.write_vector == 0
            with m.If(self.write & (self.write_buffer == buffer)):
                m.d.sync += flag.eq(self.write_saturated | flag & ~first)
                with m.If(first | greater(self.write_exponent, common)):
                    m.d.sync += common.eq(self.write_exponent)
            commons.append(common)
            flags.append(flag)
        read_buffer: Value = self.read_buffer if buffers > 1 else Const(0, 1)
        m.d.comb += [
            self.common.eq(Array(commons)[read_buffer]),
            self.saturated.eq(Array(flags)[read_buffer]),
        ]
        # What is read belongs to the buffer that was asked for.
        buffer_late = read_buffer
        for place in range(config.latency - 1):
            later = Signal(name=f"buffer_{place + 1}", reset_less=True)
            m.d.sync += later.eq(buffer_late)
            buffer_late = later
        greatest = Array(commons)[buffer_late]
        depth = buffers << config.log2_vectors - s
        ram_config = RamConfig(width=self.exponent.width, depth=depth)
        at = Signal(ram_config.address_width, name="at", reset_less=True)
        m.d.sync += at.eq(Cat(self.read_group, self.read_buffer[: buffers - 1]))
        for neighbour in range(config.stream_words):
            m.submodules[f"neighbour{neighbour}"] = ram = Ram(ram_config)
            own = self.write_vector[:s] == neighbour if s else Const(1, 1)
            m.d.comb += [
                ram.write.enable.eq(self.write & own),
                ram.write.address.eq(Cat(self.write_vector[s:], self.write_buffer[: buffers - 1])),
                ram.write.data.eq(self.write_exponent),
                ram.read.address.eq(at),
            ]
            down = Signal(self.exponent.width, name=f"down{neighbour}", reset_less=True)
            m.d.sync += down.eq(greatest - ram.read.data.as_signed())
            m.d.comb += self.down[neighbour].eq(down)
        return m
