"""Proofs of the adapters of rows: a run's input ends whatever comes, and each fault is named."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value, signed, unsigned

from hw.bus.axi_stream import RowIn, RowOut, RowsConfig
from tests.formal.test_stream import skid_state
from tests.support.abstract import delayed
from tests.support.formal import StreamRules, free_ports, prove, prove_stream_rules

pytestmark = pytest.mark.formal

RAGGED = RowsConfig(
    lanes=2, element=signed(9), transfers=3, rows=3, sets=2, user=2, ragged=True
)  # two bytes an element
WHOLE = RowsConfig(lanes=2, element=unsigned(8), transfers=4, rows=1, sets=3)
CONFIGS = pytest.mark.parametrize("config", [RAGGED, WHOLE], ids=["ragged", "whole"])


def plan_of(m: Module, dut: RowIn) -> Any:
    """Assume of the plan what its user promises: in range, still while it is used."""
    config, plan = dut.config, dut.plan
    before: Any = Signal.like(plan, name="before")
    m.d.sync += before.eq(plan)
    m.d.comb += [
        Assume(plan.transfers < config.transfers, "transfers in range"),
        Assume(plan.rows < config.rows, "rows in range"),
        Assume(plan.sets < config.sets, "sets in range"),
        Assume(~dut.active | (Value.cast(plan) == Value.cast(before)), "the plan is still"),
        Assume(~(dut.begin & dut.active), "begins when nothing is left"),
    ]
    return plan


def position(m: Module, dut: RowIn, plan: Any) -> tuple[Value, Value, Value]:
    """Count what was given since the run began; give whether a row, a set, the run ends next."""
    config = dut.config
    given = dut.skid.i.valid & dut.skid.i.ready
    at = Signal(range(config.transfers + 1))
    row, done = Signal(range(config.rows + 1)), Signal(range(config.sets + 1))
    row_end = at == plan.transfers
    set_end = row_end & (row == plan.rows)
    run_end = set_end & (done == plan.sets)
    with m.If(dut.begin):
        m.d.sync += [at.eq(0), row.eq(0), done.eq(0)]
    with m.Elif(given):
        m.d.sync += at.eq(Mux(row_end, 0, at + 1))
        with m.If(row_end):
            m.d.sync += row.eq(Mux(set_end, 0, row + 1))
        with m.If(set_end):
            m.d.sync += done.eq(done + 1)
    left = dut.left
    m.d.comb += [
        Assert(~dut.active | (left.transfers + at == plan.transfers), "transfers left in the row"),
        Assert(~dut.active | (left.rows + row == plan.rows), "rows left in the set"),
        Assert(~dut.active | (left.sets + done == plan.sets), "sets left in the run"),
        Assert(~dut.active | (dut.row_due == (left.transfers == 0)), "whether a row ends"),
        Assert(~dut.active | (dut.wanted == wanted_of(config, row_end, plan.tail)), "and its end"),
    ]
    return row_end, set_end, run_end


def wanted_of(config: RowsConfig, row_end: Value, tail: Value) -> Value:
    """Elements of the next transfer, a bit each."""
    return Mux(row_end & config.ragged, (2 << tail) - 1, (1 << config.lanes) - 1)


@CONFIGS
def test_a_run_gives_the_plan_whatever_comes(config):
    m = Module()
    m.submodules.dut = dut = RowIn(config)
    plan = plan_of(m, dut)
    row_end, set_end, run_end = position(m, dut, plan)
    word, given = dut.skid.i.payload, dut.skid.i.valid & dut.skid.i.ready
    drop = dut.drops
    wanted = wanted_of(config, row_end, plan.tail)
    ends, was_active, was_given, begun = Signal(), Signal(), Signal(), Signal()
    m.d.sync += [
        ends.eq(given & run_end),
        was_active.eq(dut.active),
        was_given.eq(given),
        begun.eq(dut.begin),
    ]
    m.d.comb += [
        Assert(~given | dut.active, "gives nothing but in a run"),
        Assert(~given | (word.row_last == row_end), "a row ends where the plan says"),
        Assert(~given | (word.set_last == set_end), "a set ends where the plan says"),
        Assert(~given | (word.kept == Mux(drop, 0, wanted)), "elements are what the plan says"),
        Assert(~given | ~drop | (Value.cast(word.data) == 0), "zeros in place of what is dropped"),
        Assert(~(dut.active & drop) | dut.skid.i.valid, "goes on by itself once it has failed"),
        Assert(~dut.i.ready | dut.active | drop, "takes nothing before or after the run"),
        Assert(~ends | ~dut.active | begun, "the run ends with its last transfer"),
        Assert(~was_active | dut.active | ends, "and not before"),
        Assert(~begun | dut.active, "it goes from begin on"),
    ]
    for lane in range(config.lanes):
        low, width = 8 * config.element_bytes * lane, config.element.width
        element = dut.i.payload.data[low : low + width]
        m.d.comb += Assert(
            ~given | drop | (Value.cast(word.data[lane]).as_unsigned() == element),
            "elements are those that came",
        )
    if config.user:
        m.d.comb += Assert(~given | drop | (word.user == dut.i.payload.user), "so is TUSER")
    prove(m, name=f"row_in_{config.user}", ports=free_ports(dut), depth=3)


def faults_of(config: RowsConfig, packet: Any, row_end: Value, tail: Value) -> dict[str, Value]:
    """Each fault, said again: by numbers of bytes, not by masks."""
    size, whole = config.element_bytes, config.lanes * config.element_bytes
    prefixes = [packet.keep == (1 << size * n) - 1 for n in range(config.lanes + 1)]
    formed = Cat(prefixes).any()
    expected = Mux(row_end & config.ragged, tail + 1, config.lanes)
    more = Cat(prefixes[n] & (expected < n) for n in range(config.lanes + 1)).any()
    fewer = Cat(prefixes[n] & (expected > n) for n in range(config.lanes + 1)).any()
    right = packet.last == row_end
    return {
        "row_early": packet.last & ~row_end,
        "row_missing": ~packet.last & row_end,
        "row_short": right & row_end & fewer,
        "row_long": right & row_end & more,
        "keep": right & (~formed | (~row_end & (packet.keep != (1 << whole) - 1))),
    }


@CONFIGS
def test_each_fault_is_named_once_and_spoils_what_follows(config):
    m = Module()
    m.submodules.dut = dut = RowIn(config)
    plan = plan_of(m, dut)
    row_end, _, _ = position(m, dut, plan)
    some = Value.cast(dut.fault).any()
    taken = dut.i.valid & dut.i.ready & ~dut.drops & ~some
    faults = faults_of(config, dut.i.payload, row_end, plan.tail)
    expected = Signal(len(faults))
    m.d.sync += expected.eq(Mux(taken, Cat(faults.values()), 0))
    was_some = delayed(m, some, 1)
    was_failed = delayed(m, dut.failed, 1)
    m.d.comb += [
        Assert(Value.cast(dut.fault) == expected, "what was wrong with the transfer before"),
        Assert(~some | ~dut.skid.i.valid | dut.drops, "a fault spoils what follows at once"),
        Assert(~was_some | dut.drops, "and drops it"),
        Assert(~was_some | dut.spoilt, "until the run has failed of it"),
        Assert(dut.drops == (was_failed | dut.spoilt), "drops what comes after a fault or failure"),
    ]
    prove(m, name=f"row_in_faults_{config.user}", ports=free_ports(dut), depth=3)


def test_every_fault_can_happen():
    m = Module()
    m.submodules.dut = dut = RowIn(RAGGED)
    plan_of(m, dut)
    names = ["row_early", "row_missing", "row_short", "row_long", "keep"]
    m.d.comb += [Cover(dut.fault[name], name) for name in names]
    prove(m, name="row_in_cover", ports=free_ports(dut), depth=12, mode="cover")


@CONFIGS
def test_rows_that_come_in_keep_the_rules_of_streams(config):
    dut = RowIn(config)
    prove_stream_rules(
        dut, name=f"row_in_rules_{config.user}", also=lambda m: skid_state(m, dut.skid)
    )


@CONFIGS
def test_rows_that_go_out_keep_the_rules_of_streams(config):
    dut = RowOut(config)
    prove_stream_rules(
        dut, name=f"row_out_rules_{config.user}", also=lambda m: skid_state(m, dut.skid)
    )


@CONFIGS
def test_what_goes_out_is_what_came_and_the_run_ends_with_its_last_set(config):
    m = Module()
    m.submodules.dut = dut = RowOut(config)
    m.submodules.rules = StreamRules(dut.i, Assume)
    skid_state(m, dut.skid)
    taken = dut.i.valid & dut.i.ready
    pushed = dut.skid.i.valid & dut.skid.i.ready
    ended, asked = Signal(range(config.sets + 1)), Signal(range(config.sets))
    going, last = Signal(), Signal()
    m.d.comb += last.eq(taken & dut.i.payload.set_last & (ended == asked))
    with m.If(dut.begin):
        m.d.sync += [ended.eq(0), asked.eq(dut.sets), going.eq(1)]
    with m.Elif(taken & dut.i.payload.set_last):
        m.d.sync += [ended.eq(ended + 1), going.eq(~last)]
    was_last, was_dropped = delayed(m, last, 1), delayed(m, dut.drops, 1)
    open_row, cut = Signal(), Signal()
    with m.If(pushed):
        m.d.sync += open_row.eq(~dut.skid.i.payload.last)
    m.d.sync += cut.eq(open_row & (cut | dut.drops) & ~pushed)
    packet, word = dut.skid.i.payload, dut.i.payload
    m.d.comb += [
        Assume(dut.sets < config.sets, "sets in range"),
        Assume(~(dut.begin & dut.active), "begins when nothing is left"),
        Assume(~(taken & ~going), "the core gives nothing but in a run"),
        Assert(dut.more == (going | was_last), "goes on up to the last set"),
        Assert(~going | (ended <= asked), "which is not yet over"),
        Assert(~was_last | (ended == asked + 1), "or has just been"),
        Assert(asked < config.sets, "as many as were asked for"),
        Assert(~was_last | dut.o.valid | was_dropped, "no longer than what is on offer"),
        Assert(dut.ended == delayed(m, taken & dut.i.payload.set_last, 1), "counts a set late"),
        Assert(~dut.more | (dut.left + ended - dut.ended == asked), "sets left in the run"),
        Assert((dut.open == open_row) & (dut.torn == cut), "knows how the row on the bus is"),
        Assert(dut.drops == delayed(m, dut.drop, 1), "drops a cycle after it is told"),
        Assert(dut.active | dut.drops | ~dut.o.valid, "waits for what is on offer"),
        Assert(~dut.drops | dut.i.ready, "takes at once what it drops"),
        Assert(~pushed | cut | (taken & ~dut.drops), "gives what it takes"),
        Assert(~taken | dut.drops | (pushed & ~cut), "takes what it gives"),
        Assert(~cut | dut.skid.i.valid, "ends a row that is cut short"),
        Assert(~cut | (packet.last & (packet.data == 0)), "by a last zero"),
        Assert(~cut | (packet.keep == (1 << config.element_bytes) - 1), "of one element"),
        Assert(cut | (packet.last == word.row_last), "TLAST ends a row"),
    ]
    if config.user:
        m.d.comb += Assert(packet.user == Mux(cut, 0, word.user), "TUSER")
    bits = 8 * config.element_bytes
    for lane in range(config.lanes):
        got = packet.data.word_select(lane, bits)
        shown = got.as_signed() if config.element.signed else got
        keep = packet.keep.word_select(lane, config.element_bytes)
        m.d.comb += [
            Assert(cut | (shown == Mux(word.kept[lane], word.data[lane], 0)), "an element"),
            Assert(cut | (keep == word.kept[lane].replicate(config.element_bytes)), "TKEEP"),
        ]
    prove(m, name=f"row_out_{config.user}", ports=free_ports(dut), depth=2)
