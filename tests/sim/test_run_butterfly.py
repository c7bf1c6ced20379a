import numpy as np
import pytest

from gen.design import load_design
from sim.golden import butterfly as golden
from sim.golden.division import divided
from sim.run.butterfly import ButterflyRunner
from sim.run.engines import run_arrays
from spec import SpecError
from tests.support.command import command

RNG = np.random.default_rng(3)
X = RNG.integers(-32768, 32768, (3, 16)).astype(np.int16)
WEIGHTS = RNG.integers(-131071, 131072, (4, 8, 2, 2)).astype(np.int32)
SMALL = ("butterfly_1024", "--set", "points=16")


def run(tmp_path, arrays, *arguments):
    np.savez(tmp_path / "in.npz", **arrays)
    return command(
        "sim.run", *arguments, "--in", tmp_path / "in.npz", "--out", tmp_path / "out.npz"
    )


def both_engines(tmp_path, arrays, *arguments):
    results = {}
    for engine in ("golden", "rtl"):
        outcome = run(tmp_path, arrays, *arguments, "--engine", engine)
        assert outcome.code == 0, outcome.err
        results[engine] = dict(np.load(tmp_path / "out.npz"))
    for name, array in results["golden"].items():
        np.testing.assert_array_equal(array, results["rtl"][name], err_msg=name)
    return results["golden"]


@pytest.mark.cosim
def test_verilog_gives_the_golden_bits_and_the_models_cycles(tmp_path):
    found = both_engines(tmp_path, {"x_re": X, "x_im": X[::-1]}, *SMALL)
    assert found.keys() == {"y_re", "y_im", "exponent", "saturated", "cycles"}
    assert found["y_re"].dtype == np.int16
    want = golden.fft(load_design("butterfly_1024", ["points=16"]).description, X, X[::-1])
    np.testing.assert_array_equal(found["y_re"], want.re)
    np.testing.assert_array_equal(found["exponent"], want.exponent)


@pytest.mark.cosim
def test_a_rectangular_layer_runs_its_matrices_one_after_the_other(tmp_path):
    weights = np.stack([WEIGHTS, WEIGHTS[::-1], WEIGHTS[:, ::-1]])
    settings = ("--set", "inputs=13", "--set", "outputs=40", "--set", "transforms=bpmm")
    arrays = {"x": X[:, :13], "weights": weights}
    found = both_engines(tmp_path, arrays, *SMALL, *settings)
    assert found["y"].shape == (3, 40)
    assert found["exponent"].shape == (3, 3)


@pytest.mark.cosim
def test_a_divided_vector_runs_alike_on_both_engines(tmp_path):
    x = RNG.integers(-32768, 32768, (2, 64)).astype(np.int16)
    settings = ("--set", "points=64", "--set", "units=2")
    found = both_engines(tmp_path, {"x_re": x, "x_im": x[::-1]}, "butterfly_8192", *settings)
    want = divided(load_design("butterfly_8192", ["points=64"]).description, x, x[::-1])
    np.testing.assert_array_equal(found["y_im"], want.im)
    np.testing.assert_array_equal(found["exponent"], want.exponent)


def test_vectors_too_short_for_two_layers_are_refused():
    with pytest.raises(SpecError) as caught:
        read_by("butterfly_8192", {"x": X})
    assert str(caught.value) == (
        "data.npz: points of x must be from 64 to 8192, got 16; nearest is 64"
    )


def read(arrays, *settings):
    return read_by("butterfly_1024", arrays, "points=64", *settings)


def read_by(name, arrays, *settings):
    design = load_design(name, settings)
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    return ButterflyRunner().read("data.npz", arrays, design)  # type: ignore[arg-type]


def test_the_transform_follows_from_what_is_given():
    assert read({"x": X}).transform == "fft"
    assert read({"x": X}, "transforms=inverse,bpmm").transform == "inverse"
    assert read({"x": X, "weights": WEIGHTS}).transform == "bpmm"
    assert read({"x": X, "transform": "inverse"}).transform == "inverse"


def test_the_order_is_the_first_or_what_is_given():
    both = "orders=decreasing,increasing"
    arrays = {"x": X, "weights": WEIGHTS, "transform": "bpmm"}
    assert read(arrays, both).order == "decreasing"
    assert read({**arrays, "order": "increasing"}, both).order == "increasing"


def golden_run(arrays, *settings):
    design = load_design("butterfly_1024", ["points=16", *settings])
    return run_arrays(design, {name: np.asarray(array) for name, array in arrays.items()})


def test_words_choose_what_is_computed():
    description = load_design("butterfly_1024", ["points=16"]).description
    found = golden_run({"x": X, "transform": "inverse"})
    want = golden.fft(description, X, inverse=True)
    np.testing.assert_array_equal(found.y_re, want.re)
    np.testing.assert_array_equal(found.exponent, want.exponent)
    found = golden_run(
        {"x": X, "weights": WEIGHTS, "order": "increasing"}, "orders=decreasing,increasing"
    )
    want = golden.bpmm(description, X, WEIGHTS, "increasing")
    np.testing.assert_array_equal(found.y, want.y)


@pytest.mark.cosim
def test_what_does_not_fit_fixed_shifts_is_told_of_its_vectors(tmp_path):
    loud_and_quiet = np.array([np.full(16, 20000), np.full(16, 3)], np.int16)
    found = both_engines(tmp_path, {"x": loud_and_quiet}, *SMALL, "--set", "shifts=0")
    assert found["saturated"].tolist() == [True, False]
    assert (found["y_re"][:, 0]).tolist() == [32767, 48]
    outcome = run(tmp_path, {"x": loud_and_quiet}, *SMALL, "--set", "shifts=0")
    assert "1 vector did not fit the shifts and is saturated" in outcome.out


LOUD = X.astype(np.int32)
LOUD[1, 2] = 40000
HEAVY = WEIGHTS.copy()
HEAVY[0, 1, 1, 0] = -131072
SHAPE = "data.npz: x must have shape (vectors, points), at least one vector of at least one point"


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({}, (), "data.npz: give either x, or x_re and x_im"),
        ({"x": X, "x_re": X}, (), "data.npz: give either x, or x_re and x_im"),
        ({"x_re": X}, (), "data.npz: x_re and x_im belong together; a real vector is x"),
        ({"x_re": X, "x_im": X[:2]}, (),
         "data.npz: x_im must have the shape of x_re (3, 16), got (2, 16)"),
        ({"x": X[:, :12]}, (),
         "data.npz: points of x must be a power of two, got 12; nearest is 16"),
        ({"x": X[:, :4]}, (), "data.npz: points of x must be from 8 to 64, got 4; nearest is 8"),
        ({"x": np.zeros((1, 128), int)}, (),
         "data.npz: points of x must be from 8 to 64, got 128; nearest is 64"),
        ({"x": X[:, :8]}, ("units=8",),
         "data.npz: points of x must be at least 16 with 8 units, got 8; nearest is 16"),
        ({"x": X[:, :8], "weights": WEIGHTS[:3, :4]}, ("units=8",),
         "data.npz: points of x must be at least 16 with 8 units, got 8; nearest is 16"),
        ({"x": X[0]}, (), f"{SHAPE}, got (16,); nearest is (1, 16)"),
        ({"x": X[:0]}, (), f"{SHAPE}, got (0, 16); nearest is (1, 16)"),
        ({"x": X[:1, :0]}, (), f"{SHAPE}, got (1, 0)"),
        ({"x": X / 2}, (), "data.npz: x must be signed integers from -32768 to 32767, got float64; "
         "quantise real ones with np.clip(np.round(x * scale), -32768, 32767).astype(np.int32)"),
        ({"x": LOUD}, (),
         "data.npz: x[1, 2] = 40000 must be from -32768 to 32767; nearest is 32767"),
        ({"x": X, "weights": WEIGHTS}, ("transforms=fft",),
         "data.npz: weights are for transform bpmm, which the core was not generated with: it has "
         "fft; leave them out, or generate it with --set transforms=fft,bpmm"),
        ({"x": X}, ("transforms=bpmm",),
         "data.npz: there is no array called weights, which transform bpmm needs"),
        ({"x": X, "transform": "bpmm"}, (),
         "data.npz: there is no array called weights, which transform bpmm needs"),
        ({"x": X, "transform": "inverse"}, ("transforms=fft,bpmm",),
         "data.npz: transform must be one of fft, bpmm, got 'inverse'"),
        ({"x": X, "transform": "invers"}, (),
         "data.npz: transform must be one of fft, inverse, bpmm, got 'invers'; did you mean "
         "inverse?"),
        ({"x": X, "transform": "inverse", "weights": WEIGHTS}, (),
         "data.npz: weights are for transform bpmm, not inverse; leave them out"),
        ({"x": X, "transform": ["fft"]}, (),
         "data.npz: transform must be one word, got <U3 of shape (1,)"),
        ({"x": X, "order": "decreasing"}, (),
         "data.npz: order is that of a matrix, but there are no weights; leave it out"),
        ({"x": X, "weights": WEIGHTS, "order": "increasing"}, (),
         "data.npz: order must be one of decreasing, got 'increasing'; did you mean decreasing?"),
        ({"x_re": X, "x_im": X, "weights": WEIGHTS}, (),
         "data.npz: x_im must be zero for transform bpmm, which takes real vectors; leave it out"),
        ({"x": X, "weights": WEIGHTS[:3]}, (),
         "data.npz: weights must have shape (4, 8, 2, 2): factors in the order in which they are "
         "applied, blocks, rows, columns; got (3, 8, 2, 2)"),
        ({"x": X, "weights": np.stack([WEIGHTS] * 2)}, ("inputs=16", "outputs=40"),
         "data.npz: weights must have shape (3, 4, 8, 2, 2): factors in the order in which they "
         "are applied, blocks, rows, columns; got (2, 4, 8, 2, 2)"),
        ({"x": X, "weights": WEIGHTS / 2.0**16}, (),
         "data.npz: weights must be signed integers from -131071 to 131071, got float64; quantise "
         "real ones with np.clip(np.round(x * scale), -131071, 131071).astype(np.int32)"),
        ({"x": X, "weights": HEAVY}, (),
         "data.npz: weights[0, 1, 1, 0] = -131072 must be from -131071 to 131071; nearest is "
         "-131071"),
        ({"x": X, "weights": WEIGHTS}, ("inputs=13",),
         "data.npz: x must have inputs = 13 words a vector, got 16"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_refused_in_one_line(arrays, settings, message):
    with pytest.raises(SpecError) as caught:
        read(arrays, *settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({"x": X[:, :12]}, (), "points of x must be a power of two, got 12; nearest is 16"),
        ({"x": X, "weights": WEIGHTS}, ("--set", "transforms=fft"),
         "weights are for transform bpmm, which the core was not generated with"),
        ({"x_re": X, "x_im": X, "weights": WEIGHTS}, (), "x_im must be zero for transform bpmm"),
    ],
)  # fmt: skip
def test_a_refusal_reaches_the_command_line(tmp_path, arrays, settings, message):
    outcome = run(tmp_path, arrays, *SMALL, *settings)
    assert message in outcome.complaint
    assert not (tmp_path / "out.npz").exists()
