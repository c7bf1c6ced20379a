"""Serial ports by name, and what is wrong where one cannot be had."""

import contextlib
import errno
import os
from typing import Protocol

from fpga.link.errors import PortError

try:
    from termios import error as terminal_error
except ImportError:  # not on Windows
    terminal_error = OSError

__all__ = ["PORT_ERRORS", "Port", "open_port"]

PORT_ERRORS = (OSError, terminal_error)
"""What a port raises when it goes away."""

WRITE_SECONDS = 10.0
"""Bound of a write: a port that takes nothing is an error."""


class Port(Protocol):
    """What the link needs of a port: the part of `serial.Serial` that it uses."""

    @property
    def timeout(self) -> float | None:
        """Seconds that `read` waits."""
        ...

    @timeout.setter
    def timeout(self, timeout: float | None, /) -> None: ...

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` would give at once."""
        ...

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes, fewer if `timeout` seconds pass."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""
        ...

    def reset_input_buffer(self) -> None:
        """Forget what came in and was not read."""
        ...

    def close(self) -> None:
        """Give the port up."""
        ...


def open_port(name: str, baud: int) -> Port:
    """Open a serial port for this process alone.

    Raises
    ------
    PortError
        It cannot be had; the text says why and what there is.
    """
    import serial

    try:
        port = serial.Serial(name, baud, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True)
    except (OSError, ValueError) as error:
        raise PortError(_why(name, baud, error)) from None
    # A short answer then waits a millisecond in the bridge chip, not sixteen.
    with contextlib.suppress(OSError, ValueError, AttributeError, NotImplementedError):
        port.set_low_latency_mode(True)
    return port


def _why(name: str, baud: int, error: Exception) -> str:
    from serial.tools import list_ports

    code = _code(error)
    there = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
    if code == errno.ENOENT:
        return f"port {name} does not exist; serial ports here: {there}"
    if code in (errno.ENOTTY, errno.EISDIR):
        return f"port {name} is no serial line; serial ports here: {there}"
    if code == errno.EACCES:
        return f"port {name} may not be opened: join the group that owns it (often dialout)"
    if code in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error):
        return f"port {name} is in use by another program"
    if isinstance(error, ValueError):
        return f"port {name} does not take {baud} baud"
    return f"port {name} cannot be opened: {os.strerror(code) if code else error}"


def _code(error: BaseException) -> int | None:
    """The system's number of what is wrong; pyserial has that of a terminal beneath its own."""
    code = getattr(error, "errno", None)
    if code is None and isinstance(error.__context__, terminal_error):
        code = error.__context__.args[0]
    return code if isinstance(code, int) else None
