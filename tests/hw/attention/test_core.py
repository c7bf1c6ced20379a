import numpy as np
import pytest

from hw.attention.config import AttentionConfig
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from spec import Softmax, SpecError
from spec.attention import Attention
from spec.masks import Mask, causal, sliding_window
from spec.row_operations import Relu, Retention, Sigmoid
from spec.scores import alibi, softcap
from spec.tiles import TileGrid
from tests.support.attention import random_operands, run_core
from tests.support.bench import RandomStalls

KNOBS = ("score_tiles", "buffers", "compact", "partial_tiles")


def core(sides=(2, 2, 2), size=(8, 12, 8), heads=1, **fields):
    """A core of R, C, E for a layer of queries, keys, head_dim."""
    knobs = {
        k: fields.pop(k)
        for k in ("score_tiles", "buffers", "compact", "partial_tiles")
        if k in fields
    }
    queries, keys, head_dim = size
    layer = Attention(heads=heads, queries=queries, keys=keys, head_dim=head_dim, **fields)
    rows, columns, value_columns = sides
    return AttentionConfig(
        layer=layer, rows=rows, columns=columns, value_columns=value_columns, **knobs
    )


def some(b, h, q, k):
    return (q > 5) & (k > 9) & (h == 1)


CORES = {
    "smallest": core((1, 2, 1), (7, 9, 4), value_dim=2),
    "square": core((2, 2, 2), (16, 16, 8)),
    "tall_grouped": core((4, 2, 2), (13, 21, 8), heads=2, kv_heads=1, value_dim=4, mask=causal()),
    "wide_buffered": core((2, 4, 4), (13, 21, 8), heads=3, mask=causal(), buffers=2, compact=True),
    "few_keys": core((2, 8, 2), (4, 4, 8)),
    "one_group": core((4, 4, 4), (16, 16, 4)),
    "sigmoid": core(row=Sigmoid()),
    "relu": core(row=Relu()),
    "retention": core((2, 4, 2), (8, 8, 8), heads=2, row=Retention(), mask=causal()),
    "lut2d": core(row=Softmax("lut2d")),
    "rexp": core(size=(9, 12, 8), heads=2, row=Softmax("rexp"), mask=causal()),
    "int16": core((2, 4, 2), (8, 8, 8), output_bits=16, out_scale=1 / 3000),
    "score": core(
        size=(8, 8, 8),
        heads=2,
        q_scale=0.03,
        score=lambda s, b, h, q, k: softcap(s, 5.0) + alibi(h, q, k),
        mask=causal() & sliding_window(4),
    ),
    "narrow": core(size=(8, 8, 8), prob_bits=8, score_bits=16, buffers=2),
    "almost_empty": core(size=(11, 16, 4), heads=3, kv_heads=1, mask=Mask(some), compact=True),
    "filled_empty": core(size=(11, 16, 4), heads=3, kv_heads=1, mask=Mask(some)),
}
"""Name -> configuration: the smallest, odd ones, every row operation and format."""


@pytest.mark.parametrize("name", CORES)
def test_bits_are_golden_and_cycles_the_models(name):
    config = CORES[name]
    layer = config.layer
    q, k, v = random_operands(config, layer.queries, layer.keys)
    done, golden = run_core(config, q, k, v), attention(layer, q, k, v)
    np.testing.assert_array_equal(done.o, golden.o)
    np.testing.assert_array_equal(done.empty, golden.empty)
    assert not done.refused.any()
    assert done.delivered == done.predicted


@pytest.mark.parametrize("name", ["tall_grouped", "rexp", "almost_empty", "retention"])
def test_stalls_move_no_bit(name):
    config = CORES[name]
    layer = config.layer
    q, k, v = random_operands(config, layer.queries, layer.keys, seed=1)
    for seed in range(2):
        done = run_core(config, q, k, v, stalls=RandomStalls(probability=0.4, seed=seed))
        np.testing.assert_array_equal(done.o, attention(layer, q, k, v).o)


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 3), (3, 21), (13, 20)])
def test_lengths_are_chosen_at_run_time(queries, keys):
    config = CORES["tall_grouped"]
    q, k, v = random_operands(config, queries, keys)
    done = run_core(config, q, k, v)
    np.testing.assert_array_equal(done.o, attention(config.layer, q, k, v).o)
    assert done.delivered == done.predicted


def random_mask(queries, keys, share, seed=0):
    return np.random.default_rng(seed).random((queries, keys)) < share


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
def test_a_loaded_bitmap_is_obeyed(share):
    config = core((2, 4, 2), (12, 20, 8), heads=2, masks=("generator", "bitmap"), partial_tiles=40)
    dense = random_mask(12, 20, share)
    q, k, v = random_operands(config, 12, 20)
    done = run_core(config, q, k, v, compile_bitmap(dense, TileGrid(2, 4, 12, 20)))
    golden = attention(config.layer, q, k, v, dense)
    np.testing.assert_array_equal(done.o, golden.o)
    np.testing.assert_array_equal(done.empty, golden.empty)
    assert done.delivered == done.predicted


def test_loaded_columns_are_obeyed():
    config = core((2, 4, 2), (16, 16, 8), masks=("columns",))
    dense = np.tri(16, dtype=bool)
    dense[6:11, 2:5] = False
    q, k, v = random_operands(config, 16, 16)
    done = run_core(config, q, k, v, compile_columns(dense))
    np.testing.assert_array_equal(done.o, attention(config.layer, q, k, v, dense).o)
    assert done.delivered == done.predicted


def test_a_row_block_of_more_tiles_than_the_ring_holds_is_refused_and_the_others_are_not():
    config = core((2, 2, 2), (8, 16, 4), masks=("bitmap",), score_tiles=3, partial_tiles=40)
    dense = np.zeros((8, 16), bool)
    dense[0, :6], dense[2:4, :], dense[5, 7] = True, True, True
    q, k, v = random_operands(config, 8, 16)
    done = run_core(config, q, k, v, compile_bitmap(dense, TileGrid(2, 2, 8, 16)))
    expected = attention(config.layer, q, k, v, dense).o
    expected[:, 2:4] = 0
    np.testing.assert_array_equal(done.o, expected)
    assert done.refused.tolist() == [[False, False, True, True, False, False, False, False]]


def test_outputs_do_not_depend_on_how_the_core_is_built():
    layer = {"size": (12, 16, 8), "heads": 2, "mask": causal() & sliding_window(7)}
    built = [
        core(sides, **layer, **knobs)
        for sides, knobs in (
            ((1, 2, 1), {}),
            ((4, 4, 2), {"buffers": 2}),
            ((2, 8, 8), {"score_tiles": 9}),
        )
    ]
    q, k, v = random_operands(built[0], 12, 16)
    outputs = [run_core(config, q, k, v).o for config in built]
    for other in outputs[1:]:
        np.testing.assert_array_equal(outputs[0], other)


@pytest.mark.parametrize(
    ("knobs", "what"),
    [
        ({"rows": 3}, "rows must be a power of two from 1 to 16, got 3; nearest is 2"),
        (
            {"value_columns": 16},
            "value_columns must divide the value dimension 8, got 16; nearest is 8",
        ),
        ({"buffers": 3}, "buffers must be from 1 to 2, got 3; nearest is 2"),
        ({"compact": 1}, "compact must be true or false, got 1"),
        ({"score_tiles": 1}, "score_tiles must be from 2 to 65536, got 1; nearest is 2"),
    ],
)
def test_a_configuration_that_cannot_be_built_says_what_could(knobs, what):
    layer = Attention(heads=1, queries=8, keys=8, head_dim=8)
    with pytest.raises(SpecError) as refused:
        AttentionConfig(layer=layer, **knobs)
    assert str(refused.value) == what
