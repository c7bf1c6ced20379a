"""A bitstream of an iCE40-HX8K, and the same bitstream back as Verilog."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fpga.boards import facts_of
from fpga.flow import ICE40_HX8K, place_and_route, run_tool, synthesise
from gen.boards import BOARDS
from gen.design import Design, load_design
from gen.ports import PlainPorts
from hw.prim.target import Target
from sim.bench.runner import HANG_SECONDS
from tests.support.gates import LUTS_A_FAULT
from tests.support.netlist import cell_models

__all__ = ["Shipped", "needs_decoder", "shipped", "with_wrong_luts"]

DECODER = shutil.which("icebox_vlog")
needs_decoder = pytest.mark.skipif(
    DECODER is None and not os.environ.get("CI"),
    reason="icebox_vlog is not installed: apt-get install fpga-icestorm",
)
MODELS_WITHOUT_DEFAULTS = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n"


class Shipped(NamedTuple):
    """A design, and what is on the chip of it."""

    design: Design
    verilog: str
    folder: Path

    def source(self, name: str, verilog: str | None = None) -> Path:
        """The chip, or one that is wrong, as a file called after the design, alone in a folder."""
        path = self.folder / name / f"{self.design.name}.v"
        path.parent.mkdir()
        path.write_text(verilog or self.verilog)
        return path


def shipped(name: str, settings: list[str], folder: Path) -> Shipped:
    """A preset as a bitstream of its unit alone, decoded."""
    design = load_design(name, settings)
    bitstream, pins = bitstream_of(design, folder / "build")
    verilog = decoded(bitstream, pins, top=design.name, folder=folder / "back")
    return Shipped(design, verilog, folder)


def bitstream_of(design: Design, folder: Path) -> tuple[Path, dict[str, str]]:
    """A design's unit alone on the chip, its streams' ports on pins: the file, and port -> pin."""
    top = PlainPorts(design.unit())
    free = iter(_balls())
    pins = {"clk": facts_of(BOARDS["ice40_hx8k_b_evn"]).oscillator.ball, "rst": next(free)}
    for port in top.ports:
        bits = [port.name] if port.width == 1 else _bits(port.name, port.width)
        pins |= {bit: next(free) for bit in bits}
    synthesis = synthesise(top, ICE40_HX8K, folder)
    (folder / "pins.pcf").write_text(_constraints(pins))
    options = ("--pcf", "pins.pcf", "--asc", "placed.asc")
    place_and_route(synthesis, ICE40_HX8K, goal_mhz=40, options=options)
    run_tool("yowasp-icepack", ["placed.asc", "chip.bin"], folder, "pack.log", HANG_SECONDS)
    return folder / "chip.bin", pins


def decoded(bitstream: Path, pins: Mapping[str, str], *, top: str, folder: Path) -> str:
    """Verilog of a bitstream, a module called `top` with its ports, and the models of its cells."""
    assert DECODER is not None
    folder.mkdir()
    shutil.copy(bitstream, folder / "chip.bin")
    run_tool("yowasp-iceunpack", ["chip.bin", "chip.asc"], folder, "unpack.log", HANG_SECONDS)
    (folder / "pins.pcf").write_text(_constraints(pins))
    done = subprocess.run(
        [DECODER, "-s", "-c", "-p", "pins.pcf", "-n", top, "chip.asc"],
        cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS, check=True,
    )  # fmt: skip
    models = [path.read_text() for path in cell_models(Target.ICE40_HX)]
    return "\n".join([MODELS_WITHOUT_DEFAULTS, *models, done.stdout])


def with_wrong_luts(verilog: str) -> str:
    """The same chip, but for one in `LUTS_A_FAULT` of its look-up tables, which are inverted."""
    lines = verilog.splitlines()
    luts = [k for k, line in enumerate(lines) if "/* LUT" in line and "?" in line]
    assert len(luts) >= LUTS_A_FAULT
    for k in luts[::LUTS_A_FAULT]:
        lines[k] = lines[k].replace("*/ ", "*/ !")
    return "\n".join(lines)


def _balls() -> list[str]:
    """Pins of the board's four connectors but for that of the clock, each once."""
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    connectors: list[Any] = ICE40HX8KBEVNPlatform.connectors
    balls = [ball for each in connectors for ball in each.mapping.values()]
    clock = facts_of(BOARDS["ice40_hx8k_b_evn"]).oscillator.ball
    return [ball for ball in dict.fromkeys(balls) if ball != clock]


def _bits(name: str, width: int) -> list[str]:
    return [f"{name}[{bit}]" for bit in range(width)]


def _constraints(pins: Mapping[str, str]) -> str:
    return "".join(f"set_io {port} {pin}\n" for port, pin in pins.items())
