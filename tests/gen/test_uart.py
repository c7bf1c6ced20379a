"""``--bus uart``: what lies in the folder, what the manifest says of the link, what is refused."""

import json
import os
import re

import pytest

from gen.design import load_design
from gen.uart import uart_top
from gen.verilog import write_design
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from spec.registers import RegisterMap
from tests.support.command import command
from tests.support.emitted import icarus_takes, yosys_takes

DESIGNS = ("softmax_ice40", "attention_tiny", "butterfly_ice40")
"""One of every kind."""

PINS = {
    "clk": "input", "rst": "input", "receive": "input",
    "transmit": "output", "busy": "output", "error": "output",
}  # fmt: skip


@pytest.fixture(scope="module", params=DESIGNS)
def emitted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uart") / request.param
    line = LineConfig(clock_hz=24_000_000, baud=3_000_000, buffer_bytes=512)
    design = load_design(request.param)
    write_design(design, folder, target=Target.PORTABLE, bus="uart", line=line)
    return folder


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_the_module_has_two_pins_clock_reset_and_two_lights(emitted):
    text = (emitted / f"{emitted.name}.v").read_text()
    header = re.search(rf"^module {emitted.name}\(([^)]*)\);", text, re.M)
    assert header is not None
    assert sorted(re.findall(r"\w+", header[1])) == sorted(PINS)
    told = manifest(emitted)
    assert {port["name"]: port["direction"] for port in told["ports"]} == PINS
    assert {port["width"] for port in told["ports"]} == {1}
    for name, direction in PINS.items():
        assert f"{direction} {name};" in text
    assert sorted(os.listdir(emitted)) == sorted([f"{emitted.name}.v", "manifest.json"])


def test_the_manifest_says_how_a_host_speaks_to_the_core(emitted):
    told, design = manifest(emitted), load_design(emitted.name)
    line = told["uart"]
    facts = (told["bus"], line["clock_hz"], line["baud"], line["buffer_bytes"])
    assert facts == ("uart", 24_000_000, 3_000_000, 512)
    (core,) = line["cores"]
    assert (core["name"], core["kind"], core["base"]) == (told["kind"], told["kind"], 0)
    assert core["digest"] == told["digest"] == design.digest
    assert core["description"] == told["description"]
    assert core["configuration"] == told["configuration"]
    registers = RegisterMap.read(core["registers"])
    digest = "".join(f"{registers[f'digest_{k}'].value:08x}" for k in range(8))
    assert digest == core["digest"]


def test_the_streams_are_those_of_the_link_by_place_and_width(emitted):
    (core,) = manifest(emitted)["uart"]["cores"]
    link = uart_top(load_design(emitted.name), LineConfig()).config.link
    for side, widths in (("to_core", link.send_widths), ("from_core", link.receive_widths)):
        there = [each for each in core["streams"].values() if each["side"] == side]
        assert [each["index"] for each in there] == list(range(len(widths)))
        for each, width in zip(there, widths, strict=True):
            size = each["lanes"] * each["element_bytes"]
            assert width == 8 * size + size + each["user_bits"] + 1
            assert each["words"]


def test_streams_are_told_as_on_axi(emitted, tmp_path):
    folder = tmp_path / "axi"
    write_design(load_design(emitted.name), folder, target=Target.PORTABLE, bus="axi")
    (core,) = manifest(emitted)["uart"]["cores"]
    told = {
        name: {k: v for k, v in each.items() if k not in ("side", "index", "pins")}
        for name, each in core["streams"].items()
    }
    on_axi = manifest(folder)["axi"]
    assert told == {
        name: {k: v for k, v in each.items() if k != "pins"} for name, each in on_axi.items()
    }
    assert {k: each["side"] == "to_core" for k, each in core["streams"].items()} == {
        k: each["pins"].startswith("s_axis") for k, each in on_axi.items()
    }


def test_icarus_and_yosys_take_it_without_a_warning(emitted, tmp_path):
    icarus_takes(emitted / f"{emitted.name}.v", tmp_path)
    yosys_takes(emitted / f"{emitted.name}.v")
    (emitted / "yosys.log").unlink()


def test_the_command_writes_the_same_bytes_and_takes_clock_rate_and_buffer(emitted, tmp_path):
    line = ["--clock", 24_000_000, "--baud", 3_000_000, "--buffer", 512]
    outcome = command("gen.verilog", emitted.name, "--bus", "uart", *line, "-o", tmp_path / "again")
    assert outcome.code == 0, outcome.err
    for name in os.listdir(emitted):
        assert (tmp_path / "again" / name).read_bytes() == (emitted / name).read_bytes()


WRONG = [
    (
        ["--bus", "uart", "--baud", 20_000_000],
        "--baud 20000000: UartConfig.baud must be at most a quarter of clock_hz, 12000000 at "
        "48000000 Hz, got 20000000; nearest is 12000000",
    ),
    (["--bus", "uart", "--clock", 1_000_000], "nearest is 250000"),
    (["--bus", "uart", "--baud", 0], "UartConfig.baud must be from 1 to 1000000000, got 0"),
    (["--bus", "uart", "--buffer", 10], "must be from 64 to 32768, got 10; nearest is 64"),
    (["--bus", "uart", "--baud", "fast"], "--baud: must be a whole number, got 'fast'"),
    (["--bus", "axi", "--baud", 9600], "--baud: --bus axi has no serial line; use --bus uart"),
    (["--clock", 9600], "--clock: --bus stream has no serial line; use --bus uart"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_a_line_that_cannot_be_made_is_refused_in_one_line(arguments, message, tmp_path):
    outcome = command("gen.verilog", "softmax_ice40", *arguments, "-o", tmp_path / "out")
    assert message in outcome.complaint
    assert not (tmp_path / "out").exists()


def test_a_word_that_does_not_fit_the_buffer_is_refused_with_the_least_that_does(tmp_path):
    wrong = ["butterfly_1024", "--bus", "uart", "--buffer"]
    outcome = command("gen.verilog", *wrong, 64, "-o", tmp_path / "out")
    least = int(outcome.complaint.split("nearest is ")[1])
    assert f"must be at least {least} for words of 73 bytes, got 64" in outcome.complaint
    assert uart_top(load_design("butterfly_1024"), LineConfig(buffer_bytes=least))
