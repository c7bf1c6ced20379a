"""Accelerators: presets of several cores, settings that reach one, and what they are refused."""

import json

import pytest

from gen.design import load_design
from gen.presets import PRESETS
from gen.uart import uart_top
from gen.verilog import write_design
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from spec import SpecError
from spec.registers import RegisterMap
from tests.support.command import command
from tests.support.emitted import icarus_takes, yosys_takes

ACCELERATORS = [name for name in PRESETS if name.startswith("accelerator")]
TINY = "accelerator_tiny"


def test_every_preset_is_one_top_of_the_cores_it_names():
    for name in ACCELERATORS:
        design = load_design(name)
        top = uart_top(design, LineConfig())
        assert list(top.systems) == list(design.description.cores) == list(design.hardware)
        assert top.config.link.maps == len(top.systems)


def test_the_preset_of_an_85f_holds_what_its_cores_hold_alone():
    cores = load_design("accelerator_ulx3s_85f").cores
    assert cores["butterfly"].digest == load_design("butterfly_1024").digest
    alone = ["logic_rows=2", "masks=generator,bitmap"]
    assert cores["attention"].digest == load_design("attention_gqa_1024", alone).digest
    assert {cores["attention"].hardware[f] for f in ("rows", "columns", "value_columns")} == {8}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accelerator") / TINY
    write_design(load_design(TINY), folder, target=Target.PORTABLE, bus="uart")
    return folder


def test_the_manifest_tells_each_core_by_itself(emitted):
    told = json.loads((emitted / "manifest.json").read_text())
    design = load_design(TINY)
    assert (told["kind"], told["digest"]) == ("accelerator", design.digest)
    cores = told["uart"]["cores"]
    assert [(each["name"], each["base"]) for each in cores] == [
        ("attention", 0x0000), ("butterfly", 0x1000)
    ]  # fmt: skip
    for each in cores:
        name = each["name"]
        alone = load_design(f"{TINY}:{name}")
        assert each["digest"] == alone.digest == design.cores[name].digest
        assert each["configuration"] == told["configuration"][name]
        assert {"kind": each["kind"], "description": each["description"]} == (
            told["description"][name]
        )
        registers = RegisterMap.read(each["registers"])
        digest = "".join(f"{registers[f'digest_{k}'].value:08x}" for k in range(8))
        assert digest == alone.digest
        assert told["cores"][name]["cycles"]
    for side in ("to_core", "from_core"):
        places = [s["index"] for c in cores for s in c["streams"].values() if s["side"] == side]
        assert places == list(range(len(places)))


def test_icarus_and_yosys_take_it_without_a_warning(emitted, tmp_path):
    icarus_takes(emitted / f"{TINY}.v", tmp_path)
    yosys_takes(emitted / f"{TINY}.v")
    (emitted / "yosys.log").unlink()


def test_a_setting_reaches_one_core_and_changes_the_digest():
    plain = load_design(TINY)
    changed = load_design(TINY, ["attention.rows=4", "attention.heads=4", "attention.kv_heads=4"])
    assert changed.cores["attention"].config.rows == 4
    assert changed.cores["attention"].description.kv_heads == 4
    assert changed.cores["butterfly"].digest == plain.cores["butterfly"].digest
    assert changed.digest != plain.digest
    alone = load_design(f"{TINY}:attention", ["rows=4", "heads=4", "kv_heads=4"])
    assert alone.digest == changed.cores["attention"].digest
    assert alone.name == f"{TINY}_attention"


def test_a_users_file_is_an_accelerator_and_its_core_a_design(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from spec import Accelerator, Softmax\n"
        "board = Accelerator(cores={'a': Softmax('rexp', max_length=32), 'b': Softmax('exact')})\n"
    )
    assert list(load_design(str(file)).cores) == ["a", "b"]
    core = load_design(f"{file}:a", ["lanes=2"])
    assert (core.name, core.kind.name, core.config.lanes) == ("mine_a", "softmax", 2)


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (
            TINY,
            ["rows=4"],
            "--set rows=4: of an accelerator write core.key=value; cores: attention",
        ),
        (TINY, ["attentin.rows=4"], "there is no core attentin; nearest is attention"),
        (TINY, ["attention.row=4"], "--set attention.row: row is no plain value"),
        (TINY, ["attention.colums=4"], "no such field; nearest is attention.columns"),
        (TINY, ["attention.rows=x"], "--set attention.rows=x: rows is an integer, got 'x'"),
        (TINY, ["attention.rows"], "--set attention.rows: write attention.rows=value"),
        (f"{TINY}:fft", [], "a core of accelerator_tiny must be one of attention, butterfly"),
        ("softmax_exact:a", [], "softmax_exact is one core: leave :a out"),
    ],
)
def test_what_names_no_core_or_field_is_refused(source, settings, message):
    with pytest.raises(SpecError) as error:
        load_design(source, settings)
    assert message in str(error.value)


@pytest.mark.parametrize("bus", ["stream", "axi"])
def test_cores_share_a_link_and_no_other_bus(bus, tmp_path):
    outcome = command("gen.verilog", TINY, "--bus", bus, "-o", tmp_path / "out")
    assert "use --bus uart, or name one core" in outcome.complaint
    assert "NAME:attention, NAME:butterfly" in outcome.complaint


def test_running_one_takes_a_core(tmp_path):
    outcome = command("sim.run", TINY, "--in", tmp_path / "x.npz")
    assert "run one core at a time: NAME:attention or NAME:butterfly" in outcome.complaint
    outcome = command("sim.run", f"{TINY}:butterfly", "--in", tmp_path / "x.npz")
    assert "x.npz" in outcome.complaint
