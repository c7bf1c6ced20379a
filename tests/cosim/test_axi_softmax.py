"""A softmax on AXI, in Icarus against cocotbext-axi's peers, all channels pausing at random."""

import numpy as np
import pytest

from gen.design import load_design
from hw.bus.system import OVERHEAD_CYCLES
from sim.bench.axi import Deaf, Drain, Frame, Quiet, Read, Receive, Send, Step, Wait, Write
from sim.bench.runner import BenchError
from sim.cycle.softmax import softmax_cycles
from tests.support.bus_session import frames_of, words_of
from tests.support.softmax import random_rows
from tests.support.softmax_on_bus import SoftmaxOnBus

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.axi")

DESIGNS = {"softmax_exact": ["max_length=32"], "softmax_ice40": ["max_length=16"]}
"""Four lanes of two bytes; one lane of 12 bits."""


SLOW = pytest.mark.slow


@pytest.fixture(scope="module", params=["softmax_exact", pytest.param("softmax_ice40", marks=SLOW)])
def built(request, tmp_path_factory):
    design = load_design(request.param, DESIGNS[request.param])
    return SoftmaxOnBus(design, tmp_path_factory.mktemp(design.name))


def test_a_host_knows_the_design_by_its_registers(built):
    host = built.host
    names = ["identity", "interface", "kind", *(f"digest_{k}" for k in range(8)), "lanes", "error"]
    words = [each["data"] for each in built.do([host.read(name) for name in names], pause=0.2)]
    assert words[:3] == [0x43485259, built.manifest["interface_version"], 1]
    assert "".join(f"{word:08x}" for word in words[3:11]) == built.manifest["digest"]
    assert words[11:] == [built.lanes, 0]


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_runs_give_what_the_golden_model_says(built, pause):
    longest = built.design.description.max_length
    script, expected = [], []
    for seed, (length, count, mask) in enumerate(
        [
            (longest, 3, "none"),
            (1, 5, "tuser"),
            (longest - 1, 4, "tuser"),
            (2, 1, "none"),
            (6, 3, "tuser"),
        ]
    ):
        rows = random_rows(built.design.config, [length] * count, seed=seed)
        frames = [built.frame(scores, seen) for scores, seen in rows]
        script += [*built.start(length, count, mask), Send("i", frames), Receive("o", count)]
        script += [built.host.until("status", busy=0), built.host.read("error")]
        expected.append([
            built.expected(scores, seen if mask == "tuser" else np.ones(length, bool))
            for scores, seen in rows
        ])  # fmt: skip
    results = built.do(script, pause=pause)
    runs = frames_of(results)
    assert [[built.told(row) for row in run] for run in runs] == expected
    assert words_of(script, results) == [0] * 5
    assert all(each.get("resp", 0) == 0 for each in results)


def bad_rows(built: SoftmaxOnBus) -> dict[str, tuple[Frame, int]]:
    """Fault -> a frame of such a row of 0, 1, 2 …, and how many of its transfers count."""
    length, lanes, size = length_of(built), built.lanes, built.rows_in.element_bytes
    scores = np.arange(length)
    whole = built.frame(scores)
    torn = [1] * len(whole.data)
    torn[size - 1] = 0
    found = {
        "row_early": (built.frame(scores[:lanes]), 1),
        "row_missing": (built.frame(scores, pad=2 * lanes + 1), -(-length // lanes)),
        "keep": (Frame(data=whole.data, keep=torn), 1),
    }
    if lanes > 1:
        found["row_short"] = (built.frame(scores[:-1]), -(-length // lanes))
        found["row_long"] = (built.frame(scores, pad=1), -(-length // lanes))
    return found


def length_of(built: SoftmaxOnBus) -> int:
    """Three transfers, the last of them half full."""
    return 2 * built.lanes + (built.lanes + 1) // 2


FAULTS = ["row_early", "row_missing", "row_short", "row_long", "keep"]


@pytest.mark.parametrize("pause", [pytest.param(0.0, marks=SLOW), 0.3])
def test_a_malformed_row_is_named_and_the_next_run_is_right(built, pause):
    """Each fault in the second of four rows: the run ends, with zeros where rows are missing."""
    host, length = built.host, length_of(built)
    (good,) = random_rows(built.design.config, [length], seed=3)
    scores, seen = good[0], np.ones(length, bool)
    bad = bad_rows(built)
    script: list[Step] = []
    for fault, (wrong, _) in bad.items():
        frames = [built.frame(scores), wrong, built.frame(scores), built.frame(scores)]
        script += [
            *built.start(length, 4),
            Send("i", frames),
            Receive("o", 4),
            host.until("status", busy=0),
            host.read("error"),
            host.read("error_stream"),
            host.read("status"),
            Quiet("i"),
            host.write("control", start=1),
            host.read("error"),
            *host.clear(fault, "start_error"),
            host.read("error"),
            host.read("status"),
            *built.start(length, 1),
            Send("i", [built.frame(scores)]),
            Receive("o", 1),
            host.until("status", busy=0),
            host.read("error"),
            host.read("error_stream"),
        ]
    results = built.do(script, pause=pause)
    reads = iter(words_of(script, results))
    runs = iter(frames_of(results))
    right = built.expected(scores, seen)
    zero = ([0] * length, 1)
    for fault, (_, transfers) in bad.items():
        assert host.causes(next(reads)) == {fault}
        assert next(reads) == 1
        assert next(reads) == 0b10
        assert host.causes(next(reads)) == {fault, "start_error"}
        assert [next(reads), next(reads)] == [0, 0]
        assert [next(reads), next(reads)] == [0, 0]
        first, second, *others = [built.told(row) for row in next(runs)]
        counted = np.arange(length) < transfers * built.lanes
        assert (first, others) == (right, [zero, zero])
        # An element that was not kept was sent as 0.
        came = np.arange(length) * (np.arange(length) < length - (fault == "row_short"))
        assert second == built.expected(came, counted)
        assert [built.told(row) for row in next(runs)] == [right]
    assert set(bad) <= set(FAULTS)


def test_wrong_accesses_are_answered_named_and_harmless(built):
    host, length = built.host, length_of(built)
    (good,) = random_rows(built.design.config, [length], seed=4)
    scores, seen = good[0], np.ones(length, bool)
    identity, rows = host.registers["identity"].offset, host.registers["rows"].offset
    wrong: list[tuple[Step, str]] = [
        (Write(0x7F0, 1), "unknown_register"),
        (Write(identity, 1), "unknown_register"),
        (Write(rows, 2, size=2), "unknown_register"),
        (Write(rows, 0), "value"),
        (Write(rows, 1 << 31), "value"),
    ]
    script: list[Step] = []
    for access, cause in wrong:
        script += [access, host.read("error"), *host.clear(cause), host.read("error")]
    script += [Read(0x7F0), host.read("error"), host.read("rows")]
    # In a run: settings are locked, a second start changes nothing, and the run is what it was.
    script += [
        *built.start(length, 2),
        Send("i", [built.frame(scores)]),
        Receive("o", 1),
        host.write("row_length", elements=1),
        host.write("control", start=1),
        host.read("error"),
        Send("i", [built.frame(scores)]),
        Receive("o", 1),
        host.until("status", busy=0),
        host.read("row_length"),
        *host.clear("locked", "start_busy"),
        host.read("error"),
    ]
    results = built.do(script, pause=0.3)
    answers = [results[5 * k] for k in range(len(wrong))]
    assert [each["resp"] for each in answers] == [2] * len(wrong)
    reads = iter([r for r, step in zip(results, script, strict=True) if isinstance(step, Read)])
    for _, cause in wrong:
        assert host.causes(next(reads)["data"]) == {cause}
        assert next(reads)["data"] == 0
    assert next(reads) == {"data": 0, "resp": 2}
    assert [next(reads)["data"] for _ in range(2)] == [0, 1]
    assert host.causes(next(reads)["data"]) == {"locked", "start_busy"}
    assert [next(reads)["data"] for _ in range(2)] == [length, 0]
    runs = frames_of(results)
    assert [[built.told(row) for row in run] for run in runs] == [
        [built.expected(scores, seen)]
    ] * 2


@pytest.mark.parametrize("pause", [pytest.param(0.0, marks=SLOW), 0.3])
def test_a_run_that_is_starved_or_not_listened_to_ends(built, pause):
    """The watchdog and abort: from a sender that stops, and from a receiver that stops."""
    host, length = built.host, length_of(built)
    (good,) = random_rows(built.design.config, [length], seed=5)
    scores, seen = good[0], np.ones(length, bool)
    again = [
        *built.start(length, 1),
        Send("i", [built.frame(scores)]),
        Receive("o", 1),
        host.until("status", busy=0),
        host.read("error"),
    ]
    count = 40
    script: list[Step] = [
        host.write("timeout", cycles=1000),
        # No row of three comes whole: the watchdog ends it, and drops what comes out.
        *built.start(length, 3),
        host.until("status", busy=0),
        host.read("error"),
        *host.clear("timeout"),
        Wait(20),
        Drain("o"),
        *again,
        # The receiver stops: what waits at it, waits; the run ends.
        Deaf("o", True),
        *built.start(length, count),
        Send("i", [built.frame(scores) for _ in range(count)]),
        host.until("status", busy=0),
        host.read("error"),
        Quiet("i"),
        *host.clear("timeout"),
        Deaf("o", False),
        Wait(200),
        Drain("o"),
        *again,
        # Abort does the same at once, with the watchdog off.
        host.write("timeout", cycles=0),
        *built.start(length, 5),
        Send("i", [built.frame(scores)]),
        Wait(2000),
        host.read("status"),
        host.write("control", abort=1),
        host.until("status", busy=0),
        host.read("error"),
        *host.clear("aborted"),
        Wait(20),
        Drain("o"),
        *again,
        # Where there is no run, there is nothing to abort.
        host.write("control", abort=1),
        host.read("error"),
    ]
    results = built.do(script, pause=pause)
    reads = iter(words_of(script, results))
    frames = iter(frames_of(results))
    right = built.expected(scores, seen)

    def a_right_run_follows() -> None:
        assert [built.told(row) for row in next(frames)] == [right]
        assert next(reads) == 0

    assert host.causes(next(reads)) == {"timeout"}
    assert next(frames) == []
    a_right_run_follows()
    assert host.causes(next(reads)) == {"timeout"}
    waited = [built.told(row) for row in next(frames)]
    assert len(waited) <= 2
    for row in waited:
        assert row == right or (row[0][-1] == 0 and row[0][:-1] == right[0][: len(row[0]) - 1])
    a_right_run_follows()
    assert next(reads) == 1
    assert host.causes(next(reads)) == {"aborted"}
    assert [built.told(row) for row in next(frames)] == [right]
    a_right_run_follows()
    assert next(reads) == 0


def test_the_bench_notices_what_never_happens(built):
    """Negative control: rows that do not come, and a bit that does not rise, end the bench."""
    script = [*built.start(4, 2), Send("i", [built.frame(np.zeros(4, int))])]
    for never in (Receive("o", 2), built.host.until("error", keep=1)):
        with pytest.raises(BenchError, match="took more than 900 cycles"):
            built.do([*script, never], pause=0.0, cycles=900)


def test_cycles_of_a_run_are_those_of_the_model(built):
    """What is sent before the start waits at the gate, so that nothing stalls."""
    names = ["cycles", "stalls_i", "stalls_o"]
    sizes = [(built.design.description.max_length, 6), (built.lanes, 9), (length_of(built), 1)]
    script: list[Step] = []
    for length, rows in sizes:
        script += [
            Send("i", [built.frame(np.zeros(length, int)) for _ in range(rows)]),
            Wait(5),
            *built.start(length, rows),
            Receive("o", rows),
            built.host.until("status", busy=0),
            *map(built.host.read, names),
        ]
    words = words_of(script, built.do(script, pause=0.0))
    assert words[1::3] == words[2::3] == [0] * len(sizes)
    expected = [
        softmax_cycles(built.design.config, [length] * rows).total for length, rows in sizes
    ]
    assert words[::3] == [cycles + OVERHEAD_CYCLES for cycles in expected]


def test_counters_count_the_cycles_of_the_run_and_its_stalls(built):
    host, length = built.host, length_of(built)
    rows = random_rows(built.design.config, [length] * 3, seed=6)
    names = ["cycles", "stalls_i", "stalls_o"]
    script: list[Step] = [
        *built.start(length, 3),
        Wait(500),
        Send("i", [built.frame(scores) for scores, _ in rows]),
        Receive("o", 3),
        host.until("status", busy=0),
        *map(host.read, names),
        Deaf("o", True),
        *built.start(length, 3),
        Send("i", [built.frame(scores) for scores, _ in rows]),
        Wait(700),
        Deaf("o", False),
        Receive("o", 3),
        host.until("status", busy=0),
        *map(host.read, names),
    ]
    results = built.do(script, pause=0.0)
    words = words_of(script, results)
    starved, deaf = words[:3], words[3:]
    assert starved[0] > starved[1] >= 500
    assert deaf[0] > deaf[2] >= 500
    assert starved[2] == 0
