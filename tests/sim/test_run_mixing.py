import numpy as np
import pytest

from gen.design import load_design
from sim.golden.mixing import mixing
from sim.run.engines import runner_of
from spec import SpecError
from tests.sim.test_run_butterfly import both_engines, run

RNG = np.random.default_rng(5)
X = RNG.integers(-32768, 32768, (2, 16, 8)).astype(np.int16)
SMALL = ("mixing_128x64", "--set", "points=16", "--set", "columns=8", "--set", "units=2")


@pytest.mark.cosim
def test_verilog_gives_the_golden_bits_and_the_models_cycles(tmp_path):
    found = both_engines(tmp_path, {"x": X}, *SMALL)
    assert found.keys() == {"y", "exponent", "saturated", "cycles"}
    assert found["y"].shape == X.shape
    design = load_design("mixing_128x64", ["points=16", "columns=8"])
    want = [mixing(design.description, block) for block in X]
    np.testing.assert_array_equal(found["y"], [each.y for each in want])
    np.testing.assert_array_equal(found["exponent"], [each.exponent for each in want])


def test_one_block_needs_no_first_axis(tmp_path):
    outcome = run(tmp_path, {"x": X[0]}, *SMALL)
    assert outcome.code == 0
    found = np.load(tmp_path / "out.npz")
    assert found["y"].shape == (16, 8)
    assert found["exponent"].shape == (1,)


LOUD = X.astype(np.int32)
LOUD[1, 2, 3] = 40000


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "data.npz: there is no array called x"),
        ({"x": X[:, :12]}, "data.npz: x: rows must be a power of two, got 12; nearest is 16"),
        ({"x": X[:, :, :4]}, "data.npz: x: columns must be from 8 to 8, got 4; nearest is 8"),
        ({"x": X.swapaxes(1, 2)}, "data.npz: x: columns must be from 8 to 8, got 16; nearest is 8"),
        ({"x": X[0, 0]}, "data.npz: x must have shape (rows, columns) or (blocks, rows, columns), "
         "each at least 1, got (8,)"),
        ({"x": X[:0]}, "data.npz: x must have shape (rows, columns) or (blocks, rows, columns), "
         "each at least 1, got (0, 16, 8)"),
        ({"x": X / 2}, "data.npz: x must be signed integers from -32768 to 32767, got float64; "
         "quantise real ones with np.clip(np.round(x * scale), -32768, 32767).astype(np.int32)"),
        ({"x": LOUD}, "data.npz: x[1, 2, 3] = 40000 must be from -32768 to 32767; nearest is "
         "32767"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_refused_in_one_line(arrays, message):
    design = load_design("mixing_128x64", ["points=16", "columns=8"])
    with pytest.raises(SpecError) as caught:
        runner_of(design).read("data.npz", arrays, design)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_imaginary_parts_are_refused(tmp_path):
    outcome = run(tmp_path, {"x_re": X[0], "x_im": X[0]}, *SMALL)
    assert outcome.code == 2
    assert "x_re" in outcome.complaint
