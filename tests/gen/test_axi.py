"""``--bus axi``: what lies in the folder, and that other tools take it."""

import ast
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gen.design import load_design
from gen.registers.c_header import c_header
from gen.registers.systemrdl import systemrdl
from gen.verilog import write_design
from hw.bus.registers import KINDS
from hw.prim.target import Target
from sim.bench.runner import HANG_SECONDS
from spec.registers import RegisterMap
from tests.support.command import command
from tests.support.emitted import every_register_has_a_name, icarus_takes, yosys_takes

DESIGNS = ("softmax_ice40", "attention_tiny", "butterfly_ice40")
"""One of every kind."""

FILES = ["{}.core", "{}.v", "{}_example.v", "{}_litex.py", "manifest.json", "registers.h"]


@pytest.fixture(scope="module", params=DESIGNS)
def emitted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("axi") / request.param
    write_design(load_design(request.param), folder, target=Target.PORTABLE, bus="axi")
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_folder_holds_every_file_and_the_manifest_knows_them(emitted):
    names = sorted([*(name.format(emitted.name) for name in FILES), "registers.rdl"])
    assert sorted(os.listdir(emitted)) == names
    told = manifest(emitted)
    assert told["bus"] == "axi"
    assert told["files"] == {
        name: hashlib.sha256((emitted / name).read_bytes()).hexdigest()
        for name in names
        if name != "manifest.json"
    }


def test_the_same_bytes_come_out_again(emitted, tmp_path):
    outcome = command("gen.verilog", emitted.name, "--bus", "axi", "-o", tmp_path / "again")
    assert outcome.code == 0, outcome.err
    for name in os.listdir(emitted):
        assert (tmp_path / "again" / name).read_bytes() == (emitted / name).read_bytes()


def test_the_manifest_holds_the_map_from_which_all_is_made(emitted):
    told = manifest(emitted)
    registers = RegisterMap.read(told["registers"])
    assert (emitted / "registers.h").read_text() == c_header(registers)
    assert (emitted / "registers.rdl").read_text() == systemrdl(registers)
    digest = "".join(f"{registers[f'digest_{k}'].value:08x}" for k in range(8))
    assert digest == told["digest"] == load_design(emitted.name).digest
    assert registers["interface"].value == told["interface_version"]
    assert registers["kind"].value == KINDS[told["kind"]]


def test_ports_are_those_of_the_manifest(emitted):
    text = (emitted / f"{emitted.name}.v").read_text()
    header = re.search(rf"^module {emitted.name}\(([^)]*)\);", text, re.M)
    assert header is not None
    ports = manifest(emitted)["ports"]
    assert sorted(re.findall(r"\w+", header[1])) == sorted(port["name"] for port in ports)
    for port in ports:
        width = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"{port['direction']} {width}{port['name']};" in text


def test_every_stream_is_told_with_its_pins(emitted):
    told = manifest(emitted)
    widths = {port["name"]: port["width"] for port in told["ports"]}
    pins = {name.rsplit("_t", 1)[0] for name in widths if "_axis_" in name}
    assert {stream["pins"] for stream in told["axi"].values()} == pins
    for name, stream in told["axi"].items():
        assert stream["pins"].endswith(f"_axis_{name}")
        size = stream["lanes"] * stream["element_bytes"]
        assert widths[f"{stream['pins']}_tdata"] == 8 * size
        assert widths[f"{stream['pins']}_tkeep"] == size
        assert widths.get(f"{stream['pins']}_tuser", 0) == stream["user_bits"]
        assert stream["words"]


def test_icarus_takes_the_core_and_the_example_without_a_warning(emitted, tmp_path):
    icarus_takes(emitted / f"{emitted.name}.v", tmp_path)
    every_register_has_a_name(emitted / f"{emitted.name}.v")
    both = [str(emitted / f"{emitted.name}{end}.v") for end in ("", "_example")]
    done = subprocess.run(
        ["iverilog", "-Wall", "-g2005", "-s", f"{emitted.name}_example", "-o", "x", *both],
        cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_yosys_takes_it_without_a_warning(emitted):
    yosys_takes(emitted / f"{emitted.name}.v")
    (emitted / "yosys.log").unlink()


def test_fusesoc_builds_the_core(emitted, tmp_path):
    pytest.importorskip("fusesoc")
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from fusesoc.main import main; sys.exit(main())",
         "--cores-root", str(emitted), "run", "--build", "--target=example", emitted.name],
        cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
        env={**os.environ, **home},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    built = [path for path in tmp_path.rglob("*") if path.name.endswith(".scr")]
    assert len(built) == 1
    assert "warning" not in (done.stdout + done.stderr).lower()
    script = built[0].read_text()
    assert f"{emitted.name}.v" in script and f"{emitted.name}_example.v" in script


def test_the_litex_example_connects_every_port_the_right_way_round(emitted):
    tree = ast.parse((emitted / f"{emitted.name}_litex.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (instance,) = [call for call in calls if getattr(call.func, "id", "") == "Instance"]
    assert isinstance(instance.args[0], ast.Constant)
    assert instance.args[0].value == emitted.name
    connected = sorted(keyword.arg or "" for keyword in instance.keywords)
    ports = manifest(emitted)["ports"]
    assert connected == sorted(f"{port['direction'][0]}_{port['name']}" for port in ports)


def test_migen_takes_the_litex_example(emitted, tmp_path, monkeypatch):
    pytest.importorskip("litex")
    verilog = pytest.importorskip("migen.fhdl.verilog")
    monkeypatch.syspath_prepend(str(emitted))
    module = importlib.import_module(f"{emitted.name}_litex")
    name = "".join(word.capitalize() for word in emitted.name.split("_"))
    sources: list[str] = []

    class Platform:
        add_source = staticmethod(sources.append)

    made = getattr(module, name)(Platform())
    told = manifest(emitted)
    bundles = [getattr(made.bus, each) for each in ("aw", "w", "b", "ar", "r")]
    bundles += [getattr(made, stream) for stream in told["axi"]]
    signals = {made.busy, made.error}.union(*(bundle.flatten() for bundle in bundles))
    (tmp_path / "top.v").write_text(str(verilog.convert(made, signals, name="top")))
    done = subprocess.run(
        ["iverilog", "-Wall", "-g2005", "-s", "top", "-o", "x", "top.v", *sources],
        cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS, check=False,
    )  # fmt: skip
    complaints = [
        line for line in (done.stdout + done.stderr).splitlines() if "timescale" not in line
    ]
    assert (done.returncode, complaints) == (0, [])
