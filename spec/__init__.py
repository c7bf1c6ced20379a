"""What is computed, exactly, in plain Python: the words a description is written with."""

from spec.accelerator import Accelerator
from spec.attention import Attention
from spec.butterfly import Butterfly
from spec.errors import SpecError
from spec.expr import (
    absolute,
    const,
    lookup,
    maximum,
    minimum,
    per_head,
    per_position,
    round_shift,
    round_to,
    saturate,
    select,
    tabulate,
)
from spec.masks import (
    Mask,
    causal,
    dilated,
    document,
    full,
    global_tokens,
    prefix,
    sliding_window,
)
from spec.row_operations import Relu, Retention, Sigmoid
from spec.scores import alibi, alibi_slopes, head_bias, relative_bias, softcap
from spec.softmax import Softmax

__all__ = [
    "Accelerator",
    "Attention",
    "Butterfly",
    "Mask",
    "Relu",
    "Retention",
    "Sigmoid",
    "Softmax",
    "SpecError",
    "absolute",
    "alibi",
    "alibi_slopes",
    "causal",
    "const",
    "dilated",
    "document",
    "full",
    "global_tokens",
    "head_bias",
    "lookup",
    "maximum",
    "minimum",
    "per_head",
    "per_position",
    "prefix",
    "relative_bias",
    "round_shift",
    "round_to",
    "saturate",
    "select",
    "sliding_window",
    "softcap",
    "tabulate",
]
