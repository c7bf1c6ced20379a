"""Row operations: what makes a weight of a score, and what a row's outputs are scaled by.

Every row operation is the same three steps, an element function, a reduction over the row, and one
final scale after the value product:

    w_k = element(s_k, max s)       S = Σ w_k or Σ |w_k|       o = (Σ w_k v_k) F(S)

With integers, where `align` and `product_shift` are constants of the numerics,

    o = saturate(round(aligned · mantissa / 2^product_shift))
    aligned = saturate18(Σ w v >> (k + align))

`mantissa` (18 bits) and the exponent k come from S, or are constant with k = 0.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from spec.errors import SpecError
from spec.expr import Expr
from spec.fixed import FixedFormat
from spec.softmax import ExactWideNumerics, Lut2dNumerics, RexpNumerics

__all__ = [
    "MANTISSA_BITS",
    "ElementRow",
    "ExactRow",
    "FinalScale",
    "RowContext",
    "RowNumerics",
    "TableRow",
]

MANTISSA_BITS = 18
"""Width of a final scale's mantissa, and of the sum it multiplies: what a multiplier takes."""

VALUE_BITS = 8
"""Width of a value."""

ADDEND_BITS = 30
"""Width of an exact weight before it is rounded."""

SUM_TOP = 19
"""Place of the leading bit of the least sum where 1 / m is found."""

MAX_PRODUCT_SHIFT = 35
"""More would leave nothing of the widest output."""


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """What a row operation must know of its layer.

    Parameters
    ----------
    score
        Format of a score; its lowest code means masked.
    keys
        Most keys of a row.
    prob_bits
        Width of a weight.
    output_bits
        Width of an output.
    ratio
        v_scale / out_scale, exactly: what an output's LSB is of a value's.
    """

    score: FixedFormat
    keys: int
    prob_bits: int
    output_bits: int
    ratio: Fraction


@dataclass(frozen=True, kw_only=True)
class FinalScale:
    """The constants of the last step; see the module's equations.

    Parameters
    ----------
    align
        Right shift of a sum of products, apart from the row's exponent; negative for a left shift.
    product_shift
        Right shift of the product, rounded half up.
    mantissa
        The constant mantissa, or None where the row's sum gives it.
    """

    align: int
    product_shift: int
    mantissa: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.product_shift <= MAX_PRODUCT_SHIFT:
            small = self.product_shift < 1
            far = 1 - self.product_shift if small else self.product_shift - MAX_PRODUCT_SHIFT
            raise SpecError(
                f"Attention.out_scale is too {'small' if small else 'large'} beside v_scale for "
                f"this row operation; nearest is 2^{far} times as {'large' if small else 'small'}"
            )

    @classmethod
    def constant(cls, unit: Fraction, output_bits: int) -> "FinalScale":
        """Scale of a sum of products by `unit`: one mantissa for all rows.

        What is beyond the output's range saturates already where the sum is aligned.
        """
        align = max(0, output_bits - MANTISSA_BITS + _ceil_log2(1 / unit))
        scaled = unit * Fraction(2) ** align
        shift = MANTISSA_BITS - _ceil_log2(scaled)
        mantissa = _round(scaled * Fraction(2) ** shift)
        if mantissa == 1 << MANTISSA_BITS:
            mantissa, shift = mantissa // 2, shift - 1
        return cls(align=align, product_shift=shift, mantissa=mantissa)


class _SumScale:
    """What rows share whose sum gives the final scale.

    The sum S is at least 2^floor_bits. With S = m 2^(k + floor_bits) and 1 <= m < 2, the mantissa
    is 1 / m in 18 bits, times the mantissa of v_scale / out_scale where that is not a power of two.
    """

    context: RowContext

    @property
    def weight_bits(self) -> int:
        """Width of a weight."""
        return self.context.prob_bits

    @property
    def floor_bits(self) -> int:
        """log2 of the least sum."""
        raise NotImplementedError

    @property
    def sum_bits(self) -> int:
        """Width of a row's sum, which never overflows."""
        return (((1 << self.weight_bits) - 1) * self.context.keys).bit_length()

    @cached_property
    def factor(self) -> ExactWideNumerics:
        """Numerics of 1 / m and k: S << (19 - floor_bits) is what they call the sum."""
        return ExactWideNumerics(
            score_bits=16,
            score_frac=8,
            output_bits=MANTISSA_BITS,
            max_length=1 << max(0, self.sum_bits - self.floor_bits - 1),
            sum_weight_bits=SUM_TOP + 1,
            reciprocal_excess=0.0,
        )

    @property
    def factor_shift(self) -> int:
        """Left shift of S on its way into `factor`."""
        return SUM_TOP - self.floor_bits

    @property
    def exponent_bits(self) -> int:
        """Width of k."""
        return self.factor.exponent_bits

    @cached_property
    def _ratio(self) -> tuple[int | None, int]:
        ratio = self.context.ratio
        exponent = _ceil_log2(ratio)
        mantissa = _round(ratio * Fraction(2) ** (MANTISSA_BITS - exponent))
        if ratio == Fraction(2) ** exponent or mantissa == 1 << MANTISSA_BITS:
            return None, exponent
        return mantissa, exponent

    @property
    def ratio_mantissa(self) -> int | None:
        """What every mantissa is multiplied by, over 2^18; None for a power of two."""
        return self._ratio[0]

    @cached_property
    def final(self) -> FinalScale:
        """|Σ w v| <= 2^7 S < 2^(k + floor_bits + 8) fills 18 signed bits once shifted."""
        align = self.floor_bits + VALUE_BITS - MANTISSA_BITS + 1
        below_unit = self.floor_bits - align
        return FinalScale(align=align, product_shift=MANTISSA_BITS + below_unit - self._ratio[1])


@dataclass(frozen=True)
class ExactRow(_SumScale):
    """Softmax by the exact method, normalised after the value product.

        a_k = exact weight of max s - s_k, 30 bits            (``spec.softmax.exact_wide``)
        w_k = min(floor(a_k / 2^(30 - prob_bits) + 1/2), 2^prob_bits - 1)
        S   = Σ w_k >= 2^prob_bits - 1

    The sum is that of the rounded weights, so an output is a convex combination of values.
    """

    context: RowContext

    needs_max = True
    divides_first = False
    weight_signed = False

    @property
    def floor_bits(self) -> int:
        """The largest weight of a row has its top bit set."""
        return self.context.prob_bits - 1

    @property
    def weight_shift(self) -> int:
        """Right shift that rounds an exact weight."""
        return ADDEND_BITS - self.context.prob_bits

    @cached_property
    def element(self) -> ExactWideNumerics:
        """Numerics of the weight before it is rounded."""
        return ExactWideNumerics(
            score_bits=self.context.score.width,
            score_frac=self.context.score.frac,
            output_bits=16,
            max_length=self.context.keys,
            sum_weight_bits=ADDEND_BITS,
        )

    @property
    def tables(self):
        """Every table of the method."""
        return (self.element.fraction, self.factor.reciprocal)


@dataclass(frozen=True)
class TableRow:
    """Softmax by ``lut2d`` or ``rexp``: probabilities first, as the papers have them.

    A probability is a function of the element's weight and of the row's sum, so it exists only
    after the whole row was summed. One is 2^output_bits - 1 of the softmax.
    """

    context: RowContext
    numerics: Lut2dNumerics | RexpNumerics

    needs_max = True
    divides_first = True
    weight_signed = False
    exponent_bits = 1

    @property
    def weight_bits(self) -> int:
        """Width of a probability, which is what the values are weighed by."""
        return self.numerics.output_bits

    @cached_property
    def final(self) -> FinalScale:
        """One over full scale, for every row."""
        unit = self.context.ratio / self.numerics.full_scale
        return FinalScale.constant(unit, self.context.output_bits)

    @property
    def tables(self):
        """Every table of the method."""
        return self.numerics.tables


@dataclass(frozen=True, eq=False)
class ElementRow(_SumScale):
    """A row operation without a maximum: each weight is a function of its score alone.

    Parameters
    ----------
    context
        What is known of the layer.
    expr
        The weight, an expression of the score ``s``.
    weight_frac
        Fraction bits of a weight.
    weight_signed
        Whether a weight may be negative.
    unit
        What a sum of weights is worth where it is not reduced, in outputs of `context.ratio`.
    absolute
        Whether the outputs are divided by max(Σ |w|, 1).
    """

    context: RowContext
    expr: Expr
    weight_frac: int
    weight_signed: bool = False
    unit: Fraction = Fraction(1)
    absolute: bool = False

    needs_max = False
    divides_first = False
    tables = ()

    @property
    def floor_bits(self) -> int:
        """A sum below one counts as one."""
        return self.weight_frac

    @property
    def exponent_bits(self) -> int:
        """Width of k."""
        return self.factor.exponent_bits if self.absolute else 1

    @cached_property
    def final(self) -> FinalScale:
        """One over the sum, or a constant."""
        if self.absolute:
            return super().final
        unit = self.context.ratio * self.unit / (1 << self.weight_frac)
        return FinalScale.constant(unit, self.context.output_bits)


RowNumerics = ExactRow | TableRow | ElementRow


def _ceil_log2(x: Fraction) -> int:
    """Least n with x <= 2^n."""
    n = x.numerator.bit_length() - x.denominator.bit_length()
    while Fraction(2) ** n < x:
        n += 1
    while Fraction(2) ** (n - 1) >= x:
        n -= 1
    return n


def _round(x: Fraction) -> int:
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)
