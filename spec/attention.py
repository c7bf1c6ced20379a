"""What a user says of an attention layer, and the integers that follow from it."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from spec.errors import SpecError, check_choice, check_range, shown
from spec.expr import Expr, constant, round_to, saturate, trace, variable
from spec.fixed import FixedFormat
from spec.masks import Mask, mask_hint
from spec.row_operations import Relu, Retention, Sigmoid
from spec.rows import ExactRow, RowContext, RowNumerics, TableRow
from spec.softmax import Lut2dNumerics, RexpNumerics, Softmax

__all__ = ["MASK_SOURCES", "Attention", "ScoreScale"]

MASK_SOURCES = ("generator", "columns", "bitmap")
"""Where a core may take its mask from; the last two are loaded while it runs."""

OPERAND_BITS = 8
SCALE_BITS = 17
"""Width of the mantissa that turns q·k into a score, at most."""

LEAST_FRAC, MOST_FRAC = 8, 10
"""Fraction bits of a score where the user names none: see docs/attention.md for what they cost."""

Score = Callable[..., Any]
Row = Softmax | Sigmoid | Relu | Retention


@dataclass(frozen=True)
class ScoreScale:
    """A score is round(q·k · mantissa / 2^shift), half up, saturated.

    Parameters
    ----------
    mantissa
        At most `SCALE_BITS` bits; 1 or a small power of two where that is exact.
    shift
        At least 0.
    """

    mantissa: int
    shift: int

    @classmethod
    def nearest(cls, factor: Fraction) -> "ScoreScale":
        """The scale nearest to `factor`, exact for powers of two."""
        shift = SCALE_BITS - (factor.numerator.bit_length() - factor.denominator.bit_length())
        while (mantissa := round(factor * Fraction(2) ** shift)) >= 1 << SCALE_BITS:
            shift -= 1
        while shift > 0 and mantissa and not mantissa & 1:
            mantissa, shift = mantissa >> 1, shift - 1
        if shift < 0 or mantissa == 0 or shift > MOST_SHIFT:
            raise SpecError(
                "Attention's q_scale · k_scale · softmax_scale · 2^score_frac must lie between "
                f"2^-{MOST_SHIFT - SCALE_BITS} and 2^{SCALE_BITS}, got {float(factor):g}"
            )
        return cls(mantissa, shift)


MOST_SHIFT = 40


@dataclass(frozen=True, kw_only=True)
class Attention:
    """An attention layer: o = rows(score(q·k · scale)) v, for int8 queries, keys and values.

    Every field but `masks` changes output bits or the largest accepted shapes. An int8 value i
    stands for i · scale.

    Parameters
    ----------
    heads, kv_heads
        Query heads, 1 to 1024, and key/value heads, a divisor of them (default: as many). Query
        head h reads key/value head h // (heads / kv_heads).
    queries, keys
        Largest lengths, 1 to 16384; fewer may be given at run time.
    head_dim, value_dim
        Dimensions of queries and keys, and of values and outputs (default: the same); 1 to 512.
    mask
        Which pairs attend; a `spec.masks.Mask`, e.g. ``causal() & sliding_window(256)``. None: all.
    score
        A function of (s, b, h, q, k) that changes the score s; traced once.
    row
        ``Softmax(...)``, ``Sigmoid()``, ``Relu()`` or ``Retention()``. Of a softmax its method and
        the table methods' output_bits count; score format and length are the layer's.
    q_scale, k_scale, v_scale, out_scale, softmax_scale
        Real values of the integer 1; out_scale defaults to v_scale, softmax_scale to
        head_dim^-0.5.
    score_bits, score_frac
        Format of a score, 10 to 18 bits. Without `score_frac` as many fraction bits from 8 to 10
        as let the largest possible q·k fit.
    prob_bits
        Width of a weight, 8 to 18; for the table methods their own output_bits.
    output_bits
        8 or 16.
    masks
        Mask sources that the core carries: ``generator`` (`mask` in gates), ``columns``
        (intervals per key), ``bitmap`` (blocks).
    batches
        Range of the index b, 1 to 1024.

    Raises
    ------
    SpecError
        A field breaks its rule, or tracing `mask` or `score` fails.
    """

    heads: int
    queries: int
    keys: int
    head_dim: int
    kv_heads: int | None = None
    value_dim: int | None = None
    mask: Mask | None = None
    score: Score | None = None
    row: Row = Softmax("exact")  # noqa: RUF009 (immutable)
    q_scale: float = 1 / 32
    k_scale: float = 1 / 32
    v_scale: float = 1 / 32
    out_scale: float | None = None
    softmax_scale: float | None = None
    score_bits: int = 18
    score_frac: int | None = None
    prob_bits: int | None = None
    output_bits: int = 8
    masks: tuple[str, ...] = ("generator",)
    batches: int = 1

    def __post_init__(self) -> None:
        check_range("Attention.heads", self.heads, 1, 1024)
        check_range("Attention.batches", self.batches, 1, 1024)
        for field, high in (("queries", 16384), ("keys", 16384), ("head_dim", 512)):
            check_range(f"Attention.{field}", getattr(self, field), 1, high)
        if self.value_dim is not None:
            check_range("Attention.value_dim", self.value_dim, 1, 512)
        self._check_kv_heads()
        for field in ("q_scale", "k_scale", "v_scale", "out_scale", "softmax_scale"):
            self._check_scale(field)
        check_range("Attention.score_bits", self.score_bits, 10, 18)
        if self.score_frac is not None:
            check_range("Attention.score_frac", self.score_frac, 0, self.score_bits - 2)
        check_choice("Attention.output_bits", self.output_bits, (8, 16))
        if not isinstance(self.row, Softmax | Sigmoid | Relu | Retention):
            raise SpecError(
                "Attention.row must be Softmax(...), Sigmoid(), Relu() or Retention(), "
                f"got {shown(self.row)}"
            )
        self._check_prob_bits()
        if self.mask is not None and not isinstance(self.mask, Mask):
            raise SpecError(
                f"Attention.mask must be a mask such as causal() or Mask(function), "
                f"got {shown(self.mask)}; {mask_hint(self.mask)}"
            )
        self._check_masks()
        # Trace and derive everything now, so that a mistake shows where the layer is described.
        _ = self.score_scale, self.row_numerics.final, self.score_expr, self.mask_expr

    def _check_kv_heads(self) -> None:
        if self.kv_heads is None:
            return
        wanted = check_range("Attention.kv_heads", self.kv_heads, 1, self.heads)
        if self.heads % wanted:
            divisors = [n for n in range(1, self.heads + 1) if self.heads % n == 0]
            near = min(divisors, key=lambda n: abs(n - wanted))
            raise SpecError(
                f"Attention.kv_heads must divide heads = {self.heads}, got {wanted}; "
                f"nearest is {near}"
            )

    def _check_scale(self, field: str) -> None:
        value = getattr(self, field)
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2.0**64:
            raise SpecError(f"Attention.{field} must be a number above 0, got {value!r}")

    def _check_prob_bits(self) -> None:
        if self.prob_bits is None:
            return
        check_range("Attention.prob_bits", self.prob_bits, 8, 18)
        method = self._table_method
        if method is not None and self.prob_bits != method.output_bits:
            raise SpecError(
                f"Attention.prob_bits is the softmax's own output_bits for method "
                f"{method.method}: leave it out or set it to {method.output_bits}"
            )

    def _check_masks(self) -> None:
        if not isinstance(self.masks, tuple) or not self.masks:
            raise SpecError(
                f"Attention.masks must be a tuple of one or more of {', '.join(MASK_SOURCES)}, "
                f"got {self.masks!r}"
            )
        for source in self.masks:
            check_choice("Attention.masks", source, MASK_SOURCES)
        if len(set(self.masks)) != len(self.masks):
            raise SpecError(f"Attention.masks names a source twice: {self.masks!r}")
        if self.mask is not None and "generator" not in self.masks:
            raise SpecError(
                "Attention.mask is given, but masks has no generator: add it, or leave mask out"
            )

    @property
    def _table_method(self) -> Softmax | None:
        """The softmax, if its probabilities exist before the value product."""
        softmax = isinstance(self.row, Softmax) and self.row.method != "exact"
        return self.row if softmax else None  # pyright: ignore[reportReturnType]

    @property
    def groups(self) -> int:
        """Query heads that share a key/value head."""
        return self.heads // self.key_value_heads

    @property
    def key_value_heads(self) -> int:
        """Key/value heads."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def columns(self) -> int:
        """Dimensions of a value and of an output."""
        return self.head_dim if self.value_dim is None else self.value_dim

    @property
    def score_factor(self) -> Fraction:
        """Real score of q·k = 1."""
        softmax_scale = self.head_dim**-0.5 if self.softmax_scale is None else self.softmax_scale
        return Fraction(self.q_scale) * Fraction(self.k_scale) * Fraction(softmax_scale)

    @property
    def largest_product(self) -> int:
        """|q·k| of the worst operands."""
        return self.head_dim << 2 * (OPERAND_BITS - 1)

    @cached_property
    def score_format(self) -> FixedFormat:
        """Format of a score. The lowest code means masked; no score has it."""
        frac = self.score_frac
        if frac is None:
            whole = self.score_factor * self.largest_product
            fitting = [
                bits
                for bits in range(LEAST_FRAC, MOST_FRAC + 1)
                if whole * 2**bits < 1 << self.score_bits - 1
            ]
            frac = max(fitting, default=min(LEAST_FRAC, self.score_bits - 2))
        return FixedFormat(width=self.score_bits, frac=frac, signed=True)

    @property
    def score_min(self) -> int:
        """The lowest score; one below it means masked."""
        return self.score_format.min + 1

    @property
    def score_max(self) -> int:
        """The highest score."""
        return self.score_format.max

    @property
    def saturates(self) -> bool:
        """Whether the worst q·k lies beyond the score format; it saturates then."""
        whole = self.score_factor * self.largest_product
        return whole > Fraction(self.score_max, 1 << self.score_format.frac)

    @cached_property
    def score_scale(self) -> ScoreScale:
        """From q·k to a score."""
        return ScoreScale.nearest(self.score_factor * 2**self.score_format.frac)

    @cached_property
    def score_variable(self) -> Expr:
        """The score ``s`` before the user's function."""
        return variable("s", self.score_min, self.score_max, frac=self.score_format.frac)

    @cached_property
    def score_expr(self) -> Expr | None:
        """The user's score, in the score format; None where it stays as it is."""
        if self.score is None:
            return None
        result = trace(
            self.score,
            {"s": self.score_variable}
            | {name: variable(name, 0, high) for name, high in self.index_ranges.items()},
        )
        frac = self.score_format.frac
        low, high = constant(self.score_min, frac), constant(self.score_max, frac)
        return saturate(round_to(result, frac), low=low, high=high)

    @property
    def index_ranges(self) -> dict[str, int]:
        """Highest value of each index."""
        return {
            "b": self.batches - 1,
            "h": self.heads - 1,
            "q": self.queries - 1,
            "k": self.keys - 1,
        }

    @cached_property
    def mask_expr(self) -> Expr | None:
        """The generator's expression; None where every pair attends."""
        if self.mask is None:
            return None
        return self.mask.trace(
            heads=self.heads, queries=self.queries, keys=self.keys, batches=self.batches
        )

    @cached_property
    def row_numerics(self) -> RowNumerics:
        """Formats, tables and constants of the row operation."""
        out_scale = self.v_scale if self.out_scale is None else self.out_scale
        weight_bits = 18 if self.prob_bits is None else self.prob_bits
        context = RowContext(
            score=self.score_format,
            keys=self.keys,
            prob_bits=weight_bits,
            output_bits=self.output_bits,
            ratio=Fraction(self.v_scale) / Fraction(out_scale),
        )
        if not isinstance(self.row, Softmax):
            return self.row.numerics(context, self.score_variable)
        if self._table_method is None:
            return ExactRow(context)
        common = {
            "score_bits": self.score_format.width,
            "score_frac": self.score_format.frac,
            "output_bits": self.row.output_bits,
            "max_length": self.keys,
        }
        if self.row.method == "lut2d":
            return TableRow(context, Lut2dNumerics(**common))
        numerics = RexpNumerics(**common, alpha_entries=self.row.alpha_entries)
        return TableRow(context, numerics)
