import math
import time

import numpy as np
import pytest

from sim.golden.attention import attention
from sim.reference import attention as reference
from spec import Softmax
from spec.attention import Attention
from spec.masks import causal, sliding_window
from spec.row_operations import Relu, Retention, Sigmoid
from spec.rows import TableRow
from spec.scores import alibi, softcap
from tests.support.operands import KINDS, operands

LENGTHS = [16, 61, 256, 1024, 4096]
MOST_ROWS = 64


def layer(n, **fields):
    return Attention(heads=1, queries=n, keys=n, head_dim=64, **fields)


def exact(description, q, k, v, visible, **how):
    """Outputs in units of out_scale, in float64."""
    out_scale = description.out_scale or description.v_scale
    o = reference.attention(
        q * description.q_scale,
        k * description.k_scale,
        v * description.v_scale,
        visible,
        softmax_scale=q.shape[2] ** -0.5,
        **how,
    )
    return o / out_scale


def error(description, q, k, v, **how):
    visible = np.ones((q.shape[1], k.shape[1]), bool)
    golden = attention(description, q, k, v).o
    return np.abs(golden - exact(description, q, k, v, visible, **how)).max()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_within_one_lsb_of_the_mathematics(kind, n):
    q, k, v = operands(kind, n)
    assert error(layer(n), q[:, :MOST_ROWS], k, v) < 1


@pytest.mark.parametrize("n", [16, 1024])
@pytest.mark.parametrize("kind", ["gaussian", "peaked", "two_peaks"])
def test_fewer_bits_of_weight_or_score_cost_what_the_document_says(kind, n):
    q, k, v = operands(kind, n)
    narrow = layer(n, prob_bits=16, score_bits=16, score_frac=8)
    assert error(narrow, q[:, :MOST_ROWS], k, v) < 1


@pytest.mark.parametrize("distance", [11.0, 12.4, 12.9, 13.4])
def test_one_key_against_many_that_weigh_almost_nothing_stays_within_its_bound(distance):
    n, dims = 4096, 64
    description = layer(n)
    unit = float(description.score_factor)
    q, k = np.full((1, 1, dims), 100, np.int8), np.zeros((1, n, dims), np.int8)
    k[0, 0] = round(distance / unit / 100 / dims)
    v = np.full((1, n, dims), 127, np.int8)
    v[0, 0] = -127
    bound = 254 * n / 2 ** (18 + 1)
    assert error(description, q, k, v) < 0.55 + bound


@pytest.mark.parametrize("ratio", [1.0, 0.8, 2.0, 3.1])
def test_a_scale_of_its_own_for_outputs_is_one_more_factor(ratio):
    q, k, v = operands("gaussian", 64)
    description = layer(64, out_scale=1 / 32 / ratio)
    assert error(description, q, k, v) < 0.5 + 0.1 * ratio


def test_sixteen_bit_outputs_resolve_what_eight_cannot():
    q, k, v = operands("gaussian", 256)
    description = layer(256, output_bits=16, out_scale=1 / 32 / 128)
    assert error(description, q, k, v) / 128 < 0.05


def test_sigmoid_and_relu_are_within_one_lsb():
    n = 64
    q, k, v = operands("gaussian", n)
    assert error(layer(n, row=Sigmoid(), out_scale=0.5), q, k, v, row=reference.sigmoid) < 1
    assert error(layer(n, row=Relu()), q, k, v, row=reference.relu(1 / n)) < 1


@pytest.mark.parametrize(("kind", "score_frac"), [("gaussian", 9), ("flat", 15)])
def test_retention_is_within_one_lsb_where_sums_are_large_and_where_they_are_small(
    kind, score_frac
):
    # Its weights are the scores themselves, so a sum of small ones needs their fraction bits.
    q, k, v = operands(kind, 64)
    description = layer(64, row=Retention(), score_frac=score_frac)
    assert error(description, q, k, v, row=reference.retention) < 1


@pytest.mark.parametrize("method", ["lut2d", "rexp"])
def test_table_methods_are_the_papers_probabilities_times_values(method):
    from sim.golden.softmax import softmax

    q, k, v = operands("gaussian", 32)
    description = layer(32, row=Softmax(method))
    scale = description.score_scale
    product = q[0].astype(int) @ k[0].astype(int).T
    half = (1 << scale.shift) >> 1
    scores = np.clip(
        product * scale.mantissa + half >> scale.shift,
        description.score_min,
        description.score_max,
    )
    numerics = description.row_numerics
    assert isinstance(numerics, TableRow)
    p = softmax(numerics.numerics, scores).p
    expected = p @ v[0].astype(int) / 255
    assert np.abs(attention(description, q, k, v).o[0] - expected).max() < 0.51


def test_a_masked_key_has_no_influence_and_a_blind_row_is_zero_and_says_so():
    q, k, v = operands("gaussian", 48)
    description = layer(48, mask=causal() & sliding_window(5))
    mask = np.tri(48, dtype=bool) & ~np.tri(48, k=-5, dtype=bool)
    by_mask = attention(layer(48), q, k, v, mask)
    np.testing.assert_array_equal(attention(description, q, k, v).o, by_mask.o)
    other = v.copy()
    other[:, :20] = 99
    np.testing.assert_array_equal(attention(description, q, k, other).o[:, 30:], by_mask.o[:, 30:])
    mask[7] = False
    blind = attention(layer(48), q, k, v, mask)
    assert blind.empty[0, 7] and not blind.o[0, 7].any()
    assert blind.empty.sum() == 1


def test_a_score_of_the_users_own_is_the_mathematics_of_it():
    n = 64
    q, k, v = operands("gaussian", n)
    description = layer(n, score=lambda s, b, h, q, k: softcap(s, 4.0) + alibi(h, q, k))

    def real(s, b, h, q, k):
        return 4 * np.tanh(s / 4) - 2.0**-8 * np.abs(q - k)

    assert error(description, q, k, v, score=real) < 1


def test_shorter_lengths_are_the_same_as_a_shorter_layer_aligned_at_the_bottom_right():
    q, k, v = operands("gaussian", 40)
    long, short = layer(64, mask=causal()), layer(40, mask=causal())
    a = attention(long, q[:, :25], k, v)
    b = attention(short, q[:, :25], k, v)
    np.testing.assert_array_equal(a.o, b.o)
    visible = np.arange(40)[None] <= np.arange(25)[:, None] + 15
    assert np.abs(a.o - exact(short, q[:, :25], k, v, visible)).max() < 1


def test_query_heads_share_key_value_heads():
    heads = [operands("gaussian", 16, seed=seed) for seed in range(4)]
    q, k, v = (np.concatenate(each) for each in zip(*heads, strict=True))
    grouped = Attention(heads=4, kv_heads=2, queries=16, keys=16, head_dim=64)
    whole = Attention(heads=4, queries=16, keys=16, head_dim=64)
    repeated = attention(whole, q, k[[0, 0, 1, 1]], v[[0, 0, 1, 1]])
    np.testing.assert_array_equal(attention(grouped, q, k[:2], v[:2]).o, repeated.o)


def test_lengths_of_zero_have_a_result():
    q, k, v = operands("gaussian", 8)
    none = attention(layer(8), q, k[:, :0], v[:, :0])
    assert none.empty.all() and not none.o.any()
    assert attention(layer(8), q[:, :0], k, v).o.shape == (1, 0, 64)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda q, k, v: (q.astype(int), k, v), "q must be int8"),
        (lambda q, k, v: (q, k[:, :, :5], v), "k must have shape"),
        (lambda q, k, v: (q, k, v[:, :7]), "v must have shape"),
        (lambda q, k, v: (np.tile(q, (1, 2, 1)), k, v), "more than 8"),
    ],
)
def test_what_the_layer_does_not_define_is_refused(change, what):
    with pytest.raises(ValueError, match=what):
        attention(layer(8), *change(*operands("gaussian", 8)))


@pytest.mark.slow
def test_eight_dense_heads_of_1024_take_less_than_two_seconds():
    rng = np.random.default_rng(1)
    q, k, v = (rng.integers(-128, 128, (8, 1024, 64)).astype(np.int8) for _ in range(3))
    description = Attention(heads=8, queries=1024, keys=1024, head_dim=64)
    attention(description, q[:, :4], k, v)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        attention(description, q, k, v)
        times.append(time.perf_counter() - start)
    assert min(times) < 2, times


def test_scale_and_format_follow_from_the_description():
    description = layer(16, q_scale=0.05, k_scale=0.07)
    scale, frac = description.score_scale, description.score_format.frac
    wanted = 0.05 * 0.07 / 8 * 2**frac
    assert math.isclose(scale.mantissa / 2**scale.shift, wanted, rel_tol=2**-16)
    assert frac == 8 and description.saturates is False
    assert layer(16, q_scale=1.0, k_scale=1.0).saturates
