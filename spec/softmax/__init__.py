"""Softmax: the user's description, the three methods' numerics and integer tables."""

from spec.softmax.description import METHODS, Numerics, Softmax
from spec.softmax.exact import ExactNumerics
from spec.softmax.exact_wide import ExactWideNumerics
from spec.softmax.lut2d import Lut2dNumerics
from spec.softmax.rexp import RexpNumerics
from spec.softmax.tables import Table, table_bytes

__all__ = [
    "METHODS",
    "ExactNumerics",
    "ExactWideNumerics",
    "Lut2dNumerics",
    "Numerics",
    "RexpNumerics",
    "Softmax",
    "Table",
    "table_bytes",
]
