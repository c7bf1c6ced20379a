"""Everything that an output folder holds for a design on AXI."""

import importlib.metadata
from pathlib import Path
from typing import Any

from gen.axi import axi_ports
from gen.design import Design
from gen.emit import emit_verilog
from gen.packaging.examples import litex_example, verilog_example
from gen.packaging.fusesoc import core_file
from gen.ports import Port
from gen.registers.c_header import c_header
from gen.registers.systemrdl import systemrdl
from gen.rows import row_facts
from hw.bus.system import System
from hw.prim.target import Target

__all__ = ["write_axi"]

HEADER, SYSTEMRDL = "registers.h", "registers.rdl"


def write_axi(
    design: Design, folder: Path, *, target: Target
) -> tuple[tuple[Port, ...], dict[str, Any]]:
    """Write all files but the manifest; give the ports, and the manifest's sections on them."""
    system, name = design.system(), design.name
    top = axi_ports(system)
    texts = {
        f"{name}.v": emit_verilog(top, target, top=name),
        HEADER: c_header(system.registers),
        SYSTEMRDL: systemrdl(system.registers),
        f"{name}.core": core_file(
            name,
            design.kind.name,
            importlib.metadata.version("chrysalis-rtl"),
            f"{design.kind.name} accelerator, digest {design.digest[:16]}",
            [HEADER, SYSTEMRDL],
        ),
        f"{name}_example.v": verilog_example(name, top.ports),
        f"{name}_litex.py": litex_example(name, system.to_core, system.outputs),
    }
    for file, text in texts.items():
        (folder / file).write_text(text)
    return top.ports, {"registers": system.registers.told(), "axi": _streams(system)}


def _streams(system: System) -> dict[str, Any]:
    """How rows look on each stream, and the pins that carry it."""
    sides = (("s_axis", system.to_core), ("m_axis", system.outputs))
    return {
        name: {"pins": f"{side}_{name}", **row_facts(config, system.words[name])}
        for side, streams in sides
        for name, config in streams.items()
    }
