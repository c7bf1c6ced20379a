"""A design on a bus that is emitted, and scripts carried out on it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape

from gen.design import Design
from gen.verilog import write_design
from hw.bus.axi_stream import RowsConfig
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from sim.bench.axi import Read, Step, run_script
from sim.bench.runner import HANG_SECONDS
from spec.registers import RegisterMap
from tests.support.axi import Host
from tests.support.uart_script import run_uart_script

__all__ = ["LINE", "OnBus", "emit_on_uart", "frames_of", "words_of"]

LINE = LineConfig(clock_hz=100_000_000, baud=25_000_000, buffer_bytes=256, patience_cycles=250)
"""Bits of whole nanoseconds, as few clocks each as there may be: for a simulation. A board that
waits longer for a core than a request takes on the line only has the wait simulated."""


LONGER = 10
"""Times as many cycles over a line, on which a byte takes 40 of them."""


class OnBus:
    """A design's files, its registers by name, and the form of its streams.

    Parameters
    ----------
    design
        The core; what of it is emitted, if `manifest` is given, lies in `folder` already.
    folder
        Where files go.
    cycles
        Bound of every step of a script: nothing takes longer, whatever was wrong.
    bus
        ``axi`` or ``uart``.
    """

    def __init__(
        self,
        design: Design,
        folder: Path,
        *,
        cycles: int,
        bus: str = "axi",
        manifest: dict[str, Any] | None = None,
    ):
        self.design, self.folder, self.cycles, self.bus = design, folder, cycles, bus
        if manifest is None:
            emit = emit_on_uart if bus == "uart" else _emit_on_axi
            manifest = emit(design, folder / "out")
        self.manifest = manifest
        if bus == "uart":
            (core,) = [c for c in manifest["uart"]["cores"] if c["digest"] == design.digest]
            self.name, registers, streams = core["name"], core["registers"], core["streams"]
        else:
            self.name, registers, streams = design.name, manifest["registers"], manifest["axi"]
        into = {k for k, told in streams.items() if _into(told)}
        self.host = Host(RegisterMap.read(registers))
        self.inputs = {k: _form(told) for k, told in streams.items() if k in into}
        self.outputs = {k: _form(told) for k, told in streams.items() if k not in into}
        self.runs = 0

    def do(
        self, script: Sequence[Step], *, pause: float, seed: int = 1, cycles: int | None = None
    ) -> list[dict[str, Any]]:
        """Carry out a script from reset; what each step gives. Channels pause on AXI alone."""
        self.runs += 1
        if self.bus == "uart":
            return run_uart_script(
                self.folder / "out",
                [(self.name, step) for step in script],
                work=self.folder / f"run{self.runs}",
                cycles=cycles or LONGER * self.cycles,
                seconds=HANG_SECONDS,
            )
        return run_script(
            self.folder / "out" / f"{self.design.name}.v",
            script,
            top=self.design.name,
            folder=self.folder / f"run{self.runs}",
            inputs=list(self.inputs),
            outputs=list(self.outputs),
            cycles=cycles or self.cycles,
            seconds=HANG_SECONDS,
            pause=pause,
            seed=seed,
        )


def emit_on_uart(design: Design, folder: Path) -> dict[str, Any]:
    """Emit a design behind two pins; its manifest."""
    write_design(design, folder, target=Target.PORTABLE, bus="uart", line=LINE)
    return json.loads((folder / "manifest.json").read_text())


def _emit_on_axi(design: Design, folder: Path) -> dict[str, Any]:
    write_design(design, folder, target=Target.PORTABLE, bus="axi")
    return json.loads((folder / "manifest.json").read_text())


def _into(told: dict[str, Any]) -> bool:
    """Whether a stream brings something to the core."""
    return told["side"] == "to_core" if "side" in told else told["pins"].startswith("s_axis")


def _form(told: dict[str, Any]) -> RowsConfig:
    """A transfer as the manifest tells it; how many there are is the script's affair."""
    return RowsConfig(
        lanes=told["lanes"],
        element=Shape(told["element_bits"], told["signed"]),
        transfers=1,
        rows=1,
        sets=1,
        user=told["user_bits"],
        ragged=told["ragged"],
    )


def words_of(script: Sequence[Step], results: Sequence[dict[str, Any]]) -> list[int]:
    """What every `Read` of a script gave."""
    return [
        each["data"] for step, each in zip(script, results, strict=True) if isinstance(step, Read)
    ]


def frames_of(results: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The frames of every step that gave some."""
    return [each["frames"] for each in results if "frames" in each]
