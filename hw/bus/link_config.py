"""Sizes of a link, and what follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.bus.crc import Crc32Config
from hw.prim.ram import RamConfig
from spec.errors import SpecError, check_range
from spec.link import (
    ADDRESS_BYTES,
    CRC_BYTES,
    FEWEST_BUFFER_BYTES,
    HEAD_BYTES,
    MOST_BUFFER_BYTES,
    MOST_MAPS,
    NONCE_BYTES,
    REGISTER_BYTES,
    RUN_BYTES,
    VERSION,
    most_send_words,
)
from spec.registers import ADDRESS_BITS

__all__ = ["LinkConfig", "least_buffer_bytes"]

MOST_STREAMS = 16
MOST_PATIENCE_CYCLES = 1 << 20
OTHER_BYTES = HEAD_BYTES + CRC_BYTES + 1 + 1
"""Of a request or an answer with one word: head, CRC, a stream's number, a code of COBS."""


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Configuration of a `hw.bus.link.Link`.

    Parameters
    ----------
    send_widths
        Bits of a word of each stream from the host to the core, at most 16 streams.
    receive_widths
        Bits of a word of each stream from the core to the host, at most 16 streams.
    buffer_bytes
        Bytes of the buffer for a request, and of that for an answer: 64 to 32768. The larger, the
        less it matters that the host waits for each answer.
    patience_cycles
        Cycles that a request may wait in all for streams of the core, 1 to 2**20; then it is
        answered with what was done.
    maps
        Maps of registers that lie one after the other, each of 4 KiB: 1 to 16.
    """

    send_widths: tuple[int, ...] = ()
    receive_widths: tuple[int, ...] = ()
    buffer_bytes: int = 512
    patience_cycles: int = 1 << 14
    maps: int = 1

    def __post_init__(self) -> None:
        check_range(
            "LinkConfig.buffer_bytes", self.buffer_bytes, FEWEST_BUFFER_BYTES, MOST_BUFFER_BYTES
        )
        check_range("LinkConfig.patience_cycles", self.patience_cycles, 1, MOST_PATIENCE_CYCLES)
        check_range("LinkConfig.maps", self.maps, 1, MOST_MAPS)
        widest = 8 * self._most_word_bytes
        for field in ("send_widths", "receive_widths"):
            widths = getattr(self, field)
            if len(widths) > MOST_STREAMS:
                raise SpecError(
                    f"LinkConfig.{field} names {len(widths)} streams, at most {MOST_STREAMS} fit"
                )
            for k, width in enumerate(widths):
                check_range(f"LinkConfig.{field}[{k}]", width, 1, widest)

    @property
    def _most_word_bytes(self) -> int:
        """Of a word that fits a SEND, and an answer of its own, whatever the other sizes."""
        return (self.buffer_bytes - OTHER_BYTES) * RUN_BYTES // (RUN_BYTES + 1) - 1

    @property
    def send_bytes(self) -> tuple[int, ...]:
        """Bytes of a word on the line, for each stream to the core."""
        return _bytes_of(self.send_widths)

    @property
    def receive_bytes(self) -> tuple[int, ...]:
        """Bytes of a word on the line, for each stream from the core."""
        return _bytes_of(self.receive_widths)

    @property
    def send_words(self) -> tuple[int, ...]:
        """Words that one request can carry, for each stream to the core."""
        return tuple(most_send_words(self.buffer_bytes, each) for each in self.send_bytes)

    @property
    def address_bits(self) -> int:
        """Of a byte address of a register."""
        return ADDRESS_BITS + (self.maps - 1).bit_length()

    @property
    def word_bytes(self) -> int:
        """Of the register that words, and everything else of several bytes, pass through."""
        least = REGISTER_BYTES + ADDRESS_BYTES
        return max(least, NONCE_BYTES, *self.send_bytes, *self.receive_bytes)

    @property
    def identity(self) -> tuple[int, ...]:
        """Bytes of the answer to IDENTIFY, after the nonce."""
        return (
            VERSION,
            self.buffer_bytes & 0xFF,
            self.buffer_bytes >> 8,
            len(self.send_widths),
            len(self.receive_widths),
            *self.send_bytes,
            *self.receive_bytes,
        )

    @property
    def most_encoded(self) -> int:
        """Bytes written of an answer beyond which none of its words is begun.

        A word and the CRC follow, and a code for every 254 bytes.
        """
        rest = max(self.receive_bytes, default=0) + CRC_BYTES
        return self.buffer_bytes - rest - 1 - rest // RUN_BYTES

    @property
    def ram(self) -> RamConfig:
        """Of the request, and of the answer."""
        return RamConfig(width=8, depth=self.buffer_bytes)

    @property
    def crc(self) -> Crc32Config:
        """Of requests and answers."""
        return Crc32Config(bits_per_cycle=4)

    @property
    def interval(self) -> int:
        """Fewest cycles between bytes from the line."""
        return self.crc.interval + 1


def least_buffer_bytes(word_bytes: int) -> int:
    """The smallest buffer that takes such words."""
    encoded = -(-(word_bytes + 1) * (RUN_BYTES + 1) // RUN_BYTES)
    return max(FEWEST_BUFFER_BYTES, OTHER_BYTES + encoded)


def _bytes_of(widths: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-width // 8) for width in widths)
