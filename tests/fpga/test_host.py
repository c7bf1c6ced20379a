"""The host at a board that is right, and at boards, ports, folders and arrays that are wrong."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
import serial

from fpga.host import NotGolden, connect
from fpga.host.__main__ import _progress
from fpga.host.causes import HELP
from fpga.link import NoAnswer, Patience, PortError, RunFailed, WrongBoard
from hw.bus.registers import CAUSES
from spec import SpecError
from tests.support.board import PythonBoard, write_manifest
from tests.support.command import ROOT, command
from tests.support.terminal import Terminal
from tests.test_house import loaded_by, modules_of

SETTINGS = ("max_length=32", "lanes=4")
QUICK = Patience(attempts=3, answer_s=0.3, stall_s=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host") / "rows"
    write_manifest(folder, "softmax_exact", SETTINGS)
    return folder


@pytest.fixture
def plug():
    """Boards at ports, pulled in the end."""
    made = []

    def make(respond):
        made.append(Terminal(respond))
        return made[-1].name

    yield make
    for terminal in made:
        terminal.pull()


def some_scores(rows=5, length=7, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2000, 2000, (rows, length)).astype(np.int16)
    mask = rng.random((rows, length)) < 0.7
    mask[1] = False
    return {"scores": scores, "mask": mask}


def run(folder, port, tmp_path, *more, **arrays):
    np.savez(tmp_path / "in.npz", **(arrays or some_scores()))
    return command(
        "fpga.host", folder, "--port", port, "--in", tmp_path / "in.npz",
        "--out", tmp_path / "out.npz", *more,
    )  # fmt: skip


# --- what goes well ---


@pytest.mark.parametrize("arrays", [some_scores(), {"scores": some_scores()["scores"]}])
def test_a_run_gives_what_the_golden_model_says(folder, plug, arrays):
    told = []
    with connect(folder, plug(PythonBoard(folder).respond), patience=QUICK) as board:
        done = board.run(arrays, verify=True, progress=lambda *at: told.append(at))
        again = board.run(arrays)
    assert done.result._fields == ("p", "empty", "cycles")
    assert done.result.p.shape == (5, 7) and done.result.p.dtype == np.uint8
    assert done.result.empty.any() == ("mask" in arrays)
    assert (done.cycles, done.stalls) == (5000, {"i": 0, "o": 0})
    assert told[-1] == (done.sent + done.received,) * 2
    assert done.sent == 5 * 2 * 10
    assert done.rate == 5 * 12_000_000 / 5000
    np.testing.assert_array_equal(again.result.p, done.result.p)


def test_more_rows_than_a_run_takes_are_several_runs(folder, plug, tmp_path):
    told = json.loads((folder / "manifest.json").read_text())
    for register in told["uart"]["cores"][0]["registers"]["registers"]:
        if register["name"] == "max_rows":
            register["fields"][0]["value"] = 2
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "manifest.json").write_text(json.dumps(told))
    there = PythonBoard(tmp_path / "few")
    with connect(tmp_path / "few", plug(there.respond), patience=QUICK) as board:
        done = board.run(some_scores(), verify=True)
    assert (there.runs, done.cycles) == (3, 5000)


def test_the_command_writes_results_and_tells_what_a_program_wants(folder, plug, tmp_path):
    port = plug(PythonBoard(folder).respond)
    done = run(folder, port, tmp_path, "--verify", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["rows"], told["cycles"], told["empty_rows"]) == (5, 5000, 1)
    assert (told["rate"], told["unit"], told["verified"]) == (12000.0, "rows", True)
    assert (told["sent_bytes"], told["received_bytes"]) == (100, 50)
    out = np.load(tmp_path / "out.npz")
    assert sorted(out.files) == ["cycles", "empty", "p"]
    plain = run(folder, port, tmp_path, "--verify")
    assert "12.00 k rows/s at 12 MHz" in plain.out
    assert "every bit is that of the golden model" in plain.out


def test_a_terminal_shows_a_bar(folder, plug, tmp_path):
    np.savez(tmp_path / "in.npz", **some_scores(rows=60))
    ours, theirs = pty.openpty()
    port, data = plug(PythonBoard(folder).respond), tmp_path / "in.npz"
    done = subprocess.run(
        [sys.executable, "-m", "fpga.host", folder, "--port", port, "--in", data],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60, check=False,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert done.returncode == 0, shown
    assert b"run softmax on" in shown and b"\x1b[" in shown and b" kB" in shown


def test_elsewhere_a_line_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr("fpga.host.__main__.TELL_S", -1)
    with _progress("go") as tell:
        tell(3, 40)
    assert capsys.readouterr().err.splitlines() == ["go: 3 of 40 bytes", "go: 0.0 s"]


def test_a_difference_from_the_golden_model_is_told_and_is_no_mistake_of_the_user(
    folder, plug, tmp_path
):
    there = PythonBoard(folder, spoil=lambda p: p ^ (np.arange(7) == 3))
    done = run(folder, plug(there.respond), tmp_path, "--verify")
    assert done.code == 1
    assert "p differs from the golden model in 5 of 35 elements, first at [0, 3]: " in done.err
    assert (tmp_path / "out.npz").exists()
    there = PythonBoard(folder, spoil=lambda p: p ^ 1)
    with (
        connect(folder, plug(there.respond), patience=QUICK) as board,
        pytest.raises(NotGolden, match="p differs"),
    ):
        board.run(some_scores(), verify=True)


# --- ports ---


def refused(folder, port, tmp_path, *more, **arrays):
    complaint = run(folder, port, tmp_path, *more, **arrays).complaint
    assert not (tmp_path / "out.npz").exists()
    return complaint


def test_a_port_that_is_not_there(folder, tmp_path):
    complaint = refused(folder, "/dev/ttyNONE", tmp_path)
    assert "fpga.host: error: port /dev/ttyNONE does not exist; serial ports here: " in complaint


def test_a_port_that_is_none(folder, tmp_path):
    for port in (tmp_path, tmp_path / "in.npz", "/dev/null"):
        complaint = refused(folder, port, tmp_path)
        assert complaint.startswith(
            f"fpga.host: error: port {port} is no serial line; serial ports here: "
        )


def test_a_port_that_is_busy(folder, plug, tmp_path):
    port = plug(PythonBoard(folder).respond)
    with serial.Serial(port, exclusive=True):
        assert f"port {port} is in use by another program" in refused(folder, port, tmp_path)


def test_a_port_where_nobody_answers(folder, plug, tmp_path):
    port = plug(lambda data: b"")
    complaint = refused(folder, port, tmp_path, "--patience", 0.02)
    assert f"nobody answers at port {port} with 1000000 baud: flash {folder}" in complaint
    with pytest.raises(NoAnswer, match="check that it is the right port"):
        connect(folder, port, patience=QUICK)


class Cable:
    """A board whose cable is pulled when it has been sent so many bytes."""

    def __init__(self, board, after):
        self.board, self.left = board, after

    def respond(self, data):
        self.left -= len(data)
        return self.board.respond(data) if self.left > 0 else None


def test_a_cable_that_is_pulled_in_a_transfer_and_put_back(folder, plug, tmp_path):
    there, arrays = PythonBoard(folder), some_scores(rows=60)
    complaint = refused(folder, plug(Cable(there, 700).respond), tmp_path, **arrays)
    assert "the port went away" in complaint and "check the cable" in complaint
    assert there.busy
    done = run(folder, plug(there.respond), tmp_path, "--verify", **arrays)
    assert done.code == 0, done.err


def test_a_board_that_comes_back_is_used_again(folder, plug):
    there, arrays = PythonBoard(folder), some_scores(rows=60)
    ports = [plug(Cable(there, 700).respond)]
    board = connect(folder, lambda: open_now(ports[-1]), patience=QUICK)
    with pytest.raises(PortError, match="the port went away"):
        board.run(arrays)
    with pytest.raises(PortError, match="connect again"):
        board.run(arrays)
    with pytest.raises(PortError, match=r"does not exist|cannot be opened"):
        board.reconnect()
    ports.append(plug(there.respond))
    board.reconnect()
    assert board.run(arrays, verify=True).result.p.any()
    board.close()


def test_a_run_that_is_interrupted_is_broken_off_by_the_next(folder, plug):
    def interrupt(done, total):
        raise KeyboardInterrupt

    there = PythonBoard(folder)
    with connect(folder, plug(there.respond), patience=QUICK) as board:
        with pytest.raises(KeyboardInterrupt):
            board.run(some_scores(rows=60), progress=interrupt)
        assert there.busy
        assert board.run(some_scores(), verify=True).cycles == 5000


def open_now(name):
    from fpga.link.port import open_port

    return open_port(name, 1_000_000)


# --- what is on the board ---


@pytest.mark.parametrize(
    ("constants", "says"),
    [
        (
            {"digest_0": 0x12345678},
            "on the board there is softmax 12345678",
        ),
        (
            {"digest_7": 1, "kind": 2},
            "on the board there is attention ",
        ),
        ({"digest_7": 1, "kind": 9}, "on the board there is kind 9 "),
        ({"interface": 7}, "is of interface version 7, "),
        ({"identity": 0xDEAD}, "on the board there is 0x0000dead at 0x0000, which is none of our"),
    ],
)
def test_another_bitstream_is_refused(folder, plug, tmp_path, constants, says):
    there = PythonBoard(folder, constants=constants)
    complaint = refused(folder, plug(there.respond), tmp_path)
    assert says in complaint and f"{folder}" in complaint and "flash" in complaint


def test_another_release_of_the_same_cores_is_refused(folder, plug):
    there = PythonBoard(folder)
    there.core["streams"]["o"]["user_bits"] = 30
    with pytest.raises(WrongBoard, match="the board's streams are not those of"):
        connect(folder, plug(there.respond), patience=QUICK)


def test_a_core_of_no_registers_is_refused(folder, plug):
    there = PythonBoard(folder)
    there.words.clear()
    with pytest.raises(WrongBoard, match="on the board there is no core at 0x0000, where"):
        connect(folder, plug(there.respond), patience=QUICK)


# --- what a core says ---


def test_every_cause_of_an_error_has_words_about_what_to_do():
    assert set(HELP) == set(CAUSES)


def test_causes_of_errors_are_told_with_what_to_do_and_the_next_run_is_right(
    folder, plug, tmp_path
):
    there = PythonBoard(folder, causes=["row_early", "timeout"])
    port = plug(there.respond)
    complaint = refused(folder, port, tmp_path)
    assert "softmax: the run went wrong: row_early (TLAST before" in complaint
    assert "timeout (no transfer on any stream" in complaint and "run it again" in complaint
    assert run(folder, port, tmp_path, "--verify").code == 0


def test_a_core_that_takes_nothing_is_waited_for_so_long_and_made_ready(folder, plug):
    there = PythonBoard(folder, deaf=True)
    with connect(folder, plug(there.respond), patience=QUICK) as board:
        with pytest.raises(
            RunFailed, match=r"for 0\.5 s: stream i to the core has 100 bytes.*broken off"
        ):
            board.run(some_scores())
        there.deaf = False
        assert board.run(some_scores(), verify=True).cycles == 5000


def test_a_setting_that_the_board_does_not_take_is_told(folder, plug):
    there = PythonBoard(folder)
    port = plug(there.respond)
    with connect(folder, port, patience=QUICK) as board:
        register = there.map["row_length"]
        object.__setattr__(register.fields[0], "most", 3)
        with pytest.raises(RunFailed, match=r"softmax: value \(a write of a value"):
            board.run(some_scores())


# --- folders and arrays ---

GOOD = np.zeros((2, 5), np.int16)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"score": GOOD}, "an array's name must be one of scores, mask, got 'score'"),
        ({"scores": GOOD.astype(float)}, "in.npz: scores must be signed integers, got float64"),
        ({"scores": np.zeros((1, 33), np.int16)}, "the longest row is max_length = 32"),
        ({"scores": GOOD, "mask": GOOD[:1] > 0}, "mask must have the shape of scores (2, 5)"),
    ],
)
def test_arrays_that_the_core_does_not_take_are_refused_without_a_board(
    folder, tmp_path, arrays, says
):
    assert says in refused(folder, "/dev/ttyNONE", tmp_path, **arrays)


def test_arrays_are_checked_from_python_too(folder, plug):
    with connect(folder, plug(PythonBoard(folder).respond), patience=QUICK) as board:
        with pytest.raises(SpecError, match="an array's name must be one of scores, mask"):
            board.run({"q": GOOD})
        with pytest.raises(SpecError, match="there is no core 'other'; there is softmax"):
            board.run({"scores": GOOD}, core="other")


def changed(folder, tmp_path, change):
    told = json.loads((folder / "manifest.json").read_text())
    change(told)
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed" / "manifest.json").write_text(json.dumps(told))
    return tmp_path / "changed"


def two_cores(told):
    (core,) = told["uart"]["cores"]
    told["uart"]["cores"].append({**core, "name": "second", "base": 0x1000})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told.pop("uart"), "build one with python -m gen.verilog softmax_exact --bus"),
        (lambda told: told.update(interface_version=2), "was built for interface version 2, this"),
        (lambda told: told["uart"].pop("baud"), "says too little (KeyError('baud'))"),
        (lambda told: told["uart"]["cores"][0].pop("registers"), "build the folder again"),
        (lambda told: told.clear(), "manifest.json: is no manifest of ours"),
        (two_cores, "there are several cores: name one of softmax, second"),
    ],
)
def test_a_folder_that_says_too_little_is_refused(folder, tmp_path, change, says):
    wrong = changed(folder, tmp_path, change)
    assert says in refused(wrong, "/dev/ttyNONE", tmp_path)


def test_folders_that_are_none_are_refused(folder, tmp_path):
    assert "there is no such folder" in refused(tmp_path / "none", "p", tmp_path)
    assert "there is no manifest.json in it; name" in refused(tmp_path, "p", tmp_path)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "manifest.json").write_text("{")
    assert "is no manifest of ours" in refused(tmp_path / "junk", "p", tmp_path)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--core", "x"), "there is no core 'x'; there is softmax"),
        (("--reorder",), "softmax has no tokens to reorder; leave --reorder out"),
        (("--patience", 0), "--patience must be from 0.001 to 3600, got 0; nearest is 0.001"),
        (("--patience", "inf"), "--patience must be from 0.001 to 3600, got inf; nearest is 3600"),
        (("--patience", "long"), "argument --patience: must be a number, got 'long'"),
    ],
)
def test_wishes_that_cannot_be_are_refused(folder, tmp_path, more, says):
    assert says in refused(folder, "/dev/ttyNONE", tmp_path, *more)


def test_the_host_loads_no_gateware():
    loaded = loaded_by([*modules_of("fpga.host", "fpga.link"), "fpga.simulate"])
    assert loaded & {"amaranth", "hw", "cocotb", "scipy", "numpy", "spec"} == {"numpy", "spec"}
