"""The kind of an attention layer."""

from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.lib import wiring

from gen.kinds.kind import Kind
from hw.attention.config import AttentionConfig
from hw.attention.core import AttentionCore
from hw.bus.attention import AttentionSystem
from hw.bus.registers import Identity
from hw.bus.system import System
from sim.cycle.heads import head_cycles
from spec import Attention
from spec.expr import Entries, Op, walk
from spec.softmax import Table

__all__ = ["AttentionKind"]

SIDE = 8
"""Queries, keys and value columns of the arrays, at most, unless the user says otherwise."""


class AttentionKind(Kind):
    """Queries, keys and values in, outputs out, head after head."""

    name = "attention"
    description_type = Attention
    config_type = AttentionConfig
    subject = "layer"

    def configure(self, description: Attention, hardware: Mapping[str, Any]) -> AttentionConfig:
        """Arrays of 8 x 8, or of the power of two that shorter lengths or the values ask for."""
        columns = description.columns
        chosen = {
            "rows": _side(description.queries),
            "columns": _side(description.keys),
            "value_columns": min(SIDE, columns & -columns),
        }
        return AttentionConfig(layer=description, **{**chosen, **hardware})

    def unit(self, config: AttentionConfig) -> wiring.Component:
        """The core, to be elaborated once."""
        return AttentionCore(config)

    def system(self, config: AttentionConfig, identity: Identity) -> System:
        """Queries, keys, values and masks on streams of their own, heads run from registers."""
        return AttentionSystem(config, identity)

    def sections(self, config: AttentionConfig) -> dict[str, Any]:
        """Formats that follow from the description, tables, cycles, and the streams' order."""
        return {
            "numerics": _numerics(config.layer),
            "tables": _tables(config.layer),
            "cycles": _cycles(config),
            "streams": _streams(config),
        }

    def summary(self, manifest: Mapping[str, Any]) -> list[str]:
        """Arrays, cycles of all heads, and bytes of tables."""
        layer, built = manifest["description"], manifest["configuration"]
        cycles, tables = manifest["cycles"], manifest["tables"]
        return [
            f"{layer['heads']} heads, {layer['queries']} queries, {layer['keys']} keys; tiles of "
            f"{built['rows']} x {built['columns']}, {built['value_columns']} value columns",
            f"longest lengths: {cycles['tiles']} tiles in {cycles['total']} cycles with loading; "
            f"the tiles alone take {cycles['stall_free']}",
            f"tables {tables['bytes']} bytes",
        ]


def _side(length: int) -> int:
    return min(SIDE, 1 << length.bit_length() - 1)


def _numerics(layer: Attention) -> dict[str, Any]:
    scale, row = layer.score_scale, layer.row_numerics
    return {
        "score_bits": layer.score_format.width,
        "score_frac": layer.score_format.frac,
        "score_may_saturate": layer.saturates,
        "scale_mantissa": scale.mantissa,
        "scale_shift": scale.shift,
        "weight_bits": row.weight_bits,
        "weight_signed": row.weight_signed,
    }


def _entries(layer: Attention) -> Iterator[Entries]:
    roots = (layer.score_expr, layer.mask_expr, getattr(layer.row_numerics, "expr", None))
    for node in walk(*(root for root in roots if root is not None)):
        if node.op is Op.TABLE:
            yield node.data


def _tables(layer: Attention) -> dict[str, Any]:
    """One copy each: of the row operation, and of what the expressions look up."""
    of_row: tuple[Table, ...] = layer.row_numerics.tables
    held = [(table.name, len(table), table.width) for table in of_row]
    for entries in _entries(layer):
        low, high = min(0, *entries.values), max(0, *entries.values)
        width = max(1, high.bit_length(), (-low - 1).bit_length()) + (low < 0)
        held.append((entries.name, len(entries.values), width))
    each = [
        {"name": name, "entries": count, "width": width, "bytes": (count * width + 7) // 8}
        for name, count, width in held
    ]
    return {"bytes": sum(table["bytes"] for table in each), "each": each}


def _cycles(config: AttentionConfig) -> dict[str, Any]:
    """All heads at their longest under the layer's own mask; every pair attends without one."""
    layer = config.layer
    cycles = head_cycles(config, layer.queries, layer.keys, [None])
    return {
        "heads": layer.heads,
        "queries": layer.queries,
        "keys": layer.keys,
        "tiles": cycles.tiles,
        "total": cycles.total,
        "stall_free": cycles.tiles * layer.head_dim,
    }


def _streams(config: AttentionConfig) -> dict[str, str]:
    """The order of words, for whoever drives the ports."""
    rows, columns, lanes = config.rows, config.columns, config.value_columns
    layer = config.layer
    job = (
        "one transfer a query head, in order of batches and heads: its lengths and indices; source "
        f"is the place of its mask in {list(layer.masks)}; keep: the next job uses the same keys "
        "and values, which are then not sent again; ports that could hold one value only are left "
        "out"
    )
    streams = {
        "i_job": job,
        "i_q": f"each job: each block of {rows} queries, each of {layer.head_dim} dimensions: that "
        f"dimension of {rows} queries; queries beyond the last are zero; last with the last word",
        "i_k": f"each set of keys: each tile of {columns} keys, each of {layer.head_dim} "
        f"dimensions: that dimension of {columns} keys; keys beyond the last are zero; last with "
        "the last word",
        "i_v": f"each set of values: each key, to the end of a tile of {columns}, each group of "
        f"{lanes} columns: {lanes} values; keys beyond the last are zero; last with the last word",
    }
    if "columns" in layer.masks:
        streams["i_columns"] = (
            "each mask: each key: two ranges [start, end) of queries that do not see it, in order, "
            "(0, 0) where there is none; last with the last key"
        )
    if "bitmap" in layer.masks:
        streams["i_bitmap"] = (
            f"each mask: each block of {rows} queries, each group of 16 key tiles: a bit a tile, "
            "whether any of it is visible and whether only a part is; last with the last word"
        )
        streams["i_tokens"] = (
            f"each mask: each partial tile in order of row blocks, then of key tiles: {rows} words "
            f"of {columns} bits, row by row, lowest key lowest; one word of zeros if there is no "
            "partial tile; last with the last word"
        )
    if config.layer.masks != ("generator",):
        streams["masks"] = (
            "a mask is sent after the last output of the jobs that used the one before it, and "
            "before the jobs that use it"
        )
    skipped = (
        f"a block of {rows} queries that see nothing is one transfer with skip"
        if config.compact
        else "rows that see nothing are zeros with empty"
    )
    streams["o"] = (
        f"each job: each query, each group of {lanes} columns; row_end with a row's last word, "
        f"last with the job's; {skipped}"
    )
    return streams
