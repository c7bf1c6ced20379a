"""The clock of a design on a board, and the rate of its line: what is planned, a build takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gen.boards import Board
from gen.devices import Chip
from hw.prim.target import Target

__all__ = ["BUFFER_BYTES", "Clock", "alone", "baud_of", "clock_of"]

SHARE = 0.9
"""Of what was met before, to be asked for: seeds differ by a tenth, and so do designs."""

BAUDS = (12_000_000, 6_000_000, 3_000_000, 2_000_000, 1_000_000)
"""Rates that the bridges of all boards give exactly, and that are tried in turn."""

CLOCKS_PER_BIT = 8
"""Of a rate that nobody asked for: a sender may be off by 3.9 % (docs/link.md)."""

BUFFER_BYTES: Mapping[Target, int] = {
    Target.ECP5: 2048,
    Target.ICE40: 512,
    Target.ICE40_HX: 512,
}
"""Of the link: what fills a block memory."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A clock that is planned.

    Parameters
    ----------
    mhz
        How fast.
    reason
        What decides it, in words.
    guessed
        Whether nobody has measured that.
    """

    mhz: float
    reason: str
    guessed: bool


def alone(chip: Chip, kind: str) -> Clock:
    """That of one core with bare streams: what such a core was seen to reach."""
    return Clock(
        mhz=chip.clocks_mhz[kind],
        reason=f"what {_core(kind)} alone reaches on this chip",
        guessed=kind in chip.guessed,
    )


def clock_of(chip: Chip, kinds: Iterable[str]) -> Clock:
    """That of cores behind the link: a share of the lowest of the cores', the link's, the chip's.

    The cores' and the link's are of each alone, the chip's of what was built for a board whole.
    """
    known = {kind: (chip.clocks_mhz[kind], _core(kind)) for kind in kinds}
    known["link"] = chip.clocks_mhz["link"], "the link"
    known["build"] = chip.build_mhz, "a whole build"
    lowest = min(known, key=lambda name: known[name][0])
    mhz, what = known[lowest]
    return Clock(
        mhz=int(mhz * SHARE * 10) / 10,
        reason=f"{SHARE:.0%} of the {mhz:g} that {what} reaches on this chip",
        guessed=lowest in chip.guessed,
    )


def baud_of(board: Board, clock_hz: int) -> int:
    """The fastest rate at which a bit has clocks enough."""
    most = min(board.baud, clock_hz // CLOCKS_PER_BIT)
    return next((rate for rate in BAUDS if rate <= most), clock_hz // CLOCKS_PER_BIT)


def _core(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} core"
