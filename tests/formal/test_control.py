"""Proofs of a run's control: no start is lost without a word, and no failure is forgotten."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal, Value

from hw.bus.control import Control
from hw.bus.registers import FATAL, Identity, constant, setting, system_map
from spec.registers import Field
from tests.support.formal import ProofFailed, free_ports, prove

pytestmark = pytest.mark.formal

DEPTH = 16
"""Cycles from reset: a start, a fault and a clear through the port take four each."""


def control() -> Any:
    """A control with an input, an output and a table."""
    size = Field(name="count", low=0, width=3, meaning="a size", value=1, least=1)
    streams = {"inputs": ["i"], "outputs": ["o"], "tables": ["mask"]}
    registers = system_map(
        "softmax",
        Identity(interface_version=1, digest="5a" * 32),
        capabilities=[constant("lanes", 4, "a number")],
        settings=[setting("size", "a size", size)],
        **streams,
    )
    return Control(registers, **streams)


def harness(m: Module) -> Any:
    """A control whose streams report what they like, and a watchdog that cannot be far."""
    m.submodules.dut = dut = control()
    m.d.comb += Assume(~(dut.begin & dut.idle), "adapters are not done as they begin")
    return dut


def fatal(causes: Any) -> Value:
    return Cat(causes[name] for name in FATAL).any()


def test_every_start_and_load_begins_or_is_told_why_not():
    m = Module()
    dut = harness(m)
    command, told = dut.file.control, dut.file.error
    busy, failed, startable, asked = Signal(), Signal(), Signal(), Signal(3)
    m.d.sync += [
        busy.eq(dut.busy),
        failed.eq(dut.failed),
        startable.eq(dut.startable),
        asked.eq(Cat(command.start, command.load, command.abort)),
    ]
    begun = dut.begin | dut.begin_load
    started, loaded, _ = asked
    m.d.comb += [
        Assert(~begun | dut.busy, "what begins is going"),
        Assert(~begun | ~busy, "nothing begins while something goes on"),
        Assert(~begun | ~failed, "nor while a failure is uncleared"),
        Assert(~dut.begin | (started & startable), "a run begins only when it was asked for"),
        Assert(~dut.begin_load | loaded, "so does a load"),
        Assert(~(dut.begin & dut.begin_load), "not both at once"),
        Assert(
            ~command.start
            | told.start_busy
            | told.start_error
            | told.mask_missing
            | (~dut.busy & ~dut.failed & dut.startable),
            "a start that does not begin is told",
        ),
        Assert(
            ~command.load
            | told.load_busy
            | told.start_error
            | (~dut.busy & ~dut.failed & ~command.start),
            "a load that does not begin is told",
        ),
        Assert(~(started & startable & ~busy & ~failed) | dut.begin, "a free start begins"),
    ]
    prove(m, name="control_starts", ports=free_ports(dut), depth=3)


def test_a_failure_lasts_until_it_is_cleared_and_nothing_goes_on():
    m = Module()
    dut = harness(m)
    failed, busy, held, happened, dropped = Signal(), Signal(), Signal(), Signal(), Signal()
    m.d.sync += [
        failed.eq(dut.failed),
        busy.eq(dut.busy),
        held.eq(fatal(dut.file.error_now)),
        happened.eq(fatal(dut.file.error)),
        dropped.eq(dut.drop),
    ]
    m.d.comb += [
        Assert(~happened | dut.failed, "a fatal cause fails"),
        Assert(~happened | fatal(dut.file.error_now), "and is held"),
        Assert(~fatal(dut.file.error_now) | dut.failed, "as long as it is held"),
        Assert(~(failed & ~dut.failed) | (~busy & ~held), "until it is cleared and all is still"),
        Assert(~(dropped & ~dut.drop) | ~dut.failed, "outputs are dropped as long"),
        Assert(~dut.drop | dut.failed, "and only in a failure"),
        Assert(dut.error == Value.cast(dut.file.error_now).any(), "error shows any cause"),
    ]
    prove(m, name="control_failure", ports=free_ports(dut), depth=3)


def test_a_run_ends_when_all_is_idle_and_not_before():
    m = Module()
    dut = harness(m)
    busy, idle, begun = Signal(), Signal(), Signal()
    m.d.sync += [busy.eq(dut.busy), idle.eq(dut.idle), begun.eq(dut.begin | dut.begin_load)]
    m.d.comb += [
        Assert(~(busy & ~dut.busy) | (idle & ~begun), "ends when nothing is left"),
        Assert(~(busy & idle & ~begun) | ~dut.busy, "and then at once"),
        Assert(dut.file.locked == dut.busy, "settings are locked as long"),
    ]
    prove(m, name="control_end", ports=free_ports(dut), depth=3)


def test_a_run_fails_and_is_got_over():
    m = Module()
    dut = harness(m)
    over, was = Signal(), Signal()
    m.d.sync += was.eq(dut.failed)
    with m.If(was & ~dut.failed):
        m.d.sync += over.eq(1)
    m.d.comb += Cover(over & dut.begin, "begins again after a failure")
    prove(m, name="control_cover", ports=free_ports(dut), depth=24, mode="cover")


def test_a_failure_is_not_always_over():
    """Negative control: a claim that a failure ends with its run is refuted."""
    m = Module()
    dut = harness(m)
    m.d.comb += Assert(~dut.failed | dut.busy, "failed only in a run")
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="control_control", ports=free_ports(dut), depth=DEPTH, mode="bmc")
