"""A core behind the link, run from its registers: settings, loads, runs, counters, recovery."""

import time
from collections.abc import Callable, Mapping

from fpga.host.causes import causes_in_words
from fpga.host.kinds.kind import Job
from fpga.host.manifest import CoreFacts
from fpga.link import Link, Refused, RunFailed, Stalled
from spec.link import MOST_WORDS

__all__ = ["Core"]

WATCHDOG_S = 10.0
"""Seconds without a transfer after which a core ends a run by itself, if the host has vanished."""

MOST_LEFT = 1 << 20
"""Words that are left of a run that was broken off, at most."""


class Core:
    """One core, at its place on the link."""

    def __init__(self, link: Link, core: CoreFacts, clock_hz: int):
        self._link, self._core, self._clock_hz = link, core, clock_hz
        names = [register.name for register in core.registers]
        self.stall_counters = [
            name.removeprefix("stalls_") for name in names if name.startswith("stalls_")
        ]

    def read(self, name: str) -> int:
        """The word of a register."""
        return self._link.read(self._core.base + self._core.registers[name].offset)

    def write(self, name: str, **fields: int | str) -> None:
        """Write a register, the fields that are not named as after reset.

        Raises
        ------
        RunFailed
            The core does not take it.
        """
        register = self._core.registers[name]
        word = register.pack(**fields)
        try:
            self._link.write(self._core.base + register.offset, word)
        except Refused:
            told = self.failure() or f"the register {name} does not take {word:#x}"
            self.make_ready()
            raise RunFailed(f"{self._core.name}: {told}") from None

    def begin(self) -> None:
        """Make the core ready for runs of ours: at rest, and with our watchdog.

        Raises
        ------
        RunFailed
            It does not come to rest.
        """
        self.make_ready()
        self.write("timeout", cycles=min(int(WATCHDOG_S * self._clock_hz), (1 << 32) - 1))

    def make_ready(self) -> None:
        """Bring the core to rest, whatever was left of a run, and clear what it says of that.

        Raises
        ------
        RunFailed
            It does not come to rest.
        """
        status = self._status()
        if status["busy"]:
            self._write_command("abort")
            self._wait("busy")
        if status["busy"] or status["failed"] or self.read("error"):
            self._drain()
            self._clear()
            self._wait("failed")

    def _clear(self) -> None:
        """Forget all causes of errors."""
        for name in ("error", "error_stream"):
            register = self._core.registers[name]
            mask = sum(field.mask for field in register.fields)
            self._link.write(self._core.base + register.offset, mask)

    def failure(self) -> str:
        """What the core says is wrong, in words; nothing if all is well."""
        word = self.read("error")
        if not word:
            return ""
        registers = self._core.registers
        return causes_in_words(
            registers["error"], registers["error_stream"], word, self.read("error_stream")
        )

    def run(self, job: Job, progress: Callable[[int], object]) -> dict[str, bytes]:
        """Load what is to be loaded, run, and give the words of every output.

        Raises
        ------
        RunFailed
            The core says that something was wrong, or does not come to its end.
        LinkError
            The link does; then the core is made ready at the next run.
        """
        for name, fields in job.settings.items():
            self.write(name, **fields)
        if job.loads:
            self._write_command("load")
            self._move(job.loads, {}, progress)
            self._finish("load")
        self._write_command("start")
        came = self._move(job.sends, job.receives, progress)
        self._finish("run")
        return came

    def counters(self) -> tuple[int, dict[str, int]]:
        """Cycles of the last run, and of these the stalls of every stream."""
        return self.read("cycles"), {
            name: self.read(f"stalls_{name}") for name in self.stall_counters
        }

    def _write_command(self, command: str) -> None:
        register = self._core.registers["control"]
        self._link.write(self._core.base + register.offset, register.pack(**{command: 1}))

    def _move(
        self,
        sends: Mapping[str, bytes],
        receives: Mapping[str, int],
        progress: Callable[[int], object],
    ) -> dict[str, bytes]:
        streams = self._core.streams
        try:
            came = self._link.exchange(
                {streams[name].index: data for name, data in sends.items()},
                {streams[name].index: words for name, words in receives.items()},
                progress,
            )
        except Stalled as error:
            told = self.failure() or self._by_name(str(error))
            self.make_ready()
            raise RunFailed(
                f"{self._core.name}: {told}; the run was broken off, and the core is ready again"
            ) from None
        return {name: came[streams[name].index] for name in receives}

    def _by_name(self, told: str) -> str:
        """What the link says of its streams, by the core's names of them."""
        for stream in self._core.streams.values():
            side = "to" if stream.to_core else "from"
            numbered = f"stream {stream.index} {side} the core"
            told = told.replace(numbered, f"stream {stream.name} {side} the core")
        return told

    def _finish(self, what: str) -> None:
        self._wait("busy", what)
        if told := self.failure():
            self.make_ready()
            raise RunFailed(f"{self._core.name}: the {what} went wrong: {told}")

    def _status(self) -> dict[str, int]:
        return self._core.registers["status"].unpack(self.read("status"))

    def _wait(self, field: str, what: str = "core") -> None:
        seconds = self._link.patience.stall_s
        deadline = time.monotonic() + seconds
        while self._status()[field]:
            if time.monotonic() > deadline:
                told = self.failure()
                raise RunFailed(
                    f"{self._core.name}: the {what} is {field} for more than {seconds:g} s "
                    f"({told or 'it names no cause'}): press the board's reset"
                )

    def _drain(self) -> None:
        """Take and drop what a run that was broken off still offers."""
        for stream in self._core.streams.values():
            if stream.to_core:
                continue
            left = MOST_LEFT
            while left > 0 and (words := self._link.take(stream.index, words=MOST_WORDS)):
                left -= len(words) // stream.word_bytes
