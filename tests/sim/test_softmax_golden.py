"""The golden model: against float64, against one number at a time, and within its proved bound."""

import dataclasses
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.golden.softmax import factors, normalise, softmax, weights
from sim.reference.softmax import softmax as real
from sim.reference.softmax_bound import exact_error_bound, exact_wide_error_bound
from spec import Softmax
from spec.softmax import METHODS, ExactNumerics, ExactWideNumerics, Lut2dNumerics, table_bytes

TOP = 32767


def exact(**fields: int) -> ExactNumerics:
    n = Softmax("exact", **fields).numerics
    assert isinstance(n, ExactNumerics)
    return n


def error_lsb(n, scores):
    """Largest distance from the correctly rounded probability; p is in range."""
    p = softmax(n, scores).p
    assert p.min() >= 0 and p.max() <= n.full_scale
    rounded = np.floor(n.full_scale * real(scores, score_frac=n.score_frac) + 0.5)
    return int(np.abs(p - rounded).max())


def distribution(name, rows, length):
    """Scores of 16 bits, by the temperament of their rows."""
    rng = np.random.default_rng(7)
    shape = (rows, length)
    match name:
        case "flat":
            scores = np.full(shape, rng.integers(-TOP, TOP, (rows, 1)))
        case "one dominant":
            scores = rng.integers(-3000, 0, shape)
            scores[:, 0] = rng.integers(0, 3000, rows)
        case "two equal":
            scores = rng.integers(-2500, 0, shape)
            scores[:, 0] = scores[:, -1] = 10
        case "extremes":
            scores = np.where(np.arange(length) % 2, -TOP - 1, TOP) + np.zeros((rows, 1), int)
        case "uniform":
            scores = rng.integers(-TOP - 1, TOP + 1, shape)
        case _:
            spread = 256 * float(name.removeprefix("sigma "))
            scores = np.clip(np.round(rng.normal(0, spread, shape)), -TOP - 1, TOP).astype(int)
    return scores


SIGMAS = [f"sigma {sigma}" for sigma in (0.004, 0.1, 0.5, 1, 2, 4, 8, 30)]
NAMES = [*SIGMAS, "flat", "one dominant", "two equal", "extremes", "uniform"]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 511, 4096])
@pytest.mark.parametrize("name", NAMES)
def test_exact_is_within_one_lsb_of_the_correctly_rounded(name, length):
    assert error_lsb(exact(max_length=4096), distribution(name, 16384 // length, length)) <= 1


@pytest.mark.parametrize("score_frac", [0, 4, 8, 11, 15])
@pytest.mark.parametrize("others", [1, 10, 100, 127, 128, 254, 255, 509, 510, 511, 4095])
def test_exact_is_within_one_lsb_where_all_others_are_near_half_an_lsb(others, score_frac):
    # One score dominates; the others, all alike, come from far to near in steps of one or more.
    n = exact(max_length=4096, score_frac=score_frac)
    far = min(2 * TOP, round(12 * 2**score_frac))
    distance = np.unique(np.linspace(0, far, 200).astype(int))
    scores = np.full((len(distance), others + 1), TOP)
    scores[:, 1:] -= distance[:, None]
    assert error_lsb(n, scores) <= 1


def test_exact_is_within_one_lsb_where_thousands_lie_just_below_what_a_weight_keeps():
    # Each is lost to the shift or barely not, and all of them count in the true sum.
    n = exact(max_length=4096)
    nearly_gone = round(n.sum_weight_bits * np.log(2) * 256)
    scores = TOP - np.arange(nearly_gone - 600, nearly_gone + 20)[:, None] * np.ones(4096, int)
    scores[:, 0] = TOP
    assert error_lsb(n, scores) <= 1


SCORES = [(bits, frac) for bits in (8, 12, 16) for frac in (0, 4, 8, 11) if frac < bits]


@pytest.mark.parametrize("max_length", [1, 2, 64, 4096])
@pytest.mark.parametrize(("score_bits", "score_frac"), SCORES)
def test_no_row_there_is_errs_by_more_than_one_lsb(score_bits, score_frac, max_length):
    n = exact(score_bits=score_bits, score_frac=score_frac, max_length=max_length)
    bound = exact_error_bound(n)
    assert bound.error_lsb <= 1
    assert bound.largest == n.full_scale
    assert -0.004 < bound.relative_low <= bound.relative_high < 0.01
    # A row of one element has one distance, and its error no range.
    assert (bound.relative_low < bound.relative_high) == (max_length > 1)


@pytest.mark.slow
@pytest.mark.parametrize("max_length", [1, 2, 64, 4096])
@pytest.mark.parametrize("score_frac", [13, 15])
def test_no_row_of_the_finest_scores_errs_by_more_than_one_lsb(score_frac, max_length):
    bound = exact_error_bound(exact(score_frac=score_frac, max_length=max_length))
    assert bound.error_lsb <= 1 and bound.largest == 255


@pytest.mark.parametrize("weight_bits", [11, 16])
def test_the_bound_holds_from_eleven_bits_of_weight(weight_bits):
    assert exact_error_bound(exact(weight_bits=weight_bits, max_length=4096)).error_lsb <= 1


def test_the_bound_does_not_hold_for_tables_half_as_fine():
    n = ExactNumerics(
        score_bits=16,
        score_frac=8,
        output_bits=8,
        max_length=4096,
        weight_bits=12,
        reciprocal_index_bits=6,
    )
    assert exact_error_bound(n).error_lsb > 1


@pytest.mark.parametrize(
    ("method", "output_bits", "mean_l1", "largest"),
    [
        ("lut2d", 2, 1.311050383695132, 0.863639905830664),
        ("lut2d", 4, 0.6914978617350239, 0.48555631046761993),
        ("lut2d", 8, 0.31401387088663524, 0.34826622306828703),
        ("lut2d", 16, 0.3101820002010715, 0.33074943329029405),
        ("rexp", 2, 1.2639174354096898, 0.8324439207753882),
        ("rexp", 4, 0.6450641176342029, 0.4683831218999852),
        ("rexp", 8, 0.2596584127322783, 0.3399742261617458),
        ("rexp", 16, 0.20904086915913644, 0.3485462292640472),
        ("exact", 8, 0.09688442672717199, 0.0037148852285867617),
    ],
)
def test_errors_of_each_method_are_those_on_record(method, output_bits, mean_l1, largest):
    # 2000 rows of 128 Gaussian scores of spread 2: what the approximation costs, not a promise.
    n = Softmax(method, output_bits=output_bits).numerics
    scores = np.random.default_rng(2024).normal(0, 2, (2000, 128))
    scores = np.clip(np.round(scores * 256), -TOP - 1, TOP).astype(np.int64)
    error = np.abs(softmax(n, scores).p / n.full_scale - real(scores, score_frac=8))
    assert error.sum(axis=1).mean() == pytest.approx(mean_l1, rel=1e-9)
    assert error.max() == pytest.approx(largest, rel=1e-9)


def half_up(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


def one_by_one(n, row):
    """A row's probabilities by the equations of the numerics, in fractions."""
    distances = [max(row) - score for score in row]
    one = n.full_scale
    if isinstance(n, ExactNumerics):
        whole = [divmod(d * n.log2e, 1 << n.exponent_frac) for d in distances]
        size = 1 << n.exponent_frac - n.fraction_index_bits
        entries = [n.fraction.entries[f // size] + (1 << n.fraction_bits - 1) for _, f in whole]
        pairs = zip(whole, entries, strict=True)
        kept = [floor(Fraction(entry << n.guard_bits, 1 << w)) for (w, _), entry in pairs]
        mantissa, k = Fraction(sum(kept), 1 << n.sum_weight_bits - 1), 0
        while mantissa >= 2:
            mantissa, k = mantissa / 2, k + 1
        entry = n.reciprocal.entries[floor((mantissa - 1) * (1 << n.reciprocal_index_bits))]
        scaled = floor(Fraction(entry << n.aligned_bits - n.reciprocal_bits, 1 << k))
        return [
            half_up(Fraction((w >> n.dropped_bits) * scaled, 1 << n.product_shift)) for w in kept
        ]
    per_unit = 10 if isinstance(n, Lut2dNumerics) else 1
    steps = [half_up(Fraction(per_unit * d, 1 << n.score_frac)) for d in distances]
    exps = [n.exp.entries[min(step, len(n.exp) - 1)] for step in steps]
    units = half_up(Fraction(sum(exps), one))
    if isinstance(n, Lut2dNumerics):
        column = min(max(units, 1), n.sums)
        rows = [half_up(Fraction(10 * exp, one)) for exp in exps]
        return [n.quotient.entries[i * n.sums + column - 1] for i in rows]
    alpha = n.alpha.entries[min(units, n.alpha_entries - 1)]
    return [half_up(Fraction(exp * alpha, one)) for exp in exps]


FORMATS = [
    ("exact", {}),
    ("exact", {"score_bits": 8, "score_frac": 0, "weight_bits": 16}),
    ("exact", {"score_bits": 12, "score_frac": 11}),
    *(("lut2d", {"output_bits": width, "score_frac": 5}) for width in (2, 4, 8, 16)),
    *(("rexp", {"output_bits": width, "score_frac": 5}) for width in (2, 4, 8, 16)),
    ("rexp", {"alpha_entries": 16}),
]


@pytest.mark.parametrize(("method", "fields"), FORMATS, ids=str)
@given(data=st.data())
def test_every_method_is_its_equations(method, fields, data):
    description = Softmax(method, **fields)
    low, high = description.score_min, description.score_max
    near = st.integers(-(1 << description.score_frac), 1 << description.score_frac)
    score = st.integers(low, high) | near | st.sampled_from([low, high])
    row = data.draw(st.lists(score, min_size=1, max_size=80))
    row = [min(max(each, low), high) for each in row]
    assert softmax(description.numerics, np.array([row])).p[0].tolist() == one_by_one(
        description.numerics, row
    )


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_touch_each_other_and_order_does_not_matter(method):
    n = Softmax(method).numerics
    rng = np.random.default_rng(11)
    scores = np.round(rng.normal(0, 600, (20, 50))).astype(int)
    order = rng.permutation(50)
    p = softmax(n, scores).p
    assert np.array_equal(softmax(n, scores[:, order]).p, p[:, order])
    assert np.array_equal(softmax(n, scores[::-1]).p, p[::-1])
    for row in range(20):
        assert np.array_equal(softmax(n, scores[row : row + 1]).p[0], p[row])
    assert np.array_equal(softmax(n, scores + 100).p, p)


@pytest.mark.parametrize("method", METHODS)
def test_a_masked_element_is_as_if_it_were_not_there(method):
    n = Softmax(method).numerics
    rng = np.random.default_rng(12)
    for _ in range(30):
        scores = np.round(rng.normal(0, 600, (1, 40))).astype(int)
        seen = rng.random((1, 40)) < rng.choice([0.05, 0.5, 0.95])
        masked = softmax(n, scores, seen)
        assert not masked.p[~seen].any()
        assert masked.empty.tolist() == [not seen.any()]
        if seen.any():
            assert np.array_equal(masked.p[seen], softmax(n, scores[seen][None]).p[0])


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_row_is_zeros_and_says_so(method):
    n = Softmax(method).numerics
    scores = np.array([[5, 6, 7], [5, 6, 7]])
    seen = np.array([[False] * 3, [True] * 3])
    p, empty = softmax(n, scores, seen)
    assert empty.tolist() == [True, False]
    assert p[0].tolist() == [0, 0, 0] and p[1].any()
    row = weights(n, scores, seen)
    assert row.total[0] == 0 and factors(n, row.total)[0] == 0


@pytest.mark.parametrize("method", METHODS)
def test_softmax_is_its_passes(method):
    n = Softmax(method, max_length=300).numerics
    scores = np.round(np.random.default_rng(13).normal(0, 900, (50, 300))).astype(int)
    row = weights(n, scores, np.ones(scores.shape, bool))
    assert row.weight.max() < 1 << n.weight_bits
    assert row.total.max() < 1 << n.sum_bits
    factor = factors(n, row.total)
    assert factor.max() < 1 << n.factor_bits
    assert np.array_equal(normalise(n, row.weight, factor), softmax(n, scores).p)


@pytest.mark.parametrize(
    ("shape", "seen", "message"),
    [
        ((3,), (3,), r"scores \(3,\) and visible \(3,\) must be 2-D and alike"),
        ((2, 3), (3, 2), r"scores \(2, 3\) and visible \(3, 2\) must be 2-D and alike"),
        ((2, 0), (2, 0), "a row has 1 to 16 elements, not 0"),
        ((2, 17), (2, 17), "a row has 1 to 16 elements, not 17"),
    ],
)
def test_a_shape_that_is_not_defined_is_refused(shape, seen, message):
    n = Softmax(max_length=16).numerics
    with pytest.raises(ValueError, match=message):
        weights(n, np.zeros(shape, int), np.ones(seen, bool))


@pytest.mark.parametrize("score", [-129, 128, 1 << 40])
def test_a_score_out_of_range_is_refused(score):
    n = Softmax(score_bits=8, score_frac=0).numerics
    assert softmax(n, np.array([[-128, 127]])).p.tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="a score lies outside 8 signed bits"):
        softmax(n, np.array([[0, score]]))


def test_reference_is_softmax():
    x = np.random.default_rng(14).normal(0, 3, (20, 30))
    p = real(x)
    assert p.sum(axis=1) == pytest.approx(np.ones(20))
    assert np.log(p[:, 1:] / p[:, :1]) == pytest.approx(x[:, 1:] - x[:, :1])
    seen = np.zeros(x.shape, bool)
    seen[1:, 3:5] = True
    masked = real(x, seen)
    assert not masked[0].any() and not masked[~seen].any()
    assert masked[1:].sum(axis=1) == pytest.approx(np.ones(19))
    scores = np.array([[512, 0, -256]])
    assert real(scores, score_frac=8) == pytest.approx(real(scores / 256))


def wide(**fields: int) -> ExactWideNumerics:
    n = Softmax("exact", output_bits=16, **fields).numerics
    assert isinstance(n, ExactWideNumerics)
    return n


@pytest.mark.parametrize(
    ("score_bits", "score_frac", "max_length"),
    [
        (8, 0, 4096),
        (8, 7, 1),
        (12, 6, 64),
        (16, 4, 4096),
        (16, 8, 4096),
        pytest.param(12, 11, 4096, marks=pytest.mark.slow),
        pytest.param(16, 11, 1024, marks=pytest.mark.slow),
        pytest.param(16, 13, 4096, marks=pytest.mark.slow),
        pytest.param(16, 15, 4096, marks=pytest.mark.slow),
    ],
)
def test_16_bit_outputs_are_within_one_lsb_for_every_row(score_bits, score_frac, max_length):
    n = wide(score_bits=score_bits, score_frac=score_frac, max_length=max_length)
    bound = exact_wide_error_bound(n)
    assert bound.holds, bound
    assert table_bytes(n.tables) <= 700


def test_the_16_bit_bound_notices_a_coarser_table():
    n = dataclasses.replace(wide(max_length=4096), reciprocal_index_bits=7)
    assert not exact_wide_error_bound(n).holds


@pytest.mark.parametrize("length", [1, 2, 3, 16, 100, 1000, 4096])
@pytest.mark.parametrize("name", NAMES)
def test_16_bit_rows_are_within_one_lsb(name, length):
    n = wide(max_length=4096)
    rows = max(2, 4096 // length // 16)
    assert error_lsb(n, distribution(name, rows, length)) <= 1
