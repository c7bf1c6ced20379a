"""A real attention layer in int8: every head with its own scales, all heads in one description.

A head's largest |value| becomes 127. The scales must be known before hardware is generated, so they
come from a text to calibrate with; what lies beyond them in another text is clipped.

Scores of all heads share a format. The scale of the head with the largest one is the layer's, and
every other head's score is multiplied by how much smaller its own is: a table of one number a head.
The scale of values never enters: an output is a convex combination of values, in their units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.support.minilm import AttentionLayer
from sim.reference import attention as reference
from spec import Attention, per_head

__all__ = ["Int8Layer", "Operands"]

Reals = NDArray[np.floating]
Operands = dict[str, NDArray[np.int8]]
"""Arrays ``q``, ``k`` and ``v``, as `sim.run` takes them."""

GAIN_FRAC = 16
SCORE_BITS = 18


@dataclass(frozen=True)
class Int8Layer:
    """Scales of every head, and the description that follows from them.

    Parameters
    ----------
    scales
        ``q``, ``k``, ``v`` -> (heads,) real values of the integer 1.
    head_dim
        Numbers a head.
    score_frac
        Fraction bits of a score.
    """

    scales: dict[str, Reals]
    head_dim: int
    score_frac: int

    @classmethod
    def calibrate(cls, real: AttentionLayer) -> "Int8Layer":
        """Scales by the largest value of every head, score format by the largest score."""
        scales = {name: np.abs(getattr(real, name)).max(axis=(1, 2)) / 127 for name in "qkv"}
        # What must fit is a head's score before it is multiplied by the head's gain.
        largest = (np.abs(real.scores).max(axis=(1, 2)) / _gains(scales)).max()
        whole_bits = int(np.floor(np.log2(largest))) + 1
        return cls(scales, real.q.shape[2], SCORE_BITS - 1 - whole_bits)

    def quantise(self, real: AttentionLayer) -> tuple[Operands, int]:
        """Int8 operands, and how many values lay beyond their scale and were clipped."""
        steps = {name: np.rint(getattr(real, name) / self._of(name)) for name in "qkv"}
        clipped = sum(int((np.abs(each) > 127).sum()) for each in steps.values())
        return {n: np.clip(each, -127, 127).astype(np.int8) for n, each in steps.items()}, clipped

    def description(self, tokens: int) -> Attention:
        """The layer for texts of up to `tokens` tokens; every token sees every token."""
        gains = _gains(self.scales)
        top, gain = int(gains.argmax()), per_head(gains.tolist(), frac=GAIN_FRAC)
        return Attention(
            heads=len(gains),
            queries=tokens,
            keys=tokens,
            head_dim=self.head_dim,
            q_scale=float(self.scales["q"][top]),
            k_scale=float(self.scales["k"][top]),
            score=lambda s, b, h, q, k: s * gain(h),
            score_bits=SCORE_BITS,
            score_frac=self.score_frac,
        )

    def outputs(self, o: NDArray[np.integer]) -> Reals:
        """Real values of a core's outputs."""
        return o * self._of("v")

    def in_lsb(self, o: Reals) -> Reals:
        """Real outputs in units of a core's."""
        return o / self._of("v")

    def mathematics(self, operands: Operands) -> Reals:
        """Float64 attention on int8 operands: the scales' own, nothing rounded."""
        q, k, v = (operands[name] * self._of(name) for name in "qkv")
        visible = np.ones((q.shape[1], k.shape[1]), bool)
        return reference.attention(q, k, v, visible, softmax_scale=self.head_dim**-0.5)

    def _of(self, name: str) -> Reals:
        return self.scales[name][:, None, None]


def _gains(scales: dict[str, Reals]) -> Reals:
    """(heads,) a head's scale of scores by the largest one."""
    product = scales["q"] * scales["k"]
    return product / product.max()
