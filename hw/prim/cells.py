"""What the vendors' fillings share: operands and words fitted to cells, and arrays of cells."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

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


_whole_buses: ContextVar[bool] = ContextVar("_whole_buses", default=False)


@contextmanager
def whole_buses() -> Iterator[None]:
    """Within this, `pins` gives a bus as one port.

    No such cell exists: this is for whoever counts cells and emits none. Elaboration takes half as
    long without the bits of large memories and of a hundred multipliers.
    """
    token = _whole_buses.set(True)
    try:
        yield
    finally:
        _whole_buses.reset(token)


def pins(name: str, value: Value) -> dict[str, Value]:
    """Connections of a cell whose buses have one port for each bit."""
    if _whole_buses.get():
        return {name: value}
    return {f"{name}{bit}": value[bit] for bit in range(len(value))}


@dataclass(frozen=True, kw_only=True)
class Bank:
    """Cells side by side that hold some of a memory's words.

    Parameters
    ----------
    words
        Words of a cell, a power of two.
    bits
        Bits of a cell's word.
    cell
        Makes one cell from its bits a word and its accesses.
    latency
        Cycles from an address to the cell's output, 1 to `MEMORY_LATENCY`.
    """

    words: int
    bits: int
    cell: Callable[[int, Accesses], Instance | Module]
    latency: int

    def cells(self, width: int) -> int:
        """Cells that words of `width` bits take."""
        return -(-width // self.bits)


def equal_banks(
    depth: int,
    aspects: Sequence[tuple[int, int]],
    cell: Callable[[int, Accesses], Instance | Module],
    latency: int,
) -> list[Bank]:
    """A memory of `depth` words in one kind of cell.

    Of its shapes (words, bits), widest first, it is the first that is deep enough; else as many of
    the last as it takes.
    """
    words, bits = next((a for a in aspects if depth <= a[0]), aspects[-1])
    return [Bank(words=words, bits=bits, cell=cell, latency=latency)] * -(-depth // words)


def memory_array(accesses: Accesses, banks: Sequence[Bank]) -> Module:
    """A memory made of banks, with a multiplexer behind them if there are several.

    Parameters
    ----------
    accesses
        Its signals. Addresses past the last bank are not defined.
    banks
        All of equal words, but the last may have fewer.
    """
    m = Module()
    row_bits = (banks[0].words - 1).bit_length()
    latency = max(bank.latency for bank in banks)

    bank_now: Value = accesses.read_address[row_bits:]
    for stage in range(1, latency + 1):
        register = Signal(len(bank_now), reset_less=True, name=f"bank_{stage}")
        m.d.sync += register.eq(bank_now)
        bank_now = register

    data: Value = Const(0)
    for index, bank in enumerate(banks):
        first = index << row_bits
        here = replace(
            accesses,
            enable=accesses.enable & (accesses.write_address[row_bits:] == index),
            contents=accesses.contents[first : first + bank.words],
        )
        mine = _part(m, index, bank, here)
        for stage in range(bank.latency + 1, latency + 1):
            mine = _registered(m, mine, f"data_{stage}_of_bank_{index}")
        data = mine if index == 0 else Mux(bank_now == index, mine, data)

    for stage in range(latency + 1, MEMORY_LATENCY + 1):
        data = _registered(m, data, f"data_{stage}")
    m.d.comb += accesses.read_data.eq(data)
    return m


def _part(m: Module, index: int, bank: Bank, accesses: Accesses) -> Value:
    """The cells of a bank, and what they read."""
    width = len(accesses.read_data)
    row_bits = (bank.words - 1).bit_length()
    data = Signal(width, name=f"data_of_bank_{index}")
    for low in range(0, width, bank.bits):
        part = slice(low, min(low + bank.bits, width))
        m.submodules[f"cell_{index}_{low // bank.bits}"] = bank.cell(
            bank.bits,
            Accesses(
                enable=accesses.enable,
                write_address=accesses.write_address[:row_bits],
                write_data=accesses.write_data[part],
                read_address=accesses.read_address[:row_bits],
                read_data=data[part],
                contents=[entry >> low & (1 << bank.bits) - 1 for entry in accesses.contents],
            ),
        )
    return data


def _registered(m: Module, data: Value, name: str) -> Signal:
    register = Signal(len(data), reset_less=True, name=name)
    m.d.sync += register.eq(data)
    return register
