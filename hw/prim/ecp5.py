"""Lattice ECP5 cells with their internal registers on: MULT18X18D and DP16KD.

Ports and parameters are those of Lattice's FPGA libraries reference guide for ECP5 and of its
memory and DSP usage guides; `sim/cells/ecp5.v` models what is used here.
"""

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal

from hw.prim.cells import Accesses, extended, memory_array, padded, pins

OPERAND_WIDTH = 18
"""The widest operand of a MULT18X18D."""

BLOCK_ASPECTS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Shapes of a DP16KD as (words, bits), widest first. 512 × 36 uses the data pins of both ports."""

_ADDRESS_PINS = 14
_INIT_ROWS = 64
_WORDS_A_ROW = 16  # an INITVAL row holds 16 words of 18 bits, each padded to 20


def multiplier(a: Signal, b: Signal, o: Signal) -> Module:
    """One MULT18X18D: o = a × b two cycles later, for operands of at most 18 bits.

    Its resets are left open: nextpnr ties such a pin to 0 where the cell is, while a constant's net
    to this pin of a hundred cells is more than its router can do in an hour.
    """
    m = Module()
    product = Signal(2 * OPERAND_WIDTH)
    registers = {
        f"p_REG_{rank}_{pin}": f"{pin}0"
        for rank in ("INPUTA", "INPUTB", "OUTPUT")
        for pin in ("CLK", "CE", "RST")
    }
    m.submodules.cell = Instance(
        "MULT18X18D",
        **registers,
        p_REG_PIPELINE_CLK="NONE",
        p_RESETMODE="SYNC",
        p_GSR="DISABLED",
        **pins("i_A", extended(a, OPERAND_WIDTH)),
        **pins("i_B", extended(b, OPERAND_WIDTH)),
        i_SIGNEDA=Const(a.shape().signed, 1),
        i_SIGNEDB=Const(b.shape().signed, 1),
        i_SOURCEA=Const(0, 1),
        i_SOURCEB=Const(0, 1),
        i_CLK0=ClockSignal(),
        i_CE0=Const(1, 1),
        **pins("o_P", product),
    )
    m.d.comb += o.eq(product[: len(o)])
    return m


def memory(depth: int, accesses: Accesses) -> Module:
    """Words in DP16KD cells, read two cycles after their address."""
    return memory_array(depth, accesses, aspects=BLOCK_ASPECTS, cell=_block, cell_latency=2)


def _block(bits: int, accesses: Accesses) -> Instance:
    """One DP16KD: port A writes, port B reads; at 36 bits each has the data pins of both.

    A word's address stands at the top of the address pins. Under it, from 18 bits up, the lowest
    pins of the write port are enables of 9 bits each.
    """
    shift = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[bits]
    lanes = bits // 9 if bits >= 18 else 0
    below = padded(accesses.enable.replicate(lanes), shift)
    word = padded(accesses.write_data, 36)
    connections: dict[str, object] = {
        **pins("i_ADA", padded(Cat(below, accesses.write_address), _ADDRESS_PINS)),
        **pins("i_ADB", padded(Cat(Const(0, shift), accesses.read_address), _ADDRESS_PINS)),
        **pins("i_DIA", word[:18]),
        **pins("i_DIB", word[18:]),
        "i_WEA": Const(1, 1) if bits == 36 else accesses.enable,
        "i_WEB": Const(0, 1),
    }
    if bits == 36:
        connections |= pins("o_DOA", accesses.read_data[:18])
        connections |= pins("o_DOB", accesses.read_data[18:])
    else:
        connections |= pins("o_DOB", accesses.read_data)
    for port in "AB":
        connections |= {
            f"i_CLK{port}": ClockSignal(),
            f"i_CE{port}": Const(1, 1),
            f"i_OCE{port}": Const(1, 1),
            f"i_RST{port}": Const(0, 1),
            **pins(f"i_CS{port}", Const(0, 3)),
            f"p_CSDECODE_{port}": "0b000",
            f"p_DATA_WIDTH_{port}": bits,
            f"p_REGMODE_{port}": "OUTREG",
            f"p_WRITEMODE_{port}": "NORMAL",
        }
    for index, row in enumerate(_init_rows(bits, accesses.contents)):
        connections[f"p_INITVAL_{index:02X}"] = row
    return Instance(
        "DP16KD",
        **connections,
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="DISABLED",
    )


def _init_rows(bits: int, contents: Sequence[int]) -> Iterator[Const]:
    """The INITVAL parameters. Words narrower than 9 bits leave every ninth bit unused."""
    if not contents:
        return
    image = 0
    for index, word in enumerate(contents):
        first = index * bits if bits >= 9 else index * bits // 8 * 9 + index * bits % 8
        image |= word << first
    for row in range(_INIT_ROWS):
        value = 0
        for index in range(_WORDS_A_ROW):
            word = image >> (row * _WORDS_A_ROW + index) * 18 & (1 << 18) - 1
            value |= word << 20 * index
        yield Const(value, 20 * _WORDS_A_ROW)
