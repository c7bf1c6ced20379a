"""Lattice iCE40 cells: SB_MAC16, SB_RAM40_4K and SB_SPRAM256KA.

Ports and parameters are those of Lattice's iCE40 technology library; models come with Yosys.
SB_MAC16 and SB_SPRAM256KA exist in iCE40 UltraPlus only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value

from hw.prim.cells import (
    Accesses,
    Bank,
    equal_banks,
    extended,
    memory_array,
    padded,
    signed_like,
)

OPERAND_WIDTH = 16
"""The widest operand of an SB_MAC16."""

WIDE_OPERAND_WIDTH = 18
"""The widest operand that an SB_MAC16 still serves, with the products of its lowest bits beside."""

HALF_OPERAND_WIDTH = 8
"""The widest operand of one of two multipliers in an SB_MAC16."""

BLOCK_ASPECTS = ((256, 16), (512, 8), (1024, 4), (2048, 2))
"""Shapes of an SB_RAM40_4K as (words, bits), widest first, in the order of its modes 0 to 3."""

BLOCK_BITS = 4096
"""Bits of an SB_RAM40_4K."""

SPRAM_ASPECTS = ((16384, 16),)
"""The one shape of an SB_SPRAM256KA as (words, bits)."""

_ADDRESS_PINS = 11
_DATA_PINS = 16
_ROWS = 256
_ROWS_A_PARAMETER = 16


HALF_PRODUCT_REGISTERS = (
    "p_TOP_8x8_MULT_REG",
    "p_BOT_8x8_MULT_REG",
    "p_PIPELINE_16x16_MULT_REG1",
)
"""Settings of the registers behind the multipliers of 8 bits in an SB_MAC16."""

_AS_THEY_ARE = {"p_TOPOUTPUT_SELECT": 2, "p_BOTOUTPUT_SELECT": 2}
_ADDED_TO_NOTHING = {
    f"p_{half}{setting}": 1  # the register behind the adder, of an 8-bit product, and C or D
    for half in ("TOP", "BOT")
    for setting in ("OUTPUT_SELECT", "ADDSUB_LOWERINPUT", "ADDSUB_UPPERINPUT")
}


def multiplier(a: Signal, b: Signal, o: Signal, *, stages: int = 2) -> Module:
    """One SB_MAC16: o = a × b two or three cycles later, for operands of at most 16 bits."""
    m = Module()
    product = Signal(2 * OPERAND_WIDTH)
    settings = {
        "p_PIPELINE_16x16_MULT_REG2": 1,  # holds the whole product
        "p_TOPOUTPUT_SELECT": 3,  # which is what the cell puts out
        "p_BOTOUTPUT_SELECT": 3,
    }
    if stages == 3:  # a third rank holds the four products of halves
        settings |= dict.fromkeys(HALF_PRODUCT_REGISTERS, 1)
    m.submodules.cell = _mac(
        extended(a, OPERAND_WIDTH),
        extended(b, OPERAND_WIDTH),
        product,
        settings,
        signed=(a.shape().signed, b.shape().signed),
    )
    m.d.comb += o.eq(product[: len(o)])
    return m


def wide_multiplier(a: Signal, b: Signal, o: Signal) -> Module:
    """One SB_MAC16 and logic: o = a × b two cycles later, for operands of at most 18 bits.

    The cell multiplies the upper 16 bits. What the bits below them contribute is added to its
    product in the cell, but for the lowest bits of the result, which need no adding.
    """
    m = Module()
    below = [max(0, len(x) - OPERAND_WIDTH) for x in (a, b)]
    (a_low, a_high), (b_low, b_high) = (
        (x[:k], signed_like(x, x[k:])) for x, k in zip((a, b), below, strict=True)
    )
    parts = []
    for name, part in (
        ("a_low_times_b", _times_bits(b, a_low)),
        ("a_high_times_b_low", _times_bits(a_high, b_low) << below[0]),
    ):
        register = Signal(part.shape(), reset_less=True, name=name)
        m.d.sync += register.eq(part)
        parts.append(register)
    rest = parts[0] + parts[1]
    # A sum of unsigned parts leaves the addend's sign at 0: it is shorter by far.
    rest = signed_like(rest, extended(rest, 2 * OPERAND_WIDTH + sum(below)))
    lowest = Signal(sum(below), reset_less=True)
    m.d.sync += lowest.eq(rest[: len(lowest)])
    addend = rest[len(lowest) :]
    product = Signal(2 * OPERAND_WIDTH)
    m.submodules.cell = _mac(
        extended(a_high, OPERAND_WIDTH),
        extended(b_high, OPERAND_WIDTH),
        product,
        {
            "p_TOPOUTPUT_SELECT": 1,  # the register behind the adder
            "p_TOPADDSUB_LOWERINPUT": 2,  # of the product
            "p_TOPADDSUB_UPPERINPUT": 1,  # and C,
            "p_TOPADDSUB_CARRYSELECT": 2,  # carried on from the lower half
            "p_BOTOUTPUT_SELECT": 1,
            "p_BOTADDSUB_LOWERINPUT": 2,
            "p_BOTADDSUB_UPPERINPUT": 1,
        },
        signed=(a.shape().signed, b.shape().signed),
        addend=addend,
    )
    m.d.comb += o.eq(Cat(lowest, product))
    return m


def _times_bits(value: Value, bits: Value) -> Value:
    """`value` times the few unsigned `bits`."""
    terms = (Mux(bit, value, 0) << place for place, bit in enumerate(bits))
    return sum(terms, start=Const(0, 1))


def multiplier_pair(
    a: Sequence[Value], b: Sequence[Value], o: Sequence[Signal], *, stages: int = 2
) -> Module:
    """One SB_MAC16: two products, two or three cycles later, of operands of at most 8 bits."""
    m = Module()
    width = 2 * HALF_OPERAND_WIDTH
    products = [Signal(width, name=f"product_{half}") for half in range(2)]
    m.submodules.cell = _mac(
        Cat(extended(each, HALF_OPERAND_WIDTH) for each in a),
        Cat(extended(each, HALF_OPERAND_WIDTH) for each in b),
        Cat(products),
        {
            "p_MODE_8x8": 1,
            **dict.fromkeys(HALF_PRODUCT_REGISTERS, 1),
            **(_ADDED_TO_NOTHING if stages == 3 else _AS_THEY_ARE),
        },
        signed=(a[0].shape().signed, b[0].shape().signed),
    )
    m.d.comb += [each.eq(product[: len(each)]) for each, product in zip(o, products, strict=True)]
    return m


def _mac(
    a: Value,
    b: Value,
    o: Value,
    settings: Mapping[str, int],
    *,
    signed: tuple[bool, bool],
    addend: Value | None = None,
) -> Instance:
    """One SB_MAC16 with registers at its operands; `settings` are its parameters."""
    low = ["AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"]
    low += ["OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT"]
    addend = Const(0, 2 * OPERAND_WIDTH) if addend is None else addend
    wide = ("OUTPUT_SELECT", "LOWERINPUT", "CARRYSELECT")
    return Instance(
        "SB_MAC16",
        **{name: Const(value, 1 + name.endswith(wide)) for name, value in settings.items()},
        p_A_REG=Const(1, 1),
        p_B_REG=Const(1, 1),
        p_A_SIGNED=Const(signed[0], 1),
        p_B_SIGNED=Const(signed[1], 1),
        i_CLK=ClockSignal(),
        i_CE=Const(1, 1),
        i_A=a,
        i_B=b,
        i_C=addend[OPERAND_WIDTH:],
        i_D=addend[:OPERAND_WIDTH],
        **{f"i_{pin}": Const(0, 1) for pin in low},
        o_O=o,
    )


def memory(depth: int, accesses: Accesses) -> Module:
    """Words in SB_RAM40_4K cells and an output register, read two cycles after their address."""
    return memory_array(accesses, _blocks(depth))


def block_count(depth: int, width: int) -> int:
    """SB_RAM40_4K cells of a `memory`."""
    return sum(bank.cells(width) for bank in _blocks(depth))


def _blocks(depth: int) -> list[Bank]:
    return equal_banks(depth, BLOCK_ASPECTS, _block, latency=1)


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
    data_in = Signal(_DATA_PINS)
    data_out = Signal(_DATA_PINS)
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
    return memory_array(accesses, equal_banks(depth, SPRAM_ASPECTS, _spram, latency=1))


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
