"""FFT and butterfly matrices: the user's description, integer twiddles, the layout of weights."""

from spec.butterfly.description import ORDERS, TRANSFORMS, Butterfly
from spec.butterfly.division import LEAST_DIVIDED, Division, division
from spec.butterfly.geometry import (
    block_numbers,
    insertion,
    pairs,
    reversed_bits,
    written_indices,
)
from spec.butterfly.twiddles import twiddle, twiddles

__all__ = [
    "LEAST_DIVIDED",
    "ORDERS",
    "TRANSFORMS",
    "Butterfly",
    "Division",
    "block_numbers",
    "division",
    "insertion",
    "pairs",
    "reversed_bits",
    "twiddle",
    "twiddles",
    "written_indices",
]
