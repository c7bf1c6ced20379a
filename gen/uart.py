"""A design behind two pins: its top, what its manifest says of the link, what a user chooses."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen.cli import whole
from gen.design import Design
from gen.emit import emit_verilog
from gen.ports import Port
from gen.rows import row_facts
from hw.bus.system import System
from hw.bus.uart_top import LineConfig, UartTop, map_base
from hw.prim.target import Target
from spec import SpecError

__all__ = ["PORTS", "add_line_arguments", "line_of", "uart_section", "uart_top", "write_uart"]

PORTS = (
    Port(name="receive", direction="input", width=1),
    Port(name="transmit", direction="output", width=1),
    Port(name="busy", direction="output", width=1),
    Port(name="error", direction="output", width=1),
)
"""Of every design on this bus, beside clock and reset."""

OPTIONS = {"clock": "clock_hz", "baud": "baud", "buffer": "buffer_bytes"}
"""Option of the command line -> the field that it sets."""


def add_line_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--clock``, ``--baud`` and ``--buffer``, which only a serial line has."""
    line = LineConfig()
    meanings = {
        "clock": ("HZ", "frequency of the clock"),
        "baud": ("RATE", "bits a second on the line"),
        "buffer": ("BYTES", "longest request, and longest answer"),
    }
    for option, (metavar, meaning) in meanings.items():
        default = getattr(line, OPTIONS[option])
        parser.add_argument(
            f"--{option}",
            type=whole,
            metavar=metavar,
            help=f"of --bus uart: {meaning} (default: {default})",
        )


def line_of(arguments: argparse.Namespace, bus: str) -> LineConfig:
    """The line that the arguments ask for.

    Raises
    ------
    SpecError
        The bus has no line, or the line cannot be made.
    """
    given = {option: getattr(arguments, option) for option in OPTIONS}
    given = {option: value for option, value in given.items() if value is not None}
    if given and bus != "uart":
        raise SpecError(f"--{next(iter(given))}: --bus {bus} has no serial line; use --bus uart")
    try:
        return LineConfig(**{OPTIONS[option]: value for option, value in given.items()})
    except SpecError as error:
        asked = " ".join(f"--{option} {value}" for option, value in given.items())
        raise SpecError(f"{asked}: {error}") from None


def uart_top(design: Design, line: LineConfig) -> UartTop:
    """The design's cores behind one link, to be elaborated once.

    Raises
    ------
    SpecError
        A core has bare streams only, or a word of its streams does not fit the buffer.
    """
    return UartTop({name: core.system() for name, core in design.cores.items()}, line)


def uart_section(design: Design, top: UartTop) -> dict[str, Any]:
    """The manifest's section ``uart``: the line, and where each core is found on the link."""
    to_core, from_core = 0, 0
    cores = []
    for number, (name, core) in enumerate(design.cores.items()):
        system = top.systems[name]
        streams = {
            **_told(system, "to_core", system.to_core, to_core),
            **_told(system, "from_core", system.outputs, from_core),
        }
        to_core += len(system.to_core)
        from_core += len(system.outputs)
        cores.append(
            {
                "name": name,
                "kind": core.kind.name,
                "digest": core.digest,
                "base": map_base(number),
                "description": core.kind.told(core.description),
                "configuration": core.hardware,
                "registers": system.registers.told(),
                "streams": streams,
            }
        )
    line = top.line
    return {
        "clock_hz": line.clock_hz,
        "baud": line.baud,
        "buffer_bytes": line.buffer_bytes,
        "cores": cores,
    }


def _told(system: System, side: str, streams: Mapping[str, Any], first: int) -> dict[str, Any]:
    return {
        name: {"side": side, "index": k, **row_facts(config, system.words[name])}
        for k, (name, config) in enumerate(streams.items(), start=first)
    }


def write_uart(
    design: Design, folder: Path, *, target: Target, line: LineConfig
) -> tuple[tuple[Port, ...], dict[str, Any]]:
    """Write the Verilog; give the ports, and the manifest's section on the link."""
    top = uart_top(design, line)
    section = uart_section(design, top)
    (folder / f"{design.name}.v").write_text(emit_verilog(top, target, top=design.name))
    return PORTS, {"uart": section}
