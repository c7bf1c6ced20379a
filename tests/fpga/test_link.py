"""The host's end of the link: at emitted gates, at a pseudo-terminal, at boards that are wrong."""

import contextlib

import pytest

from fpga.link import (
    BadRequest,
    Incompatible,
    Link,
    NoAnswer,
    NoSession,
    Patience,
    PortError,
    Refused,
    Stalled,
)
from fpga.link.frames import content_of, frame_of
from hw.bus.link import LinkConfig
from spec.errors import SpecError
from spec.link import Kind, Status
from tests.support.link import Simulated, SimulatedPort, compile_bench
from tests.support.link_core import CALLS, STORE, TOTAL
from tests.support.terminal import Terminal
from tests.test_house import loaded_by, modules_of

IDENTITY = bytes([1, 64, 0, 1, 1, 2, 3])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_bench(tmp_path_factory.mktemp("link"))


@pytest.fixture
def port(program):
    with Simulated(program) as simulated:
        yield SimulatedPort(simulated)


class Scripted:
    """A port at whose other end a function answers each request; None is no answer."""

    def __init__(self, answer):
        self.answer, self.came, self.requests, self.now = answer, bytearray(), [], 0.0
        self.timeout: float | None = None
        self.closed = 0

    @property
    def in_waiting(self):
        return len(self.came)

    def write(self, data, /):
        content = content_of(data.strip(b"\0"))
        assert content is not None
        self.requests.append(content)
        answer = self.answer(content)
        if answer is not None:
            self.came += frame_of(answer)

    def read(self, size=1, /):
        if not self.came:
            self.now += self.timeout or 0
        data = bytes(self.came[:size])
        del self.came[:size]
        return data

    def reset_input_buffer(self):
        self.came.clear()

    def close(self):
        self.closed += 1

    def link(self, **patience):
        return Link(
            lambda: self, baud=1_000_000, patience=Patience(**patience), clock=lambda: self.now
        )


def board(body, status=Status.OK, identity=IDENTITY):
    """Answers every request but IDENTIFY alike."""

    def answer(content):
        if content[1] == Kind.IDENTIFY:
            return content[:6] + identity
        return bytes([content[0], content[1] | status << 4]) + body

    return answer


def test_registers_and_streams(port):
    link = port.host()
    link.write(STORE, 0xDEADBEEF)
    link.write(TOTAL, 3)
    link.write(TOTAL, 4)
    assert (link.read(STORE), link.read(TOTAL), link.read(CALLS)) == (0xDEADBEEF, 7, 3)
    link.send(0, b"abcd")
    assert link.receive(0, words=2) == b"abcd"
    assert link.receive(1, words=0) == b""
    assert link.retries == 0


def test_an_exchange_of_more_than_all_buffers_hold(port):
    link, data, steps = port.host(), bytes(range(256)) * 4, []
    got = link.exchange({0: data}, {0: 512, 1: 300}, steps.append)
    assert got[0] == data
    assert got[1] == b"".join(n.to_bytes(3, "little") for n in range(300))
    assert sum(steps) == 2 * len(data) + 900


def test_buffers_of_more_than_a_block_of_cobs_and_wide_words(tmp_path):
    config = LinkConfig(
        send_widths=(61, 3), receive_widths=(61, 100), buffer_bytes=700, patience_cycles=40
    )
    with Simulated(compile_bench(tmp_path, config)) as simulated:
        link = SimulatedPort(simulated).host()
        assert (link.identity.send_bytes, link.identity.receive_bytes) == ((8, 1), (8, 13))
        data = (b"\7" * 7 + b"\x1f") * 20 + (b"\xff" * 7 + b"\x1f") * 90 + (bytes(7) + b"\1") * 10
        assert link.exchange({0: data}, {0: 120})[0] == data
        # More than 254 bytes other than zero in an answer of its own.
        link.send(0, data[: 8 * 24])
        got = link.receive(1, words=60)
        assert got == b"".join(n.to_bytes(13, "little") for n in range(60))


def test_a_refusal_leaves_the_session(port):
    link = port.host()
    with pytest.raises(Refused, match="refused a WRITE of register 0x008"):
        link.write(CALLS, 1)
    with pytest.raises(Refused, match="refused a READ of register 0x00c"):
        link.read(0x00C)
    assert link.read(CALLS) == 0


def test_a_core_that_does_not_move(port):
    link = port.host()
    with pytest.raises(Stalled, match=r"0\.01 s: stream 0 from the core owes 2 words"):
        link.receive(0, words=2)
    with pytest.raises(Stalled, match="stream 1 to the core has 4 bytes left"):
        link.send(1, bytes(5))
    assert link.read(CALLS) == 0


def test_a_board_that_was_reset(port, program):
    link = port.host()
    link.write(TOTAL, 1)
    with Simulated(program) as after_reset:
        port.simulated = after_reset
        with pytest.raises(NoSession, match="was reset, or another program"):
            link.write(TOTAL, 1)
        with pytest.raises(PortError, match=r"was reset, or another program.*; connect again"):
            link.write(TOTAL, 1)
        link.connect()
        assert link.read(CALLS) == 0


def test_a_board_that_is_silent_is_asked_so_often_and_no_longer():
    port = Scripted(lambda content: None)
    with pytest.raises(NoAnswer, match="IDENTIFY was sent 5 times and not answered: check"):
        port.link(attempts=5, answer_s=0.25)
    assert len(port.requests) == 5
    assert len(set(port.requests)) == 1
    assert 5 * 0.25 <= port.now < 5 * 0.26
    assert port.closed == 1


def test_a_port_that_takes_no_time_below_zero_is_given_none():
    """As pyserial's: a deadline may pass while the answer's beginning is looked at."""

    class Strict(Scripted):
        def __setattr__(self, name, value):
            assert name != "timeout" or value is None or value >= 0
            super().__setattr__(name, value)

        def read(self, size=1, /):
            data = super().read(size)
            self.now += 1
            return data or b"\1"

    with pytest.raises(NoAnswer):
        Strict(lambda content: None).link(attempts=2)


def test_answers_that_are_not_to_this_request_are_passed_over():
    def answer(content):
        return board(b"")(content) if content[1] == Kind.IDENTIFY else None

    port = Scripted(answer)
    link = port.link(attempts=2, answer_s=0.01)
    seq = (port.requests[-1][0] + 1) & 0xFF
    right = bytes([seq, Kind.READ]) + b"\1\0\0\0"
    wrong = [b"", b"\1\2\3", bytes([seq + 1 & 0xFF]) + right[1:], bytes([seq, Kind.WRITE])]
    sound = b"".join(frame_of(each) for each in wrong[1:])
    port.came += b"\0\5ab\0" + sound + frame_of(right)[:-3] + b"\0" + frame_of(right)
    assert link.read(0) == 1


def test_a_request_that_is_interrupted_ends_the_session():
    def interrupt(content):
        if content[1] != Kind.IDENTIFY:
            raise KeyboardInterrupt
        return board(b"")(content)

    link = Scripted(interrupt).link()
    with pytest.raises(KeyboardInterrupt):
        link.write(0, 1)
    with pytest.raises(PortError, match="no session: WRITE of register 0x000 was interrupted"):
        link.write(0, 2)


def test_an_answer_to_an_earlier_identify_opens_no_session():
    def answer(content):
        return content[:2] + bytes(4) + IDENTITY

    port = Scripted(answer)
    with pytest.raises(NoAnswer):
        port.link(attempts=3)


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (bytes([2, 0, 0, 0]), "the board speaks version 2 of the link's protocol, this host 1"),
        (b"", "the board speaks no version"),
        (bytes([1, 64, 0, 1, 1, 2]), "an IDENTIFY was answered with .* says nothing"),
        (bytes([1, 64, 0, 1, 1, 2, 0]), "an IDENTIFY was answered with .* says nothing"),
        (bytes([1, 3, 0, 0, 0]), "an IDENTIFY was answered with .* says nothing"),
    ],
)
def test_a_board_of_another_version(identity, message):
    port = Scripted(board(b"", identity=identity))
    with pytest.raises(Incompatible, match=message):
        port.link()
    assert port.closed == 1


@pytest.mark.parametrize(
    ("body", "request_of", "message"),
    [
        (b"abc", lambda link: link.read(0), "a READ was answered with 3 bytes, not 4"),
        (b"a", lambda link: link.write(0, 0), "a WRITE was answered with 1 bytes, not 0"),
        (b"\2\0", lambda link: link.send(0, b"ab"), "a SEND of 2 bytes took 2 words of 2"),
        (b"ab", lambda link: link.receive(0, words=1), "1 words of 3 bytes gave 2 bytes"),
        (b"abcdef", lambda link: link.receive(0, words=1), "1 words of 3 bytes gave 6 bytes"),
    ],
)
def test_a_board_that_does_not_keep_to_the_protocol(body, request_of, message):
    link = Scripted(board(body)).link()
    with pytest.raises(Incompatible, match=message):
        request_of(link)
    with pytest.raises(PortError, match="connect again"):
        link.read(0)


def test_a_board_that_does_not_know_a_request():
    link = Scripted(board(b"", Status.BAD_REQUEST)).link()
    with pytest.raises(BadRequest, match=r"know such a READ of register 0x000 \(status 2\)"):
        link.read(0)


@pytest.mark.parametrize(
    ("request_of", "message"),
    [
        (lambda link: link.read(1 << 16), "address must be from 0 to 65535, got 65536"),
        (
            lambda link: link.write(0, -1),
            "value must be from 0 to 4294967295, got -1",
        ),
        (lambda link: link.send(1, b""), "stream to the core must be from 0 to 0, got 1"),
        (lambda link: link.receive(-1, words=1), "stream from the core must be from 0 to 0"),
        (lambda link: link.receive(0, words=-1), "words of stream 0 must be from 0"),
        (lambda link: link.send(0, b"abc"), "whole words of 2 bytes, got 3 bytes; nearest is 2"),
    ],
)
def test_what_a_user_gets_wrong(request_of, message):
    port = Scripted(board(b""))
    link = port.link()
    with pytest.raises(SpecError, match=message):
        request_of(link)
    assert len(port.requests) == 1


def test_a_board_without_streams_says_so():
    link = Scripted(board(b"", identity=bytes([1, 64, 0, 0, 0]))).link()
    with pytest.raises(SpecError, match="this board has no streams to the core, got stream 0"):
        link.send(0, b"a")


@pytest.fixture
def terminals(program):
    made = []
    with contextlib.ExitStack() as stack:

        def make():
            simulated = stack.enter_context(Simulated(program))
            made.append(Terminal(lambda data: bytes(simulated.run(data).sent)))
            return made[-1]

        yield make
        for terminal in made:
            terminal.pull()


def test_a_serial_port(terminals):
    terminal = terminals()
    with Link.at_port(terminal.name, baud=115_200, patience=Patience(answer_s=2)) as link:
        link.write(STORE, 77)
        assert link.read(STORE) == 77
        assert link.exchange({0: bytes(range(200))}, {0: 100})[0] == bytes(range(200))
        with pytest.raises(PortError, match=f"port {terminal.name} is in use by another program"):
            Link.at_port(terminal.name, baud=115_200)
    with pytest.raises(PortError, match="the link was closed; connect again"):
        link.read(STORE)
    assert link.connect().buffer_bytes == 64
    assert link.read(STORE) == 77
    link.close()


def test_a_cable_that_is_pulled_and_put_back(terminals):
    terminal = terminals()
    names = [terminal.name]
    from fpga.link.port import open_port

    link = Link(lambda: open_port(names[-1], 115_200), baud=115_200, patience=Patience(answer_s=2))
    link.write(STORE, 1)
    terminal.pull()
    with pytest.raises(PortError, match=r"the port went away .*: check the cable and connect"):
        link.write(STORE, 2)
    with pytest.raises(PortError, match=f"port {names[-1]} (does not exist|cannot be opened)"):
        link.connect()
    terminal = terminals()
    names.append(terminal.name)
    link.connect()
    assert link.read(STORE) == 0
    terminal.pull()
    with pytest.raises(PortError, match="the port went away"):
        link.connect()
    link.close()


def test_a_port_that_is_not_there():
    with pytest.raises(PortError, match="port /dev/ttyNONE does not exist; serial ports here: "):
        Link.at_port("/dev/ttyNONE", baud=1_000_000)


def test_the_host_loads_no_gateware():
    assert not loaded_by(modules_of("fpga.link")) & {
        "amaranth",
        "hw",
        "gen",
        "sim",
        "numpy",
        "serial",
    }
