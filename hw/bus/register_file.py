"""The port through which any bus reads and writes registers: one request, one response."""

from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

__all__ = ["ADDRESS_BITS", "WORD_BITS", "AccessSignature", "request_shape", "response_shape"]

ADDRESS_BITS = 12
"""Of a byte address: 4 KiB of registers, the least that an AXI interconnect gives out."""

WORD_BITS = 32
"""Of a register."""


def request_shape() -> StructLayout:
    """What is asked.

    `address` counts bytes, and a register is at a multiple of 4. With `write` the register is
    written with `data`, as a whole if every bit of `strobe` is 1 and not at all otherwise; `strobe`
    has a bit for each byte, as on AXI, and a bus without byte enables sends 0b1111. Without `write`
    the register is read, and `data` and `strobe` mean nothing.
    """
    return StructLayout({"address": ADDRESS_BITS, "write": 1, "data": WORD_BITS, "strobe": 4})


def response_shape() -> StructLayout:
    """What is answered.

    `data` is what was read, 0 for a write and where `error` is set. `error`: nothing was read or
    written, because there is no such register or it does not take that.
    """
    return StructLayout({"data": WORD_BITS, "error": 1})


class AccessSignature(wiring.Signature):
    """Members of a register access port, as the bus that asks sees them.

    Contract: every request that is accepted is answered once, in order; a request is accepted only
    when no answer is outstanding. Both are streams: an offer is held until it is accepted. Reading
    changes nothing, so that a bus may read again; writing may, so that it must not write again.

    *Timing*: a response is offered the cycle after its request was accepted.

    *Members*
    request
        Stream of `request_shape`.
    response
        Stream of `response_shape`.
    """

    def __init__(self):
        super().__init__(
            {
                "request": Out(stream.Signature(request_shape())),
                "response": In(stream.Signature(response_shape())),
            }
        )
