"""Softmax presets: each method as its paper sizes it, and one for the smallest board."""

from gen.presets.preset import Preset
from spec import Softmax

PRESETS = {
    "softmax_exact": Preset(
        summary="our method: within 1 LSB for every row, 360 bytes of tables",
        description=Softmax("exact", score_bits=16, score_frac=8, max_length=1024),
        hardware={"lanes": 4},
    ),
    "softmax_lut2d": Preset(
        summary="two-dimensional table of arXiv 2111.10770, 761 bytes, no multiplier",
        description=Softmax("lut2d", score_bits=16, score_frac=8, max_length=1024),
        hardware={"lanes": 4},
    ),
    "softmax_rexp": Preset(
        summary="reciprocal exponential of arXiv 2111.10770, 264 bytes",
        description=Softmax("rexp", score_bits=16, score_frac=8, max_length=1024),
        hardware={"lanes": 4},
    ),
    "softmax_ice40": Preset(
        summary="our method on one lane, for an iCE40",
        description=Softmax("exact", score_bits=12, score_frac=6, max_length=256),
        hardware={"lanes": 1},
    ),
}
