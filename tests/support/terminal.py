"""A pseudo-terminal between something that answers bytes with bytes and a serial port."""

import contextlib
import os
import pty
import select
import threading
import tty
from collections.abc import Callable

__all__ = ["Terminal"]


class Terminal:
    """A port, by its `name`, at whose other end `respond` answers; until it is pulled.

    Parameters
    ----------
    respond
        What comes back for what was sent; None pulls the cable.
    """

    def __init__(self, respond: Callable[[bytes], bytes | None]):
        self.respond = respond
        self.board, host = pty.openpty()
        tty.setraw(host)
        self.name = os.ttyname(host)
        self.host: int | None = host
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while not self.ended.is_set():
            if select.select([self.board], [], [], 0.02)[0]:
                with contextlib.suppress(OSError):
                    answer = self.respond(os.read(self.board, 4096))
                    if answer is None:
                        break
                    os.write(self.board, answer)
        self._close()

    def _close(self) -> None:
        if self.host is not None:
            os.close(self.board)
            os.close(self.host)
            self.host = None

    def pull(self) -> None:
        """The cable is out: nothing holds the terminal's other end any more."""
        self.ended.set()
        self.thread.join(10)
