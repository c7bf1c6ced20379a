"""The configurations that simulation, proof and cosimulation share."""

from hw.softmax.config import SoftmaxConfig
from spec import Softmax

__all__ = ["SOFTMAX"]


def _softmax(method: str, lanes: int, rows_in_flight: int = 16, **fields: int) -> SoftmaxConfig:
    numerics = Softmax(method, **fields).numerics
    return SoftmaxConfig(numerics=numerics, lanes=lanes, rows_in_flight=rows_in_flight)


SOFTMAX = {
    "exact_smallest": _softmax("exact", 1, 2, score_bits=8, score_frac=0, max_length=1),
    "exact_odd": _softmax("exact", 1, score_bits=11, score_frac=5, max_length=13),
    "exact_4": _softmax("exact", 4, max_length=16),
    "exact_8": _softmax("exact", 8, score_bits=12, score_frac=11, max_length=48, weight_bits=16),
    "exact_4_16bit": _softmax("exact", 4, output_bits=16, max_length=32),
    "exact_1_16bit": _softmax("exact", 1, output_bits=16, score_bits=9, score_frac=0, max_length=8),
    "lut2d_1": _softmax("lut2d", 1, max_length=16),
    "lut2d_4_int16": _softmax("lut2d", 4, output_bits=16, max_length=16),
    "lut2d_2_uint4": _softmax("lut2d", 2, output_bits=4, max_length=16),
    "lut2d_2_uint2": _softmax("lut2d", 2, output_bits=2, max_length=16),
    "rexp_1": _softmax("rexp", 1, score_bits=9, score_frac=3, max_length=16),
    "rexp_4_512": _softmax("rexp", 4, alpha_entries=512, max_length=64),
    "rexp_2_int16": _softmax("rexp", 2, output_bits=16, alpha_entries=16, max_length=16),
    "rexp_4_uint2": _softmax("rexp", 4, output_bits=2, alpha_entries=320, max_length=16),
}
"""Name -> configuration: the smallest, odd ones, every method and format."""
