"""The integers against float64: exact bounds, figures of noise, and what must never overflow."""

from typing import Any

import numpy as np
import pytest

from sim.golden import butterfly as golden
from sim.golden.division import divided
from sim.golden.mixing import align, butterflies, mixing, plain_butterflies
from sim.reference import butterfly as reference
from sim.reference.butterfly_bound import divided_bound, fft_bound, mixing_bound
from spec import Butterfly

SIZES = [1 << n for n in range(3, 14)]
FORMATS = [(16, 18), (16, 16), (14, 16), (8, 8), (12, 18)]


def noise(butterfly, vectors, points, seed=1):
    """White noise over the whole range, complex."""
    rng = np.random.default_rng(seed)
    low, high = -butterfly.data_max, butterfly.data_max
    re, im = rng.integers(low, high, (2, vectors, points), endpoint=True)
    return re, im


def real(spectrum):
    return (spectrum.re + 1j * spectrum.im) * 2.0 ** spectrum.exponent[:, None]


def snr_db(exact, got):
    return 10 * np.log10((abs(exact) ** 2).sum() / (abs(exact - got) ** 2).sum())


def off(spectrum, exact):
    """Greatest distance in each vector, in units of its last bit."""
    return abs(real(spectrum) - exact).max(axis=1) / 2.0**spectrum.exponent


# As measured, in dB, less 1 for other noise: docs/figures.md has the figures.
SNR_DB = {64: 82, 128: 80, 256: 80, 512: 79, 1024: 77, 2048: 77, 4096: 75, 8192: 76}


@pytest.mark.parametrize("points", SNR_DB)
@pytest.mark.parametrize("inverse", [False, True])
def test_signal_to_noise_of_full_scale_noise(points, inverse):
    butterfly = Butterfly(points=points)
    re, im = noise(butterfly, 16, points)
    exact = (reference.inverse if inverse else reference.fft)(re + 1j * im)
    got = snr_db(exact, real(golden.fft(butterfly, re, im, inverse=inverse)))
    assert got >= SNR_DB[points]
    assert got >= 70 or points > 1024


@pytest.mark.parametrize(("quiet_bits", "least_db"), [(4, 75), (8, 75), (12, 50)])
def test_quiet_vectors_gain_precision_on_their_way(quiet_bits, least_db):
    butterfly = Butterfly()
    re, im = (each >> quiet_bits for each in noise(butterfly, 8, 1024))
    assert snr_db(reference.fft(re + 1j * im), real(golden.fft(butterfly, re, im))) >= least_db


def signals(butterfly, points):
    """Silence, impulses, constants, tones, square waves: as loud as the format has it."""
    high, low, t = butterfly.data_max, ~butterfly.data_max, np.arange(points)
    tones = [
        np.rint(high * np.exp(2j * np.pi * f * t / points)) for f in (1, 2.5, points / 8, -3, 0.1)
    ]
    squares = [
        np.where(np.sin(2 * np.pi * f * (t + 0.5) / points) >= 0, high, low) * (1 + 1j)
        for f in (1, 3, points / 8, points / 2, 0.3)
    ]
    impulses = [(t == at) * (low + high * 1j) for at in (0, 1, points // 2, points - 1)]
    constants = [np.full(points, value) for value in (0, 1, low * (1 + 1j), high - 1j, low * 1j)]
    x = np.array([*tones, *squares, *impulses, *constants], np.complex128)
    return np.real(x).astype(np.int64), np.imag(x).astype(np.int64)


@pytest.mark.parametrize(("data_bits", "coefficient_bits"), FORMATS)
@pytest.mark.parametrize("points", SIZES)
def test_nothing_ever_overflows_and_every_word_is_within_its_bound(
    points, data_bits, coefficient_bits
):
    # A word that does not fit its bits raises an OverflowError.
    butterfly = Butterfly(points=points, data_bits=data_bits, coefficient_bits=coefficient_bits)
    loud, white = signals(butterfly, points), noise(butterfly, 4, points, seed=points)
    re, im = np.vstack([loud[0], white[0]]), np.vstack([loud[1], white[1]])
    got = golden.fft(butterfly, re, im)
    assert not got.saturated.any()
    assert (off(got, reference.fft(re + 1j * im)) <= fft_bound(butterfly, got.shifts)).all()
    assert set(np.unique(got.shifts)) <= {-1, 0, 1, 2}


def test_the_bound_is_no_empty_promise():
    butterfly = Butterfly(points=256)
    re, im = noise(butterfly, 16, 256)
    got = golden.fft(butterfly, re, im)
    worst, bound = off(got, reference.fft(re + 1j * im)), fft_bound(butterfly, got.shifts)
    assert (worst > bound / 10).all()


def test_silence_is_zeros():
    got = golden.fft(Butterfly(points=64), np.zeros((2, 64), int))
    assert not got.re.any()
    assert not got.im.any()
    assert got.exponent.tolist() == [-6, -6]


def test_an_impulse_of_one_is_exact():
    re = np.zeros((1, 1024), int)
    re[0, 0] = 1
    got = golden.fft(Butterfly(), re)
    assert (real(got) == 1).all()


def test_the_inverse_undoes_the_transform():
    butterfly = Butterfly(points=512)
    re, im = noise(butterfly, 8, 512)
    there = golden.fft(butterfly, re, im)
    back = golden.fft(butterfly, there.re, there.im, inverse=True)
    z = (back.re + 1j * back.im) * 2.0 ** (back.exponent + there.exponent)[:, None]
    assert snr_db(re + 1j * im, z) >= 70


def test_vectors_do_not_touch_each_other():
    butterfly = Butterfly(points=128)
    re, im = noise(butterfly, 5, 128)
    re[1:3] >>= 9
    together = golden.fft(butterfly, re, im)
    for k in range(5):
        alone = golden.fft(butterfly, re[k : k + 1], im[k : k + 1])
        for field, other in zip(together, alone, strict=True):
            assert np.array_equal(field[k : k + 1], other)


def test_fixed_shifts_scale_by_one_over_n():
    butterfly = Butterfly(points=256, shifts=1)
    re, im = noise(butterfly, 4, 256)
    got = golden.fft(butterfly, re, im)
    assert (got.exponent == 8).all()
    assert not got.saturated.any()
    assert (off(got, reference.fft(re + 1j * im)) <= fft_bound(butterfly, got.shifts)).all()


@pytest.mark.parametrize("shifts", [0, (0, 0, 1, 0, 1, 0)])
def test_what_does_not_fit_fixed_shifts_is_saturated_and_flagged(shifts):
    butterfly = Butterfly(points=64, shifts=shifts)
    loud = np.full((1, 64), butterfly.data_max)
    quiet = np.zeros((1, 64), int) + (np.arange(64) == 3) * 100
    got = golden.fft(butterfly, np.vstack([loud, quiet, -loud]))
    assert got.saturated.tolist() == [True, False, True]
    assert got.re[0, 0] == butterfly.data_max
    assert got.re[2, 0] == ~butterfly.data_max
    exact = reference.fft(quiet)
    assert off(got, exact)[1] <= fft_bound(butterfly, got.shifts)[1]


def test_only_the_end_may_saturate():
    # 18 bits hold what 16 do not.
    butterfly = Butterfly(points=8, shifts=(0, 0, 0))
    got = golden.fft(butterfly, np.full((1, 8), 5000))
    assert got.saturated.tolist() == [True]
    assert got.re[0].tolist() == [32767, 0, 0, 0, 0, 0, 0, 0]


# As measured, in dB, less 1 for other noise.
DIVIDED_SNR_DB = {64: 80, 128: 79, 256: 80, 1024: 77, 2048: 77, 4096: 75, 8192: 77}


@pytest.mark.parametrize("points", DIVIDED_SNR_DB)
@pytest.mark.parametrize("inverse", [False, True])
def test_two_layers_are_one_transform_within_their_bound(points, inverse):
    butterfly = Butterfly(points=points, divided_from=64)
    loud, white = signals(butterfly, points), noise(butterfly, 16, points)
    re, im = np.vstack([loud[0], white[0]]), np.vstack([loud[1], white[1]])
    got = divided(butterfly, re, im, inverse=inverse)
    exact = (reference.inverse if inverse else reference.fft)(re + 1j * im)
    bound = divided_bound(butterfly, got.first_shifts, got.second_shifts)
    assert (off(got, exact) <= bound).all()
    assert not got.saturated.any()
    assert snr_db(exact[-16:], real(got)[-16:]) >= DIVIDED_SNR_DB[points]
    # The bound is no empty promise.
    assert (off(got, exact)[-16:] > bound[-16:] / 20).all()


def test_fixed_shifts_scale_two_layers_alike():
    butterfly = Butterfly(points=128, divided_from=64, shifts=1)
    re, im = noise(butterfly, 4, 128)
    got = divided(butterfly, re, im)
    assert (got.exponent == 7).all()
    assert not got.first_shifts[..., -1].any()
    exact = reference.fft(re + 1j * im)
    assert (off(got, exact) <= divided_bound(butterfly, got.first_shifts, got.second_shifts)).all()
    flat = divided(Butterfly(points=64, divided_from=64, shifts=0), np.full((1, 64), 9000))
    assert flat.saturated.tolist() == [True]
    assert flat.re[0, :2].tolist() == [32767, 0]


def weights_of(butterfly, points, seed=1, stacks=None):
    rng = np.random.default_rng(seed)
    most = butterfly.weight_max
    shape = (points.bit_length() - 1, points // 2, 2, 2)
    return rng.integers(-most, most, shape if stacks is None else (stacks, *shape), endpoint=True)


def bpmm_bound(butterfly, weights, order, shifts):
    """Distance of every word: a stage passes on what its weights' magnitudes make of it."""
    points = 2 * weights.shape[1]
    e = np.zeros((len(shifts), points))
    for stage, stride in enumerate(reference.strides(points, order)):
        through = abs(reference.factor(weights[stage] / 2.0**butterfly.coefficient_frac, stride))
        e = e @ through.T / 2.0 ** shifts[:, stage : stage + 1] + 0.5
    return e / 2.0 ** shifts[:, -1:] + 0.5


@pytest.mark.parametrize("order", ["decreasing", "increasing"])
@pytest.mark.parametrize(("data_bits", "coefficient_bits"), FORMATS)
@pytest.mark.parametrize("points", SIZES[:7])
def test_bpmm_is_the_dense_product_within_its_bound(points, data_bits, coefficient_bits, order):
    butterfly = Butterfly(
        "bpmm",
        points=points,
        data_bits=data_bits,
        coefficient_bits=coefficient_bits,
        orders=("decreasing", "increasing"),
    )
    x: Any = np.vstack([noise(butterfly, 3, points)[0], signals(butterfly, points)[0]])
    weights = weights_of(butterfly, points)
    got = golden.bpmm(butterfly, x, weights, order)
    exact = reference.bpmm(x, weights / 2.0**butterfly.coefficient_frac, order)
    distance = abs(got.y * 2.0 ** got.exponent[:, None] - exact) / 2.0 ** got.exponent[:, None]
    assert (distance <= bpmm_bound(butterfly, weights, order, got.shifts) + 1e-6).all()
    assert not got.saturated.any()


def test_bpmm_never_overflows_at_the_greatest_weights():
    butterfly = Butterfly("bpmm", points=64)
    for sign in (1, -1):
        weights = np.full((6, 32, 2, 2), sign * butterfly.weight_max)
        x = np.full((2, 64), ~butterfly.data_max)
        golden.bpmm(butterfly, x, weights)


def test_the_orders_are_transposes():
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(5, 16, 2, 2))
    turned = weights[::-1].swapaxes(2, 3)
    matrix = reference.matrix(weights, "decreasing")
    assert np.allclose(matrix.T, reference.matrix(turned, "increasing"))
    assert not np.allclose(matrix.T, reference.matrix(turned, "decreasing"))


def test_a_hadamard_matrix_is_exact():
    butterfly = Butterfly("bpmm", points=16, orders=("decreasing", "increasing"))
    one = 1 << butterfly.coefficient_frac
    weights = np.broadcast_to(one * np.array([[1, 1], [1, -1]]), (4, 8, 2, 2))
    hadamard = np.array([[(-1) ** (i & j).bit_count() for j in range(16)] for i in range(16)])
    x = noise(butterfly, 4, 16)[0] >> 6
    for order in butterfly.orders:
        got = golden.bpmm(butterfly, x, weights, order)
        assert np.array_equal(got.y * 2.0 ** got.exponent[:, None], x @ hadamard.T)


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 256), (256, 64), (50, 130), (8, 3), (70, 70)])
def test_rectangular_layers(inputs, outputs):
    butterfly = Butterfly("bpmm", points=256, inputs=inputs, outputs=outputs)
    points, stacks = butterfly.layer_points, butterfly.layer_stacks
    weights = weights_of(butterfly, points, stacks=stacks)
    x = noise(butterfly, 3, inputs)[0]
    got = golden.layer(butterfly, x, weights)
    exact = reference.layer(x, weights / 2.0**butterfly.coefficient_frac, outputs)
    assert got.y.shape == exact.shape == (3, outputs)
    exponent = np.repeat(got.exponent, points, axis=1)[:, :outputs]
    assert snr_db(exact, got.y * 2.0**exponent) >= 70


BLOCKS = [(8, 8), (16, 64), (128, 64), (64, 128)]


@pytest.mark.parametrize(("rows", "columns"), BLOCKS)
def test_mixing_is_the_real_part_of_a_2d_fft_within_its_bound(rows, columns):
    butterfly = Butterfly("mixing", points=128)
    for shift in (0, 9):
        x = noise(butterfly, rows, columns)[0] >> shift
        got = mixing(butterfly, x)
        exact = reference.mixing(x)
        distance = abs(got.y * 2.0**got.exponent - exact).max() / 2.0**got.exponent
        assert distance <= mixing_bound(butterfly, got.row_shifts, got.column_shifts)
        assert snr_db(exact, got.y * 2.0**got.exponent) >= 65


def plain_mixing(butterfly, x):
    """The plain method: a transform of every row, then of every column."""
    rows = golden.fft(butterfly, x)
    down, common = align(rows.exponent)
    half = (1 << down) >> 1
    re, im = ((part + half[:, None] >> down[:, None]).T for part in (rows.re, rows.im))
    columns = golden.fft(butterfly, re, im)
    return columns.re.T * 2.0 ** (columns.exponent + common)


@pytest.mark.parametrize(("rows", "columns"), BLOCKS)
def test_half_the_work_gives_what_all_of_it_does(rows, columns):
    butterfly = Butterfly("mixing", points=128)
    x = noise(butterfly, rows, columns, seed=2)[0]
    got = mixing(butterfly, x)
    bound = mixing_bound(butterfly, got.row_shifts, got.column_shifts) * 2.0**got.exponent
    # Both are within a bound of the same exact block; the plain one's is not the greater.
    assert abs(got.y * 2.0**got.exponent - plain_mixing(butterfly, x)).max() <= 2 * bound
    assert butterflies(rows, columns) <= 0.52 * plain_butterflies(rows, columns)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda b: golden.fft(b, np.zeros(64, int)), r"vectors must be \(vectors, points\)"),
        (lambda b: golden.fft(b, np.zeros((1, 128), int)), "points must be from 8 to 64, got 128"),
        (lambda b: golden.fft(b, np.zeros((1, 48), int)), "points must be a power of two, got 48"),
        (lambda b: golden.fft(b, np.full((1, 64), 32768)), "a component lies outside 16 signed"),
        (
            lambda b: golden.fft(b, np.zeros((1, 64), int), np.zeros((2, 64), int)),
            "must be alike",
        ),
        (
            lambda b: golden.bpmm(b, np.zeros((1, 8), int), np.zeros((3, 8, 2, 2), int)),
            r"weights must be \(3, 4, 2, 2\), not \(3, 8, 2, 2\)",
        ),
        (
            lambda b: golden.bpmm(b, np.zeros((1, 8), int), np.full((3, 4, 2, 2), -(1 << 17))),
            "a weight lies outside -131071 to 131071",
        ),
        (
            lambda b: golden.layer(b, np.zeros((1, 8), int), np.zeros(2, int)),
            "the layer has 64 inputs",
        ),
        (lambda b: mixing(b, np.zeros(64, int)), r"a block is \(rows, columns\)"),
    ],
)
def test_what_the_numerics_do_not_define_is_refused(what, message):
    with pytest.raises(ValueError, match=message):
        what(Butterfly(("fft", "bpmm"), points=64))
