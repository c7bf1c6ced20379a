"""Running a softmax on scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.design import Design
from sim.arrays import softmax as of
from sim.arrays.softmax import Result, Rows
from sim.bench.softmax import CYCLES_PER_SECOND, simulate
from sim.cycle.softmax import softmax_cycles
from sim.run.runner import Runner

__all__ = ["SoftmaxRunner"]


class SoftmaxRunner(Runner):
    """``scores`` (rows, length) integers, ``mask`` of the same shape."""

    arrays = of.NAMES

    def read(self, path: Path, given: Mapping[str, NDArray[Any]], design: Design) -> Rows:
        """Scores and mask, checked against the description."""
        return of.read(path, given, design.description)

    def golden(self, design: Design, work: Rows) -> Result:
        """Bits by the golden model, cycles by the cycle model."""
        return of.golden(design.description, work, _cycles(design, work))

    def rtl(self, design: Design, work: Rows, folder: Path, verilog: Path) -> Result:
        """Bits and cycles by the emitted Verilog in Icarus."""
        trace = simulate(
            design.config,
            verilog,
            list(work.scores),
            list(work.mask),
            top=design.name,
            folder=folder,
        )
        cycles = trace.delivered[-1] - trace.accepted[0] + 1
        p = of.narrow(design.description, np.stack(trace.p))
        return Result(p, np.array(trace.empty), cycles)

    def rtl_seconds(self, design: Design, work: Rows) -> float:
        """At most; small ones are quicker."""
        return _cycles(design, work) / CYCLES_PER_SECOND

    def summary(self, work: Rows, result: Result) -> dict[str, Any]:
        """Rows, empty ones, and cycles."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)


def _cycles(design: Design, work: Rows) -> int:
    rows, length = work.scores.shape
    return softmax_cycles(design.config, [length] * rows).total
