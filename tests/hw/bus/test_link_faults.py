"""A line that drops, doubles and flips: the host's own program against the emitted gates.

Whatever happens to a frame in either direction, a request is acted on exactly once, or, if the host
gives up with an error of its own, at most once. The simulator tells what was done to the core, so
that nothing rests on what the link says of itself.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fpga.link import LinkError, NoAnswer
from hw.bus.executor import Executor
from hw.bus.frames import FrameReceiver, FrameSender
from hw.prim.target import Target
from tests.support.inside import mutant
from tests.support.link import LOST, Simulated, SimulatedPort, compile_bench
from tests.support.link_core import STORE, TOTAL

FRAMES = 10_000
"""Least number of frames with a fault in the long test."""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_bench(tmp_path_factory.mktemp("link"))


@dataclass(frozen=True)
class Fault:
    """What happens to one byte of a frame, by its place."""

    at: int
    name: str
    change: Callable[[int], list[int]]

    def __call__(self, frame: bytes) -> list[int]:
        if self.at >= len(frame):
            return list(frame)
        return [*frame[: self.at], *self.change(frame[self.at]), *frame[self.at + 1 :]]


def faults_at(place: int, to_board: bool) -> list[Fault]:
    """Every fault of a byte: dropped, doubled, each bit flipped; and, on its way in, lost."""
    faults = [
        Fault(place, "dropped", lambda byte: []),
        Fault(place, "doubled", lambda byte: [byte, byte]),
        *(Fault(place, f"bit {k} flipped", lambda byte, k=k: [byte ^ 1 << k]) for k in range(8)),
    ]
    return faults + [Fault(place, "lost", lambda byte: [LOST])] * to_board


class Session:
    """A host at a simulated board, and what the core must have been through by now."""

    def __init__(self, simulated: Simulated, seed: int):
        self.random = random.Random(seed)
        self.port = SimulatedPort(simulated)
        self.link = self.port.host(seed)
        self.wrote: list[tuple[int, int]] = []
        self.fed: list[int] = []
        self.stored = self.taken = 0

    def identify(self) -> None:
        assert self.link.connect().buffer_bytes == 64

    def read(self) -> None:
        assert self.link.read(STORE) == self.stored

    def write(self) -> None:
        register, value = self.random.choice([STORE, TOTAL]), self.random.getrandbits(32)
        self.wrote.append((register, value))
        self.stored = value if register == STORE else self.stored
        self.link.write(register, value)

    def loop(self) -> None:
        data = self.random.randbytes(2 * self.random.choice([1, 2, 3]))
        self.fed += [int.from_bytes(data[k : k + 2], "little") for k in range(0, len(data), 2)]
        self.link.send(0, data)
        assert self.link.receive(0, words=len(data) // 2) == data

    def take(self) -> None:
        words = [self.taken + k for k in range(4)]
        self.taken += len(words)
        data = self.link.receive(1, words=len(words))
        assert data == b"".join(word.to_bytes(3, "little") for word in words)

    @property
    def requests(self) -> list[Callable[[], None]]:
        return [self.identify, self.read, self.write, self.loop, self.take]

    def check(self, what: Any) -> None:
        assert (self.port.wrote, self.port.fed) == (self.wrote, self.fed), what


class Once:
    """A line that does something to its first frame, and nothing to those after."""

    def __init__(self, fault: Callable[[bytes], list[int]]):
        self.fault, self.done = fault, 0

    def __call__(self, frame: bytes) -> Any:
        if self.done:
            return frame
        self.done = 1
        return self.fault(frame)


def inject(session: Session, request: Callable[[], None], fault: Fault, to_board: bool) -> int:
    """Make a request whose first frame, or its first answer, has the fault; frames with one."""
    line = Once(fault)
    if to_board:
        session.port.to_board = line
    else:
        session.port.from_board = lambda frame: bytes(line(frame))
    request()
    session.port.to_board = session.port.from_board = bytes
    session.check((request.__name__, fault, to_board))
    return line.done


def sweep(session: Session, longest: int = 40):
    """Every fault at every place of every request and answer; places past the end do nothing."""
    for request, to_board in itertools.product(session.requests, (True, False)):
        lengths: list[int] = []
        session.port.to_board = lambda frame, seen=lengths: seen.append(len(frame)) or frame
        session.port.from_board = lambda frame, seen=lengths: seen.append(len(frame)) or frame
        request()
        session.port.to_board = session.port.from_board = bytes
        for place in range(lengths[0 if to_board else 1]):
            for fault in faults_at(place, to_board):
                yield request, fault, to_board


def test_a_sample_of_places_and_faults(program):
    with Simulated(program) as simulated:
        session = Session(simulated, seed=1)
        for request, fault, to_board in itertools.islice(sweep(session), 0, None, 11):
            inject(session, request, fault, to_board)


@pytest.mark.parametrize("target", [Target.ECP5, Target.ICE40, Target.ICE40_HX])
def test_a_sample_on_the_cells_of_a_target(target, tmp_path):
    with Simulated(compile_bench(tmp_path, target=target)) as simulated:
        session = Session(simulated, seed=5)
        for request, fault, to_board in itertools.islice(sweep(session), 0, None, 37):
            inject(session, request, fault, to_board)


@pytest.mark.parametrize(
    ("unit", "right", "wrong"),
    [
        (FrameReceiver, "self.crc_register == CRC_RESIDUE", "1"),
        (Executor, "with m.Elif(self.session & self.repeats):", "with m.Elif(0):"),
        (Executor, "self.last.eq(seq),", ""),
        (FrameSender, "over.eq(at == self.count)", "over.eq(at == self.count + 1)"),
    ],
)
def test_a_link_that_is_wrong_is_found_out(unit, right, wrong, tmp_path, monkeypatch):
    """Negative control: a link with one fault of its own, on a line with faults."""
    monkeypatch.setattr(f"hw.bus.link.{unit.__name__}", mutant(unit, right, wrong))
    with (
        Simulated(compile_bench(tmp_path)) as simulated,
        pytest.raises((AssertionError, LinkError)),
    ):
        session = Session(simulated, seed=1)
        for request, fault, to_board in itertools.islice(sweep(session), 0, None, 5):
            inject(session, request, fault, to_board)


@pytest.mark.slow
def test_every_place_of_a_session_dropped_doubled_flipped_lost(program):
    frames = 0
    with Simulated(program) as simulated:
        session = Session(simulated, seed=2)
        while frames < FRAMES:
            for request, fault, to_board in sweep(session):
                frames += inject(session, request, fault, to_board)
        # Every fault cost one repetition at most; most cost one.
        assert frames // 2 < session.link.retries <= frames


def storm(source: random.Random, rate: float) -> Callable[[bytes], list[int]]:
    """A line on which every byte of every frame may suffer, and bytes come from nowhere."""

    def line(frame: bytes) -> list[int]:
        out: list[int] = []
        for byte in frame:
            kind = source.randrange(5) if source.random() < rate else None
            if kind is None or kind == 0:
                out.append(byte)
            if kind == 0 or kind == 1:
                out.append(source.choice([byte, 0, source.randrange(256)]))
            if kind == 2:
                out.append(byte ^ 1 << source.randrange(8))
            if kind == 3:
                out += source.randbytes(source.randrange(40))
        return out

    return line


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_in_a_storm_a_request_is_right_or_ends_in_an_error_of_its_own(program, rate):
    errors = answers = 0
    source = random.Random(rate)
    with Simulated(program) as simulated:
        session = Session(simulated, seed=3)
        line = storm(source, rate)
        for _ in range(150):
            session.port.to_board = line
            session.port.from_board = lambda frame: bytes(line(frame))
            wrote, fed, register = list(session.wrote), list(session.fed), session.stored
            try:
                source.choice([session.read, session.write])()
                answers += 1
                session.check("answered")
            except NoAnswer:
                errors += 1
                # Acted on or not, but not twice, and as it was asked.
                assert session.port.wrote in (wrote, session.wrote)
                if session.port.wrote != session.wrote:
                    session.stored = register
                session.wrote, session.fed = list(session.port.wrote), fed
                with pytest.raises(LinkError, match="connect again"):
                    session.link.read(STORE)
                session.port.to_board = session.port.from_board = bytes
                session.identify()
        assert answers > 20
        assert errors > 0 or rate < 0.1


def test_noise_between_frames_is_nothing(program):
    with Simulated(program) as simulated:
        session = Session(simulated, seed=4)
        for length in range(1, 120, 7):
            noise = session.random.randbytes(length)
            assert simulated.run(noise).wrote == []
            session.port.came += noise
            before = session.link.retries
            session.write()
            session.check(noise)
            assert session.link.retries - before <= 1
