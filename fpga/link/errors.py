"""What can go wrong between a host and a board, each by its name."""

__all__ = [
    "BadRequest",
    "Incompatible",
    "LinkError",
    "NoAnswer",
    "NoSession",
    "PortError",
    "Refused",
    "RunFailed",
    "Stalled",
    "WrongBoard",
]


class LinkError(Exception):
    """What went wrong between host and board, in a line: what, where, and what to do."""


class PortError(LinkError):
    """The port is not there, is in use, may not be opened, or went away."""


class NoAnswer(LinkError):  # noqa: N818 (says what happened)
    """A request was not answered however often it was sent. Whether it was acted on is unknown."""


class NoSession(LinkError):  # noqa: N818
    """The board was reset, or another program has spoken to it.

    The request was not acted on, unless the reset came between that and being asked again.
    """


class Refused(LinkError):  # noqa: N818
    """A register does not exist, or does not take that."""


class BadRequest(LinkError):  # noqa: N818
    """The board's link has no such kind of request, or no such stream."""


class Stalled(LinkError):  # noqa: N818
    """The core neither took nor gave a word for too long."""


class Incompatible(LinkError):  # noqa: N818
    """The board speaks another version of the protocol, or does not keep to it."""


class WrongBoard(LinkError):  # noqa: N818
    """What is on the board is not what the folder says."""


class RunFailed(LinkError):  # noqa: N818
    """A core says that a run went wrong; it has been made ready for the next one."""
