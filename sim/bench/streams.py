"""A cocotb bench for any emitted module of streams: offers in, what comes out and when.

`run_streams` is the function to call; it writes the transfers to a file, runs this same module
inside the simulator, and reads back what came out. Every stream stalls by itself, and every offer
must be held until it is accepted.
"""

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sim.bench.runner import HANG_SECONDS, run_bench
from sim.bench.simulators import Simulator

__all__ = ["Sink", "Source", "StreamTrace", "budget_of", "run_streams", "seconds_of"]

JOB = "CHRYSALIS_STREAMS_JOB"
SETTLE_CYCLES = 4
"""Cycles after the last expected transfer in which nothing more may come."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is offered at an input stream.

    Parameters
    ----------
    fields
        Field -> its bits in every transfer; all of one length.
    after
        Transfer -> (stream, count), one or more: it waits until each of these streams, inputs or
        outputs, has ended so many times. A stream ends with every transfer whose ``last`` is 1, or
        every one without a ``last``.
    """

    fields: Mapping[str, Sequence[int]]
    after: Mapping[int, Sequence[tuple[str, int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return min(map(len, self.fields.values()), default=0)


@dataclass(frozen=True, kw_only=True)
class Sink:
    """What is expected at an output stream.

    Parameters
    ----------
    fields
        The payload's fields.
    ends
        How many times it ends, counted as for `Source.after`.
    """

    fields: Sequence[str]
    ends: int


class StreamTrace(NamedTuple):
    """What happened; cycle 0 is that of the first transfer at any input."""

    outputs: dict[str, dict[str, list[int]]]
    """Output stream -> field -> its bits in every transfer."""
    cycles: dict[str, list[int]]
    """Stream -> cycle of every transfer."""


def budget_of(cycles: int, transfers: int, stall: float) -> int:
    """A generous bound of cycles for what takes `cycles` without stalls."""
    return int((cycles + transfers) * (2 + 4 * stall / (1 - stall))) + 1000


def seconds_of(budget: int, cycles_per_second: float) -> float:
    """A bound of time for a budget of cycles, and for compiling, that a busy machine keeps."""
    return HANG_SECONDS + 8 * budget / cycles_per_second


def run_streams(
    verilog: Path,
    *,
    top: str,
    folder: Path,
    sources: Mapping[str, Source],
    sinks: Mapping[str, Sink],
    budget: int,
    seconds: float,
    stall: float | Mapping[str, float] = 0.0,
    seed: int = 1,
    simulator: Simulator = Simulator.ICARUS,
) -> StreamTrace:
    """Run a module of emitted Verilog until every input is taken and every sink is full.

    Parameters
    ----------
    top
        Name of the Verilog module, with ports as `gen.ports.PlainPorts` names them.
    folder
        Work folder.
    budget, seconds
        Bounds of the simulated cycles and of the time that compiling and simulating may take.
    stall
        Probability, each cycle, of not offering or not accepting; of every stream, or by name.
    seed
        Of the stalls.
    simulator
        What runs it.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails, exceeds a bound, or an offer was not held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [*sources, *sinks]
    stalls = dict.fromkeys(names, stall) if isinstance(stall, float | int) else dict(stall)
    results = folder / "out.json"
    results.unlink(missing_ok=True)
    job = folder / "job.json"
    told = {
        "sources": {
            name: {
                "fields": {key: list(map(int, bits)) for key, bits in source.fields.items()},
                "after": {str(at): list(waits) for at, waits in source.after.items()},
                "transfers": len(source),
            }
            for name, source in sources.items()
        },
        "sinks": {
            name: {"fields": list(sink.fields), "ends": sink.ends} for name, sink in sinks.items()
        },
        "stalls": {name: stalls.get(name, 0.0) for name in names},
        "seed": seed,
        "budget": budget,
        "results": str(results),
    }
    job.write_text(json.dumps(told))
    run_bench(
        [verilog],
        top=top,
        module=__name__,
        folder=folder,
        seconds=seconds,
        variables={JOB: str(job)},
        simulator=simulator,
    )
    return StreamTrace(**json.loads(results.read_text()))


if JOB in os.environ:  # inside the simulator
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import RisingEdge

    class Driver:
        """Offers the transfers of an input stream, one after the other."""

        def __init__(self, dut: Any, name: str, told: dict[str, Any], job: dict[str, Any]):
            self.name, self.transfers = name, told["transfers"]
            self.valid, self.ready = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_ready")
            self.fields = [
                (getattr(dut, f"{name}_{key}"), bits) for key, bits in told["fields"].items()
            ]
            self.last = told["fields"].get("last")
            self.after = {int(at): waits for at, waits in told["after"].items()}
            self.stall = job["stalls"][name]
            self.random = random.Random(f"{job['seed']} {name}")
            self.valid.value = 0
            self.next = self.ends = 0
            self.offering = False
            self.cycles: list[int] = []

        @property
        def complete(self) -> bool:
            return self.next == self.transfers

        def sample(self, cycle: int) -> None:
            """Note a transfer in the cycle that ends now."""
            if self.offering and self.ready.value == 1:
                self.cycles.append(cycle)
                self.ends += self.last is None or self.last[self.next]
                self.next += 1
                self.offering = False

        def drive(self, ends: dict[str, int]) -> None:
            """Offer the next transfer, or go on offering."""
            if self.offering or self.complete:
                if not self.offering:
                    self.valid.value = 0
                return
            waits = self.after.get(self.next, ())
            held = any(ends[stream] < count for stream, count in waits)
            if not held and (self.stall == 0 or self.random.random() >= self.stall):
                self.offering = True
                for port, bits in self.fields:
                    port.value = bits[self.next]
            self.valid.value = int(self.offering)

    class Monitor:
        """Accepts what an output stream offers, and sees to it that offers are held."""

        def __init__(self, dut: Any, name: str, told: dict[str, Any], job: dict[str, Any]):
            self.name, self.expected = name, told["ends"]
            self.valid, self.ready = getattr(dut, f"{name}_valid"), getattr(dut, f"{name}_ready")
            self.ports = {key: getattr(dut, f"{name}_{key}") for key in told["fields"]}
            self.stall = job["stalls"][name]
            self.random = random.Random(f"{job['seed']} {name}")
            self.ready.value = 0
            self.accepting = False
            self.held: list[int] | None = None
            self.ends = 0
            self.cycles: list[int] = []
            self.out: dict[str, list[int]] = {key: [] for key in self.ports}

        @property
        def complete(self) -> bool:
            return self.ends >= self.expected

        def sample(self, cycle: int) -> None:
            """Note a transfer in the cycle that ends now."""
            now = None
            if self.valid.value == 1:
                now = [int(port.value) for port in self.ports.values()]
            assert self.held is None or now == self.held, (
                f"cycle {cycle}: an offer at {self.name} was not held"
            )
            self.held = None if self.accepting else now
            if now is None or not self.accepting:
                return
            self.cycles.append(cycle)
            for bits, value in zip(self.out.values(), now, strict=True):
                bits.append(value)
            self.ends += "last" not in self.out or self.out["last"][-1]
            assert self.ends <= self.expected, f"cycle {cycle}: {self.name} goes on after its end"

        def drive(self, ends: dict[str, int]) -> None:
            """Be ready, or not, in the cycle that begins now."""
            self.accepting = self.stall == 0 or self.random.random() >= self.stall
            self.ready.value = int(self.accepting)

    @cocotb.test()
    async def drive(dut) -> None:
        """Offer every transfer, accept every result, until all is done and nothing follows."""
        job = json.loads(Path(os.environ[JOB]).read_text())
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        dut.rst.value = 1
        drivers = [Driver(dut, name, told, job) for name, told in job["sources"].items()]
        monitors = [Monitor(dut, name, told, job) for name, told in job["sinks"].items()]
        for _ in range(2):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        everyone = [*drivers, *monitors]
        settle = SETTLE_CYCLES
        for cycle in range(-1, job["budget"]):
            await RisingEdge(dut.clk)
            for each in everyone:
                each.sample(cycle)
            if all(each.complete for each in everyone):
                settle -= 1
                if settle == 0:
                    break
            ends = {each.name: each.ends for each in everyone}
            for each in everyone:
                each.drive(ends)
        else:
            state = [f"{each.name} took {each.next} of {each.transfers}" for each in drivers]
            state += [f"{each.name} ended {each.ends} of {each.expected}" for each in monitors]
            raise AssertionError(f"{job['budget']} cycles: {', '.join(state)}")
        first = min((each.cycles[0] for each in drivers if each.cycles), default=0)
        Path(job["results"]).write_text(
            json.dumps(
                {
                    "outputs": {each.name: each.out for each in monitors},
                    "cycles": {each.name: [at - first for at in each.cycles] for each in everyone},
                }
            )
        )
