"""Where a word lies: its bank, its line, and the lines that a cycle reads or writes.

A word's index in a memory, that of its vector above its own, is split into lane (lowest p bits) and
the rest. Half = parity of the rest, bank = (lane, half); line = the rest without its lowest bit,
which the parity gives back. With P lanes and 2P banks, the words of a cycle differ in the lane and
in one more bit, so they lie in different banks. See docs/butterfly.md.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Mux, Value, ValueLike

__all__ = ["bank_of", "exchange", "line_of", "one_line", "parity", "shuffle", "shuffled"]


def bank_of(index: int, log2_units: int) -> tuple[int, int]:
    """Lane and half of a word, by its index."""
    return index & (1 << log2_units) - 1, (index >> log2_units).bit_count() & 1


def line_of(index: int, log2_units: int) -> int:
    """Line of a word, by its index."""
    return index >> log2_units + 1


def parity(cycle: ValueLike) -> Value:
    """The half in which the first words of a cycle's pairs lie."""
    return Value.cast(cycle).xor()


def one_line(cycle: Value, below: Value, at: Value, bit: Value) -> Value:
    """The line of one half's words in a cycle: the cycle's number with a bit inserted.

    Parameters
    ----------
    cycle
        Number of the cycle within the vector, below the vector's own.
    below
        A mask of the places below the inserted bit, which take the bits from one above; the lowest
        bit goes into the parity.
    at
        The inserted bit's place, one-hot; nothing is inserted if it is zero.
    bit
        The inserted bit: 0 for the half that `parity` gives, 1 for the other.
    """
    above = Cat(cycle[1:], 0)
    return Cat(Mux(below[k], above[k], Mux(at[k], bit, cycle[k])) for k in range(len(cycle)))


def shuffled(lane: int, second: int, position: int, log2_units: int) -> tuple[int, int]:
    """Lane and half, but for the parity of the cycle, to which a result goes.

    Parameters
    ----------
    lane
        Of the unit.
    second
        1 for a pair's second result.
    position
        Of the inserted bit; all positions from `log2_units` on are one.
    """
    if position >= log2_units:
        return lane, second
    low = (1 << position) - 1
    index = (lane & ~low) << 1 | second << position | lane & low
    return index & (1 << log2_units) - 1, index >> log2_units


def shuffle(log2_units: int, position: int) -> list[tuple[int, int]]:
    """For each bank, lanes of half 0 first: the unit and the result that it takes."""
    taken = {
        shuffled(lane, second, position, log2_units): (lane, second)
        for second in range(2)
        for lane in range(1 << log2_units)
    }
    return [taken[lane, half] for half in range(2) for lane in range(1 << log2_units)]


def exchange(words: Sequence[Value], swap: Value) -> list[Value]:
    """The words of half 0 and of half 1, in each other's place if `swap`."""
    units = len(words) // 2
    low, high = words[:units], words[units:]
    return [Mux(swap, b, a) for a, b in zip(low, high, strict=True)] + [
        Mux(swap, a, b) for a, b in zip(low, high, strict=True)
    ]
