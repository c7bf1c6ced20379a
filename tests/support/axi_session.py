"""A design on AXI that is emitted, and scripts carried out on it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amaranth.hdl import Shape

from gen.design import Design
from gen.verilog import write_design
from hw.bus.axi_stream import RowsConfig
from hw.prim.target import Target
from sim.bench.axi import Read, Step, run_script
from spec.registers import RegisterMap
from tests.support.axi import Host

__all__ = ["OnAxi", "frames_of", "words_of"]

SECONDS = 300


class OnAxi:
    """A design's files, its registers by name, and the form of its streams.

    Parameters
    ----------
    cycles
        Bound of every step of a script: nothing takes longer, whatever was wrong.
    """

    def __init__(self, design: Design, folder: Path, *, cycles: int):
        self.design, self.folder, self.cycles = design, folder, cycles
        write_design(design, folder / "out", target=Target.PORTABLE, bus="axi")
        self.manifest = json.loads((folder / "out" / "manifest.json").read_text())
        self.host = Host(RegisterMap.read(self.manifest["registers"]))
        streams = self.manifest["axi"].items()
        self.inputs = {k: _form(told) for k, told in streams if told["pins"][0] == "s"}
        self.outputs = {k: _form(told) for k, told in streams if told["pins"][0] == "m"}
        self.runs = 0

    def do(
        self, script: Sequence[Step], *, pause: float, seed: int = 1, cycles: int | None = None
    ) -> list[dict[str, Any]]:
        """Carry out a script from reset; what each step gives."""
        self.runs += 1
        return run_script(
            self.folder / "out" / f"{self.design.name}.v",
            script,
            top=self.design.name,
            folder=self.folder / f"run{self.runs}",
            inputs=list(self.inputs),
            outputs=list(self.outputs),
            cycles=cycles or self.cycles,
            seconds=SECONDS,
            pause=pause,
            seed=seed,
        )


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
