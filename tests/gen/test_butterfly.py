import json
import re

import pytest

from gen.design import load_design
from gen.presets.butterfly import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from spec import SpecError
from tests.support.command import command
from tests.support.emitted import every_register_has_a_name, icarus_takes


def test_the_presets_that_were_promised_are_there():
    promised = {"fft_256", "fft_1024", "fft_8192", "butterfly_1024", "butterfly_ice40"}
    promised |= {"butterfly_8192", "mixing_128x64"}
    assert promised <= set(PRESETS)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "butterfly_ice40" else pytest.param(name, marks=pytest.mark.slow)
        for name in PRESETS
    ],
)
def test_a_preset_is_verilog_that_icarus_takes_without_a_warning(name, tmp_path):
    folder = tmp_path / "out"
    write_design(load_design(name), folder, target=Target.PORTABLE)
    source = folder / f"{name}.v"
    icarus_takes(source, tmp_path)
    every_register_has_a_name(source)
    told = json.loads((folder / "manifest.json").read_text())
    header = re.search(rf"^module {name}\(([^)]*)\);", source.read_text(), re.M)
    assert header is not None
    assert sorted(re.findall(r"\w+", header[1])) == sorted(port["name"] for port in told["ports"])
    assert set(told["streams"]) >= {"i_job", "i", "o"}
    cycles = told["cycles"]
    if name == "mixing_128x64":
        each = cycles["each_further_block"]
        assert 0.959 * each <= cycles["steps"] <= each < cycles["one_block"]
    else:
        assert cycles["each_further_vector"] == cycles["steps"] < cycles["one_vector"]


def test_verilog_is_the_same_in_every_run(tmp_path):
    for folder in ("a", "b"):
        design = load_design("butterfly_ice40", ["points=16"])
        write_design(design, tmp_path / folder, target=Target.ICE40)
    for name in ("manifest.json", "butterfly_ice40.v"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_settings_reach_the_description_and_the_hardware():
    design = load_design(
        "butterfly_1024",
        ["points=8", "transforms=bpmm", "shifts=1,0,2", "orders=increasing", "units=2"],
    )
    assert design.description.transforms == ("bpmm",)
    assert design.description.shifts == (1, 0, 2)
    assert design.config.units == design.config.stream_words == 2
    assert load_design("fft_256", ["shifts=1"]).description.shifts == 1
    assert load_design("fft_256", ["shifts=none"]).description.shifts is None


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("points=100", "Butterfly.points must be a power of two, got 100; nearest is 128"),
        ("transform=fft", "there is no such field; nearest is transforms"),
        ("transforms=dct", "Butterfly.transforms must be one of fft, inverse, mixing, bpmm"),
        ("shifts=1,1", "Butterfly.shifts must be one number or one for each of 8 stages, got 2"),
        ("shifts=x", "shifts is a list such as 1,0,1 or an integer or none, got 'x'"),
        ("units=5", "units must be one of 1, 2, 4, 8, got 5; nearest is 4"),
        ("stream_words=8", "stream_words must be one of 1, 2, 4, got 8; nearest is 4"),
        ("rows=16", "Butterfly.rows is for transform mixing, but transforms are fft, inverse; "),
        ("divided_from=32", "Butterfly.divided_from must be from 64 to 256, got 32; nearest is 64"),
        ("transforms=fft,mixing", "mixing has a core of its own; name it alone or leave it out"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(setting, what):
    with pytest.raises(SpecError) as caught:
        load_design("fft_256", [setting])
    assert what in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_refusal_is_one_line_and_leaves_no_folder(tmp_path):
    outcome = command("gen.verilog", "fft_256", "--set", "points=100", "-o", tmp_path / "out")
    assert "Butterfly.points must be a power of two, got 100; nearest is 128" in outcome.complaint
    assert not (tmp_path / "out").exists()
