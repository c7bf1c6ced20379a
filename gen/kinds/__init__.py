"""The kinds of description there are; everything else in `gen` asks here."""

from gen.kinds.accelerator import AcceleratorKind
from gen.kinds.attention import AttentionKind
from gen.kinds.butterfly import ButterflyKind
from gen.kinds.kind import Kind
from gen.kinds.softmax import SoftmaxKind

__all__ = ["DESCRIPTIONS", "KINDS", "Kind", "kind_of"]

CORES: tuple[Kind, ...] = (SoftmaxKind(), AttentionKind(), ButterflyKind())
"""The kinds of one core."""

KINDS: tuple[Kind, ...] = (*CORES, AcceleratorKind(CORES))
"""Every kind, in the order in which they came to be."""

DESCRIPTIONS = tuple(kind.description_type for kind in KINDS)
"""The types whose objects are descriptions."""


def kind_of(description: object) -> Kind:
    """The kind that a description is of."""
    for kind in KINDS:
        if isinstance(description, kind.description_type):
            return kind
    raise TypeError(f"{type(description).__name__} is no description")
