"""Frames of the link as the host makes and reads them."""

import zlib

from cobs import cobs

from spec.link import CRC_BYTES, HEAD_BYTES

__all__ = ["FRAME_BYTES", "content_of", "frame_of"]

FRAME_BYTES = 2 + 1 + HEAD_BYTES + CRC_BYTES
"""Of a frame that carries nothing: two zeros, a code, head and CRC."""


def frame_of(content: bytes) -> bytes:
    """A frame as it is sent: its CRC behind it, encoded, between zeros.

    The zero before ends what noise may have begun.
    """
    crc = zlib.crc32(content).to_bytes(CRC_BYTES, "little")
    return b"\0" + cobs.encode(content + crc) + b"\0"


def content_of(frame: bytes) -> bytes | None:
    """What came between two zeros, without its CRC; None if it is no sound frame."""
    try:
        whole = cobs.decode(frame)
    except cobs.DecodeError:
        return None
    content, crc = whole[:-CRC_BYTES], whole[-CRC_BYTES:]
    if len(content) < HEAD_BYTES or zlib.crc32(content) != int.from_bytes(crc, "little"):
        return None
    return content
