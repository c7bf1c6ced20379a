"""How long a host waits for a board."""

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a host waits.

    Parameters
    ----------
    attempts
        How often a request is sent before the board counts as silent.
    answer_s
        Seconds for an answer beside the time that its bytes take: the bridge chip, the operating
        system, and the cycles that the board may wait for its core.
    stall_s
        Seconds in which a transfer must make progress.
    """

    attempts: int = 8
    answer_s: float = 0.2
    stall_s: float = 5.0
