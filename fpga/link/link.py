"""The host's end of the link: registers and streams of a board over a serial port.

    with Link.at_port("/dev/ttyUSB1", baud=3_000_000) as link:
        link.write(0x10, 1)
        link.send(0, data)
        answer = link.receive(0, words=64)

docs/link.md has the protocol. Every request is answered, retried a bounded number of times, or ends
in a `LinkError` that says what happened; none is ever acted on twice. No gateware is imported.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping

from fpga.link.errors import (
    BadRequest,
    Incompatible,
    NoAnswer,
    NoSession,
    PortError,
    Refused,
    Stalled,
)
from fpga.link.frames import FRAME_BYTES, content_of, frame_of
from fpga.link.identity import Identity, identity_of
from fpga.link.patience import Patience
from fpga.link.port import PORT_ERRORS, Port, open_port
from spec.errors import check_range
from spec.link import (
    ADDRESS_BYTES,
    COUNT_BYTES,
    FEWEST_BUFFER_BYTES,
    HEAD_BYTES,
    MOST_WORDS,
    NONCE_BYTES,
    REGISTER_BYTES,
    VERSION,
    Kind,
    Status,
    most_send_words,
)

__all__ = ["Link"]


class _Silence(Exception):  # noqa: N818
    """No answer within all attempts."""


class Link:
    """A session with a board.

    Parameters
    ----------
    open_port
        Gives the port, each time that it is called; what it gives is closed by the link.
    baud
        Bits a second on the line, from which the time that bytes take follows.
    patience
        How long to wait.
    clock
        Seconds, ever growing.
    random_bytes
        Gives bytes that differ from session to session.

    Attributes
    ----------
    identity
        What the board said when the session was opened.
    retries
        Requests sent again so far.
    patience
        How long it waits.

    Raises
    ------
    PortError, NoAnswer, Incompatible
        As for `connect`, which is called at once.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        *,
        baud: int,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ):
        self._open_port, self._baud = open_port, baud
        self.patience = self._patience = patience or Patience()
        self._clock, self._random_bytes = clock, random_bytes
        self._port: Port | None = None
        self._came = bytearray()
        self._seq = 0
        self._why_closed = "the link was never connected"
        self.retries = 0
        self.identity = self.connect()

    @classmethod
    def at_port(cls, name: str, *, baud: int, patience: Patience | None = None) -> "Link":
        """Open a session at a serial port, such as ``/dev/ttyUSB1``."""
        return cls(lambda: open_port(name, baud), baud=baud, patience=patience)

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, why: str = "the link was closed") -> None:
        """Give the port up. Requests are errors until `connect`."""
        port, self._port, self._why_closed = self._port, None, why
        if port is not None:
            with contextlib.suppress(*PORT_ERRORS):
                port.close()

    def connect(self) -> Identity:
        """Open the port, if it is not open, and a new session; also after any error.

        Raises
        ------
        PortError
            The port cannot be had.
        NoAnswer
            Nobody answers.
        Incompatible
            The board speaks another version.
        """
        if self._port is None:
            self._port = self._open_port()
        try:
            self._port.reset_input_buffer()
        except PORT_ERRORS as error:
            self.close(f"the port went away ({error})")
            raise PortError(f"{self._why_closed}: check the cable and connect again") from None
        self._came.clear()
        self._seq = self._random_bytes(1)[0]
        nonce = self._random_bytes(NONCE_BYTES)
        body = self._request(Kind.IDENTIFY, "", nonce, FEWEST_BUFFER_BYTES, starts_with=nonce)
        try:
            self.identity = identity_of(body[NONCE_BYTES:])
        except Incompatible as error:
            self.close(str(error))
            raise
        return self.identity

    def read(self, address: int) -> int:
        """The 32-bit register at a byte address.

        Raises
        ------
        Refused
            There is no such register.
        LinkError
            Any other of this module: the session is over, and `connect` may open another.
        """
        fields = _number("address", address, ADDRESS_BYTES)
        body = self._request(Kind.READ, f" of register {address:#05x}", fields, REGISTER_BYTES)
        return int.from_bytes(self._sized(Kind.READ, body, REGISTER_BYTES), "little")

    def write(self, address: int, value: int) -> None:
        """Write the 32-bit register at a byte address, once.

        Raises
        ------
        Refused
            There is no such register, or it does not take that.
        LinkError
            As for `read`.
        """
        fields = _number("value", value, REGISTER_BYTES)
        fields += _number("address", address, ADDRESS_BYTES)
        body = self._request(Kind.WRITE, f" of register {address:#05x}", fields, 0)
        self._sized(Kind.WRITE, body, 0)

    def send(self, stream: int, data: bytes) -> None:
        """Give a stream of the core its words: each word's bytes, the low one first.

        Raises
        ------
        Stalled
            The core took nothing for `Patience.stall_s`.
        LinkError
            As for `read`.
        """
        self.exchange({stream: data}, {})

    def receive(self, stream: int, *, words: int) -> bytes:
        """Take words from a stream of the core: each word's bytes, the low one first.

        Raises
        ------
        Stalled
            The core gave nothing for `Patience.stall_s`; what it gave before is lost.
        LinkError
            As for `read`.
        """
        return self.exchange({}, {stream: words})[stream]

    def take(self, stream: int, *, words: int) -> bytes:
        """Take what a stream of the core offers now, at most so many words, without waiting.

        Raises
        ------
        LinkError
            As for `read`.
        """
        self.identity.check({}, {stream: words})
        return self._receive_some(stream, words) if words else b""

    def exchange(
        self,
        sends: Mapping[int, bytes],
        receives: Mapping[int, int],
        progress: Callable[[int], object] = lambda transferred: None,
    ) -> dict[int, bytes]:
        """Give and take on several streams at once, whatever the core waits for.

        Parameters
        ----------
        sends
            Stream to the core -> bytes of whole words.
        receives
            Stream from the core -> number of words.
        progress
            Told the bytes of every step.

        Returns
        -------
        dict
            Stream from the core -> bytes of its words.

        Raises
        ------
        Stalled, LinkError
            As for `send` and `receive`.
        """
        left = {k: memoryview(data) for k, data in sends.items()}
        wanted, got = dict(receives), {k: bytearray() for k in receives}
        self.identity.check(sends, receives)
        deadline = self._clock() + self._patience.stall_s
        while any(left.values()) or any(wanted.values()):
            moved, refused = 0, not any(left.values())
            for k, data in left.items():
                if data:
                    offered, taken = self._send_some(k, data)
                    left[k], moved = data[taken:], moved + taken
                    refused |= taken < offered
            # A core that takes everything has no need to be emptied yet.
            for k, count in wanted.items():
                if count and refused:
                    new = self._receive_some(k, count)
                    got[k] += new
                    wanted[k] -= len(new) // self.identity.receive_bytes[k]
                    moved += len(new)
            if moved:
                progress(moved)
                deadline = self._clock() + self._patience.stall_s
            elif self._clock() > deadline:
                raise Stalled(_stall(left, wanted, self._patience.stall_s))
        return {k: bytes(data) for k, data in got.items()}

    def _send_some(self, k: int, data: memoryview) -> tuple[int, int]:
        """Offer as many words as fit the board's buffer; bytes offered and taken."""
        size = self.identity.send_bytes[k]
        offered = data[: size * most_send_words(self.identity.buffer_bytes, size)]
        body = self._request(Kind.SEND, f" to stream {k}", bytes([k]) + offered, COUNT_BYTES)
        count = int.from_bytes(self._sized(Kind.SEND, body, COUNT_BYTES), "little")
        if size * count > len(offered):
            raise self._incompatible(f"a SEND of {len(offered)} bytes took {count} words of {size}")
        return len(offered), size * count

    def _receive_some(self, k: int, count: int) -> bytes:
        asked = min(count, MOST_WORDS).to_bytes(COUNT_BYTES, "little") + bytes([k])
        most = self.identity.buffer_bytes
        body = self._request(Kind.RECEIVE, f" from stream {k}", asked, most)
        size = self.identity.receive_bytes[k]
        if len(body) % size or len(body) > size * count:
            raise self._incompatible(
                f"a RECEIVE of {count} words of {size} bytes gave {len(body)} bytes"
            )
        return body

    # --- frames ---

    def _request(
        self, kind: Kind, of: str, fields: bytes, answer_bytes: int, *, starts_with: bytes = b""
    ) -> bytes:
        """Send a request until it is answered; the answer's bytes between head and CRC."""
        if self._port is None:
            raise PortError(f"no session: {self._why_closed}; connect again")
        what = f"{kind.name}{of}"
        seq = (self._seq + 1) & 0xFF
        try:
            status, body = self._converse(seq, kind, fields, answer_bytes, starts_with)
        except _Silence:
            self.close(f"{what} was sent {self._patience.attempts} times and not answered")
            raise NoAnswer(
                f"{self._why_closed}: check the cable, the bitstream and the baud rate"
            ) from None
        except PORT_ERRORS as error:
            self.close(f"the port went away ({error})")
            raise PortError(f"{self._why_closed}: check the cable and connect again") from None
        except BaseException:
            # The board may have acted on it, so that its number must not be used again.
            self.close(f"{what} was interrupted")
            raise
        self._seq = seq
        if status == Status.OK:
            return body
        if status == Status.REFUSED:
            raise Refused(f"the board refused a {what}")
        if status == Status.NO_SESSION:
            self.close("the board was reset, or another program has spoken to it")
            raise NoSession(f"{self._why_closed}; connect again")
        raise BadRequest(f"the board does not know such a {what} (status {status})")

    def _converse(
        self, seq: int, kind: Kind, fields: bytes, answer_bytes: int, starts_with: bytes
    ) -> tuple[int, bytes]:
        """Status and body of the answer, if there is one within all attempts."""
        assert self._port is not None
        frame = frame_of(bytes([seq, kind]) + fields)
        line_s = 10 * (len(frame) + answer_bytes + FRAME_BYTES) / self._baud
        for attempt in range(self._patience.attempts):
            self.retries += attempt > 0
            self._port.write(frame)
            deadline = self._clock() + self._patience.answer_s + 2 * line_s
            while (answer := self._next_frame(deadline)) is not None:
                content = content_of(answer)
                if content is None or content[0] != seq or content[1] & 0xF != kind:
                    continue
                body, status = content[HEAD_BYTES:], content[1] >> 4
                if status != Status.OK or body.startswith(starts_with):
                    return status, body
        raise _Silence

    def _next_frame(self, deadline: float) -> bytes | None:
        """What comes before the next zero, or None if the deadline passes first."""
        assert self._port is not None
        while (at := self._came.find(0)) < 0:
            left = deadline - self._clock()
            if left <= 0:
                return None
            self._port.timeout = left
            self._came += self._port.read(max(1, self._port.in_waiting))
        frame = bytes(self._came[:at])
        del self._came[: at + 1]
        return frame

    def _sized(self, kind: Kind, body: bytes, size: int) -> bytes:
        if len(body) != size:
            raise self._incompatible(
                f"a {kind.name} was answered with {len(body)} bytes, not {size}"
            )
        return body

    def _incompatible(self, what: str) -> Incompatible:
        self.close(what)
        return Incompatible(f"{what}: the board does not keep to protocol version {VERSION}")


def _number(what: str, value: int, size: int) -> bytes:
    return check_range(what, value, 0, (1 << 8 * size) - 1).to_bytes(size, "little")


def _stall(left: Mapping[int, memoryview], wanted: Mapping[int, int], seconds: float) -> str:
    waiting = [
        f"stream {k} to the core has {len(data)} bytes left" for k, data in left.items() if data
    ]
    waiting += [f"stream {k} from the core owes {n} words" for k, n in wanted.items() if n]
    return f"the core moved nothing for {seconds:g} s: {', '.join(waiting)}"
