"""A traced expression as text, by which a manifest shows it and a digest knows it."""

import enum
import hashlib
from typing import Any

from spec.expr import Entries, Expr, walk

__all__ = ["graph_text"]


def graph_text(expr: Expr) -> list[str]:
    """A line for every node, operands before what uses them; equal graphs have equal text.

    ``%3 = mul %0 %2 .8`` is a product with eight bits after the binary point. A table is named by
    the hash of its entries.
    """
    number = {node: place for place, node in enumerate(walk(expr))}
    lines = []
    for node, place in number.items():
        words = [node.op.value, *(f"%{number[arg]}" for arg in node.args)]
        if node.data is not None:
            words.append(_data(node.data))
        lines.append(f"%{place} = {' '.join(words)} .{node.frac}")
    return lines


def _data(data: Any) -> str:
    if isinstance(data, Entries):
        content = hashlib.sha256(repr((data.values, data.offset)).encode()).hexdigest()
        return f"{data.name}[{len(data.values)}] sha256:{content}"
    if isinstance(data, tuple):
        return "(" + ", ".join(map(_data, data)) + ")"
    return str(data.value if isinstance(data, enum.Enum) else data)
