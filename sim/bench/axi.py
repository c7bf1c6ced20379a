"""A bench for a module on AXI: a script of accesses and frames, run against peers of cocotbext-axi.

The peers are a third party's: AXI4-Lite master, AXI4-Stream sources and sinks. Each of their
channels pauses at random by itself.
"""

import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sim.bench.runner import run_bench

__all__ = [
    "Deaf",
    "Drain",
    "Frame",
    "Poll",
    "Quiet",
    "Read",
    "Receive",
    "Send",
    "Step",
    "Wait",
    "Write",
    "run_script",
]

JOB = "CHRYSALIS_AXI_JOB"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Transfers up to one with TLAST.

    Parameters
    ----------
    data
        Bytes, the first in the lowest lane.
    keep
        TKEEP, a bit for each byte; all 1 if it is empty.
    user
        TUSER of each transfer; 0 if it is empty.
    """

    data: Sequence[int]
    keep: Sequence[int] = ()
    user: Sequence[int] = ()


@dataclass(frozen=True)
class Write:
    """Write a word. Gives {resp}."""

    address: int
    data: int
    size: int = 4
    """Bytes of the word, from the lowest, that the strobe names."""


@dataclass(frozen=True)
class Read:
    """Read a word. Gives {data, resp}."""

    address: int


@dataclass(frozen=True)
class Poll:
    """Read a word again and again until its masked bits are `value`. Gives {data, reads}."""

    address: int
    mask: int
    value: int


@dataclass(frozen=True)
class Send:
    """Queue frames at an input; goes on at once. Gives {}."""

    stream: str
    frames: Sequence[Frame]


@dataclass(frozen=True)
class Receive:
    """Wait for frames at an output. Gives {frames}: data, keep, user of every transfer."""

    stream: str
    frames: int


@dataclass(frozen=True)
class Quiet:
    """Wait until all that was queued at an input has been taken. Gives {}."""

    stream: str


@dataclass(frozen=True)
class Drain:
    """Give {frames}: those that wait at an output, none of which is waited for."""

    stream: str


@dataclass(frozen=True)
class Deaf:
    """From now on an output accepts nothing, or again what comes. Gives {}."""

    stream: str
    deaf: bool


@dataclass(frozen=True)
class Wait:
    """Let cycles pass. Gives {}."""

    cycles: int


Step = Write | Read | Poll | Send | Receive | Quiet | Drain | Deaf | Wait


def run_script(
    verilog: Path,
    script: Sequence[Step],
    *,
    top: str,
    folder: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    cycles: int,
    seconds: float,
    pause: float = 0.0,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """Carry out every step in turn; what each gives.

    Parameters
    ----------
    top
        Name of the Verilog module, with ports as `gen.axi.axi_ports` names them.
    inputs, outputs
        Names of streams, without ``s_axis_`` and ``m_axis_``.
    cycles, seconds
        Bounds of each step, and of everything.
    pause
        Probability, each cycle and for each channel by itself, of a pause.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails, or exceeds a bound.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "out.json"
    results.unlink(missing_ok=True)
    job = folder / "job.json"
    told = {
        "script": [{"step": type(step).__name__, **asdict(step)} for step in script],
        "inputs": list(inputs),
        "outputs": list(outputs),
        "cycles": cycles,
        "pause": pause,
        "seed": seed,
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
    )
    return json.loads(results.read_text())


if JOB in os.environ:  # inside the simulator
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
    from cocotbext.axi import (  # only where it is wanted
        AxiLiteBus,
        AxiLiteMaster,
        AxiStreamBus,
        AxiStreamFrame,
        AxiStreamSink,
        AxiStreamSource,
    )

    PERIOD_NS = 10

    def pauses(probability: float, seed: str) -> Iterator[bool]:
        """A decision a cycle."""
        rng = random.Random(seed)
        while True:
            yield rng.random() < probability

    class Session:
        """The peers, and how each step is done with them."""

        def __init__(self, dut: Any, job: dict[str, Any]):
            self.dut, self.job = dut, job
            self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
            self.sources = {
                name: AxiStreamSource(
                    AxiStreamBus.from_prefix(dut, f"s_axis_{name}"), dut.clk, dut.rst
                )
                for name in job["inputs"]
            }
            self.sinks = {
                name: AxiStreamSink(
                    AxiStreamBus.from_prefix(dut, f"m_axis_{name}"), dut.clk, dut.rst
                )
                for name in job["outputs"]
            }
            # What the library says of its types leaves out most of them.
            write: Any = self.master.write_if
            read: Any = self.master.read_if
            channels = {
                "aw": write.aw_channel,
                "w": write.w_channel,
                "b": write.b_channel,
                "ar": read.ar_channel,
                "r": read.r_channel,
                **self.sources,
                **self.sinks,
            }
            for name, channel in channels.items():
                self.pause(name, channel)

        def pause(self, name: str, channel: Any) -> None:
            """Let a channel pause at random, if it is to."""
            if self.job["pause"]:
                seed = f"{self.job['seed']} {name}"
                channel.set_pause_generator(pauses(self.job["pause"], seed))

        async def write(self, address: int, data: int, size: int) -> dict[str, Any]:
            done: Any = await self.master.write(address, data.to_bytes(4, "little")[:size])
            return {"resp": int(done.resp)}

        async def read(self, address: int) -> dict[str, Any]:
            done: Any = await self.master.read(address, 4)
            return {"data": int.from_bytes(done.data, "little"), "resp": int(done.resp)}

        async def poll(self, address: int, mask: int, value: int) -> dict[str, Any]:
            reads = 0
            while True:
                reads += 1
                word = (await self.read(address))["data"]
                if word & mask == value:
                    return {"data": word, "reads": reads}

        async def send(self, stream: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
            source = self.sources[stream]
            for frame in frames:
                lanes = source.byte_lanes
                user = [each for each in frame["user"] for _ in range(lanes)]
                await source.send(
                    AxiStreamFrame(
                        bytes(frame["data"]),
                        tkeep=list(frame["keep"]) or None,
                        tuser=user[: len(frame["data"])] or None,
                    )
                )
            return {}

        async def receive(self, stream: str, frames: int) -> dict[str, Any]:
            sink = self.sinks[stream]
            return {"frames": [told(sink, await sink.recv(compact=False)) for _ in range(frames)]}

        async def quiet(self, stream: str) -> dict[str, Any]:
            await self.sources[stream].wait()
            return {}

        async def drain(self, stream: str) -> dict[str, Any]:
            sink, found = self.sinks[stream], []
            while not sink.empty():
                found.append(told(sink, sink.recv_nowait(compact=False)))
            return {"frames": found}

        async def deaf(self, stream: str, deaf: bool) -> dict[str, Any]:
            sink = self.sinks[stream]
            sink.clear_pause_generator()
            sink.pause = deaf
            if not deaf:
                self.pause(stream, sink)
            return {}

        async def wait(self, cycles: int) -> dict[str, Any]:
            await ClockCycles(self.dut.clk, cycles)
            return {}

    def told(sink: Any, frame: Any) -> dict[str, Any]:
        """What of a frame is told."""
        user = [int(each) for each in frame.tuser[:: sink.byte_lanes]]
        return {"data": list(frame.tdata), "keep": list(frame.tkeep), "user": user}

    @cocotb.test()
    async def carry_out(dut) -> None:
        """Reset, then do every step within its bound."""
        job = json.loads(Path(os.environ[JOB]).read_text())
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
        session = Session(dut, job)
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        results = []
        for number, step in enumerate(job["script"]):
            name = step.pop("step")
            doing = getattr(session, name.lower())(**step)
            try:
                results.append(await with_timeout(doing, job["cycles"] * PERIOD_NS, "ns"))
            except SimTimeoutError:
                raise AssertionError(
                    f"step {number}, {name}, took more than {job['cycles']} cycles"
                ) from None
        Path(job["results"]).write_text(json.dumps(results))
