"""Running a butterfly core on vectors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen.design import Design
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from sim.arrays import butterfly as of
from sim.arrays.butterfly import Multiplied, Transformed, Vectors
from sim.bench.butterfly import ButterflyJob, cycles_per_second, job_sizes, simulate
from sim.cycle.two_layer import vector_cycles
from sim.run.runner import Runner

__all__ = ["ButterflyRunner"]


class ButterflyRunner(Runner):
    """``x``, or ``x_re`` and ``x_im``, (vectors, points) integers; ``weights`` for a product.

    ``transform`` and ``order``, a word each, choose where the core has several: the transform is
    a product where there are weights and else the first other one, and the order is the first.
    """

    arrays = of.NAMES

    def read(self, path: Path, given: Mapping[str, NDArray[Any]], design: Design) -> Vectors:
        """Vectors and weights, checked against the description and the core."""
        config: ButterflyConfig | DividedConfig = design.config
        return of.read(path, given, config.butterfly, config.check_points)

    def golden(self, design: Design, work: Vectors) -> Transformed | Multiplied:
        """Bits by the golden model, cycles by the cycle model."""
        config: ButterflyConfig | DividedConfig = design.config
        cycles = vector_cycles(config, job_sizes(_jobs(work))).total
        return of.golden(config.butterfly, work, cycles)

    def rtl(
        self, design: Design, work: Vectors, folder: Path, verilog: Path
    ) -> Transformed | Multiplied:
        """Bits and cycles by the emitted Verilog in Icarus."""
        config: ButterflyConfig | DividedConfig = design.config
        jobs = _jobs(work)
        trace = simulate(config, verilog, jobs, top=design.name, folder=folder)
        cycles = trace.cycles["o"][-1] - trace.cycles["i"][0] + 1
        re, im = np.stack(trace.re), np.stack(trace.im)
        exponent, saturated = np.array(trace.exponent), np.array(trace.saturated)
        if work.weights is None:
            return of.transformed(re, im, exponent, saturated, cycles)
        # What holds for all vectors, cut into what holds for those of each job.
        y, exponents, flags = (np.split(each, len(jobs)) for each in (re, exponent, saturated))
        return of.multiplied(config.butterfly, y, exponents, flags, cycles)

    def rtl_seconds(self, design: Design, work: Vectors) -> float:
        """How long `rtl` takes, roughly."""
        config: ButterflyConfig | DividedConfig = design.config
        sizes = job_sizes(_jobs(work))
        return vector_cycles(config, sizes).total / cycles_per_second(config)

    def summary(self, work: Vectors, result: Any) -> dict[str, Any]:
        """Sizes, cycles, and vectors that were saturated."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)


def _jobs(work: Vectors) -> list[ButterflyJob]:
    return [
        ButterflyJob(
            transform=work.transform,
            re=part.re,
            im=part.im,
            weights=part.weights,
            order=work.order,
        )
        for part in work.parts()
    ]
