"""The host's end of the link: a serial port, frames, requests and answers; see docs/link.md.

It knows registers by address and streams by number, and nothing of the cores behind them.
"""

from fpga.link.errors import (
    BadRequest,
    Incompatible,
    LinkError,
    NoAnswer,
    NoSession,
    PortError,
    Refused,
    RunFailed,
    Stalled,
    WrongBoard,
)
from fpga.link.identity import Identity
from fpga.link.link import Link
from fpga.link.patience import Patience

__all__ = [
    "BadRequest",
    "Identity",
    "Incompatible",
    "Link",
    "LinkError",
    "NoAnswer",
    "NoSession",
    "Patience",
    "PortError",
    "Refused",
    "RunFailed",
    "Stalled",
    "WrongBoard",
]
