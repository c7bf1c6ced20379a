"""Butterfly matrices one after the other on a butterfly core."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.support.factors import Factored, Reals
from gen.design import Design
from sim.run.engines import run_arrays
from spec import Butterfly

__all__ = ["Outputs", "run_chained"]


class Outputs(NamedTuple):
    """What comes out at the end."""

    y: Reals
    """(vectors, outputs), integers times their vector's power of two."""
    cycles: int
    """Of all jobs together, each from its first transfer in to its last one out."""


def run_chained(fit: Factored, x: NDArray[np.int16], outputs: int, engine: str) -> Outputs:
    """Run quantised matrices on x (vectors, inputs); what one gives is the next one's input.

    Parameters
    ----------
    fit
        Integers: `Factored.quantised`. Its scale is left to the caller.
    outputs
        Words of a vector that are wanted in the end.
    engine
        As of `run_arrays`.
    """
    core = Design.of("chained", Butterfly("bpmm", points=fit.points, orders=fit.orders))
    x = np.pad(x, ((0, 0), (0, fit.points - x.shape[1])))
    exponent, cycles = np.zeros((len(x), 1), int), 0
    for order, weights in zip(fit.orders, fit.weights, strict=True):
        arrays = {"x": x, "weights": weights, "order": np.array(order)}
        done = run_arrays(core, arrays, engine)
        x, exponent = done.y, exponent + done.exponent[:, None]
        cycles += int(done.cycles)
    return Outputs((x * 2.0**exponent)[:, :outputs], cycles)
