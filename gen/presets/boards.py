"""Presets that fill a small board, link included: what `fpga.build` makes a bitstream of.

Larger boards take the presets of `gen.presets.accelerator`; either iCE40 takes `softmax_ice40`.
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
        summary="four heads of 512 x 64 on 4 x 4 arrays, causal: fills an ECP5-25F, link included",
        description=Attention(
            heads=4, queries=512, keys=512, head_dim=64, mask=causal(),
        ),
        # Scores are made by logic: of 39 multipliers the chip has 28. All 56 block RAMs are taken.
        hardware={"rows": 4, "columns": 4, "value_columns": 4, "logic_rows": 4},
    ),
}  # fmt: skip
