"""Int8 layers keep to their scales, and one description serves heads of different ones."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from examples.support import minilm
from examples.support.minilm import AttentionLayer, MiniLM
from examples.support.quantised import Int8Layer
from sim.golden.attention import attention

PAGE = Path(__file__).parents[2] / "examples" / "text" / "page.txt"


def some_layer(sizes=(1.0, 3.0, 0.2), tokens=24, dims=16):
    """A layer whose heads differ in size."""
    rng = np.random.default_rng(4)
    q, k, v = (
        rng.normal(0, 1, (len(sizes), tokens, dims)) * np.array(sizes)[:, None, None]
        for _ in range(3)
    )
    return AttentionLayer(q @ k.transpose(0, 2, 1) / np.sqrt(dims), q, k, v)


def error(int8, real, tokens):
    operands, _ = int8.quantise(real)
    o = attention(int8.description(tokens), operands["q"], operands["k"], operands["v"]).o
    return np.abs(o - int8.in_lsb(int8.mathematics(operands))).max()


def test_a_heads_largest_value_becomes_127_and_what_is_beyond_is_clipped():
    real = some_layer()
    int8 = Int8Layer.calibrate(real)
    operands, clipped = int8.quantise(real)
    assert clipped == 0
    assert all((np.abs(each).max(axis=(1, 2)) == 127).all() for each in operands.values())
    _, clipped = int8.quantise(real._replace(q=2 * real.q))
    assert (
        clipped
        == (np.rint(254 * np.abs(real.q) / np.abs(real.q).max((1, 2))[:, None, None]) > 127).sum()
    )


def test_heads_of_different_size_share_a_description():
    real = some_layer()
    int8 = Int8Layer.calibrate(real)
    assert error(int8, real, 24) < 1


def test_the_score_format_is_the_finest_that_no_head_saturates():
    real = some_layer()
    int8 = Int8Layer.calibrate(real)
    operands, _ = int8.quantise(real)
    q, k = (operands[name].astype(int) for name in "qk")
    description = int8.description(24)
    largest = np.abs(q @ k.transpose(0, 2, 1)).max() * description.score_scale.mantissa
    scores = largest >> description.score_scale.shift
    assert description.score_max // 2 <= scores <= description.score_max


@pytest.mark.skipif(
    importlib.util.find_spec(minilm.PACKAGE) is None and not os.environ.get("CI"),
    reason=f"MiniLM's weights are not installed; run: {minilm.INSTALL}",
)
def test_every_layer_of_a_real_model_is_within_one_lsb_of_the_mathematics():
    model, text = MiniLM.load(), PAGE.read_text(encoding="utf-8")
    long, short = (model.encode(model.tokenise(text, n)).layers for n in (128, 48))
    for calibrated, real in zip(long, short, strict=True):
        assert error(Int8Layer.calibrate(calibrated), real, 128) < 1
