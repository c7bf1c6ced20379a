"""FFT and butterfly matrices: the user's description, integer twiddles, the layout of weights."""

from spec.butterfly.description import ORDERS, TRANSFORMS, Butterfly
from spec.butterfly.geometry import (
    block_numbers,
    insertion,
    pairs,
    reversed_bits,
    written_indices,
)
from spec.butterfly.twiddles import twiddle, twiddles

__all__ = [
    "ORDERS",
    "TRANSFORMS",
    "Butterfly",
    "block_numbers",
    "insertion",
    "pairs",
    "reversed_bits",
    "twiddle",
    "twiddles",
    "written_indices",
]
