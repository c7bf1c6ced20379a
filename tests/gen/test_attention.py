import json
import re
import time

import pytest

from gen.design import load_design
from gen.presets import PRESETS
from gen.verilog import write_design
from hw.prim.target import Target
from tests.support.command import command
from tests.support.emitted import every_register_has_a_name, icarus_takes, yosys_takes

ATTENTION = [name for name in PRESETS if name.startswith("attention")]
LAYER = """
from spec import Attention, alibi, causal, sliding_window, softcap

layer = Attention(
    heads=2, kv_heads=1, queries=32, keys=32, head_dim=16,
    mask=causal() & sliding_window({window}),
    score=lambda s, b, h, q, k: softcap(s, 30.0) + alibi(h, q, k),
)
"""


def test_the_presets_that_were_promised_are_there():
    promised = {
        "attention_tiny",
        "attention_causal_256",
        "attention_window_1024",
        "attention_gqa_1024",
        "attention_document_1024",
        "attention_bert",
        "attention_alibi_softcap",
        "attention_sigmoid",
        "attention_retention",
        "attention_any_mask",
    }
    assert promised <= set(ATTENTION)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "attention_tiny" else pytest.param(name, marks=pytest.mark.slow)
        for name in ATTENTION
    ],
)
def test_a_preset_is_verilog_that_icarus_and_yosys_take_without_a_warning(name, tmp_path):
    folder = tmp_path / "out"
    start = time.perf_counter()
    write_design(load_design(name), folder, target=Target.PORTABLE)
    assert time.perf_counter() - start < 40, "ten seconds alone; other tests run beside this one"
    source = folder / f"{name}.v"
    icarus_takes(source, tmp_path)
    every_register_has_a_name(source)
    told = json.loads((folder / "manifest.json").read_text())
    header = re.search(rf"^module {name}\(([^)]*)\);", source.read_text(), re.M)
    assert header is not None
    assert sorted(re.findall(r"\w+", header[1])) == sorted(port["name"] for port in told["ports"])
    assert set(told["streams"]) >= {"i_job", "i_q", "i_k", "i_v", "o"}
    if name == "attention_tiny":
        yosys_takes(source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "cell"), [(Target.ECP5, "MULT18X18D"), (Target.ICE40, "SB_MAC16")]
)
def test_the_largest_preset_is_emitted_for_a_vendor_as_quickly(target, cell, tmp_path):
    start = time.perf_counter()
    write_design(load_design("attention_any_mask"), tmp_path / "out", target=target)
    assert time.perf_counter() - start < 40, "ten seconds alone; other tests run beside this one"
    assert cell in (tmp_path / "out" / "attention_any_mask.v").read_text()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["target"] == target.value


@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_verilog_is_the_same_in_every_run(tmp_path, target):
    for folder in ("a", "b"):
        outcome = command(
            "gen.verilog", "attention_tiny", "--target", target, "-o", tmp_path / folder
        )
        assert outcome.code == 0, outcome.err
    for name in ("manifest.json", "attention_tiny.v"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_description_file_is_ten_lines_and_its_digest_knows_its_functions(tmp_path):
    digests = set()
    for window in (8, 9):
        path = tmp_path / "layer.py"
        path.write_text(LAYER.format(window=window))
        digests.add(load_design(str(path)).digest)
        assert load_design(str(path)).digest in digests
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("rows=3", "rows must be a power of two from 1 to 16, got 3; nearest is 2"),
        ("head_dims=3", "there is no such field; nearest is head_dim"),
        ("kv_heads=2", "Attention.kv_heads must be from 1 to 1, got 2; nearest is 1"),
        ("masks=bitmaps", "did you mean bitmap?"),
        ("mask=causal", "description file"),
        ("output_bits=9", "Attention.output_bits must be one of 8, 16, got 9; nearest is 8"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(setting, what, tmp_path):
    outcome = command("gen.verilog", "attention_tiny", "--set", setting, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert what in outcome.err and len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_a_score_names_the_users_line(tmp_path):
    path = tmp_path / "layer.py"
    path.write_text(
        "from spec import Attention\n\n"
        "def score(s, b, h, q, k):\n    if q > k:\n        return s\n    return s + 1\n\n"
        "layer = Attention(heads=1, queries=8, keys=8, head_dim=8, score=score)\n"
    )
    outcome = command("gen.verilog", path, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "layer.py:4" in outcome.err and "select" in outcome.err
