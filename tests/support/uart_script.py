"""Scripts of `sim.bench.axi` over two pins: the host's own program, cocotbext-uart between.

The module runs twice: here `run_uart_script` starts the simulator, and inside it the test does each
step through `fpga.link.Link`, on the manifest alone.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fpga.link import Link, Patience, Refused
from sim.bench.axi import Step
from sim.bench.runner import run_bench

__all__ = ["run_uart_script"]

JOB = "CHRYSALIS_UART_SCRIPT"
OKAY, SLVERR = 0, 2
"""What a write or a read gives, as on AXI."""

MANY_WORDS = 1 << 15
PATIENCE = Patience(attempts=3, answer_s=1e-3, stall_s=1e-2)


def run_uart_script(
    folder: Path,
    script: Sequence[tuple[str, Step]],
    *,
    work: Path,
    cycles: int,
    seconds: float,
    settle_cycles: int = 0,
) -> list[dict[str, Any]]:
    """Carry out every step in turn, each on a core by its name; what each gives.

    Parameters
    ----------
    folder
        What `gen.verilog` wrote.
    work
        Where what the simulator makes goes.
    cycles, seconds
        Bounds of each step, and of everything.
    settle_cycles
        After reset, in which a board's own bridge holds it still.

    Raises
    ------
    BenchError
        The simulation fails, or exceeds a bound.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    work.mkdir(parents=True, exist_ok=True)
    job, results = work / "job.json", work / "out.json"
    results.unlink(missing_ok=True)
    told = {
        "script": [{"core": core, "step": type(s).__name__, **asdict(s)} for core, s in script],
        "uart": manifest["uart"],
        "cycles": cycles,
        "settle_cycles": settle_cycles,
        "results": str(results),
    }
    job.write_text(json.dumps(told))
    run_bench(
        [folder / f"{manifest['name']}.v"],
        top=manifest["name"],
        module=__name__,
        folder=work,
        seconds=seconds,
        variables={JOB: str(job)},
    )
    return json.loads(results.read_text())


def words_of_frame(told: dict[str, Any], frame: dict[str, Any]) -> bytes:
    """A row's words on the link."""
    size = told["lanes"] * told["element_bytes"]
    data, keep = frame["data"], frame["keep"] or [1] * len(frame["data"])
    found = b""
    for number, at in enumerate(range(0, len(data), size)):
        word = int.from_bytes(bytes(data[at : at + size]), "little")
        word |= sum(bit << k for k, bit in enumerate(keep[at : at + size])) << 8 * size
        user = frame["user"][number] if frame["user"] else 0
        word |= user << 9 * size
        word |= (at + size >= len(data)) << 9 * size + told["user_bits"]
        found += word.to_bytes(bytes_of_word(told), "little")
    return found


def bytes_of_word(told: dict[str, Any]) -> int:
    """Of a stream, on the link."""
    size = told["lanes"] * told["element_bytes"]
    return (9 * size + told["user_bits"] + 1 + 7) // 8


class Frames:
    """Words from the link, put together to rows."""

    def __init__(self, told: dict[str, Any]):
        self.told, self.done = told, []
        self.begun: dict[str, list[int]] = {"data": [], "keep": [], "user": []}

    def add(self, data: bytes) -> None:
        """Words that came."""
        told, count = self.told, bytes_of_word(self.told)
        size = told["lanes"] * told["element_bytes"]
        for at in range(0, len(data), count):
            word = int.from_bytes(data[at : at + count], "little")
            self.begun["data"] += (word & (1 << 8 * size) - 1).to_bytes(size, "little")
            self.begun["keep"] += [word >> 8 * size + k & 1 for k in range(size)]
            self.begun["user"].append(word >> 9 * size & (1 << told["user_bits"]) - 1)
            last = word >> 9 * size + told["user_bits"]
            assert last in (0, 1), "bits that no field has"
            if last:
                self.done.append(self.begun)
                self.begun = {"data": [], "keep": [], "user": []}


class Talk(Link):
    """A session that is asked for what is there, not for so many words."""

    def give(self, k: int, data: bytes) -> bytes:
        """What of the data was not taken."""
        return data[self._send_some(k, memoryview(data))[1] :]


if JOB in os.environ:  # inside the simulator
    import cocotb
    from cocotb.clock import Clock
    from cocotb.task import bridge, resume
    from cocotb.triggers import ClockCycles, SimTimeoutError, with_timeout
    from cocotb.utils import get_sim_time
    from cocotbext.uart import UartSink, UartSource

    class Pins:
        """A port for the host's link, whose other end are the pins."""

        def __init__(self, dut: Any, baud: int):
            self.source = UartSource(dut.receive, baud=baud)
            self.sink = UartSink(dut.transmit, baud=baud)
            self.timeout: float | None = None

        @property
        def in_waiting(self) -> int:
            return self.sink.count()

        def write(self, data: bytes, /) -> int:
            self.source.write_nowait(data)
            return len(data)

        def read(self, size: int = 1, /) -> bytes:
            if self.sink.empty():
                resume(self.listen)()
            return bytes(self.sink.read_nowait(min(size, self.sink.count())))

        async def listen(self) -> None:
            assert self.timeout is not None
            try:
                await with_timeout(
                    cocotb.start_soon(self.sink.wait()), max(1, round(1e9 * self.timeout)), "ns"
                )
            except SimTimeoutError:
                return

        def reset_input_buffer(self) -> None:
            self.sink.clear()

        def close(self) -> None:
            pass

    class Session:
        """How each step is done."""

        def __init__(self, dut: Any, job: dict[str, Any]):
            uart = job["uart"]
            self.dut, self.cycle_s = dut, 1 / uart["clock_hz"]
            self.link = Talk(
                lambda: Pins(dut, uart["baud"]),
                baud=uart["baud"],
                patience=PATIENCE,
                clock=lambda: get_sim_time("ns") * 1e-9,
            )
            assert self.link.identity.buffer_bytes == uart["buffer_bytes"]
            self.cores = {core["name"]: core for core in uart["cores"]}
            self.bound = job["cycles"]
            self.pending: dict[int, bytes] = {}
            self.frames: dict[int, Frames] = {}
            self.deadline = 0.0

        def do(self, step: dict[str, Any]) -> dict[str, Any]:
            """Carry out a step within its bound."""
            self.core = self.cores[step.pop("core")]
            self.name = step.pop("step")
            self.deadline = get_sim_time("ns") * 1e-9 + self.bound * self.cycle_s
            return getattr(self, self.name.lower())(**step)

        def stream(self, name: str) -> tuple[int, dict[str, Any]]:
            told = self.core["streams"][name]
            return told["index"], told

        def pump(self) -> bool:
            """Offer what waits to be sent; whether anything was taken."""
            assert get_sim_time("ns") * 1e-9 < self.deadline, (
                f"{self.name} took more than {self.bound} cycles"
            )
            before = sum(map(len, self.pending.values()))
            self.pending = {k: self.link.give(k, data) for k, data in self.pending.items() if data}
            return sum(map(len, self.pending.values())) < before

        def write(self, address: int, data: int, size: int) -> dict[str, Any]:
            assert size == 4
            try:
                self.link.write(self.core["base"] + address, data)
            except Refused:
                return {"resp": SLVERR}
            return {"resp": OKAY}

        def read(self, address: int) -> dict[str, Any]:
            lights = [int(self.dut.busy.value), int(self.dut.error.value)]
            try:
                data, resp = self.link.read(self.core["base"] + address), OKAY
            except Refused:
                data, resp = 0, SLVERR
            return {"data": data, "resp": resp, "lights": lights}

        def poll(self, address: int, mask: int, value: int) -> dict[str, Any]:
            reads = 1
            while (word := self.read(address)["data"]) & mask != value:
                self.pump()
                reads += 1
            return {"data": word, "reads": reads}

        def send(self, stream: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
            k, told = self.stream(stream)
            more = b"".join(words_of_frame(told, frame) for frame in frames)
            self.pending[k] = self.pending.get(k, b"") + more
            return {}

        def receive(self, stream: str, frames: int) -> dict[str, Any]:
            k, told = self.stream(stream)
            found = self.frames.setdefault(k, Frames(told))
            while len(found.done) < frames:
                self.pump()
                found.add(self.link.take(k, words=MANY_WORDS))
            given, found.done = found.done[:frames], found.done[frames:]
            return {"frames": given}

        def quiet(self, stream: str) -> dict[str, Any]:
            k, _ = self.stream(stream)
            while self.pending.get(k):
                self.pump()
            return {}

        def drain(self, stream: str) -> dict[str, Any]:
            k, told = self.stream(stream)
            found = self.frames.setdefault(k, Frames(told))
            while new := self.link.take(k, words=MANY_WORDS):
                found.add(new)
            given, found.done = found.done, []
            return {"frames": given}

        def wait(self, cycles: int) -> dict[str, Any]:
            while self.pump():
                pass

            async def pass_by() -> None:
                await ClockCycles(self.dut.clk, cycles)

            resume(pass_by)()
            return {}

    @cocotb.test()
    async def carry_out(dut) -> None:
        """Reset, open a session, do every step."""
        job = json.loads(Path(os.environ[JOB]).read_text())
        period_ns = 10**9 // job["uart"]["clock_hz"]
        dut.receive.value = 1
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, period_ns, unit="ns").start())
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        if job["settle_cycles"]:
            await ClockCycles(dut.clk, job["settle_cycles"])

        def all_steps() -> list[dict[str, Any]]:
            session = Session(dut, job)
            return [session.do(step) for step in job["script"]]

        Path(job["results"]).write_text(json.dumps(await bridge(all_steps)()))
