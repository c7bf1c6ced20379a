"""Attention presets: every mask, score and row operation at sizes that fit a small FPGA."""

import math

from gen.presets.preset import Preset
from spec import (
    Attention,
    Relu,
    Retention,
    Sigmoid,
    Softmax,
    alibi,
    causal,
    const,
    document,
    lookup,
    maximum,
    sliding_window,
    softcap,
)

DECAY_BITS = 15
DECAYS = [
    round((1 - 2.0 ** -(5 + head)) ** distance * 2**DECAY_BITS)
    for head in range(4)
    for distance in range(256)
]
"""Retention's decay of each of four heads, gamma^distance with gamma = 1 - 2^-(5 + head)."""

PRESETS = {
    "attention_tiny": Preset(
        summary="one head of 64 x 64 on a 2 x 2 score array, for an iCE40 UP5K",
        description=Attention(
            heads=1, queries=64, keys=64, head_dim=16,
            score_bits=13, score_frac=7, prob_bits=11,
        ),
        hardware={"rows": 2, "columns": 2, "value_columns": 1},
    ),
    "attention_causal_256": Preset(
        summary="four causal heads, 256 tokens",
        description=Attention(
            heads=4, queries=256, keys=256, head_dim=64,
            mask=causal(),
        ),
    ),
    "attention_window_1024": Preset(
        summary="causal sliding window of 128 with 4 sinks, 1024 tokens",
        description=Attention(
            heads=4, queries=1024, keys=1024, head_dim=64,
            mask=causal() & sliding_window(128, sinks=4),
        ),
    ),
    "attention_gqa_1024": Preset(
        summary="grouped queries, 8 heads on 2 of keys and values, causal, 1024 tokens",
        description=Attention(
            heads=8, kv_heads=2, queries=1024, keys=1024, head_dim=64,
            mask=causal(),
        ),
    ),
    "attention_document_1024": Preset(
        summary="six documents packed into 1024 tokens, causal in each",
        description=Attention(
            heads=4, queries=1024, keys=1024, head_dim=64,
            mask=causal() & document([300, 20, 250, 77, 369, 8]),
        ),
    ),
    "attention_bert": Preset(
        summary="BERT base: 12 heads of 64, 512 tokens, every token sees every token",
        description=Attention(
            heads=12, queries=512, keys=512, head_dim=64,
        ),
    ),
    "attention_alibi_softcap": Preset(
        summary="scores capped by 30 tanh(s / 30), linear biases, causal",
        description=Attention(
            heads=8, queries=512, keys=512, head_dim=64,
            mask=causal(),
            score=lambda s, b, h, q, k: softcap(s, 30.0) + alibi(h, q, k),
        ),
    ),
    "attention_sigmoid": Preset(
        summary="sigmoid weights with bias -ln n, causal (arXiv 2409.04431)",
        description=Attention(
            heads=4, queries=256, keys=256, head_dim=64,
            mask=causal(),
            score=lambda s, b, h, q, k: s - const(math.log(256), frac=10),
            row=Sigmoid(),
        ),
    ),
    "attention_relu": Preset(
        summary="ReLU of the scores over the number of keys (arXiv 2309.08586)",
        description=Attention(
            heads=4, queries=256, keys=256, head_dim=64,
            row=Relu(),
        ),
    ),
    "attention_retention": Preset(
        summary="retention: scores decay by gamma^(q - k), absolute sums (arXiv 2307.08621)",
        description=Attention(
            heads=4, queries=256, keys=256, head_dim=64,
            mask=causal(),
            score=lambda s, b, h, q, k: (
                s * lookup(DECAYS, 256 * h + maximum(q - k, 0), frac=DECAY_BITS, name="decay")
            ),
            row=Retention(),
        ),
    ),
    "attention_lut2d": Preset(
        summary="softmax by the two-dimensional table of arXiv 2111.10770",
        description=Attention(
            heads=2, queries=128, keys=128, head_dim=32, score_bits=16,
            mask=causal(),
            row=Softmax("lut2d"),
        ),
        hardware={"rows": 4, "columns": 4, "value_columns": 4},
    ),
    "attention_rexp": Preset(
        summary="softmax by the reciprocal exponential of arXiv 2111.10770",
        description=Attention(
            heads=2, queries=128, keys=128, head_dim=32, score_bits=16,
            mask=causal(),
            row=Softmax("rexp"),
        ),
        hardware={"rows": 4, "columns": 4, "value_columns": 4},
    ),
    "attention_any_mask": Preset(
        summary="a mask of your own at run time: by column intervals, by blocks, or causal",
        description=Attention(
            heads=4, queries=1024, keys=1024, head_dim=64,
            mask=causal(),
            masks=("generator", "columns", "bitmap"),
        ),
    ),
}  # fmt: skip
