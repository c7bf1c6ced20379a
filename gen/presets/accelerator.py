"""Presets of several cores, each as large as its board takes; and a small one."""

from gen.presets.butterfly import PRESETS as BUTTERFLY
from gen.presets.preset import Preset
from spec import Accelerator, Attention, Butterfly, causal

PRESETS = {
    "accelerator_ulx3s_85f": Preset(
        summary="for an ECP5-85F: 8 heads on 2 of 1024 x 64, causal or by blocks; butterfly_1024",
        description=Accelerator(
            cores={
                "attention": Attention(
                    heads=8, kv_heads=2, queries=1024, keys=1024, head_dim=64,
                    mask=causal(), masks=("generator", "bitmap"),
                ),
                "butterfly": BUTTERFLY["butterfly_1024"].description,
            },
        ),
        hardware={
            # Two rows are logic: with 155 of 156 multipliers taken, some would lie far away.
            "attention": {"rows": 8, "columns": 8, "value_columns": 8, "logic_rows": 2},
            "butterfly": BUTTERFLY["butterfly_1024"].hardware,
        },
    ),
    "accelerator_45f": Preset(
        summary="for an ECP5-45F: 4 heads of 512 x 64 on 4 x 4 arrays, causal or by columns",
        description=Accelerator(
            cores={
                "attention": Attention(
                    heads=4, queries=512, keys=512, head_dim=64,
                    mask=causal(), masks=("generator", "columns"),
                ),
            },
        ),
        hardware={"attention": {"rows": 4, "columns": 4, "value_columns": 4}},
    ),
    "accelerator_tiny": Preset(
        summary="for a simulator: 2 heads of 16 x 4 for any mask; FFT or matrix of 16 points",
        description=Accelerator(
            cores={
                "attention": Attention(
                    heads=2, kv_heads=1, queries=16, keys=16, head_dim=4,
                    score_bits=14, score_frac=7, prob_bits=12,
                    mask=causal(), masks=("generator", "columns", "bitmap"),
                ),
                "butterfly": Butterfly(
                    ("fft", "bpmm"), points=16, data_bits=14, coefficient_bits=16
                ),
            },
        ),
        hardware={
            "attention": {"rows": 2, "columns": 2, "value_columns": 2},
            "butterfly": {"units": 1, "stream_words": 1},
        },
    ),
}  # fmt: skip
