"""The bench of a softmax: rows in, probabilities and the cycle of every transfer out."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.softmax.config import SoftmaxConfig
from sim.bench.streams import Sink, Source, StreamTrace, budget_of, run_streams, seconds_of
from sim.cycle.softmax import softmax_cycles

__all__ = ["SoftmaxTrace", "simulate"]

CYCLES_PER_SECOND = 500
"""A pessimistic speed of the simulator, from which a run's bound of time follows."""


class SoftmaxTrace(NamedTuple):
    """What came out of the simulated unit."""

    p: list[NDArray[np.int64]]
    """One array (length,) a row, in units of 1 / full_scale."""
    empty: list[bool]
    """For each row, whether the unit called it empty."""
    refused: list[bool]
    """For each row, whether the unit refused it."""
    accepted: list[int]
    """Cycle of every input transfer; the first is cycle 0."""
    delivered: list[int]
    """Cycle of every output transfer."""


def simulate(
    config: SoftmaxConfig,
    verilog: Path,
    rows: Sequence[NDArray[np.integer]],
    visible: Sequence[NDArray[np.bool_]],
    *,
    top: str,
    folder: Path,
    stall: float = 0.0,
    seed: int = 1,
) -> SoftmaxTrace:
    """Run rows through emitted Verilog in Icarus.

    Parameters
    ----------
    config
        The configuration that `verilog` was emitted from.
    rows, visible
        Scores and visibility, (length,) each.
    top
        Name of the Verilog module.
    folder
        Work folder.
    stall
        Probability, each cycle and on either side, of not offering and of not accepting.
    seed
        Of the stalls.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails, or does not end within its budget of cycles.
    """
    bound = softmax_cycles(config, [min(len(r), config.numerics.max_length) for r in rows]).total
    source = _words(config, rows, visible)
    budget = budget_of(bound, len(source), stall)
    trace = run_streams(
        verilog,
        top=top,
        folder=folder,
        sources={"i": source},
        sinks={"o": Sink(fields=("p", "last", "empty", "refused"), ends=len(rows))},
        budget=budget,
        seconds=seconds_of(budget, CYCLES_PER_SECOND),
        stall=stall,
        seed=seed,
    )
    return _read(config, trace, [len(row) for row in rows])


def _words(
    config: SoftmaxConfig,
    rows: Sequence[NDArray[np.integer]],
    visible: Sequence[NDArray[np.bool_]],
) -> Source:
    """Every transfer of the rows; lanes past a row's end are invisible."""
    bits, lanes = config.numerics.score_bits, config.lanes
    fields: dict[str, list[int]] = {"score": [], "visible": [], "last": []}
    for scores, seen in zip(rows, visible, strict=True):
        for start in range(0, len(scores), lanes):
            part = range(start, min(start + lanes, len(scores)))
            codes = (int(scores[i]) & (1 << bits) - 1 for i in part)
            fields["score"].append(sum(code << bits * lane for lane, code in enumerate(codes)))
            fields["visible"].append(sum(int(seen[i]) << i - start for i in part))
            fields["last"].append(int(start + lanes >= len(scores)))
    return Source(fields=fields)


def _read(config: SoftmaxConfig, trace: StreamTrace, lengths: Sequence[int]) -> SoftmaxTrace:
    bits, told = config.numerics.output_bits, trace.outputs["o"]
    p, empty, refused, row = [], [], [], []
    for packed, last, is_empty, is_refused in zip(
        told["p"], told["last"], told["empty"], told["refused"], strict=True
    ):
        row += [packed >> bits * lane & (1 << bits) - 1 for lane in range(config.lanes)]
        if last:
            length = lengths[len(p)] if not is_refused else len(row)
            if any(row[length:]):
                raise AssertionError(f"row {len(p)}: lanes past its end are not zero")
            p.append(np.array(row[:length], np.int64))
            empty.append(bool(is_empty))
            refused.append(bool(is_refused))
            row = []
    return SoftmaxTrace(p, empty, refused, trace.cycles["i"], trace.cycles["o"])
