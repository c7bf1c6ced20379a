import json

import numpy as np
import pytest

from tests.support.command import command

TINY = ("attention_tiny", "--set", "queries=16", "--set", "keys=16")
LOADED = (*TINY, "--set", "masks=generator,bitmap")


def operands(**changed):
    rng = np.random.default_rng(5)
    arrays = {name: rng.integers(-128, 128, (1, 16, 16)).astype(np.int8) for name in "qkv"}
    return {**arrays, **changed}


def run(tmp_path, arrays, *arguments):
    np.savez(tmp_path / "in.npz", **arrays)
    return command(
        "sim.run", *arguments, "--in", tmp_path / "in.npz", "--out", tmp_path / "out.npz"
    )


def some(share=0.3, shape=(16, 16)):
    return np.random.default_rng(2).random(shape) < share


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("design", "arrays"),
    [
        (TINY, operands()),
        (LOADED, operands(mask=some())),
        ((*TINY, "--set", "masks=columns"), operands(mask=np.tri(16, dtype=bool))),
    ],
    ids=["own", "bitmap", "columns"],
)
def test_verilog_gives_the_golden_bits_and_the_models_cycles(tmp_path, design, arrays):
    results = {}
    for engine in ("golden", "rtl"):
        outcome = run(tmp_path, arrays, *design, "--engine", engine)
        assert outcome.code == 0, outcome.err
        results[engine] = dict(np.load(tmp_path / "out.npz"))
    assert results["golden"].keys() == {"o", "empty", "cycles", "tiles", "stall_free_cycles"}
    for name, golden in results["golden"].items():
        np.testing.assert_array_equal(golden, results["rtl"][name], err_msg=name)
    assert results["golden"]["o"].dtype == np.int8


def test_a_mask_of_every_head_is_taken(tmp_path):
    outcome = run(tmp_path, operands(mask=some(shape=(1, 16, 16))), *LOADED)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("length", [0, 1, 7])
def test_shorter_and_empty_inputs_have_a_result(tmp_path, length):
    arrays = operands()
    arrays = {"q": arrays["q"], "k": arrays["k"][:, :length], "v": arrays["v"][:, :length]}
    outcome = run(tmp_path, arrays, *TINY, "--engine", "golden")
    assert outcome.code == 0, outcome.err
    told = np.load(tmp_path / "out.npz")
    assert told["o"].shape == (1, 16, 16)
    assert told["empty"].all() == (length == 0)


@pytest.mark.parametrize(
    ("engine", "absent"),
    [
        ("golden", "q"),
        ("golden", "qkv"),
        pytest.param("rtl", "q", marks=pytest.mark.cosim),
        pytest.param("rtl", "kv", marks=pytest.mark.cosim),
    ],
)
def test_no_queries_or_no_keys_have_a_result_without_a_run(tmp_path, engine, absent):
    arrays = operands(**{name: np.zeros((1, 0, 16), np.int8) for name in absent})
    outcome = run(tmp_path, arrays, *TINY, "--engine", engine)
    assert outcome.code == 0, outcome.err
    told = np.load(tmp_path / "out.npz")
    assert told["o"].shape == (1, arrays["q"].shape[1], 16) and not told["o"].any()
    assert told["empty"].all() and told["cycles"] == told["tiles"] == 0


@pytest.mark.parametrize("knob", ["score_tiles", "partial_tiles"])
def test_the_size_that_is_named_fits_and_one_less_does_not(tmp_path, knob):
    mask = operands(mask=some())
    refused = run(tmp_path, mask, *LOADED, "--set", f"{knob}=2")
    assert refused.code == 2
    wanted = int(refused.err.split(f"--set {knob}=")[1].split()[0])
    for size, code in ((wanted, 0), (wanted - 1, 2)):
        assert run(tmp_path, mask, *LOADED, "--set", f"{knob}={size}").code == code


def test_json_tells_what_a_program_wants(tmp_path):
    outcome = run(tmp_path, operands(), *TINY, "--json")
    told = json.loads(outcome.out)
    assert told["tiles"] == 64 and told["stall_free_cycles"] == 64 * 16 < told["cycles"]


@pytest.mark.parametrize(
    ("arrays", "design", "what"),
    [
        (operands(q=np.zeros((1, 16, 16))), TINY, "q must be int8, got float64; quantise"),
        (operands(k=np.zeros((2, 16, 16), np.int8)), TINY, "k must have shape"),
        (operands(v=np.zeros((1, 16, 8), np.int8)), TINY, "v must have shape"),
        (operands(v=np.zeros((1, 15, 16), np.int8)), TINY, "k has 16 keys, but v has 15"),
        (operands(k=np.zeros((1, 17, 16), np.int8)), TINY, "k has 17 keys; the most is keys = 16"),
        (operands(q=np.zeros((1, 17, 16), np.int8)), TINY, "q has 17 queries; the most is queries"),
        (operands(mask=some()), TINY, "--set masks=generator,bitmap"),
        (operands(mask=some().astype(int)), LOADED, "mask must be bool"),
        (operands(mask=some(shape=(16, 15))), LOADED, "mask must have shape (16, 16)"),
        (operands(), (*TINY, "--set", "masks=bitmap"), "there is no array called mask"),
        (operands(mask=some()), (*LOADED, "--set", "partial_tiles=3"), "--set partial_tiles="),
        (operands(mask=some()), (*LOADED, "--set", "score_tiles=2"), "--set score_tiles="),
        (operands(mask=some(0.5)), (*TINY, "--set", "masks=columns"), "--set masks=bitmap"),
        (operands(x=some()), TINY, "an array's name must be one of"),
        ({"q": operands()["q"]}, TINY, "there is no array called k"),
    ],
)
def test_wrong_input_is_one_line_that_says_what_would_be_right(tmp_path, arrays, design, what):
    outcome = run(tmp_path, arrays, *design)
    assert outcome.code == 2
    assert what in outcome.err and len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "out.npz").exists()


def test_the_lowest_int8_value_is_exact(tmp_path):
    arrays = {name: np.full((1, 16, 16), -128, np.int8) for name in "qkv"}
    assert run(tmp_path, arrays, *TINY).code == 0
    assert (np.load(tmp_path / "out.npz")["o"] == -128).all()
