"""The cocotb bench of a softmax: rows in, probabilities and the cycle of every transfer out.

`simulate` is the function to call; it writes the transfers to a file, runs this same module inside
the simulator, and reads back what came out.
"""

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.softmax.config import SoftmaxConfig
from sim.bench.runner import run_bench
from sim.cycle.softmax import softmax_cycles

__all__ = ["SoftmaxTrace", "simulate"]

JOB = "CHRYSALIS_SOFTMAX_JOB"
SETTLE_CYCLES = 4
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
    words = sum(-(-len(row) // config.lanes) for row in rows)
    bound = softmax_cycles(config, [min(len(r), config.numerics.max_length) for r in rows]).total
    budget = int((bound + words) * (2 + 4 * stall / (1 - stall))) + 1000
    folder.mkdir(parents=True, exist_ok=True)
    job = folder / "job.json"
    lane_mask = (1 << config.numerics.score_bits) - 1
    transfers = []
    for scores, seen in zip(rows, visible, strict=True):
        for start in range(0, len(scores), config.lanes):
            part = range(start, min(start + config.lanes, len(scores)))
            packed = sum(
                (int(scores[i]) & lane_mask) << config.numerics.score_bits * (i - start)
                for i in part
            )
            mask = sum(int(seen[i]) << i - start for i in part)
            transfers.append([packed, mask, int(start + config.lanes >= len(scores))])
    results = folder / "out.json"
    job.write_text(
        json.dumps(
            {
                "transfers": transfers,
                "expect_rows": len(rows),
                "budget": budget,
                "stall": stall,
                "seed": seed,
                "results": str(results),
            }
        )
    )
    results.unlink(missing_ok=True)
    run_bench(
        [verilog],
        top=top,
        module=__name__,
        folder=folder,
        seconds=60 + budget / CYCLES_PER_SECOND,
        variables={JOB: str(job)},
    )
    return _read(config, json.loads(results.read_text()), [len(row) for row in rows])


def _read(config: SoftmaxConfig, told: dict, lengths: Sequence[int]) -> SoftmaxTrace:
    bits = config.numerics.output_bits
    p, empty, refused, row = [], [], [], []
    for packed, last, is_empty, is_refused in told["transfers"]:
        row += [packed >> bits * lane & (1 << bits) - 1 for lane in range(config.lanes)]
        if last:
            length = lengths[len(p)] if not is_refused else len(row)
            if any(row[length:]):
                raise AssertionError(f"row {len(p)}: lanes past its end are not zero")
            p.append(np.array(row[:length], np.int64))
            empty.append(bool(is_empty))
            refused.append(bool(is_refused))
            row = []
    return SoftmaxTrace(p, empty, refused, told["accepted"], told["delivered"])


if JOB in os.environ:  # inside the simulator
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import RisingEdge

    @cocotb.test()
    async def drive(dut) -> None:
        """Offer every transfer, accept every result, hold offers, check that results hold."""
        job = json.loads(Path(os.environ[JOB]).read_text())
        stalls = random.Random(job["seed"])
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        dut.rst.value = 1
        dut.i_valid.value = 0
        dut.o_ready.value = 0
        for _ in range(2):
            await RisingEdge(dut.clk)
        dut.rst.value = 0

        waiting, accepted, delivered, out = list(reversed(job["transfers"])), [], [], []
        offering = accepting = False
        rows, settle, held = 0, SETTLE_CYCLES, None
        for cycle in range(-1, job["budget"]):
            await RisingEdge(dut.clk)
            if offering and dut.i_ready.value == 1:
                accepted.append(cycle)
                waiting.pop()
                offering = False
            offered = dut.o_valid.value == 1
            now = None
            if offered:
                now = [
                    int(dut.o_p.value),
                    int(dut.o_last.value),
                    int(dut.o_empty.value),
                    int(dut.o_refused.value),
                ]
            assert held is None or now == held, f"cycle {cycle}: an offer was not held"
            held = None if accepting else now
            if offered and accepting:
                delivered.append(cycle)
                out.append(now)
                rows += now[1]  # pyright: ignore[reportOptionalSubscript]
            if rows == job["expect_rows"] and not waiting:
                settle -= 1
                if settle == 0:
                    break
            if waiting and not offering and stalls.random() >= job["stall"]:
                offering = True
                packed, mask, last = waiting[-1]
                dut.i_score.value = packed
                dut.i_visible.value = mask
                dut.i_last.value = last
            dut.i_valid.value = int(offering)
            accepting = stalls.random() >= job["stall"]
            dut.o_ready.value = int(accepting)
        else:
            raise AssertionError(
                f"{job['budget']} cycles: {len(accepted)} of {len(job['transfers'])} transfers "
                f"accepted, {rows} of {job['expect_rows']} rows delivered"
            )
        first = accepted[0]
        Path(job["results"]).write_text(
            json.dumps(
                {
                    "transfers": out,
                    "accepted": [cycle - first for cycle in accepted],
                    "delivered": [cycle - first for cycle in delivered],
                }
            )
        )
