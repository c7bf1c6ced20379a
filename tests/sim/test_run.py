"""``python -m sim.run``: both engines agree, and wrong input gets one clear line."""

import json
import os

import numpy as np
import pytest

from gen.presets import PRESETS
from sim.bench.runner import run_bench
from sim.golden.softmax import softmax
from spec import SpecError
from tests.support.command import command


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def some_scores(rows=6, length=37, seed=0):
    rng = np.random.default_rng(seed)
    scores = np.clip(rng.normal(0, 300, (rows, length)), -2000, 2000).astype(np.int16)
    mask = rng.random((rows, length)) < 0.8
    mask[2] = False
    return scores, mask


def test_golden_writes_probabilities_flags_and_cycles(tmp_path):
    scores, mask = some_scores()
    data = save(tmp_path / "in.npz", scores=scores, mask=mask)
    outcome = command(
        "sim.run", "softmax_exact", "--in", data, "--out", tmp_path / "out.npz", "--json"
    )
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    out = np.load(tmp_path / "out.npz")
    p, empty = softmax(PRESETS["softmax_exact"].description.numerics, scores, mask)
    assert sorted(out.files) == ["cycles", "empty", "p"]
    assert out["p"].dtype == np.uint8
    assert np.array_equal(out["p"], p)
    assert np.array_equal(out["empty"], empty)
    assert told["cycles"] == int(out["cycles"])
    assert told["empty_rows"] == 1
    assert sorted(os.listdir(tmp_path)) == ["in.npz", "out.npz"]


@pytest.mark.cosim
@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("softmax")])
def test_rtl_gives_the_same_bits_in_the_same_cycles(tmp_path, name):
    scores, mask = some_scores(seed=1)
    data = save(tmp_path / "in.npz", scores=scores, mask=mask)
    out = {}
    for engine in ("golden", "rtl"):
        path = tmp_path / f"{engine}.npz"
        outcome = command("sim.run", name, "--in", data, "--out", path, "--engine", engine)
        assert outcome.code == 0, outcome.err
        out[engine] = np.load(path)
    for key in ("p", "empty", "cycles"):
        assert np.array_equal(out["golden"][key], out["rtl"][key]), key


GOOD = np.zeros((2, 5), np.int16)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"score": GOOD}, "an array's name must be one of scores, mask, got 'score'"),
        ({"mask": GOOD > 0}, "there is no array called scores"),
        ({"scores": GOOD.astype(float)}, "must be signed integers, got float64; quantise"),
        ({"scores": np.full((2, 5), np.nan)}, "must be signed integers, got float64"),
        ({"scores": GOOD.astype(np.uint8)}, "must be signed integers, got uint8"),
        ({"scores": GOOD[0]}, "must have shape (rows, length), both at least 1, got (5,)"),
        ({"scores": GOOD[:, :0]}, "both at least 1, got (2, 0)"),
        ({"scores": GOOD[:0]}, "both at least 1, got (0, 5)"),
        ({"scores": np.zeros((1, 1025), np.int16)}, "rows of 1025 elements; the longest row is"),
        ({"scores": GOOD.astype(np.int32) - 40000}, "[0, 0] = -40000 must be from -32768 to 32767"),
        ({"scores": GOOD, "mask": GOOD}, "mask must be bool (True = attend), got int16"),
        ({"scores": GOOD, "mask": GOOD[:1] > 0}, "mask must have the shape of scores (2, 5)"),
        ({"scores": np.array([[object()]])}, "is no .npz file of plain arrays"),
    ],
)
def test_wrong_arrays_get_one_line_and_leave_nothing(tmp_path, arrays, says):
    data = save(tmp_path / "in.npz", **arrays)
    outcome = command("sim.run", "softmax_exact", "--in", data, "--out", tmp_path / "out.npz")
    assert says in outcome.complaint
    assert os.listdir(tmp_path) == ["in.npz"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["softmax_exact", "--in", "none.npz"], "none.npz: there is no such file"),
        (["softmax_exact", "--in", "junk.npz"], "junk.npz: is no .npz file of plain arrays"),
        (["softmax_exact", "--in", "one.npy"], "one.npy: must be an .npz file"),
        (["softmax_exact", "--in", "in.npz", "--engine", "gold"], "did you mean golden?"),
        (["softmax_exact", "--in", "in.npz", "--out", "no/../in.npz/o.npz"], "cannot write there"),
        (["softmax_exact", "--in", "in.npz", "--out", "."], "is a folder; name a file"),
        (["softmax_what", "--in", "in.npz"], "nearest is softmax_"),
        (["softmax_exact"], "the following arguments are required: --in"),
    ],
)
def test_wrong_wishes_get_one_line_and_leave_nothing(tmp_path, arguments, says):
    save(tmp_path / "in.npz", scores=GOOD)
    (tmp_path / "junk.npz").write_bytes(b"junk")
    np.save(tmp_path / "one.npy", GOOD)
    before = sorted(os.listdir(tmp_path))
    assert says in command("sim.run", *arguments, cwd=tmp_path).complaint
    assert sorted(os.listdir(tmp_path)) == before


def test_a_missing_simulator_is_named(tmp_path, monkeypatch):
    data = save(tmp_path / "in.npz", scores=GOOD)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = command("sim.run", "softmax_ice40", "--in", data, "--engine", "rtl")
    assert "apt-get install iverilog" in outcome.complaint
    assert os.listdir(tmp_path) == ["in.npz"]


def test_a_missing_cocotb_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError, match="cocotb is not installed"):
        run_bench([], top="t", module="m", folder=tmp_path / "w", seconds=1, variables={})
    assert os.listdir(tmp_path) == []
