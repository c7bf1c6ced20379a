"""The two engines, from Python: what ``python -m sim.run`` does between reading and printing."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gen.design import Design
from gen.verilog import write_design
from hw.butterfly.mixing import MixingConfig
from hw.prim.target import Target
from sim.run.attention import AttentionRunner
from sim.run.butterfly import ButterflyRunner
from sim.run.runner import Runner
from sim.run.softmax import SoftmaxRunner
from sim.run.two_layer import MixingRunner
from spec.errors import SpecError, check_choice

__all__ = ["ENGINES", "execute", "run_arrays", "runner_of"]

ENGINES = ("golden", "rtl")
RUNNERS: dict[str, Runner] = {
    "softmax": SoftmaxRunner(),
    "attention": AttentionRunner(),
    "butterfly": ButterflyRunner(),
}
"""Kind of a design -> how it is run."""

MIXING = MixingRunner()
"""The same of a butterfly core of two layers."""


def runner_of(design: Design) -> Runner:
    """How a design is run.

    Raises
    ------
    SpecError
        It has several cores.
    """
    if design.kind.name not in RUNNERS:
        names = " or ".join(f"NAME:{name}" for name in design.cores)
        raise SpecError(f"{design.name} is an accelerator, run one core at a time: {names}")
    return MIXING if isinstance(design.config, MixingConfig) else RUNNERS[design.kind.name]


def run_arrays(
    design: Design,
    arrays: Mapping[str, NDArray[Any]],
    engine: str = "golden",
    *,
    reorder: bool = False,
) -> Any:
    """Run a design on arrays; they and what comes out are called as in the command's files.

    Parameters
    ----------
    engine
        ``golden``: bits by the golden model, cycles by the cycle model. ``rtl``: both by the
        design's own Verilog, emitted and run in Icarus.
    reorder
        Of attention with an array ``mask``: take the tokens in an order in which it leaves fewer
        tiles. The outputs are the same, and in the order of the arrays.

    Raises
    ------
    SpecError
        There is no such engine, or an array's name, type, shape or value is wrong for the design.
    """
    check_choice("engine", engine, ENGINES)
    runner = runner_of(design)
    for name in arrays:
        check_choice("an array's name", name, runner.arrays)
    read = runner.read_reordered if reorder else runner.read
    return execute(design, read(Path("arrays"), arrays, design), engine)


def execute(design: Design, work: Any, engine: str) -> Any:
    """The result of `work`, which the design's runner has read, on one of `ENGINES`."""
    runner = runner_of(design)
    if engine == "golden":
        return runner.golden(design, work)
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as name:
        folder = Path(name)
        write_design(design, folder / "verilog", target=Target.PORTABLE)
        return runner.rtl(design, work, folder, folder / "verilog" / f"{design.name}.v")
