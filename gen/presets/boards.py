"""Presets that fill a small board, link included: what `fpga.build` makes a bitstream of.

Larger boards take the presets of `gen.presets.accelerator`; either iCE40 takes `softmax_ice40`. An
ECP5-25F has 28 multipliers and 56 block RAMs: arrays of 4 x 4 would take 39 multipliers, and 512
keys and queries of 64 words each 78 memories.
"""

from gen.presets.preset import Preset
from spec import Attention, Butterfly, Softmax, causal

PRESETS = {
    "butterfly_icebreaker": Preset(
        summary="FFT of 8 to 64 points, 10 bits, one unit: fills an iCEBreaker, link included",
        description=Butterfly("fft", points=64, data_bits=10, coefficient_bits=12),
        hardware={"units": 1, "stream_words": 1},
    ),
    "attention_hx8k": Preset(
        summary="one head of 16 x 8 on a 1 x 2 array without multipliers: fills an HX8K breakout",
        description=Attention(
            heads=1, queries=16, keys=16, head_dim=8,
            score_bits=10, score_frac=5, prob_bits=8,
            row=Softmax("rexp"),
        ),
        hardware={"rows": 1, "columns": 2, "value_columns": 1},
    ),
    "attention_25f": Preset(
        summary="four heads of 512 x 32 on 4 x 2 arrays, causal or by columns: for an ECP5-25F",
        description=Attention(
            heads=4, queries=512, keys=512, head_dim=32,
            mask=causal(), masks=("generator", "columns"),
        ),
        hardware={"rows": 4, "columns": 2, "value_columns": 2},
    ),
}  # fmt: skip
