"""Score modifiers of published attention layers, in the words of `spec.expr`."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from spec.errors import SpecError
from spec.expr import Expr, const, lookup, per_head, select, tabulate
from spec.expr.nodes import number
from spec.expr.tabulate import approximating

__all__ = ["alibi", "alibi_slopes", "head_bias", "relative_bias", "softcap"]

CURVATURE = 4 / math.sqrt(27)
"""Greatest second derivative of tanh."""


def softcap(s: Expr, cap: float, *, index_bits: int | None = None) -> Expr:
    """The smooth limit cap · tanh(s / cap), at the binary point of `s`.

    Odd: softcap(-s) = -softcap(s). The attribute `error` says how far it is from the formula, over
    every score; by default the table is as small as keeps that below one LSB.

    Source: Gemma 2, arXiv 2408.00118, section 2, "Logit soft-capping".

    Parameters
    ----------
    cap
        A real number above 0, in the unit of the score.
    index_bits
        log2 of the cells for 0 <= s; by default as the formula's curvature demands.
    """
    if isinstance(cap, Expr) or not (math.isfinite(cap) and cap > 0):
        raise SpecError(f"softcap's cap must be a finite number above 0, got {cap!r}")
    s = number("softcap's s", s)
    size = abs(s)
    if index_bits is None:
        # A line's error is at most pitch² / 8 · f''; three eighths of an LSB leave room to round.
        pitch = math.sqrt(8 * 0.375 * 2.0**-s.frac * cap / CURVATURE)
        cells = size.bounds[1] * 2.0**-s.frac / 2.0 ** math.floor(math.log2(pitch)) + 1
        index_bits = min(12, max(1, math.ceil(math.log2(cells))))
    positive = tabulate(
        _Softcap(float(cap)),
        size,
        out_frac=s.frac,
        index_bits=index_bits,
        interpolate=True,
        name="softcap",
    )
    return approximating(positive.source, select(s < 0, -positive, positive))


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """Slope of every head.

    2^(-8 (i + 1) / heads) for a power of two; else those of the power of two below, then every
    other one of twice as many.

    Source: arXiv 2108.12409, section 3, and the authors' `get_slopes`.
    """
    below = 1 << (heads.bit_length() - 1)
    first = [2.0 ** (-8 * (i + 1) / below) for i in range(below)]
    more = [2.0 ** (-8 * (i + 1) / (2 * below)) for i in range(0, 2 * below, 2)]
    return tuple(first + more[: heads - below])


def alibi(h: Expr, q: Expr, k: Expr, *, frac: int | None = None) -> Expr:
    """-slope · |q - k|, with `alibi_slopes` for as many heads as `h` can name.

    Positions are used as they are: with fewer queries than keys, q counts from 0 all the same.

    Source: arXiv 2108.12409, section 3; |q - k| is q - k under the causal mask it was made for.

    Parameters
    ----------
    frac
        Bits of a slope after the binary point; by default 8 where that is exact, as for eight heads
        or fewer that are a power of two, else enough that the bias is within 2**-9.
    """
    slopes = alibi_slopes(number("alibi's h", h).bounds[1] + 1)
    distance = abs(number("alibi's q", q) - number("alibi's k", k))
    if frac is None:
        exact = all((Fraction(slope) * 256).denominator == 1 for slope in slopes)
        frac = 8 if exact else 8 + distance.bounds[1].bit_length()
    return -(per_head(slopes, frac)(h) * distance)


def head_bias(values: Sequence[float], *, frac: int | None = None) -> Callable[[Expr], Expr]:
    """A function of h: values[h], to the nearest multiple of 2**-frac.

    Source: PyTorch's FlexAttention, "head-specific bias".
    """
    return per_head(values, frac)


def relative_bias(
    values: Sequence[float], *, frac: int | None = None, first: int | None = None
) -> Callable[[Expr, Expr], Expr]:
    """A function of (q, k): the value for q - k, clipped to the ends of `values`.

    Source: relative position bias as of T5 (arXiv 1910.10683, section 2.1) and of Swin (arXiv
    2103.14030, equation 4), without their bucketing.

    Parameters
    ----------
    values
        One for each distance, the least first.
    first
        The distance that values[0] is for; by default the middle value is for 0.
    """
    entries = [const(value, frac) for value in values]
    if not entries:
        raise SpecError("relative_bias needs at least one value")
    start = -(len(entries) // 2) if first is None else first
    words = [entry.data for entry in entries]

    def at(q: Expr, k: Expr) -> Expr:
        distance = number("relative_bias(...)'s q", q) - k
        return lookup(words, distance, offset=start, frac=entries[0].frac, name="relative_bias")

    return at


class _Softcap:
    """cap · tanh(x / cap); equal caps are equal functions."""

    def __init__(self, cap: float):
        self.cap = cap

    def __call__(self, x: float) -> float:
        return self.cap * math.tanh(x / self.cap)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Softcap) and other.cap == self.cap

    def __hash__(self) -> int:
        return hash(self.cap)
