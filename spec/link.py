"""The link between a host and a board: what both ends of the serial line must agree on.

docs/link.md says why. A frame is seq, kind, fields, and the CRC-32 of all of these; on the line it
is COBS between zero bytes. Numbers of several bytes have their low byte first.
"""

from enum import IntEnum

from spec.registers import ADDRESS_BITS

__all__ = [
    "ADDRESS_BYTES",
    "COUNT_BYTES",
    "CRC_BYTES",
    "CRC_POLYNOMIAL",
    "CRC_RESIDUE",
    "CRC_START",
    "FEWEST_BUFFER_BYTES",
    "HEAD_BYTES",
    "LENGTH_OF",
    "MOST_BUFFER_BYTES",
    "MOST_MAPS",
    "MOST_WORDS",
    "NONCE_BYTES",
    "REGISTER_BYTES",
    "RUN_BYTES",
    "VERSION",
    "Kind",
    "Status",
    "most_send_words",
]

VERSION = 1
"""Of everything in this file; a host refuses a board that states another."""

HEAD_BYTES = 2
"""seq, and kind (in an answer: kind and, in the high half, status)."""
CRC_BYTES = 4
NONCE_BYTES = 4
ADDRESS_BYTES = 2
REGISTER_BYTES = 4
COUNT_BYTES = 2

MOST_MAPS = 1 << 8 * ADDRESS_BYTES - ADDRESS_BITS
"""Maps of registers that an address tells apart: one for each core of a board."""

MOST_WORDS = (1 << 8 * COUNT_BYTES) - 1
"""A count of words has so many bits."""

CRC_POLYNOMIAL = 0xEDB88320
"""zlib's, reflected: the bit of the highest power of x is the lowest."""
CRC_START = 0xFFFFFFFF
CRC_RESIDUE = 0xDEBB20E3
"""The register after a frame and its own CRC, if that is right; zlib shows its complement."""

RUN_BYTES = 254
"""Most bytes other than zero in a block of COBS."""

FEWEST_BUFFER_BYTES = 64
MOST_BUFFER_BYTES = 1 << 8 * COUNT_BYTES - 1
"""Of a buffer that a board may have."""


class Kind(IntEnum):
    """What a request asks for."""

    IDENTIFY = 1
    """Open a session, whose last request this is; say what the link is."""
    READ = 2
    """Read a register."""
    WRITE = 3
    """Write a register."""
    SEND = 4
    """Offer words to a stream of the core."""
    RECEIVE = 5
    """Take words from a stream of the core."""


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    NO_SESSION = 1
    """Not acted on: no session is open, or the request is not its next one. Closes the session."""
    BAD_REQUEST = 2
    """No such kind, no such stream, or a length that the kind does not have."""
    REFUSED = 3
    """The register does not exist or does not take that."""


LENGTH_OF = {
    Kind.IDENTIFY: HEAD_BYTES + NONCE_BYTES + CRC_BYTES,
    Kind.READ: HEAD_BYTES + ADDRESS_BYTES + CRC_BYTES,
    Kind.WRITE: HEAD_BYTES + REGISTER_BYTES + ADDRESS_BYTES + CRC_BYTES,
    Kind.RECEIVE: HEAD_BYTES + COUNT_BYTES + 1 + CRC_BYTES,
}
"""Bytes of a request before COBS; a SEND has one byte and its words between head and CRC."""


def most_send_words(buffer_bytes: int, word_bytes: int) -> int:
    """Words that one SEND can carry to a board with such a buffer: the credit."""
    return (buffer_bytes - HEAD_BYTES - 1 - CRC_BYTES) // word_bytes
