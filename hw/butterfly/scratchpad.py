"""The scratchpad between two layers: written vector by vector, read across vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.prim.ram import Ram, RamConfig

__all__ = ["Scratchpad", "ScratchpadConfig", "scratchpad_bank", "scratchpad_line"]


def scratchpad_bank(index: int, log2_stream: int) -> int:
    """Bank of a word: bit j is the parity of the index's bits j, j + log2 S, j + 2·log2 S, …"""
    bank = 0
    for bit in range(index.bit_length() if log2_stream else 0):
        bank ^= (index >> bit & 1) << bit % log2_stream
    return bank


def scratchpad_line(index: int, log2_stream: int) -> int:
    """Line of a word in its bank: what the bank leaves open."""
    return index >> log2_stream


@dataclass(frozen=True, kw_only=True)
class ScratchpadConfig:
    """Size of a scratchpad.

    Parameters
    ----------
    log2_vectors, log2_words
        Bits of a vector's number and of a word's number in its vector; both at least log2_stream.
    log2_stream
        Words a cycle, S = 1, 2 or 4.
    width
        Bits of a word.
    buffers
        Blocks held, 1 or 2.
    """

    log2_vectors: int
    log2_words: int
    log2_stream: int
    width: int
    buffers: int = 1

    @property
    def stream_words(self) -> int:
        """Words a cycle, and banks, S."""
        return 1 << self.log2_stream

    @cached_property
    def ram(self) -> RamConfig:
        """One bank."""
        words = self.buffers << self.log2_vectors + self.log2_words
        return RamConfig(width=self.width, depth=words >> self.log2_stream)

    @property
    def write_latency(self) -> int:
        """Cycles from a write until its lines are written: exchange."""
        return 1

    @property
    def latency(self) -> int:
        """Cycles from a read to its words: lines, memory, exchange."""
        return 1 + self.ram.latency + 1

    @property
    def interval(self) -> int:
        """Cycles between reads, and between writes."""
        return 1


class Scratchpad(wiring.Component):
    """A vector's S consecutive words are written, one word of S consecutive vectors is read.

    With index = vector · 2^log2_words + word, the bank of a word is a hash of all bits of the index
    (`scratchpad_bank`) under which both groups of S words fall into S banks, so that a block is
    transposed by nothing but the order of its reads.

    Contract: groups are aligned. No word is read before it was written `config.write_latency` + 1
    cycles earlier, and none is written while a read of it is under way.

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    write, write_buffer, write_vector, write_group, write_data
        Whether S words are written, where, and what: words write_group · S and on of a vector.
    read_buffer, read_group, read_word, read_data
        A word of vectors read_group · S and on, and its values.

    *Source*: docs/butterfly.md, "Scratchpad".
    """

    write: Signal
    write_buffer: Signal
    write_vector: Signal
    write_group: Signal
    write_data: Any
    read_buffer: Signal
    read_group: Signal
    read_word: Signal
    read_data: Any

    def __init__(self, config: ScratchpadConfig):
        self.config = config
        words = ArrayLayout(config.width, config.stream_words)
        super().__init__(
            {
                "write": In(1),
                "write_buffer": In(1),
                "write_vector": In(config.log2_vectors),
                "write_group": In(config.log2_words - config.log2_stream),
                "write_data": In(words),
                "read_buffer": In(1),
                "read_group": In(config.log2_vectors - config.log2_stream),
                "read_word": In(config.log2_words),
                "read_data": Out(words),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the banks, and exchange words on both sides."""
        m = Module()
        config = self.config
        banks, s = config.stream_words, config.log2_stream
        buffer_bits = config.buffers - 1
        low = Const(0, s)

        # Write: all banks at one line.
        index = Cat(low, self.write_group, self.write_vector)
        write_1, line_1 = Signal(name="write_1"), Signal(config.ram.address_width, name="line_1")
        placed = _exchanged([self.write_data[k] for k in range(banks)], self._hash(index))
        m.d.sync += [
            write_1.eq(self.write),
            line_1.eq(Cat(self.write_group, self.write_vector, self.write_buffer[:buffer_bits])),
        ]
        # Read: the lines differ in the vector's lowest bits, which the bank gives back.
        index = Cat(self.read_word, low, self.read_group)
        hash_now = self._hash(index)
        hash_late = hash_now
        for place in range(config.latency - 1):
            later = Signal(s, name=f"hash_{place + 1}", reset_less=True)
            m.d.sync += later.eq(hash_late)
            hash_late = later
        found: list[Value] = []
        for bank in range(banks):
            m.submodules[f"bank{bank}"] = ram = Ram(config.ram)
            data_1 = Signal(config.width, name=f"data{bank}_1", reset_less=True)
            at_1 = Signal(config.ram.address_width, name=f"at{bank}_1", reset_less=True)
            turned = hash_now ^ bank
            element = Cat(turned[(config.log2_words + k) % s] for k in range(s)) if s else low
            m.d.sync += [
                data_1.eq(placed[bank]),
                at_1.eq(
                    Cat(
                        self.read_word[s:], element, self.read_group, self.read_buffer[:buffer_bits]
                    )
                ),
            ]
            m.d.comb += [
                ram.write.enable.eq(write_1),
                ram.write.address.eq(line_1),
                ram.write.data.eq(data_1),
                ram.read.address.eq(at_1),
            ]
            found.append(ram.read.data)
        back = _exchanged(found, hash_late)
        for element in range(banks):
            word = Signal(config.width, name=f"word{element}", reset_less=True)
            m.d.sync += word.eq(back[scratchpad_bank(element << config.log2_words, s)])
            m.d.comb += self.read_data[element].eq(word)
        return m

    def _hash(self, index: Value) -> Value:
        """`scratchpad_bank` in gates."""
        s = self.config.log2_stream
        return Cat(index[bit::s].xor() for bit in range(s)) if s else Const(0, 0)


def _exchanged(words: Sequence[Value], by: Value) -> list[Value]:
    """Word k of the result is that of place k XOR `by`."""
    words = list(words)
    for bit in range(len(by)):
        words = [Mux(by[bit], words[k ^ 1 << bit], word) for k, word in enumerate(words)]
    return words
