"""The registers in gates, and the port through which any bus reads and writes them."""

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

    *Timing*: a response is offered `RegisterFile.LATENCY` cycles after its request was accepted.

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

    `asked` and `answered` are its state, for proofs to refer to.
    """

    LATENCY = 2

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
        self.asked, self.answered = Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        """Take a request, do it, offer the answer."""
        m = Module()
        request, response = self.access.request, self.access.response
        ask: Any = Signal(request_shape(), reset_less=True)
        answer: Any = Signal(response_shape(), reset_less=True)
        m.d.comb += [
            request.ready.eq(~self.asked & ~self.answered),
            response.valid.eq(self.answered),
            response.payload.eq(answer),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += [self.asked.eq(1), ask.eq(request.payload)]
        with m.If(self.asked):
            m.d.sync += [self.asked.eq(0), self.answered.eq(1)]
        with m.If(self.answered & response.ready):
            m.d.sync += self.answered.eq(0)

        found = _Found()
        write, whole = self.asked & ask.write, ask.strobe.all()
        does = write & found.writable & whole & found.takes & found.free
        # What happens without a write; a write below goes before it.
        m.d.comb += [found.takes.eq(1), found.free.eq(1)]
        m.d.sync += self.refused.eq(0)
        for register in self.registers.of(Access.COMMAND):
            m.d.sync += getattr(self, register.name).eq(0)
        for register in self.registers.of(Access.STICKY):
            now = getattr(self, f"{register.name}_now")
            m.d.sync += now.eq(Value.cast(now) | Value.cast(getattr(self, register.name)))
        with m.Switch(ask.address):
            for register in self.registers:
                with m.Case(register.offset):
                    m.d.comb += [found.known.eq(1), found.writable.eq(register.access.writable)]
                    self._select(m, register, ask.data, found, does)
        with m.If(self.asked):
            m.d.sync += [
                answer.data.eq(Mux(ask.write, 0, found.word)),
                answer.error.eq(~Mux(ask.write, does, found.known)),
            ]
        with m.If(write):
            m.d.sync += [
                self.refused.unknown.eq(~(found.writable & whole)),
                self.refused.value.eq(found.writable & whole & ~found.takes),
                self.refused.locked.eq(found.writable & whole & found.takes & ~found.free),
            ]
        return m

    def _select(
        self, m: Module, register: Register, data: Value, found: "_Found", does: Value
    ) -> None:
        """What a register reads as, and what a write does to it."""
        if register.access is Access.CONSTANT:
            m.d.comb += found.word.eq(register.value)
            return
        own = getattr(self, register.name)
        if register.access is Access.STICKY:
            now = getattr(self, f"{register.name}_now")
            m.d.comb += found.word.eq(_word(register, now))
            with m.If(does):
                m.d.sync += [
                    now[field.name].eq(own[field.name] | now[field.name] & ~_bits(field, data))
                    for field in register.fields
                ]
            return
        if register.access is not Access.COMMAND:
            m.d.comb += found.word.eq(_word(register, own))
        if register.access is Access.SETTING:
            m.d.comb += [found.takes.eq(_takes(register, data)), found.free.eq(~self.locked)]
        if register.access.writable:
            with m.If(does):
                m.d.sync += [own[field.name].eq(_bits(field, data)) for field in register.fields]


class _Found:
    """What was found at an address: its word, and whether it takes a write."""

    def __init__(self):
        self.word = Signal(WORD_BITS, name="found_word")
        self.known = Signal(name="found_known")
        self.writable = Signal(name="found_writable")
        self.takes = Signal(name="found_takes")
        self.free = Signal(name="found_free")


def _out(fields: StructLayout, init: Any) -> Any:
    """An output that holds `init` after reset."""
    return Out(fields, init=init)  # pyright: ignore[reportCallIssue]: the stubs leave it out


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
