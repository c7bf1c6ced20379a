"""An attention core on AXI, in Icarus against cocotbext-axi's peers, all channels pausing."""

from typing import Any

import numpy as np
import pytest

from gen.design import load_design
from hw.bus.system import OVERHEAD_CYCLES
from sim.bench.axi import Frame, Poll, Quiet, Send, Step, Wait
from sim.cycle.heads import head_cycles
from tests.support.attention_on_bus import KEYS, QUERIES, SETTINGS, AttentionOnBus
from tests.support.bus_session import frames_of, words_of

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.axi")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    design = load_design("attention_any_mask", SETTINGS)
    return AttentionOnBus(design, tmp_path_factory.mktemp(design.name))


@pytest.mark.parametrize("pause", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_runs_give_what_the_golden_model_says_from_every_mask_source(built, pause):
    held = built.masks()
    runs: list[tuple[list[int], str, Any]] = [
        ([0, 1, 2, 3], "generator", None),
        ([1], "generator", None),
        ([3, 0], "generator", None),
        ([1, 2, 3], "columns", held["columns"][0]),
        ([0, 1], "bitmap", held["bitmap"][0]),
        ([2], "columns", held["columns"][0]),
    ]
    loads = {3: held["columns"][1], 4: held["bitmap"][1]}
    script: list[Step] = []
    for number, (heads, source, _) in enumerate(runs):
        if number in loads:
            script += built.load(loads[number])
        script += [*built.start(heads[0], len(heads), source), *built.send(heads)]
        script += built.receive(len(heads))
    results = built.do(script, pause=pause)
    assert words_of(script, results) == [0] * len(runs)
    assert all(each.get("resp", 0) == 0 for each in results)
    for frames, (heads, _, mask) in zip(frames_of(results), runs, strict=True):
        o, empty = built.told(frames, len(heads))
        wanted, wanted_empty = built.wanted(heads, mask)
        np.testing.assert_array_equal(o, wanted)
        np.testing.assert_array_equal(empty, wanted_empty)
        assert wanted.any()


def test_cycles_of_a_run_are_those_of_the_model(built):
    heads = [0, 1, 2, 3]
    script = [*built.send(heads), Wait(5), *built.start(0, 4), *built.receive(4)]
    script += [built.host.read(name) for name in ("cycles", "stalls_o", "stalls_q")]
    words = words_of(script, built.do(script, pause=0.0))
    expected = head_cycles(built.config, QUERIES, KEYS, [None] * len(heads)).total
    assert words == [0, expected + OVERHEAD_CYCLES, 0, 0]


@pytest.mark.slow
def test_a_malformed_row_of_any_stream_is_named_and_the_next_run_is_right(built):
    """The run ends with all its rows; what is loaded wrongly is loaded again."""
    host, heads = built.host, [2, 3]
    good = built.operands(heads)
    again = [*built.start(2, 2), *built.send(heads), *built.receive(2)]
    script: list[Step] = []
    expected: list[tuple[str, str]] = []
    for name in "qkv":
        size = built.inputs[name].lanes
        rows = good[name]
        whole = [*rows[1].data]
        bad = {
            "row_missing": Frame(data=[*whole, *whole]),
            "row_short": Frame(data=whole, keep=[*[1] * (len(whole) - 1), 0]),
            "row_early": Frame(data=whole[:size]),
            "keep": Frame(data=whole, keep=[0, *[1] * (len(whole) - 1)]),
        }
        for cause, row in bad.items():
            wrong = {**good, name: [rows[0], row, *rows[2:]]}
            script += [
                *built.start(2, 2),
                *(Send(each, frames) for each, frames in wrong.items()),
                *built.receive(2),
                host.read("error_stream"),
                *(Quiet(each) for each in "qkv"),
                Wait(10),
                *host.clear(cause),
                host.until("status", failed=0),
                *again,
            ]
            expected.append((cause, name))
    results = built.do(script, pause=0.2)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    wanted, wanted_empty = built.wanted(heads)
    for cause, name in expected:
        assert host.causes(next(reads)) == {cause}
        assert next(reads) == host.registers["error_stream"].field(name).mask
        assert len(next(frames)) == 2 * QUERIES
        assert next(reads) == 0
        o, empty = built.told(next(frames), 2)
        np.testing.assert_array_equal(o, wanted)
        np.testing.assert_array_equal(empty, wanted_empty)


def test_loads_and_starts_out_of_turn_are_named_and_change_nothing(built):
    host, held = built.host, built.masks()
    mask, columns = held["columns"]
    script: list[Step] = [
        # No mask yet.
        *built.start(0, 1, "columns"),
        host.read("error"),
        host.read("status"),
        *host.clear("mask_missing"),
        # In a run: a load, and another start. The run goes on as it was.
        *built.start(0, 1),
        host.write("control", load=1),
        host.write("control", start=1),
        host.read("error"),
        *host.clear("load_busy", "start_busy"),
        *built.send([0]),
        *built.receive(1),
        # In a load: a start, and another load. It goes on as it was.
        host.write("mask", source="columns"),
        host.write("control", load=1),
        host.write("control", start=1),
        host.write("control", load=1),
        host.read("error"),
        *host.clear("load_busy", "start_busy"),
        *(step for step in built.load(columns) if isinstance(step, Send | Poll)),
        *built.start(0, 1, "columns"),
        *built.send([0]),
        *built.receive(1),
        # A malformed mask: zeros in its place, which is no mask to use; load it again.
        host.write("mask", source="columns"),
        host.write("control", load=1),
        Send("columns", [Frame(data=[0] * 8), Frame(data=[0] * 4)]),
        built.idle(),
        host.read("error"),
        host.read("error_stream"),
        Quiet("columns"),
        *host.clear("row_missing"),
        host.until("status", failed=0),
        *built.load(columns),
        *built.start(0, 1, "columns"),
        *built.send([0]),
        *built.receive(1),
    ]
    results = built.do(script, pause=0.2)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    assert host.causes(next(reads)) == {"mask_missing"}
    assert next(reads) == 0
    for wanted in (built.wanted([0]), built.wanted([0], mask)):
        assert host.causes(next(reads)) == {"load_busy", "start_busy"}
        np.testing.assert_array_equal(built.told(next(frames), 1)[0], wanted[0])
        assert next(reads) == 0
    assert host.causes(next(reads)) == {"row_missing"}
    assert next(reads) == 1 << [f.name for f in host.registers["error_stream"].fields].index(
        "columns"
    )
    np.testing.assert_array_equal(built.told(next(frames), 1)[0], built.wanted([0], mask)[0])
    assert next(reads) == 0


@pytest.mark.slow
def test_a_run_or_a_load_that_is_starved_ends_by_the_watchdog(built):
    host, held = built.host, built.masks()
    operands = built.operands([0, 1])
    again = [*built.start(0, 2), *built.send([0, 1]), *built.receive(2)]
    script: list[Step] = [host.write("timeout", cycles=2000)]
    for missing in "qkv":
        sent = {name: rows for name, rows in operands.items() if name != missing}
        script += [
            *built.start(0, 2),
            *(Send(name, rows) for name, rows in sent.items()),
            built.idle(),
            host.read("error"),
            Quiet("q"), Quiet("k"), Quiet("v"),
            *host.clear("timeout"),
            host.until("status", failed=0),
            *again,
        ]  # fmt: skip
    script += [
        host.write("mask", source="bitmap"),
        host.write("token_tiles", count=2),
        host.write("control", load=1),
        built.idle(),
        host.read("error"),
        *host.clear("timeout"),
        host.until("status", failed=0),
        *built.load(held["bitmap"][1]),
        *built.start(0, 1, "bitmap"),
        *built.send([0]),
        *built.receive(1),
    ]
    results = built.do(script, pause=0.1)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    wanted = built.wanted([0, 1])[0]
    for _ in "qkv":
        assert host.causes(next(reads)) == {"timeout"}
        np.testing.assert_array_equal(built.told(next(frames), 2)[0], wanted)
        assert next(reads) == 0
    assert host.causes(next(reads)) == {"timeout"}
    wanted = built.wanted([0], held["bitmap"][0])[0]
    np.testing.assert_array_equal(built.told(next(frames), 1)[0], wanted)
    assert next(reads) == 0
