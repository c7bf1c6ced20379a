"""Row operations without a softmax: each weight is a function of its score alone."""

import math
from dataclasses import dataclass
from fractions import Fraction

from spec.errors import SpecError
from spec.expr import Expr, constant, maximum, round_to, saturate, tabulate
from spec.rows import ElementRow, RowContext

__all__ = ["Relu", "Retention", "Sigmoid"]

SIGMOID_RANGE = 16
"""Beyond ± this, a sigmoid is 0 or 1 to 18 bits within a quarter LSB."""


@dataclass(frozen=True)
class Sigmoid:
    """w = 1 / (1 + e^-s), not normalised (arXiv 2409.04431; give its bias -ln n in the score)."""

    def numerics(self, context: RowContext, score: Expr) -> ElementRow:
        """Weights of `prob_bits` bits, all of them fraction."""
        one = 1 << context.prob_bits
        limit = SIGMOID_RANGE << context.score.frac
        frac = context.score.frac
        near = saturate(score, low=constant(-limit, frac), high=constant(limit - 1, frac))
        weight = tabulate(
            _sigmoid,
            near,
            out_frac=context.prob_bits,
            index_bits=8,
            interpolate=True,
            name="sigmoid",
        )
        weight = _within(weight, 0, one - 1)
        return ElementRow(context, weight, weight_frac=context.prob_bits)


@dataclass(frozen=True)
class Relu:
    """w = max(s, 0) · scale, not normalised (arXiv 2309.08586).

    Parameters
    ----------
    scale
        What the sum over keys is multiplied by; 1 / keys if None, as the source has it.
    """

    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not 0 < self.scale < 2.0**20:
            raise SpecError(f"Relu.scale must be above 0 and below 2^20, got {self.scale}")

    def numerics(self, context: RowContext, score: Expr) -> ElementRow:
        """Weights with as many fraction bits of the score as fit."""
        frac = _kept_frac(context, context.score.width - 1)
        weight = round_to(maximum(score, 0), frac)
        weight = _within(weight, 0, (1 << context.prob_bits) - 1)
        unit = Fraction(1, context.keys) if self.scale is None else Fraction(self.scale)
        return ElementRow(context, weight, weight_frac=frac, unit=unit)


@dataclass(frozen=True)
class Retention:
    """w = s, divided by max(Σ |w|, 1): retention's normaliser (arXiv 2307.08621, section 2.3).

    The decay γ^(q - k) belongs into the score.
    """

    def numerics(self, context: RowContext, score: Expr) -> ElementRow:
        """Signed weights with as many fraction bits of the score as fit."""
        frac = _kept_frac(context, context.score.width)
        bound = (1 << context.prob_bits - 1) - 1
        weight = _within(round_to(score, frac), -bound, bound)
        return ElementRow(context, weight, weight_frac=frac, weight_signed=True, absolute=True)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _within(weight: Expr, low: int, high: int) -> Expr:
    """`weight`, saturated to integers from `low` to `high` at its own binary point."""
    return saturate(weight, low=constant(low, weight.frac), high=constant(high, weight.frac))


def _kept_frac(context: RowContext, needed: int) -> int:
    """Fraction bits of a score of `needed` bits that a weight of `prob_bits` has room for."""
    frac = context.score.frac
    return frac - min(max(0, needed - context.prob_bits), frac)
