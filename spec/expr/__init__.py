"""One expression, three readings: traced once, then evaluated, built into gates, and bounded."""

from spec.expr.bound import TileClass, classify, interval, symbolic_class
from spec.expr.nodes import FALSE, TRUE, Expr, constant, variable, walk
from spec.expr.ops import Entries, Op
from spec.expr.tabulate import Tabulation, tabulate
from spec.expr.trace import trace
from spec.expr.vocabulary import (
    absolute,
    apply,
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
    where,
)

__all__ = [
    "FALSE",
    "TRUE",
    "Entries",
    "Expr",
    "Op",
    "Tabulation",
    "TileClass",
    "absolute",
    "apply",
    "classify",
    "const",
    "constant",
    "interval",
    "lookup",
    "maximum",
    "minimum",
    "per_head",
    "per_position",
    "round_shift",
    "round_to",
    "saturate",
    "select",
    "symbolic_class",
    "tabulate",
    "trace",
    "variable",
    "walk",
    "where",
]
