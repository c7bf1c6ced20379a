"""Boards made of Verilog: the host's own program at the gates of whole designs, pin by pin."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpga.host import connect
from fpga.host.core import Core
from fpga.link import Patience
from gen.design import load_design
from gen.verilog import write_design
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from sim.bench.runner import HANG_SECONDS
from sim.bench.simulators import Simulator
from sim.golden import butterfly as golden
from sim.golden.masks import compile_columns, dense
from sim.run.engines import run_arrays
from spec import SpecError
from tests.support.board import write_manifest
from tests.support.command import ROOT, command

cosim = pytest.mark.cosim

LINE = LineConfig(clock_hz=12_000_000, baud=3_000_000, buffer_bytes=512, patience_cycles=500)
"""Four clocks a bit, the fewest there may be: a byte is 40 cycles to simulate."""

SECONDS = 3000
SLOW = Patience(attempts=2, answer_s=120, stall_s=240)


@contextlib.contextmanager
def simulated(folder, *arguments):
    """A board, by its port; ended as a shell would end it, and it must end well."""
    command = [sys.executable, "-m", "fpga.simulate", folder, "--seconds", SECONDS, *arguments]
    child = subprocess.Popen(
        [*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stderr is not None
    try:
        assert select.select([child.stdout], [], [], HANG_SECONDS)[0], "no port in time"
        port = child.stdout.readline().strip()
        assert port, child.stderr.read()
        yield port
    finally:
        child.send_signal(signal.SIGTERM)
        _, told = child.communicate(timeout=HANG_SECONDS)
        assert (child.returncode, "ended after" in told) == (0, True), told
    assert not os.path.exists(port) or port.startswith("/dev/pts/")


def built(tmp_path_factory, name, *settings, target=Target.PORTABLE):
    folder = tmp_path_factory.mktemp("simulate") / Path(name).stem
    design = load_design(name, settings)
    write_design(design, folder, target=target, bus="uart", line=LINE)
    return folder, design


def host(folder, port, tmp_path, arrays, *more):
    """What the command writes, and tells."""
    np.savez(tmp_path / "in.npz", **arrays)
    outcome = command(
        "fpga.host", folder, "--port", port, "--in", tmp_path / "in.npz",
        "--out", tmp_path / "out.npz", "--verify", "--json", "--patience", 120, *more,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return dict(np.load(tmp_path / "out.npz")), json.loads(outcome.out)


@cosim
@pytest.mark.slow
def test_an_attention_layer_with_a_loaded_mask_a_head_after_a_host_that_vanished(
    tmp_path_factory, tmp_path
):
    sizes = ["heads=2", "kv_heads=1", "queries=8", "keys=8", "head_dim=4"]
    settings = [*sizes, "masks=generator,bitmap"]
    folder, design = built(tmp_path_factory, "attention_tiny", *settings)
    rng = np.random.default_rng(5)
    arrays: dict[str, Any] = {
        name: rng.integers(-128, 128, (heads, 7, 4)).astype(np.int8)
        for name, heads in {"q": 2, "k": 1, "v": 1}.items()
    }
    arrays["mask"] = rng.random((2, 7, 7)) < 0.4
    arrays["mask"][1, 2:4] = False
    with simulated(folder, "--link", tmp_path / "port") as port:
        assert port == str(tmp_path / "port")
        with connect(folder, port, patience=SLOW) as board:
            # A run begins, some of its queries are sent, and that is all.
            core = board.design.core(None)
            device = Core(board.link, core, LINE.clock_hz)
            device.begin()
            device.write("control", start=1)
            board.link.send(core.streams["q"].index, bytes(9 * core.streams["q"].word_bytes))
        found, told = host(folder, port, tmp_path, arrays)
        # Even tokens see even ones, odd ones odd ones: half of the tiles, in another order.
        parity = np.arange(7) % 2
        mixed = {**arrays, "mask": parity[:, None] == parity}
        moved, of_moved = host(folder, port, tmp_path, mixed, "--reorder")
    assert of_moved["tiles"] < of_moved["tiles_in_order"] == 32 and of_moved["verified"]
    np.testing.assert_array_equal(moved["o"], run_arrays(design, mixed).o)
    wanted = run_arrays(design, arrays)
    for name in ("o", "empty", "tiles", "stall_free_cycles"):
        np.testing.assert_array_equal(found[name], getattr(wanted, name), err_msg=name)
    assert told["verified"] and told["cycles"] == found["cycles"] > wanted.cycles
    assert sum(told["stalls"].values()) > 0 and told["retries"] == 0
    assert found["empty"][1, 2:4].all() and found["o"].any(axis=(1, 2)).all()


@cosim
@pytest.mark.slow
def test_masks_by_columns_in_place_of_the_cores_own_and_blocks_of_queries_left_out(
    tmp_path_factory, tmp_path
):
    sizes = ["heads=2", "kv_heads=1", "queries=8", "keys=8", "head_dim=4"]
    array = ["rows=2", "columns=2", "value_columns=1"]
    settings = [*sizes, *array, "masks=generator,columns", "compact=true"]
    folder, design = built(tmp_path_factory, "attention_any_mask", *settings)
    rng = np.random.default_rng(7)
    own: dict[str, Any] = {
        name: rng.integers(-128, 128, (heads, 7, 4)).astype(np.int8)
        for name, heads in {"q": 2, "k": 1, "v": 1}.items()
    }
    causal = np.tri(7, dtype=bool)
    assert design.description.mask is not None
    np.testing.assert_array_equal(dense(design.config.layer.mask_expr, 7, 7), causal)
    # Causal with two ranges of a key; and not causal, where the last two blocks of queries, one of
    # them of a single query, see nothing.
    mask = np.stack([causal, ~np.tri(7, k=1, dtype=bool)])
    mask[0, 2:3, 1] = mask[0, 5:, 1] = False
    mask[1, :3, 2:] = True
    mask[1, 4:] = False
    assert [each.causal for each in map(compile_columns, mask)] == [True, False]
    loaded = {**own, "mask": mask}
    with simulated(folder) as port:
        found, of_found = host(folder, port, tmp_path, loaded)
        again, of_again = host(folder, port, tmp_path, own)
    for arrays, seen, told in ((loaded, found, of_found), (own, again, of_again)):
        wanted = run_arrays(design, arrays)
        for name in ("o", "empty", "tiles"):
            np.testing.assert_array_equal(seen[name], getattr(wanted, name), err_msg=name)
        assert told["verified"] and told["retries"] == 0 and told["cycles"] > wanted.cycles
    assert found["empty"][1, 4:].all() and not again["empty"].any()
    assert (found["o"] != again["o"]).any(axis=(1, 2)).all()
    # Of either block there is one transfer in place of one for each output.
    word_bytes = of_again["received_bytes"] // again["o"].size
    left_out = (2 * 4 - 1) + (1 * 4 - 1)
    assert of_found["received_bytes"] == of_again["received_bytes"] - left_out * word_bytes


@cosim
def test_softmax_rows_and_the_same_cycles_however_quick_the_machine_is(tmp_path_factory, tmp_path):
    folder, design = built(tmp_path_factory, "softmax_ice40", "max_length=16")
    rng = np.random.default_rng(3)
    scores = rng.integers(-2048, 2048, (4, 11)).astype(np.int16)
    arrays = {"scores": scores, "mask": rng.random(scores.shape) < 0.8}
    with simulated(folder) as port:
        found, told = host(folder, port, tmp_path, arrays)
        with connect(folder, port, patience=SLOW) as board:
            again = board.run(arrays, progress=lambda done, total: time.sleep(0.2))
    wanted = run_arrays(design, arrays)
    np.testing.assert_array_equal(found["p"], wanted.p)
    np.testing.assert_array_equal(found["empty"], wanted.empty)
    assert again.cycles == told["cycles"] > wanted.cycles
    assert again.stalls == told["stalls"]


def missing(simulator):
    """Why a simulator cannot be used here, or nothing."""
    try:
        simulator.environment()
    except SpecError as error:
        return str(error)
    return ""


@cosim
@pytest.mark.slow
@pytest.mark.skipif(bool(missing(Simulator.VERILATOR)), reason=missing(Simulator.VERILATOR))
def test_either_simulator_counts_the_same_cycles(tmp_path_factory, tmp_path):
    settings = ["max_length=16", "lanes=2"]
    folder, _ = built(tmp_path_factory, "softmax_exact", *settings, target=Target.ECP5)
    rng = np.random.default_rng(8)
    arrays = {"scores": rng.integers(-2048, 2048, (4, 11)).astype(np.int16)}
    told = []
    for simulator in Simulator:
        with simulated(folder, "--simulator", simulator.value) as port:
            told.append(host(folder, port, tmp_path, arrays)[1])
    by_icarus, by_verilator = (
        {name: each[name] for name in ("verified", "cycles", "stalls", "retries")} for each in told
    )
    assert by_icarus == by_verilator
    assert by_icarus["verified"] and by_icarus["cycles"]


@cosim
@pytest.mark.slow
def test_transforms_and_a_matrix(tmp_path_factory, tmp_path):
    settings = ["points=16", "orders=decreasing,increasing"]
    folder, design = built(tmp_path_factory, "butterfly_ice40", *settings)
    rng = np.random.default_rng(4)
    x, weights = rng.integers(-8192, 8192, (3, 16)), rng.integers(-9000, 9000, (4, 8, 2, 2))
    with simulated(folder) as port, connect(folder, port, patience=SLOW) as board:
        spectrum = board.run({"x_re": x, "x_im": x[::-1]}, verify=True).result
        for order in ("decreasing", "increasing"):
            given = {"x": x, "weights": weights, "order": np.array(order)}
            product = board.run(given, verify=True)
            wanted = golden.bpmm(design.description, x, weights, order)
            np.testing.assert_array_equal(product.result.y, wanted.y)
    assert spectrum.y_im.any()
    assert product.amount.count == 4 * 3 * 8 * 4


TWO_CORES = """
from spec import Accelerator, Butterfly, Softmax

small = Accelerator(
    cores={
        "rows": Softmax("exact", score_bits=12, score_frac=6, max_length=16),
        "transform": Butterfly("fft", points=16, data_bits=14, coefficient_bits=16),
    }
)
"""
"""Of two kinds, and small: a simulated cycle costs as much as there are registers."""


@cosim
@pytest.mark.slow
def test_two_cores_at_one_port(tmp_path_factory, tmp_path):
    (tmp_path / "two.py").write_text(TWO_CORES)
    settings = ["rows.lanes=1", "transform.units=1", "transform.stream_words=1"]
    folder, _ = built(tmp_path_factory, str(tmp_path / "two.py"), *settings)
    rng = np.random.default_rng(6)
    scores = {"scores": rng.integers(-2048, 2048, (2, 9)).astype(np.int16)}
    with simulated(folder) as port, connect(folder, port, patience=SLOW) as board:
        assert board.run(scores, "rows", verify=True).result.p.any()
        spectrum = board.run({"x": rng.integers(-99, 99, (1, 16))}, "transform", verify=True)
        assert spectrum.result.y_im.any()


@cosim
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(each, marks=() if each is Target.PORTABLE else pytest.mark.slow, id=each.value)
        for each in Target
    ],
)
def test_a_bound_of_cycles_ends_it_whatever_cells_it_has(tmp_path_factory, target):
    folder, _ = built(tmp_path_factory, "softmax_ice40", "max_length=16", target=target)
    outcome = command(
        "fpga.simulate", folder.name, "--cycles", 1, "--seconds", 60, cwd=folder.parent
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("/dev/")
    assert "softmax_ice40: " in outcome.err and " cycles in " in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seconds", 0), "--seconds must be from 0.001 to 604800, got 0; nearest is 0.001"),
        (
            ("--seconds", "inf"),
            "--seconds must be from 0.001 to 604800, got inf; nearest is 604800",
        ),
        (("--seconds", "nan"), "argument --seconds: must be a number, got 'nan'"),
        (("--cycles", 0), "--cycles must be at least 1, got 0; nearest is 1"),
        (("--cycles", 2.6), "argument --cycles: must be a whole number, got '2.6'; nearest is 3"),
        (("--simulator", "icarrus"), "--simulator must be one of icarus, verilator"),
        (("--link", "."), "--link .: there is something of that name; name another path"),
        (("--link", "no/port"), "--link no/port: there is no folder "),
        ((), "there is no softmax_ice40.v in it; build the folder again"),
    ],
)
def test_wishes_that_cannot_be_are_refused(tmp_path, arguments, says):
    write_manifest(tmp_path / "d", "softmax_ice40")
    assert says in command("fpga.simulate", tmp_path / "d", *arguments, cwd=tmp_path).complaint


def test_a_folder_without_a_link_is_refused(tmp_path):
    outcome = command("fpga.simulate", tmp_path)
    assert "there is no manifest.json in it" in outcome.complaint
