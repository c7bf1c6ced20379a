"""A board with our design on it: connect, run cores on arrays, read what their counters say.

    with connect("out/attention_tiny", "/dev/ttyUSB1") as board:
        run = board.run({"q": q, "k": k, "v": v})
        print(run.result.o, run.cycles, run.stalls)

docs/host.md has the rest. Nothing here loads gateware: what is known of the design is the folder's
manifest, and the bitstream answers with the digest of that.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpga.host.core import Core
from fpga.host.kinds.attention import AttentionHost
from fpga.host.kinds.butterfly import ButterflyHost
from fpga.host.kinds.kind import Amount, CoreKind
from fpga.host.kinds.softmax import SoftmaxHost
from fpga.host.manifest import CoreFacts, DesignFacts, read_manifest
from fpga.link import Link, NoAnswer, Patience, Refused, WrongBoard
from fpga.link.port import Port, open_port
from spec.errors import check_choice
from spec.registers import IDENTITY_WORD, KINDS

__all__ = ["Board", "Difference", "NotGolden", "Run", "Task", "connect", "host_of", "open_board"]

HOSTS: dict[str, type[CoreKind]] = {
    "softmax": SoftmaxHost,
    "attention": AttentionHost,
    "butterfly": ButterflyHost,
}
DIGEST_WORDS = 8


class NotGolden(Exception):  # noqa: N818 (says what happened)
    """A board computed something else than the golden model."""


@dataclass(frozen=True)
class Difference:
    """Where a result is not the golden model's."""

    name: str
    """Of the array."""
    count: int
    of: int
    """Elements that differ, of so many."""
    index: tuple[int, ...]
    """Of the first."""
    got: int
    wanted: int

    def __str__(self) -> str:
        at = ", ".join(map(str, self.index))
        return (
            f"{self.name} differs from the golden model in {self.count} of {self.of} elements, "
            f"first at [{at}]: {self.got} on the board, {self.wanted} by the model"
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run gave.

    Parameters
    ----------
    core
        Name of the core.
    result
        A named tuple of arrays, as of `sim.run`: `o`, `p` or `y`, and what belongs to it.
    cycles
        Of the core's clock, by its counter, of all its runs together.
    stalls
        Stream -> cycles of these in which it was waited for.
    amount
        How much was computed.
    clock_hz
        Of the core's clock.
    sent, received
        Bytes of words on the link, without its frames.
    seconds
        For all of it, on this machine's clock.
    retries
        Requests that the link sent again.
    """

    core: str
    result: Any
    cycles: int
    stalls: Mapping[str, int]
    amount: Amount
    clock_hz: int
    sent: int
    received: int
    seconds: float
    retries: int

    @property
    def rate(self) -> float:
        """`amount` a second, while the core ran, all its waiting for the link included."""
        return self.amount.count * self.clock_hz / self.cycles if self.cycles else 0.0

    @property
    def link_rate(self) -> float:
        """Bytes of words a second on the link."""
        return (self.sent + self.received) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Task:
    """Arrays that have been read for a core: `Board.do` does it."""

    host: CoreKind
    work: Any

    def verify(self, result: Any) -> Difference | None:
        """The first array of a result that the golden model does not give."""
        wanted = self.host.golden(self.work, result.cycles)
        for name, got, want in zip(result._fields, result, wanted, strict=True):
            wrong = np.argwhere(np.asarray(got) != np.asarray(want))
            if len(wrong):
                at = tuple(int(each) for each in wrong[0])
                size = int(np.asarray(want).size)
                values = int(np.asarray(got)[at]), int(np.asarray(want)[at])
                return Difference(name, len(wrong), size, at, *values)
        return None


class Board:
    """A session with a board whose design is that of a folder; made by `connect`."""

    def __init__(self, design: DesignFacts, link: Link):
        self.design, self.link = design, link

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the port up."""
        self.link.close()

    def reconnect(self) -> None:
        """Open the port and a session again, after any error, and look who is there.

        Raises
        ------
        LinkError
            As for `connect`.
        """
        self.link.connect()
        self.check()

    def check(self) -> None:
        """Compare what the board says of itself with the manifest.

        Raises
        ------
        WrongBoard
            It is another design.
        """
        identity, design = self.link.identity, self.design
        for core in design.cores.values():
            _check_core(self.link, design, core)
        if (identity.send_bytes, identity.receive_bytes) != design.sizes():
            raise WrongBoard(
                f"the board's streams are not those of {design.folder}, though its cores are: "
                f"build and flash {design.folder} again with this release"
            )

    def run(
        self,
        arrays: Mapping[str, NDArray[Any]],
        core: str | None = None,
        *,
        verify: bool = False,
        reorder: bool = False,
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> Run:
        """Run a core on arrays.

        Parameters
        ----------
        core
            Its name; it may be left out where there is one only.
        verify
            Compare the result with the golden model's.
        reorder
            Of attention with an array ``mask``: take the tokens in an order in which it leaves
            fewer tiles. The outputs are the same, and in the order of the arrays.
        progress
            Told how many bytes have been moved, of how many.

        Raises
        ------
        SpecError
            There is no such core, or the arrays are wrong for it.
        NotGolden
            The result is not the golden model's.
        LinkError
            The run failed, or the link; see docs/host.md.
        """
        host = host_of(self.design, core)
        for name in arrays:
            check_choice("an array's name", name, host.names)
        read = host.read_reordered if reorder else host.read
        task = Task(host, read(Path("arrays"), arrays))
        run = self.do(task, progress)
        if verify and (difference := task.verify(run.result)) is not None:
            raise NotGolden(str(difference))
        return run

    def do(
        self, task: Task, progress: Callable[[int, int], object] = lambda done, total: None
    ) -> Run:
        """Do what was read; see `run`."""
        core = task.host.core
        jobs = task.host.jobs(task.work)
        on_board = Core(self.link, core, self.design.clock_hz)
        sent = sum(len(data) for job in jobs for data in (*job.sends.values(), *job.loads.values()))
        received = sum(
            core.streams[name].word_bytes * words
            for job in jobs
            for name, words in job.receives.items()
        )
        done, start, retries = 0, time.monotonic(), self.link.retries

        def moved(count: int) -> None:
            nonlocal done
            done += count
            progress(done, sent + received)

        came = []
        cycles, stalls = 0, dict.fromkeys(on_board.stall_counters, 0)
        if jobs:
            on_board.begin()
        for job in jobs:
            came.append(on_board.run(job, moved))
            more, of_streams = on_board.counters()
            cycles += more
            stalls = {name: stalls[name] + of_streams[name] for name in stalls}
        result = task.host.result(task.work, came, cycles)
        return Run(
            core=core.name,
            result=result,
            cycles=cycles,
            stalls=stalls,
            amount=task.host.amount(task.work, result),
            clock_hz=self.design.clock_hz,
            sent=sent,
            received=received,
            seconds=time.monotonic() - start,
            retries=self.link.retries - retries,
        )


def connect(
    folder: str | Path, port: str | Callable[[], Port], *, patience: Patience | None = None
) -> Board:
    """Open a session with a board on which the design of a folder runs.

    Parameters
    ----------
    folder
        Made by `gen.verilog` with ``--bus uart``, or by `fpga.build`.
    port
        A serial port's name, or what opens one.
    patience
        How long to wait; a simulated board is slow.

    Raises
    ------
    SpecError
        The folder is none of these.
    PortError, NoAnswer, Incompatible
        The port cannot be had, nobody answers, or the link is of another version.
    WrongBoard
        Another design is on the board.
    """
    design = read_manifest(Path(folder))
    return open_board(design, port, patience)


def open_board(
    design: DesignFacts, port: str | Callable[[], Port], patience: Patience | None = None
) -> Board:
    """As `connect`, of a manifest that has been read."""
    opener = (lambda: open_port(port, design.baud)) if isinstance(port, str) else port
    try:
        board = Board(design, Link(opener, baud=design.baud, patience=patience))
    except NoAnswer as error:
        where = f"port {port}" if isinstance(port, str) else "the port"
        raise NoAnswer(
            f"nobody answers at {where} with {design.baud} baud: flash {design.folder}, press the "
            f"board's reset, check that it is the right port ({error})"
        ) from None
    try:
        board.check()
    except BaseException:
        board.close()
        raise
    return board


def host_of(design: DesignFacts, core: str | None) -> CoreKind:
    """What knows the arrays of a core; no board is needed.

    Raises
    ------
    SpecError
        There is no such core, or there are several and none is named.
    """
    facts = design.core(core)
    return HOSTS[facts.kind](facts)


def _check_core(link: Link, design: DesignFacts, core: CoreFacts) -> None:
    """Refuse another core at the place of one."""
    folder, where = design.folder, core.base
    wanted = f"{folder} has {core.kind} {core.digest[:16]}"
    offsets = {name: where + core.registers[name].offset for name in ("identity", "interface")}
    try:
        word = link.read(offsets["identity"])
    except Refused:
        raise WrongBoard(
            f"on the board there is no core at {where:#06x}, where {wanted}: flash {folder}"
        ) from None
    if word != IDENTITY_WORD:
        raise WrongBoard(
            f"on the board there is {word:#010x} at {where:#06x}, which is none of our cores, "
            f"where {wanted}: flash {folder}"
        )
    version = link.read(offsets["interface"])
    if version != design.interface_version:
        raise WrongBoard(
            f"on the board the core at {where:#06x} is of interface version {version}, {folder} "
            f"of {design.interface_version}: build and flash it again with one release"
        )
    kind = link.read(where + core.registers["kind"].offset)
    words = [link.read(where + core.registers[f"digest_{k}"].offset) for k in range(DIGEST_WORDS)]
    digest = "".join(f"{word:08x}" for word in words)
    if digest != core.digest:
        kinds = {number: name for name, number in KINDS.items()}
        raise WrongBoard(
            f"on the board there is {kinds.get(kind, f'kind {kind}')} {digest[:16]}, {wanted}: "
            f"flash {folder}, or name the folder of what is on the board"
        )
