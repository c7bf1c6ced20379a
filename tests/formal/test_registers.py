"""Proofs of the way to the registers: every request is answered once, on AXI4-Lite and behind."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value

from hw.bus.access_switch import AccessSwitch
from hw.bus.axi_lite import AxiLite
from hw.bus.register_file import RegisterFile
from tests.support.flat import Flat
from tests.support.formal import ProofFailed, StreamRules, free_ports, prove, prove_stream_rules
from tests.support.registers import every_access

pytestmark = pytest.mark.formal

COUNT = 4
"""Bits of counts that are compared; they may wrap."""

BOUND = 12
"""Cycles within which AXI4-Lite is answered if nobody stalls."""


def counted(m: Module, event: Value, name: str) -> Signal:
    """How often `event` was, modulo."""
    count = Signal(COUNT, name=name)
    m.d.sync += count.eq(count + event)
    return count


def taken(channel: Any) -> Value:
    return channel.valid & channel.ready


def answers_once(m: Module, port: Any) -> Signal:
    """What is assumed of an access port's other side; gives how many answers it owes."""
    owed = Signal(2, name="owed")
    m.d.sync += owed.eq(owed + taken(port.request) - taken(port.response))
    m.d.comb += Assume(~port.response.valid | (owed != 0), "answers what was asked")
    m.submodules.port_rules = StreamRules(port.response, Assume)
    return owed


def slave_state(m: Module, dut: AxiLite) -> None:
    """Every request is in one place: on its channel, at the port, or answered."""
    owed = answers_once(m, dut.access)
    bus, port = dut.bus, dut.access
    asked = taken(port.request)
    answered = taken(port.response)
    counts = {
        name: counted(m, event, f"count_{name}")
        for name, event in {
            "aw": taken(bus.aw),
            "w": taken(bus.w),
            "ar": taken(bus.ar),
            "b": taken(bus.b),
            "r": taken(bus.r),
            "asked_w": asked & port.request.payload.write,
            "asked_r": asked & ~port.request.payload.write,
            "answered_w": answered & dut.writing,
            "answered_r": answered & ~dut.writing,
        }.items()
    }

    def apart(before: str, after: str, between: Value, what: str) -> Any:
        width = (1 << COUNT) - 1
        return Assert(((counts[before] - counts[after]) & width) == between, what)

    m.d.comb += [
        apart("aw", "asked_w", dut.has_aw, "an address is held, or asked"),
        apart("w", "asked_w", dut.has_w, "data are held, or asked"),
        apart("ar", "asked_r", dut.has_ar, "a read is held, or asked"),
        apart("asked_w", "answered_w", dut.waiting & dut.writing, "a write waits, or is answered"),
        apart("asked_r", "answered_r", dut.waiting & ~dut.writing, "a read waits, or is answered"),
        apart("answered_w", "b", dut.has_b, "a write's answer is held, or gone"),
        apart("answered_r", "r", dut.has_r, "a read's answer is held, or gone"),
        Assert(owed == dut.waiting, "it waits for what it asked"),
        Assert(~(dut.asking & dut.waiting), "one request at a time"),
        Assert(~dut.asking | ~dut.writing | (dut.has_aw & dut.has_w & ~dut.has_b), "a whole write"),
        Assert(~dut.asking | dut.writing | (dut.has_ar & ~dut.has_r), "a whole read"),
        Assert(~dut.waiting | ~dut.writing | ~dut.has_b, "there is room for a write's answer"),
        Assert(~dut.waiting | dut.writing | ~dut.has_r, "there is room for a read's answer"),
    ]


def content(m: Module, dut: AxiLite) -> None:
    """What is asked is what came last on the channels; what is answered is what was told."""
    bus, port = dut.bus, dut.access
    last: dict[str, Any] = {}
    for name, channel in (("aw", bus.aw), ("w", bus.w), ("ar", bus.ar)):
        last[name] = Signal(channel.payload.shape(), name=f"last_{name}")
        with m.If(taken(channel)):
            m.d.sync += last[name].eq(channel.payload)
    error, read_error, data = Signal(), Signal(), Signal(32)
    told = port.response.payload
    with m.If(taken(port.response) & dut.writing):
        m.d.sync += error.eq(told.error)
    with m.If(taken(port.response) & ~dut.writing):
        m.d.sync += [data.eq(told.data), read_error.eq(told.error)]
    ask = port.request.payload
    address = Mux(dut.writing, last["aw"].addr, last["ar"].addr)
    m.d.comb += [
        Assert(~dut.has_aw | (dut.write_address == last["aw"].addr), "holds where to write"),
        Assert(~dut.has_ar | (dut.read_address == last["ar"].addr), "holds where to read"),
        Assert(~dut.has_w | (dut.data == last["w"].data), "holds what to write"),
        Assert(~dut.has_w | (dut.strobe == last["w"].strb), "holds which bytes to write"),
        Assert(~dut.asking | (ask.address == address & ~3), "asks for the address that came"),
        Assert(~dut.asking | ~dut.writing | (ask.data == last["w"].data), "writes what came"),
        Assert(~dut.asking | ~dut.writing | (ask.strobe == last["w"].strb), "writes those bytes"),
        Assert(~dut.has_b | (bus.b.payload.resp == Mux(error, 2, 0)), "tells how a write ended"),
        Assert(~dut.has_r | (bus.r.payload.resp == Mux(read_error, 2, 0)), "tells how a read did"),
        Assert(~dut.has_r | (bus.r.payload.data == data), "gives what was read"),
    ]


def test_axi_lite_answers_every_request_once_with_what_was_told():
    m = Module()
    m.submodules.dut = dut = AxiLite()
    slave_state(m, dut)
    content(m, dut)
    prove(m, name="axi_lite_contract", ports=free_ports(dut), depth=2)


def test_axi_lite_keeps_the_rules_of_channels():
    dut = AxiLite()
    prove_stream_rules(Flat(dut), name="axi_lite_rules", also=lambda m: slave_state(m, dut))


def nobody_stalls(m: Module, dut: AxiLite) -> None:
    """The port answers the cycle after it was asked, and answers on the bus are accepted."""
    port = dut.access
    m.d.comb += [
        Assume(port.request.ready, "a prompt port"),
        Assume(port.response.valid == dut.waiting, "answers at once"),
        Assume(dut.bus.b.ready & dut.bus.r.ready, "accepts answers"),
    ]


def waits(m: Module, event: Value, cycles: int, name: str) -> Value:
    """Whether `event` has been for that many cycles on end."""
    history = Signal(cycles, name=name)
    m.d.sync += history.eq(Cat(event, history))
    return history.all()


def test_neither_reads_nor_writes_wait_for_ever():
    m = Module()
    m.submodules.dut = dut = AxiLite()
    slave_state(m, dut)
    nobody_stalls(m, dut)
    m.d.comb += [
        Assert(~waits(m, dut.has_aw & dut.has_w, BOUND, "write"), "a write is served"),
        Assert(~waits(m, dut.has_ar, BOUND, "read"), "a read is served"),
    ]
    prove(m, name="axi_lite_bound", ports=free_ports(dut), depth=BOUND + 2)


def test_the_bound_is_not_met_by_less():
    """Negative control: a read does wait while a write goes before it."""
    m = Module()
    m.submodules.dut = dut = AxiLite()
    nobody_stalls(m, dut)
    m.d.comb += Assert(~waits(m, dut.has_ar, 3, "read"), "a read is served in three cycles")
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="axi_lite_bound_control", ports=free_ports(dut), depth=BOUND, mode="bmc")


def test_reads_and_writes_come_through():
    m = Module()
    m.submodules.dut = dut = AxiLite()
    slave_state(m, dut)
    m.d.comb += Cover(taken(dut.bus.b) & taken(dut.bus.r), "both answered at once")
    prove(m, name="axi_lite_cover", ports=free_ports(dut), depth=16, mode="cover")


def file_state(m: Module, dut: RegisterFile) -> None:
    port = dut.access
    requests = counted(m, taken(port.request), "requests")
    responses = counted(m, taken(port.response), "responses")
    width = (1 << COUNT) - 1
    m.d.comb += [
        Assert(
            ((requests - responses) & width)
            == dut.asked + dut.decoded + dut.decided + dut.answered,
            "each is answered",
        ),
        Assert(((requests - responses) & width) <= 1, "one at a time"),
    ]


def test_the_register_file_keeps_the_rules_of_streams():
    dut = RegisterFile(every_access())
    prove_stream_rules(Flat(dut), name="register_file_rules", also=lambda m: file_state(m, dut))


def test_nothing_changes_but_by_a_write_that_is_answered_well():
    m = Module()
    dut: Any = RegisterFile(every_access())
    m.submodules.dut = dut
    file_state(m, dut)
    job, before = Value.cast(dut.job), Signal(len(Value.cast(dut.job)))
    # What counts is whether settings were locked when the write was decided, a cycle before.
    decided, locked, first = Signal(), Signal(), Signal(init=1)
    m.d.sync += [before.eq(job), decided.eq(dut.locked), locked.eq(decided), first.eq(0)]
    response = dut.access.response
    fresh, waited = Signal(), Signal()
    m.d.sync += waited.eq(response.valid)
    m.d.comb += fresh.eq(response.valid & ~waited)
    good = fresh & ~response.payload.error
    m.d.comb += [
        Assert(first | (job == before) | (good & ~locked), "settings"),
        Assert(~Value.cast(dut.control).any() | good, "commands"),
        Assert(~Value.cast(dut.refused).any() | (fresh & response.payload.error), "refusals"),
        Assert((dut.job.length >= 3) & (dut.job.length <= 20), "a setting is in its range"),
        Assert(dut.job.mode <= 2, "every field is"),
    ]
    prove(m, name="register_file_contract", ports=free_ports(dut), depth=5)


def switch_state(m: Module, dut: AccessSwitch) -> None:
    """Every request is in one place; and who answers has been asked."""
    for k, port in enumerate(dut.ports):
        owed = Signal(name=f"owed_{k}")
        with m.If(taken(port.request)):
            m.d.sync += owed.eq(1)
        with m.Elif(taken(port.response)):
            m.d.sync += owed.eq(0)
        m.submodules[f"port_rules_{k}"] = StreamRules(port.response, Assume)
        m.d.comb += [
            Assume(~port.response.valid | owed, "answers what was asked"),
            Assert(owed == dut.hearing[k], "it hears whom it asked"),
        ]
    requests = counted(m, taken(dut.access.request), "requests")
    responses = counted(m, taken(dut.access.response), "responses")
    places = Cat(dut.asking, dut.hearing, dut.nobody, dut.answered)
    m.d.comb += Assert(dut.idle == ~places.any(), "idle with none")
    width = (1 << COUNT) - 1
    m.d.comb += [
        Assert(((requests - responses) & width) == places.any(), "each is answered"),
        Assert(~(places & (places - 1)).any(), "one at a time"),
    ]


def test_the_switch_keeps_the_rules_of_streams():
    dut = AccessSwitch(3)
    prove_stream_rules(Flat(dut), name="access_switch_rules", also=lambda m: switch_state(m, dut))


def test_the_switch_asks_whom_the_address_is_of_and_tells_what_it_heard():
    m = Module()
    m.submodules.dut = dut = AccessSwitch(3)
    switch_state(m, dut)
    request, response = dut.access.request, dut.access.response
    last: Any = Signal(request.payload.shape())
    heard: Any = Signal(response.payload.shape())
    with m.If(taken(request)):
        m.d.sync += [last.eq(request.payload), Value.cast(heard).eq(1 << 32)]
    for k, port in enumerate(dut.ports):
        with m.If(taken(port.response)):
            m.d.sync += heard.eq(port.response.payload)
        ask, mine = port.request.payload, last.address[12:] == k
        m.d.comb += [
            Assert(~port.request.valid | mine, "whom the address is of"),
            Assert(~dut.hearing[k] | mine, "hears whom the address is of"),
            Assert(~dut.nobody | ~mine, "nobody is one beyond"),
            Assert(~port.request.valid | (ask.address == last.address[:12]), "the address"),
            Assert(~port.request.valid | (ask.data == last.data), "the data"),
            Assert(~port.request.valid | (ask.strobe == last.strobe), "the bytes"),
            Assert(~port.request.valid | (ask.write == last.write), "whether to write"),
            Assert(
                ~port.request.valid | (Value.cast(heard) == 1 << 32), "a new request is not heard"
            ),
        ]
    told = Value.cast(response.payload)
    m.d.comb += [
        Assert(~dut.answered | (told[-1] == heard.error), "whether it was an error"),
        Assert(~dut.answered | (told[:32] == heard.data), "what was read"),
        Assert(~dut.nobody | (Value.cast(heard) == 1 << 32), "nobody answers with an error"),
    ]
    prove(m, name="access_switch_contract", ports=free_ports(dut), depth=3)
