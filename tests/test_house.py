"""The rules of the house that a machine can hold: who imports whom, and how a file looks."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sim.bench.runner import HANG_SECONDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("spec", "hw", "sim", "gen", "fpga")
FOLDERS = (*PACKAGES, "scripts", "tests", "examples")
MOST_LINES = 400

LONG = {
    "hw/bus/executor.py": "the states of one machine around one shift register",
    "sim/cycle/attention.py": "the twin of one schedule, whose parts read each other's moments",
    "tests/formal/test_dispatch_units.py": "the harnesses share their tables of proofs and faults",
}
"""Files of more lines, and why they stay whole."""


def files_of(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def modules_of(*packages):
    """Every module below packages, by its dotted name."""
    folders = [package.replace(".", "/") for package in packages]
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in files_of(*folders)]
    return [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]


def loaded_by(modules):
    """Names of the packages that a fresh interpreter has loaded after importing `modules`."""
    code = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    command = [sys.executable, "-c", code, json.dumps(modules)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_imports_go_one_way():
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("packages", "never"),
    [
        (("spec",), {"amaranth", "numpy", "hw", "gen", "sim", "fpga"}),
        (("sim.golden", "sim.reference", "sim.arrays"), {"amaranth", "hw", "gen", "fpga"}),
        (("hw",), {"numpy", "gen", "sim", "fpga"}),
        (("sim.cycle",), {"gen", "fpga"}),
    ],
    ids=["spec", "sim.golden", "hw", "sim.cycle"],
)
def test_a_fresh_interpreter_loads_no_more_than_it_may(packages, never):
    modules = modules_of(*packages)
    assert len(modules) > len(packages)
    assert not loaded_by(modules) & never


def test_what_is_loaded_is_seen():
    assert {"amaranth", "spec"} <= loaded_by(["hw.softmax.core"])
    assert "numpy" in loaded_by(["sim.golden.softmax"])


def sources(*folders):
    return [pytest.param(path, id=name_of(path)) for path in files_of(*folders)]


def imports(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


@pytest.mark.parametrize("path", sources(*FOLDERS))
def test_a_file_imports_by_name(path):
    starred = [
        f"{name_of(path)}:{node.lineno}"
        for node in imports(ast.parse(path.read_text()))
        if any(name.name == "*" for name in node.names)
    ]
    assert starred == []


@pytest.mark.parametrize("path", sources("hw"))
def test_gates_do_not_postpone_their_annotations(path):
    # A postponed annotation is text, and the In and Out of a Component are lost.
    assert "__future__" not in {node.module for node in imports(ast.parse(path.read_text()))}


@pytest.mark.parametrize("path", sources(*PACKAGES, "scripts", "examples", "tests/support"))
def test_a_module_says_what_it_is_for(path):
    tree = ast.parse(path.read_text())
    if not tree.body:
        assert path.name == "__init__.py"
    else:
        assert ast.get_docstring(tree)


def test_a_long_file_says_why():
    long = {name_of(path): len(path.read_text().splitlines()) for path in files_of(*FOLDERS)}
    assert {name for name, lines in long.items() if lines > MOST_LINES} == set(LONG)


def test_hardware_packages_begin_empty():
    for path in files_of("hw"):
        assert path.name != "__init__.py" or not path.read_text(), name_of(path)
