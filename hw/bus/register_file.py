"""The registers in gates, and the port through which any bus reads and writes them."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from spec.registers import ADDRESS_BITS, WORD_BITS, Access, Field, Register, RegisterMap

__all__ = [
    "ADDRESS_BITS",
    "WORD_BITS",
    "AccessSignature",
    "RegisterFile",
    "request_shape",
    "response_shape",
]


def request_shape(address_bits: int = ADDRESS_BITS) -> StructLayout:
    """What is asked.

    `address` counts bytes, and a register is at a multiple of 4; it has more bits than a map's own
    where several maps lie one after the other. With `write` the register is
    written with `data`, as a whole if every bit of `strobe` is 1 and not at all otherwise; `strobe`
    has a bit for each byte, as on AXI, and a bus without byte enables sends 0b1111. Without `write`
    the register is read, and `data` and `strobe` mean nothing.
    """
    return StructLayout({"address": address_bits, "write": 1, "data": WORD_BITS, "strobe": 4})


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

    *Timing*: a response is offered `RegisterFile.LATENCY` cycles after its request was accepted;
    two cycles later behind a `hw.bus.access_switch.AccessSwitch`.

    *Members*
    request
        Stream of `request_shape`.
    response
        Stream of `response_shape`.
    """

    def __init__(self, address_bits: int = ADDRESS_BITS):
        super().__init__(
            {
                "request": Out(stream.Signature(request_shape(address_bits))),
                "response": In(stream.Signature(response_shape())),
            }
        )


READ_GROUP = 8
"""Registers whose words meet in one cycle of a read; the groups meet in the next."""


class RegisterFile(wiring.Component):
    """A map of registers in gates: decodes requests, holds settings and what is sticky.

    Contract: `AccessSignature`. A write is refused, changes nothing and is answered with `error` if
    there is no register that can be written at its address, or it is not of the whole word
    (`refused.unknown`); if a setting would get a value that it does not take, or a bit that no
    field has (`refused.value`); or if a setting is written while `locked` (`refused.locked`). A
    read is refused where there is no register. A sticky bit that is set and cleared in one cycle
    is set.

    *Timing*: a response is offered `LATENCY` cycles after its request was accepted, and a write has
    its effect in the first cycle of the offer.

    *Members*
    access
        The port.
    locked
        Settings may not be written.
    refused
        {unknown, value, locked}, for a cycle: a write was refused, and why.
    <register>
        Of a setting, out: its fields. Of a command, out: its fields, for a cycle. Of a status, in.
        Of a sticky register, in: what to set; and out, as <register>_now, what is set.

    `asked`, `decoded`, `decided` and `answered` are its state, one after the other, for proofs to
    refer to.
    """

    LATENCY = 4

    access: Any
    locked: Signal
    refused: Any

    def __init__(self, registers: RegisterMap):
        self.registers = registers
        members: dict[str, Any] = {
            "access": In(AccessSignature()),
            "locked": In(1),
            "refused": Out(StructLayout({"unknown": 1, "value": 1, "locked": 1})),
        }
        for register in registers:
            fields = StructLayout({field.name: field.width for field in register.fields})
            init = {field.name: field.value for field in register.fields}
            if register.access in (Access.SETTING, Access.COMMAND):
                members[register.name] = _out(fields, init)
            elif register.access in (Access.STATUS, Access.STICKY):
                members[register.name] = In(fields)
            if register.access is Access.STICKY:
                members[f"{register.name}_now"] = _out(fields, init)
        super().__init__(members)
        self.asked = Signal()
        self.decoded = Signal()
        self.decided = Signal()
        self.answered = Signal()

    def elaborate(self, platform: object) -> Module:
        """Take a request, decode and decide it, do it and offer the answer: a step a cycle."""
        m = Module()
        request, response = self.access.request, self.access.response
        busy = self.asked | self.decoded | self.decided | self.answered
        ask: Any = Signal(request_shape(), reset_less=True)
        m.d.comb += [request.ready.eq(~busy), response.valid.eq(self.answered)]
        m.d.sync += [
            self.asked.eq(request.valid & request.ready),
            self.decoded.eq(self.asked),
            self.decided.eq(self.decoded),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += ask.eq(request.payload)
        with m.If(self.decided):
            m.d.sync += self.answered.eq(1)
        with m.Elif(response.ready):
            m.d.sync += self.answered.eq(0)

        hits, kinds = self._decode(m, ask)
        does, error, reasons = self._decide(m, ask, hits, kinds)
        self._do(m, ask.data, Cat(does & hit for hit in hits))
        partial = self._read(m, hits)
        m.d.sync += Value.cast(self.refused).eq(Mux(self.decided, reasons, 0))
        with m.If(self.decided):
            word = Mux(ask.write, 0, _any_of(partial))
            m.d.sync += [response.payload.data.eq(word), response.payload.error.eq(error)]
        return m

    def _decode(self, m: Module, ask: Any) -> tuple[Signal, Any]:
        """Which register is asked for, a bit for each; and whether it is one of a kind."""
        hits = Signal(len(self.registers.registers), reset_less=True)
        kinds: Any = Signal(
            StructLayout({"known": 1, "writable": 1, "setting": 1}), reset_less=True
        )
        asked = [(ask.address == register.offset, register.access) for register in self.registers]
        m.d.sync += [
            hits.eq(Cat(hit for hit, _ in asked)),
            kinds.known.eq(Cat(hit for hit, _ in asked).any()),
            kinds.writable.eq(Cat(hit for hit, access in asked if access.writable).any()),
            kinds.setting.eq(Cat(hit for hit, access in asked if access is Access.SETTING).any()),
        ]
        return hits, kinds

    def _decide(
        self, m: Module, ask: Any, hits: Signal, kinds: Any
    ) -> tuple[Signal, Signal, Signal]:
        """Whether a write is done, whether anything is an error, and which of the refusals."""
        takes = Signal(len(hits), reset_less=True)
        for number, register in enumerate(self.registers):
            setting = register.access is Access.SETTING
            m.d.sync += takes[number].eq(_takes(register, ask.data) if setting else 1)
        can = ask.strobe.all() & kinds.writable
        bad = (hits & ~takes).any()
        locked = kinds.setting & self.locked
        does = Signal(reset_less=True)
        error = Signal(reset_less=True)
        reasons = Signal(3, reset_less=True)
        good_write = can & ~bad & ~locked
        m.d.sync += [
            does.eq(self.decoded & ask.write & good_write),
            error.eq(~Mux(ask.write, good_write, kinds.known)),
            reasons.eq(Mux(ask.write, Cat(~can, can & bad, can & ~bad & locked), 0)),
        ]
        return does, error, reasons

    def _read(self, m: Module, hits: Signal) -> list[Value]:
        """The word that is asked for, as a few words of which one alone is not zero."""
        parts: list[Value] = []
        for first in range(0, len(hits), READ_GROUP):
            group = list(enumerate(self.registers))[first : first + READ_GROUP]
            part = Signal(WORD_BITS, name=f"read_{first // READ_GROUP}", reset_less=True)
            m.d.sync += part.eq(
                _any_of([Mux(hits[k], self._shown(register), 0) for k, register in group])
            )
            parts.append(part)
        return parts

    def _shown(self, register: Register) -> Value:
        """What a register reads as."""
        if register.access is Access.CONSTANT:
            return Const(register.value, WORD_BITS)
        if register.access is Access.COMMAND:
            return Const(0, WORD_BITS)
        sticky = register.access is Access.STICKY
        return _word(register, getattr(self, f"{register.name}_now" if sticky else register.name))

    def _do(self, m: Module, data: Value, writes: Value) -> None:
        """What a write does, and what happens without one."""
        for number, register in enumerate(self.registers):
            if register.access in (Access.CONSTANT, Access.STATUS):
                continue
            own = getattr(self, register.name)
            if register.access is Access.STICKY:
                now = getattr(self, f"{register.name}_now")
                m.d.sync += now.eq(Value.cast(now) | Value.cast(own))
                with m.If(writes[number]):
                    m.d.sync += [
                        now[field.name].eq(own[field.name] | now[field.name] & ~_bits(field, data))
                        for field in register.fields
                    ]
                continue
            if register.access is Access.COMMAND:
                m.d.sync += own.eq(0)
            with m.If(writes[number]):
                m.d.sync += [own[field.name].eq(_bits(field, data)) for field in register.fields]


def _out(fields: StructLayout, init: Any) -> Any:
    """An output that holds `init` after reset."""
    return Out(fields, init=init)  # pyright: ignore[reportCallIssue]: the stubs leave it out


def _any_of(words: Sequence[Value]) -> Value:
    """Their bits, or'ed."""
    return reduce(or_, words)


def _bits(field: Field, word: Value) -> Value:
    """A field's bits of a word."""
    return word[field.low : field.low + field.width]


def _word(register: Register, fields: Any) -> Value:
    """The word of a register's fields; bits that no field has are 0."""
    parts: list[Value] = []
    at = 0
    for field in register.fields:
        parts += [Const(0, field.low - at), Value.cast(fields[field.name])]
        at = field.low + field.width
    return Cat(*parts)


def _takes(register: Register, word: Value) -> Value:
    """Whether every field takes its bits of a word, and no other bit is set."""
    mask = sum(field.mask for field in register.fields)
    good = [~(word & ~mask & (1 << WORD_BITS) - 1).any()]
    for field in register.fields:
        if field.least:
            good.append(_bits(field, word) >= field.least)
        if field.top < (1 << field.width) - 1:
            good.append(_bits(field, word) <= field.top)
    return Cat(*good).all()
