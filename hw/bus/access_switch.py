"""One register access port in front of several, each with a map of registers of its own."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.bus.register_file import (
    ADDRESS_BITS,
    AccessSignature,
    request_shape,
    response_shape,
)

__all__ = ["AccessSwitch"]


class AccessSwitch(wiring.Component):
    """Gives each request to the port that its address is of, and its answer back.

    Contract: `AccessSignature` on all sides. Port k has the 4 KiB from k * 0x1000 on, and is asked
    for the address within these. A request for none of them is answered with `error`, as one for a
    register that does not exist.

    *Timing*: a cycle to each side, and no path through: 2 cycles beside those of the port, and
    2 in all where there is none.

    *Members*
    access
        The port that is asked, with addresses of `address_bits`.
    o_<k>
        The ports behind, also in the list `ports`.

    `ask`, `idle`, `asking`, `hearing`, `nobody` and `answered` are its state, for proofs to refer
    to.
    """

    access: Any

    def __init__(self, count: int):
        self.address_bits = ADDRESS_BITS + (count - 1).bit_length()
        super().__init__(
            {
                "access": In(AccessSignature(self.address_bits)),
                **{f"o_{k}": Out(AccessSignature()) for k in range(count)},
            }
        )
        self.ports: list[Any] = [getattr(self, f"o_{k}") for k in range(count)]
        self.ask: Any = Signal(request_shape(self.address_bits), reset_less=True)
        self.idle = Signal(init=1)
        self.asking = Signal(count)
        self.hearing = Signal(count)
        self.nobody = Signal()
        self.answered = Signal()

    def elaborate(self, platform: object) -> Module:
        """Hold the request, then the answer."""
        m = Module()
        request, response = self.access.request, self.access.response
        answer: Any = Signal(response_shape(), reset_less=True)
        m.d.comb += [
            request.ready.eq(self.idle),
            response.valid.eq(self.answered),
            response.payload.eq(answer),
        ]
        with m.If(request.valid & self.idle):
            index = request.payload.address[ADDRESS_BITS:]
            asked = [index == k for k in range(len(self.ports))]
            m.d.sync += [
                self.idle.eq(0),
                self.ask.eq(request.payload),
                self.asking.eq(Cat(asked)),
                self.nobody.eq(~Cat(asked).any()),
            ]
        data: list[Value] = []
        errors: list[Value] = [self.nobody]
        for k, port in enumerate(self.ports):
            m.d.comb += [
                port.request.valid.eq(self.asking[k]),
                port.request.payload.address.eq(self.ask.address[:ADDRESS_BITS]),
                port.request.payload.write.eq(self.ask.write),
                port.request.payload.data.eq(self.ask.data),
                port.request.payload.strobe.eq(self.ask.strobe),
                port.response.ready.eq(self.hearing[k]),
            ]
            with m.If(self.asking[k] & port.request.ready):
                m.d.sync += [self.asking[k].eq(0), self.hearing[k].eq(1)]
            with m.If(self.hearing[k] & port.response.valid):
                m.d.sync += [self.hearing[k].eq(0), self.answered.eq(1)]
            data.append(Mux(self.hearing[k], port.response.payload.data, 0))
            errors.append(self.hearing[k] & port.response.payload.error)
        with m.If(self.nobody):
            m.d.sync += [self.nobody.eq(0), self.answered.eq(1)]
        with m.If(~self.answered):
            m.d.sync += [answer.data.eq(reduce(or_, data)), answer.error.eq(Cat(errors).any())]
        with m.Elif(response.ready):
            m.d.sync += [self.answered.eq(0), self.idle.eq(1)]
        return m
