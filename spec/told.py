"""Descriptions as plain data, as a manifest holds them, and back: what a host verifies against.

`told` covers everything that decides output bits; functions are in it as the graphs that were
traced from them. `read_description` makes a description of it that computes the same bits.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from spec.attention import Attention
from spec.butterfly import Butterfly
from spec.errors import SpecError, check_choice
from spec.expr import Expr
from spec.expr.text import graph_text, read_graph
from spec.masks import Mask
from spec.row_operations import Relu, Retention, Sigmoid
from spec.softmax import Softmax

__all__ = ["Description", "read_description", "told"]

Description = Softmax | Attention | Butterfly

ROWS = {"sigmoid": Sigmoid, "relu": Relu, "retention": Retention}


def told(description: Description) -> dict[str, Any]:
    """The fields as they were given, but graphs in place of functions."""
    if not isinstance(description, Attention):
        return dataclasses.asdict(description)
    fields = {
        field.name: getattr(description, field.name)
        for field in dataclasses.fields(description)
        if field.name not in ("mask", "score", "row")
    }
    return {
        **fields,
        "mask": _graph(description.mask_expr),
        "score": _graph(description.score_expr),
        "row": _row(description.row),
    }


def read_description(kind: str, fields: Mapping[str, Any]) -> Description:
    """The description of a kind that was told.

    Raises
    ------
    SpecError
        There is no such kind, or the fields are not those of one.
    """
    read = READERS[check_choice("kind", kind, READERS)]
    try:
        return read({name: _frozen(value) for name, value in fields.items()})
    except (TypeError, KeyError, AttributeError) as error:
        raise SpecError(f"what is told of it is no {kind}: {error}") from None


def _attention(fields: dict[str, Any]) -> Attention:
    mask, score, row = (fields.pop(name) for name in ("mask", "score", "row"))
    return Attention(
        **fields,
        mask=None if mask is None else Mask.of(read_graph(mask)),
        score=None if score is None else _function(read_graph(score)),
        row=_read_row(dict(row)),
    )


READERS: dict[str, Callable[[dict[str, Any]], Description]] = {
    "softmax": lambda fields: Softmax(**fields),
    "attention": _attention,
    "butterfly": lambda fields: Butterfly(**fields),
}


def _function(expr: Expr) -> Callable[..., Expr]:
    return lambda s, b, h, q, k: expr


def _graph(expr: Expr | None) -> list[str] | None:
    return None if expr is None else graph_text(expr)


def _row(row: Any) -> dict[str, Any]:
    operation = {"operation": type(row).__name__.lower()}
    if not isinstance(row, Softmax):
        return {**operation, **dataclasses.asdict(row)}
    found: dict[str, Any] = {**operation, "method": row.method}
    if row.method != "exact":
        found["output_bits"] = row.output_bits
    if row.method == "rexp":
        found["alpha_entries"] = row.alpha_entries
    return found


def _read_row(fields: dict[str, Any]) -> Any:
    operation = fields.pop("operation")
    if operation == "softmax":
        return Softmax(**fields)
    return ROWS[check_choice("row", operation, ROWS)](**fields)


def _frozen(value: Any) -> Any:
    """Lists, which JSON makes of tuples, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
