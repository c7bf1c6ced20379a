"""Emit a design's Verilog and its manifest: ``python -m gen.verilog NAME|FILE.py``."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from gen.axi_output import write_axi
from gen.cli import Parser, add_design_arguments, progress, run
from gen.design import Design, load_design
from gen.emit import emit_verilog
from gen.manifest import manifest
from gen.output import MANIFEST, whole_folder
from gen.ports import PlainPorts, Port
from gen.presets import PRESETS
from gen.uart import add_line_arguments, line_of, write_uart
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from spec import SpecError
from spec.errors import check_choice

__all__ = ["main", "write_design"]

TARGETS = ("portable", "ecp5", "ice40")
BUSES = ("stream", "axi", "uart")
"""Bare streams; AXI4-Stream for data, and registers on AXI4-Lite; all of it over two pins."""


def write_design(
    design: Design,
    folder: Path,
    *,
    target: Target,
    bus: str = "stream",
    line: LineConfig | None = None,
) -> None:
    """Write ``NAME.v``, what goes with it on this bus, and the manifest; whole or not at all.

    Parameters
    ----------
    design
        What is emitted.
    folder
        Where to.
    target
        Whose cells fill the primitives.
    bus
        One of `BUSES`.
    line
        Of the bus ``uart``.

    Raises
    ------
    SpecError
        `folder` cannot be written, or the design cannot be had on this bus.
    """
    writers = {
        "stream": _write_streams,
        "axi": write_axi,
        "uart": partial(write_uart, line=line or LineConfig()),
    }
    write = writers[bus]
    with whole_folder(folder) as work:
        ports, sections = write(design, work, target=target)
        told = manifest(design, ports, target=target, bus=bus, folder=work, of_bus=sections)
        (work / MANIFEST).write_text(json.dumps(told, indent=2) + "\n")


def _write_streams(
    design: Design, folder: Path, *, target: Target
) -> tuple[tuple[Port, ...], dict[str, Any]]:
    """Write the unit with its streams as ports; give them."""
    top = PlainPorts(design.unit())
    (folder / f"{design.name}.v").write_text(emit_verilog(top, target, top=design.name))
    return top.ports, {}


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="gen.verilog", description="Emit Verilog and a manifest for a design.")
    add_design_arguments(parser, required=False)
    parser.add_argument("--list", action="store_true", help="list the presets and stop")
    parser.add_argument("--target", default="portable", help="portable, ecp5 or ice40")
    parser.add_argument("--bus", default="stream", help="stream, axi or uart")
    add_line_arguments(parser)
    parser.add_argument("-o", dest="folder", type=Path, help="output folder (default: out/NAME)")
    arguments = parser.parse_args()
    if arguments.list:
        width = max(map(len, PRESETS))
        for name, preset in PRESETS.items():
            print(f"{name:{width}}  {preset.summary}")
        return
    if arguments.design is None:
        raise SpecError("name a preset or a description file (--list shows the presets)")
    check_choice("--target", arguments.target, TARGETS)
    check_choice("--bus", arguments.bus, BUSES)
    line = line_of(arguments, arguments.bus)
    design = load_design(arguments.design, arguments.settings)
    folder = arguments.folder or Path("out") / design.name
    with progress(f"emit {design.name}"):
        target = Target(arguments.target)
        write_design(design, folder, target=target, bus=arguments.bus, line=line)
    told = json.loads((folder / MANIFEST).read_text())
    print(f"{folder / design.name}.v")
    for line in design.kind.summary(told):
        print(f"  {line}")


if __name__ == "__main__":
    run("gen.verilog", main)
