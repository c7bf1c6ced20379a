"""The four places that a softmax method fills, and their ports.

A unit in one of these places is built from its numerics alone, has a fixed latency, which
``latency_of(numerics)`` states, an interval of one cycle, and never stalls. The methods' modules
hold the units; ``hw.softmax.methods`` says which go together.
"""

from typing import Any

from amaranth.hdl import Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Align", "Element", "Factor", "Scale"]


class Element(wiring.Component):
    """Weight of one element of a row, from its distance to the row maximum.

    *Members*
    distance, visible
        max - score in score steps; whether the element takes part.
    weight, addend
        What waits for the row's factor, and what is summed. Both 0 where invisible.
    """

    distance: Signal
    visible: Signal
    weight: Signal
    addend: Signal

    def __init__(self, numerics: Any):
        self.numerics = numerics
        super().__init__(
            {
                "distance": In(unsigned(numerics.score_bits)),
                "visible": In(1),
                "weight": Out(unsigned(numerics.weight_bits)),
                "addend": Out(unsigned(numerics.addend_bits)),
            }
        )


class Factor(wiring.Component):
    """The one number that a row's weights are scaled by, from their sum.

    Contract: defined for every sum of at least one weight. For the sum 0 of an empty row the factor
    has some value that depends on nothing else.

    *Members*: ``total`` the sum of the row's addends; ``factor``.
    """

    total: Signal
    factor: Signal

    def __init__(self, numerics: Any):
        self.numerics = numerics
        super().__init__(
            {
                "total": In(unsigned(numerics.sum_bits)),
                "factor": Out(unsigned(numerics.factor_bits)),
            }
        )


class Align(wiring.Component):
    """A row's factor in the form that its elements' scaling takes, once for all lanes.

    *Members*: ``factor``; ``aligned``.
    """

    factor: Signal
    aligned: Signal

    def __init__(self, numerics: Any):
        self.numerics = numerics
        super().__init__(
            {
                "factor": In(unsigned(numerics.factor_bits)),
                "aligned": Out(unsigned(numerics.aligned_bits)),
            }
        )


class Scale(wiring.Component):
    """Probability of one element, from its weight and the aligned factor of its row.

    *Members*: ``weight``, ``aligned``; ``p``.
    """

    weight: Signal
    aligned: Signal
    p: Signal

    def __init__(self, numerics: Any):
        self.numerics = numerics
        super().__init__(
            {
                "weight": In(unsigned(numerics.weight_bits)),
                "aligned": In(unsigned(numerics.aligned_bits)),
                "p": Out(unsigned(numerics.output_bits)),
            }
        )
