"""What the vendors' fillings share: operands and words fitted to cells, and arrays of cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value

MEMORY_LATENCY = 2
"""Cycles from an address to its word, for every filling."""


@dataclass(frozen=True, kw_only=True)
class Accesses:
    """The signals of a memory, or of the part of it that one cell holds.

    Parameters
    ----------
    enable, write_address, write_data
        A write, when `enable` is high.
    read_address, read_data
        A read, every cycle.
    contents
        What the words hold at first; words past its end are not defined.
    read_enable
        Where a cell has such a pin: without it the word read before stays.
    """

    enable: Value
    write_address: Value
    write_data: Value
    read_address: Value
    read_data: Value
    contents: Sequence[int] = ()
    read_enable: Value = field(default_factory=lambda: Const(1, 1))


def table(entries: Sequence[int], address: Value, data: Value) -> Accesses:
    """The signals of a memory that is never written."""
    return Accesses(
        enable=Const(0, 1),
        write_address=Const(0, len(address)),
        write_data=Const(0, len(data)),
        read_address=address,
        read_data=data,
        contents=entries,
    )


def extended(operand: Value, width: int) -> Value:
    """The operand in `width` bits, by its sign where it has one."""
    sign = operand[-1] if operand.shape().signed else Const(0, 1)
    return Cat(operand, sign.replicate(width - len(operand)))


def signed_like(model: Value, bits: Value) -> Value:
    """The bits, read as signed if `model` is."""
    return bits.as_signed() if model.shape().signed else bits


def padded(value: Value, width: int) -> Value:
    """The value in `width` bits, zeros above it."""
    return Cat(value, Const(0, width - len(value)))


def pins(name: str, value: Value) -> dict[str, Value]:
    """Connections of a cell whose buses have one port for each bit."""
    return {f"{name}{bit}": value[bit] for bit in range(len(value))}


def memory_array(
    depth: int,
    accesses: Accesses,
    *,
    aspects: Sequence[tuple[int, int]],
    cell: Callable[[int, Accesses], Instance | Module],
    cell_latency: int,
) -> Module:
    """A memory of `depth` words, made of cells.

    Cells stand side by side for width. The widest shape that is deep enough is taken; where none
    is, banks of the deepest, with a multiplexer between the cells and what is left of
    `MEMORY_LATENCY`.

    Parameters
    ----------
    depth
        Words; addresses from here on are not defined.
    accesses
        Its signals.
    aspects
        Shapes of a cell as (words, bits), widest first; the words are a power of two.
    cell
        Makes one cell from its bits a word and its accesses.
    cell_latency
        Cycles from an address to the cell's output, 1 to `MEMORY_LATENCY`.
    """
    m = Module()
    words, bits = next((a for a in aspects if depth <= a[0]), aspects[-1])
    row_bits = (words - 1).bit_length()
    width = len(accesses.read_data)

    bank_now: Value = accesses.read_address[row_bits:]
    for stage in range(1, cell_latency + 1):
        register = Signal(len(bank_now), reset_less=True, name=f"bank_{stage}")
        m.d.sync += register.eq(bank_now)
        bank_now = register

    data: Value = Const(0, width)
    for bank in range(-(-depth // words)):
        bank_data = Signal(width, name=f"data_of_bank_{bank}")
        entries = accesses.contents[bank * words :][:words]
        for low in range(0, width, bits):
            part = slice(low, min(low + bits, width))
            m.submodules[f"cell_{bank}_{low // bits}"] = cell(
                bits,
                Accesses(
                    enable=accesses.enable & (accesses.write_address[row_bits:] == bank),
                    write_address=accesses.write_address[:row_bits],
                    write_data=accesses.write_data[part],
                    read_address=accesses.read_address[:row_bits],
                    read_data=bank_data[part],
                    contents=[entry >> low & (1 << bits) - 1 for entry in entries],
                ),
            )
        data = bank_data if bank == 0 else Mux(bank_now == bank, bank_data, data)

    for stage in range(cell_latency + 1, MEMORY_LATENCY + 1):
        register = Signal(width, reset_less=True, name=f"data_{stage}")
        m.d.sync += register.eq(data)
        data = register
    m.d.comb += accesses.read_data.eq(data)
    return m
