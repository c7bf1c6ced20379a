"""Lattice ECP5 cells with their internal registers on: MULT18X18D, DP16KD, distributed memory.

Ports and parameters are those of Lattice's FPGA libraries reference guide for ECP5 and of its
memory and DSP usage guides; `sim/cells/ecp5.v` models what is used here.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib.memory import Memory

from hw.prim.cells import Accesses, Bank, equal_banks, extended, memory_array, padded, pins

OPERAND_WIDTH = 18
"""The widest operand of a MULT18X18D."""

BLOCK_ASPECTS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Shapes of a DP16KD as (words, bits), widest first. 512 × 36 uses the data pins of both ports."""

DISTRIBUTED_CELLS_A_BLOCK = 60
"""TRELLIS_DPR16X4 (16 words of 4 bits, six logic cells) that may stand for one DP16KD: about as
large a part of a chip."""

DISTRIBUTED_CELLS = 160
"""Of one memory, at most: its address goes to each."""

DISTRIBUTED_WORDS = 32
"""Words of a bank of distributed memory: one look-up table chooses one of two cells' bits between
the address and the register behind it; one of five banks' is chosen behind that."""

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
    """Words in DP16KD cells or in distributed memory, read two cycles after their address."""
    width, constant = len(accesses.read_data), bool(accesses.contents)
    return memory_array(accesses, _banks(depth, width, constant=constant))


def block_count(depth: int, width: int) -> int:
    """DP16KD cells of a `memory` that is written."""
    return _count(_banks(depth, width), width)


def _banks(depth: int, width: int, *, constant: bool = False) -> list[Bank]:
    """Banks of the fewest blocks: equal ones, or one of a power of two words and the rest.

    So 8448 words of 18 bits are 8192 x 2 in nine cells and 256 x 36 in one, not 16384 x 1 in
    eighteen. A split costs a gate before and behind the cells, and is made where it saves a third
    of them. A table's words lie in blocks alone, since small tables are logic already.
    """
    equal = _blocks_or_distributed(depth, width, constant)
    choices = []
    for words, bits in BLOCK_ASPECTS:
        if words < depth < 2 * words:
            rest = _blocks_or_distributed(depth - words, width, constant, most_words=words)
            choices.append([*equal_banks(words, ((words, bits),), _block, latency=2), *rest])
    best = min(choices, key=lambda banks: _count(banks, width), default=equal)
    return best if 3 * _count(best, width) <= 2 * _count(equal, width) else equal


def _blocks_or_distributed(
    depth: int, width: int, constant: bool, most_words: int = DISTRIBUTED_WORDS
) -> list[Bank]:
    blocks = equal_banks(depth, BLOCK_ASPECTS, _block, latency=2)
    cells = -(-depth // 16) * -(-width // 4)
    allowed = min(DISTRIBUTED_CELLS_A_BLOCK * _count(blocks, width), DISTRIBUTED_CELLS)
    if constant or cells > allowed:
        return blocks
    words = min(most_words, 1 << max(1, (depth - 1).bit_length()))
    return [
        Bank(words=words, bits=width, cell=partial(_distributed, min(words, left)), latency=1)
        for left in range(depth, 0, -words)
    ]


def _count(banks: Sequence[Bank], width: int) -> int:
    return sum(bank.cells(width) for bank in banks if bank.cell is _block)


def _distributed(depth: int, bits: int, accesses: Accesses) -> Module:
    """Words that synthesis lays into TRELLIS_DPR16X4, and a register behind them."""
    m = Module()
    m.submodules.storage = storage = Memory(
        shape=bits,
        depth=max(2, depth),
        init=[],
        attrs={"no_rw_check": 1, "ram_style": "distributed"},  # type: ignore[arg-type]
    )
    write_port, read_port = storage.write_port(), storage.read_port(domain="comb")
    data = Signal(bits, reset_less=True)
    m.d.comb += [
        write_port.en.eq(accesses.enable),
        write_port.addr.eq(accesses.write_address),
        write_port.data.eq(accesses.write_data),
        read_port.addr.eq(accesses.read_address),
        accesses.read_data.eq(data),
    ]
    m.d.sync += data.eq(read_port.data)
    return m


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
