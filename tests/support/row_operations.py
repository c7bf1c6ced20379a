"""Row operations of every kind and width, for a given longest row."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from spec.expr import variable
from spec.fixed import FixedFormat
from spec.row_operations import Relu, Retention, Sigmoid
from spec.rows import (
    ExactRow,
    RowContext,
    RowNumerics,
    TableRow,
)
from spec.softmax import Softmax

__all__ = ["OPERATIONS", "operation_of"]


def _context(score_bits: int, score_frac: int, prob_bits: int, ratio: Fraction) -> RowContext:
    score = FixedFormat(width=score_bits, frac=score_frac, signed=True)
    return RowContext(score=score, keys=1, prob_bits=prob_bits, output_bits=8, ratio=ratio)


def _exact(prob_bits: int, ratio: Fraction = Fraction(1), bits: int = 18, frac: int = 10):
    return lambda keys: ExactRow(replace(_context(bits, frac, prob_bits, ratio), keys=keys))


def _table(method: str, output_bits: int, bits: int = 16, frac: int = 8, **fields: int):
    def make(keys: int) -> TableRow:
        n = Softmax(
            method,
            score_bits=bits,
            score_frac=frac,
            output_bits=output_bits,
            max_length=keys,
            **fields,
        ).numerics
        context = replace(_context(bits, frac, output_bits, Fraction(1)), keys=keys)
        return TableRow(context, n)  # type: ignore[arg-type]

    return make


def _element(
    row: Sigmoid | Relu | Retention, prob_bits: int, bits: int = 18, ratio: Fraction = Fraction(1)
):
    def make(keys: int) -> RowNumerics:
        context = replace(_context(bits, 10, prob_bits, ratio), keys=keys)
        score = variable("s", context.score.min + 1, context.score.max, frac=10)
        return row.numerics(context, score)

    return make


OPERATIONS: dict[str, Callable[[int], RowNumerics]] = {
    "exact_8": _exact(8),
    "exact_16": _exact(16, bits=10, frac=4),
    "exact_18": _exact(18),
    "exact_18_ratio": _exact(18, Fraction(3, 5)),
    "lut2d_8": _table("lut2d", 8),
    "lut2d_16": _table("lut2d", 16, bits=12, frac=4),
    "rexp_8": _table("rexp", 8),
    "rexp_16": _table("rexp", 16, alpha_entries=16),
    "sigmoid_18": _element(Sigmoid(), 18),
    "sigmoid_8": _element(Sigmoid(), 8, bits=16),
    "relu_16": _element(Relu(), 16),
    "retention_16": _element(Retention(), 16),
    "retention_18_ratio": _element(Retention(), 18, ratio=Fraction(7, 3)),
}
"""Name -> what makes the operation for rows of up to so many keys."""


def operation_of(name: str, keys: int, ratio: Fraction | None = None) -> RowNumerics:
    """The operation of that name; `ratio` replaces its own."""
    operation = OPERATIONS[name](keys)
    if ratio is None:
        return operation
    return replace(operation, context=replace(operation.context, ratio=ratio))
