"""Lattice iCE40 cells: SB_MAC16, SB_RAM40_4K and SB_SPRAM256KA.

Ports and parameters are those of Lattice's iCE40 technology library; models come with Yosys.
SB_MAC16 and SB_SPRAM256KA exist in iCE40 UltraPlus only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal

from hw.prim.cells import Accesses, extended, memory_array, padded

OPERAND_WIDTH = 16
"""The widest operand of an SB_MAC16."""

BLOCK_ASPECTS = ((256, 16), (512, 8), (1024, 4), (2048, 2))
"""Shapes of an SB_RAM40_4K as (words, bits), widest first, in the order of its modes 0 to 3."""

SPRAM_ASPECTS = ((16384, 16),)
"""The one shape of an SB_SPRAM256KA as (words, bits)."""

_ADDRESS_PINS = 11
_DATA_PINS = 16
_ROWS = 256
_ROWS_A_PARAMETER = 16


def multiplier(a: Signal, b: Signal, o: Signal) -> Module:
    """One SB_MAC16: o = a × b two cycles later, for operands of at most 16 bits."""
    m = Module()
    product = Signal(2 * OPERAND_WIDTH)
    low = ["AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"]
    low += ["OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT"]
    m.submodules.cell = Instance(
        "SB_MAC16",
        p_A_REG=Const(1, 1),
        p_B_REG=Const(1, 1),
        p_PIPELINE_16x16_MULT_REG2=Const(1, 1),  # holds the whole product
        p_TOPOUTPUT_SELECT=Const(3, 2),  # which is what the cell puts out
        p_BOTOUTPUT_SELECT=Const(3, 2),
        p_A_SIGNED=Const(a.shape().signed, 1),
        p_B_SIGNED=Const(b.shape().signed, 1),
        i_CLK=ClockSignal(),
        i_CE=Const(1, 1),
        i_A=extended(a, OPERAND_WIDTH),
        i_B=extended(b, OPERAND_WIDTH),
        i_C=Const(0, OPERAND_WIDTH),
        i_D=Const(0, OPERAND_WIDTH),
        **{f"i_{pin}": Const(0, 1) for pin in low},
        o_O=product,
    )
    m.d.comb += o.eq(product[: len(o)])
    return m


def memory(depth: int, accesses: Accesses) -> Module:
    """Words in SB_RAM40_4K cells and an output register, read two cycles after their address."""
    return memory_array(depth, accesses, aspects=BLOCK_ASPECTS, cell=_block, cell_latency=1)


def held_memory(depth: int, accesses: Accesses) -> Module:
    """Words in SB_RAM40_4K cells alone: read one cycle after their address, and held from then on.

    At most 2048 words: there is no multiplexer behind the cells.
    """
    m = Module()
    bits = next(bits for words, bits in BLOCK_ASPECTS if depth <= words)
    width = len(accesses.read_data)
    for low in range(0, width, bits):
        part = slice(low, min(low + bits, width))
        mine = replace(
            accesses, write_data=accesses.write_data[part], read_data=accesses.read_data[part]
        )
        m.submodules[f"cell_{low // bits}"] = _block(bits, mine)
    return m


def _block(bits: int, accesses: Accesses) -> Module:
    """One SB_RAM40_4K. The pins that carry a narrow word are spread over the 16."""
    m = Module()
    stride = _DATA_PINS // bits
    mode = Const(stride.bit_length() - 1, 2)
    first_pin = {16: 0, 8: 0, 4: 1, 2: 3}[bits]
    data_in, data_out = Signal(_DATA_PINS), Signal(_DATA_PINS)
    m.d.comb += [
        data_in[first_pin::stride].eq(accesses.write_data),
        accesses.read_data.eq(data_out[first_pin::stride]),
    ]
    m.submodules.cell = Instance(
        "SB_RAM40_4K",
        p_READ_MODE=mode,
        p_WRITE_MODE=mode,
        **{f"p_INIT_{i:X}": row for i, row in enumerate(_init_rows(bits, accesses.contents))},
        i_RCLK=ClockSignal(),
        i_RCLKE=Const(1, 1),
        i_RE=accesses.read_enable,
        i_RADDR=padded(accesses.read_address, _ADDRESS_PINS),
        o_RDATA=data_out,
        i_WCLK=ClockSignal(),
        i_WCLKE=Const(1, 1),
        i_WE=accesses.enable,
        i_WADDR=padded(accesses.write_address, _ADDRESS_PINS),
        i_MASK=Const(0, _DATA_PINS),
        i_WDATA=data_in,
    )
    return m


def _init_rows(bits: int, contents: Sequence[int]) -> Iterator[Const]:
    """The INIT parameters: word a lies in row a mod 256, in every (16 / bits)th bit of it."""
    if not contents:
        return
    stride = _DATA_PINS // bits
    rows = [0] * _ROWS
    for address, word in enumerate(contents):
        for bit in range(bits):
            rows[address % _ROWS] |= (word >> bit & 1) << stride * bit + address // _ROWS
    for first in range(0, _ROWS, _ROWS_A_PARAMETER):
        words = rows[first : first + _ROWS_A_PARAMETER]
        value = sum(word << _DATA_PINS * index for index, word in enumerate(words))
        yield Const(value, _DATA_PINS * _ROWS_A_PARAMETER)


def single_port_memory(depth: int, accesses: Accesses) -> Module:
    """Words in SB_SPRAM256KA cells and an output register; the two addresses must be one."""
    return memory_array(depth, accesses, aspects=SPRAM_ASPECTS, cell=_spram, cell_latency=1)


def _spram(bits: int, accesses: Accesses) -> Module:
    m = Module()
    data_out = Signal(bits)
    m.submodules.cell = Instance(
        "SB_SPRAM256KA",
        i_CLOCK=ClockSignal(),
        i_ADDRESS=padded(accesses.read_address, 14),
        i_DATAIN=padded(accesses.write_data, bits),
        i_MASKWREN=Const(0b1111, 4),
        i_WREN=accesses.enable,
        i_CHIPSELECT=Const(1, 1),
        i_STANDBY=Const(0, 1),
        i_SLEEP=Const(0, 1),
        i_POWEROFF=Const(1, 1),  # active low
        o_DATAOUT=data_out,
    )
    m.d.comb += accesses.read_data.eq(data_out)
    return m
