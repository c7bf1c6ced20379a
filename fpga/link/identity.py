"""What a board says of its link, and what its streams can take."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from fpga.link.errors import Incompatible
from spec.errors import SpecError, check_range
from spec.link import FEWEST_BUFFER_BYTES, VERSION

__all__ = ["Identity", "identity_of"]

FIXED_BYTES = 5
"""Version, size of the buffer, and the numbers of streams; a byte for each stream follows."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board says of its link.

    Parameters
    ----------
    version
        Of the protocol.
    buffer_bytes
        Of the buffer for a request and of that for an answer.
    send_bytes, receive_bytes
        Bytes of a word, of each stream to and from the core.
    """

    version: int
    buffer_bytes: int
    send_bytes: tuple[int, ...]
    receive_bytes: tuple[int, ...]

    def check(self, sends: Mapping[int, bytes], receives: Mapping[int, int]) -> None:
        """Refuse a transfer that this board's streams cannot make.

        Raises
        ------
        SpecError
            No such stream, part of a word, or a number of words that is none.
        """
        sides = (("to", sends, self.send_bytes), ("from", receives, self.receive_bytes))
        for side, given, sizes in sides:
            for k in given:
                if not sizes:
                    raise SpecError(f"this board has no streams {side} the core, got stream {k}")
                check_range(f"stream {side} the core", k, 0, len(sizes) - 1)
        for k, data in sends.items():
            size, rest = self.send_bytes[k], len(data) % self.send_bytes[k]
            if rest:
                raise SpecError(
                    f"data for stream {k} must be whole words of {size} bytes, "
                    f"got {len(data)} bytes; nearest is {len(data) - rest}"
                )
        for k, count in receives.items():
            check_range(f"words of stream {k}", count, 0, sys.maxsize)


def identity_of(body: bytes) -> Identity:
    """What the answer to IDENTIFY says after the nonce.

    Raises
    ------
    Incompatible
        It is of another version of the protocol, or says nothing that could be.
    """
    if not body or body[0] != VERSION:
        spoken = f"version {body[0]}" if body else "no version"
        raise Incompatible(
            f"the board speaks {spoken} of the link's protocol, this host {VERSION}: "
            f"build both from one release"
        )
    if len(body) >= FIXED_BYTES:
        buffer_bytes, sizes = int.from_bytes(body[1:3], "little"), body[FIXED_BYTES:]
        split, count = body[3], body[3] + body[4]
        if len(sizes) == count and all(sizes) and buffer_bytes >= FEWEST_BUFFER_BYTES:
            return Identity(
                version=body[0],
                buffer_bytes=buffer_bytes,
                send_bytes=tuple(sizes[:split]),
                receive_bytes=tuple(sizes[split:]),
            )
    raise Incompatible(f"an IDENTIFY was answered with {body.hex()}, which says nothing")
