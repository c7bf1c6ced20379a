"""A top with a serial line, in a simulator behind a pseudo-terminal: a board made of Verilog.

Whatever opens the terminal speaks to the design's own pins, bit by bit at the line's rate. Time
passes only while somebody speaks: from the first byte of a request to the last one of its answer.
In between the clock stands still, so nothing is computed for nobody, and the cycles that a core
counts do not depend on how quick the machine is.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.bench.cells import cells_of
from sim.bench.runner import HANG_SECONDS, run_bench
from sim.bench.simulators import Simulator

__all__ = ["simulate_board"]

JOB = "CHRYSALIS_BOARD_JOB"

ANSWER_CYCLES = 1 << 16
"""Within which a request is answered, or never: longer than a link waits for its core."""

ANSWER_BYTES = 1 << 16
"""Longer than any that has begun."""

PERIOD_PS = 10_000
LOOK_SECONDS = 0.05


def simulate_board(
    verilog: Path,
    *,
    top: str,
    folder: Path,
    clock_hz: int,
    baud: int,
    ready: Callable[[str], object],
    seconds: float,
    cycles: int | None = None,
    simulator: Simulator = Simulator.ICARUS,
    target: str = "portable",
) -> int:
    """Run a top until a bound is reached; the cycles that passed.

    Parameters
    ----------
    verilog, top
        The file, and the name of its module, which has the ports of `gen.uart.PORTS`.
    folder
        Work folder.
    clock_hz, baud
        Of the line: what they are to each other is simulated.
    ready
        Told the path of the terminal, once there is one.
    seconds, cycles
        Bounds of the run.
    target
        What it was emitted for: its cells are simulated too.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails.
    """
    cells = cells_of(target)
    folder.mkdir(parents=True, exist_ok=True)
    named, ended = folder / "port", folder / "cycles"
    for path in (named, ended):
        path.unlink(missing_ok=True)
    job = {
        "bit_ps": round(PERIOD_PS * clock_hz / baud),
        "seconds": seconds,
        "cycles": cycles,
        "named": str(named),
        "ended": str(ended),
        "parent": os.getpid(),
    }
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            if named.exists():
                ready(named.read_text())
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        run_bench(
            [verilog.absolute(), *cells.sources],
            top=top,
            module=__name__,
            folder=folder,
            seconds=HANG_SECONDS + seconds,
            variables={JOB: json.dumps(job)},
            simulator=simulator,
            defines=cells.defines,
        )
    finally:
        over.set()
        watcher.join()
    return int(ended.read_text())


if JOB in os.environ:  # inside the simulator
    import pty
    import select
    import time
    import tty

    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import ClockCycles, FallingEdge, Timer
    from cocotb.utils import get_sim_time

    class Terminal:
        """A pseudo-terminal of which we are the board's end."""

        def __init__(self):
            # The other end stays open here too, so that programs may come and go.
            self.board, self.other = pty.openpty()
            tty.setraw(self.other)
            os.set_blocking(self.board, False)
            self.name = os.ttyname(self.other)

        def read(self, seconds: float) -> bytes:
            """What came, or nothing if nothing comes within that time."""
            ready, _, _ = select.select([self.board], [], [], seconds)
            return os.read(self.board, 4096) if ready else b""

        def write(self, data: bytes) -> None:
            """Give it to whoever is there; what nobody takes in a second is lost, as on a line."""
            while data and select.select([], [self.board], [], 1)[1]:
                data = data[os.write(self.board, data) :]

    class Line:
        """The two pins, at the line's rate."""

        def __init__(self, dut: Any, bit_ps: int):
            self.dut, self.bit_ps = dut, bit_ps
            self.came = bytearray()
            self.open = False
            """An answer has begun and not ended."""
            self.answered = False

        async def send(self, byte: int) -> None:
            """A start bit, eight bits, the low one first, and a stop bit."""
            bits = [0, *(byte >> k & 1 for k in range(8)), 1]
            start, lasted = bits[0], 0
            for bit in [*bits, None]:
                if bit != start:
                    self.dut.receive.value = start
                    await Timer(lasted * self.bit_ps, "ps")
                    start, lasted = bit, 0
                lasted += 1

        async def listen(self) -> None:
            """Hear bytes for ever."""
            while True:
                await FallingEdge(self.dut.transmit)
                await Timer(self.bit_ps * 3 // 2, "ps")
                byte = 0
                for k in range(8):
                    byte |= int(self.dut.transmit.value) << k
                    await Timer(self.bit_ps, "ps")
                self.came.append(byte)
                self.answered |= self.open and byte == 0
                self.open = byte != 0

        async def answer(self) -> bytes:
            """Let time pass until an answer has ended, or will not come any more."""
            self.answered = False
            waited, step = 0, 10 * self.bit_ps
            most = {False: PERIOD_PS * ANSWER_CYCLES, True: ANSWER_BYTES * step}
            while not self.answered and waited < most[self.open]:
                await Timer(step, "ps")
                waited += step
            data = bytes(self.came)
            self.came.clear()
            return data

    def is_over(job: dict[str, Any], start: float) -> bool:
        """Whether a bound is reached, or the one who started us is gone."""
        if time.monotonic() - start > job["seconds"] or os.getppid() == 1:
            return True
        try:
            os.kill(job["parent"], 0)
        except ProcessLookupError:
            return True
        return job["cycles"] is not None and cycles_now() > job["cycles"]

    def cycles_now() -> int:
        """Since the beginning."""
        return int(get_sim_time("ps")) // PERIOD_PS

    @cocotb.test()
    async def serve(dut) -> None:
        """Reset, open the terminal, and carry bytes to the pins and back."""
        job = json.loads(os.environ[JOB])
        dut.receive.value, dut.rst.value = 1, 1
        Clock(dut.clk, PERIOD_PS, "ps").start()
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        line, terminal, start = Line(dut, job["bit_ps"]), Terminal(), time.monotonic()
        cocotb.start_soon(line.listen())
        named = Path(job["named"])
        named.with_suffix(".new").write_text(terminal.name)
        named.with_suffix(".new").rename(named)
        inside = False
        while not is_over(job, start):
            for byte in terminal.read(LOOK_SECONDS):
                await line.send(byte)
                if inside and byte == 0:
                    terminal.write(await line.answer())
                inside = byte != 0
        Path(job["ended"]).write_text(str(cycles_now()))
