"""Designs behind two pins, in Icarus: the host's link, and cocotbext-uart's line between."""

from typing import Any

import numpy as np
import pytest

from gen.design import load_design
from sim.bench.axi import Frame, Quiet, Read, Receive, Send, Step, Wait, Write
from sim.bench.runner import HANG_SECONDS, BenchError
from tests.support.attention_on_bus import QUERIES, SETTINGS, AttentionOnBus
from tests.support.bus_session import emit_on_uart, frames_of, words_of
from tests.support.butterfly import random_job
from tests.support.butterfly_on_bus import ButterflyOnBus
from tests.support.softmax import random_rows
from tests.support.softmax_on_bus import SoftmaxOnBus
from tests.support.uart_script import run_uart_script

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.uart")


@pytest.fixture(scope="module")
def softmax(tmp_path_factory):
    design = load_design("softmax_exact", ["max_length=32"])
    return SoftmaxOnBus(design, tmp_path_factory.mktemp("softmax"), bus="uart")


def test_a_softmax_gives_what_the_golden_model_says_and_names_what_is_wrong(softmax):
    """Runs, then a malformed row and accesses that are refused, then a run again."""
    host, length = softmax.host, 11
    runs, script = [], []
    for seed, (size, count, mask) in enumerate([(32, 1, "none"), (7, 3, "tuser")]):
        rows = random_rows(softmax.design.config, [size] * count, seed=seed)
        frames = [softmax.frame(scores, seen) for scores, seen in rows]
        script += [*softmax.start(size, count, mask), Send("i", frames), Receive("o", count)]
        script += [host.until("status", busy=0), host.read("error")]
        runs.append(
            [
                softmax.expected(s, seen if mask == "tuser" else np.ones(size, bool))
                for s, seen in rows
            ]
        )
    scores, seen = np.arange(length), np.ones(length, bool)
    good = softmax.frame(scores)
    wrong: list[Step] = [
        Write(0x7F0, 1),
        Write(host.registers["identity"].offset, 1),
        Write(host.registers["rows"].offset, 0),
        Write(0x1000, 1),
        Read(0x7F0),
        Read(0xF084),
    ]
    script += [*wrong, host.read("error"), *host.clear("unknown_register", "value")]
    faults = {
        "row_missing": softmax.frame(scores, pad=9),
        "keep": Frame(data=good.data, keep=[1, 0, *[1] * (len(good.data) - 2)]),
    }
    for cause, bad in faults.items():
        script += [
            *softmax.start(length, 2),
            Send("i", [bad, good]),
            Receive("o", 2),
            host.until("status", busy=0),
            host.read("error"),
            host.read("error_stream"),
            Quiet("i"),
            *host.clear(cause),
            host.until("status", failed=0),
            *softmax.start(length, 1),
            Send("i", [good]),
            Receive("o", 1),
            host.until("status", busy=0),
            host.read("error"),
        ]
    results = softmax.do(script, pause=0.0)
    frames, reads = iter(frames_of(results)), iter(words_of(script, results))
    for expected in runs:
        assert [softmax.told(row) for row in next(frames)] == expected
        assert next(reads) == 0
    refused = [each["resp"] for step, each in zip(script, results, strict=True) if step in wrong]
    assert refused == [2] * len(wrong)
    assert [next(reads) for step in wrong if isinstance(step, Read)] == [0] * 2
    # What no core has, no core is told of.
    assert host.causes(next(reads)) == {"unknown_register", "value"}
    right = softmax.expected(scores, seen)
    for cause in faults:
        assert len(next(frames)) == 2
        assert host.causes(next(reads)) == {cause}
        assert next(reads) == 1
        assert [softmax.told(row) for row in next(frames)] == [right]
        assert next(reads) == 0


def test_the_bench_notices_what_never_happens(softmax):
    """Negative control."""
    script = [*softmax.start(4, 2), Send("i", [softmax.frame(np.zeros(4, int))])]
    with pytest.raises(BenchError, match="took more than 9000 cycles"):
        softmax.do([*script, Receive("o", 2)], pause=0.0, cycles=9000)


@pytest.mark.slow
def test_attention_gives_what_the_golden_model_says_from_a_mask_loaded_at_run_time(
    tmp_path_factory,
):
    """Grouped queries, of which two share keys and values; a malformed row, then none."""
    design = load_design("attention_any_mask", SETTINGS)
    built = AttentionOnBus(design, tmp_path_factory.mktemp("attention"), bus="uart")
    host, held = built.host, built.masks()
    runs: list[tuple[list[int], str, Any]] = [
        ([1, 2, 3], "bitmap", held["bitmap"][0]),
        ([3], "columns", held["columns"][0]),
    ]
    script: list[Step] = []
    for heads, source, _ in runs:
        if source in held:
            script += built.load(held[source][1])
        script += [*built.start(heads[0], len(heads), source), *built.send(heads)]
        script += built.receive(len(heads))
    good = built.operands([0])
    short = Frame(data=good["k"][0].data[: built.inputs["k"].lanes])
    script += [
        *built.start(0, 1),
        *(Send(name, [short, *good["k"][1:]] if name == "k" else good[name]) for name in "qkv"),
        *built.receive(1),
        host.read("error_stream"),
        *(Quiet(name) for name in "qkv"),
        Wait(10),
        *host.clear("row_early"),
        host.until("status", failed=0),
        *built.start(0, 1),
        *built.send([0]),
        *built.receive(1),
    ]
    results = built.do(script, pause=0.0)
    frames, reads = iter(frames_of(results)), iter(words_of(script, results))
    for heads, _, mask in runs:
        o, empty = built.told(next(frames), len(heads))
        wanted, wanted_empty = built.wanted(heads, mask)
        np.testing.assert_array_equal(o, wanted)
        np.testing.assert_array_equal(empty, wanted_empty)
        assert wanted.any()
        assert next(reads) == 0
    assert len(next(frames)) == QUERIES
    assert host.causes(next(reads)) == {"row_early"}
    assert next(reads) == host.registers["error_stream"].field("k").mask
    np.testing.assert_array_equal(built.told(next(frames), 1)[0], built.wanted([0])[0])
    assert next(reads) == 0


@pytest.mark.slow
def test_the_cores_of_an_accelerator_run_at_once_and_know_nothing_of_each_other(tmp_path):
    """Both begin before either has data; an error of one is that one's alone."""
    design = load_design("accelerator_tiny")
    manifest = emit_on_uart(design, tmp_path / "out")
    cores = design.cores
    attention = AttentionOnBus(cores["attention"], tmp_path, bus="uart", manifest=manifest)
    butterfly = ButterflyOnBus(cores["butterfly"], tmp_path, bus="uart", manifest=manifest)
    job = random_job(butterfly.config, 16, 2, transform="fft", order="decreasing", seed=3)
    mask, loaded = attention.masks()["bitmap"]
    beyond = 2 << 12
    script = [
        *(("attention", step) for step in attention.load(loaded)),
        *(("attention", step) for step in attention.start(0, 1, "bitmap")),
        ("butterfly", butterfly.host.read("status")),
        *(("butterfly", step) for step in butterfly.start(job)),
        ("butterfly", butterfly.host.write("vectors", count=1)),
        ("attention", Read(beyond)),
        ("attention", attention.host.read("error")),
        *(("butterfly", step) for step in butterfly.send(job)),
        *(("attention", step) for step in attention.send([0])),
        *(("attention", step) for step in attention.receive(1)),
        *(("butterfly", step) for step in butterfly.receive(job)),
        *(("butterfly", step) for step in butterfly.host.clear("locked")),
        ("butterfly", butterfly.host.read("error")),
    ]
    results = run_uart_script(
        tmp_path / "out", script, work=tmp_path / "run", cycles=200_000, seconds=HANG_SECONDS
    )
    reads = [
        each for (_, step), each in zip(script, results, strict=True) if isinstance(step, Read)
    ]
    status, none, quiet, of_attention, of_butterfly, cleared = reads
    assert (status["data"], status["lights"]) == (0, [1, 0])
    assert (none["resp"], none["lights"]) == (2, [1, 1])
    assert (quiet["data"], of_attention["data"]) == (0, 0)
    assert butterfly.host.causes(of_butterfly["data"]) == {"locked"}
    assert (cleared["data"], cleared["lights"]) == (0, [0, 0])
    of_heads, of_vectors = frames_of(results)
    np.testing.assert_array_equal(attention.told(of_heads, 1)[0], attention.wanted([0], mask)[0])
    assert [butterfly.told(row) for row in of_vectors] == butterfly.wanted(job)
