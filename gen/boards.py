"""The boards: of each its chip, how its line, lights and button are used, and how it is loaded.

Whatever names a board is here, and nowhere else: the planner takes its chip, a build also its pins,
which are read from the platform of amaranth-boards that an entry names (`fpga.boards`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gen.devices import (
    ECP5_25F,
    ECP5_25F_8,
    ECP5_45F_5G,
    ECP5_85F,
    ECP5_85F_5G,
    ICE40_HX8K,
    ICE40_UP5K,
    Chip,
)
from spec.errors import SpecError, nearest_word

__all__ = ["BOARDS", "Board", "board_of"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board that a design can be planned and built for.

    Parameters
    ----------
    name
        As on the command line.
    title
        As its maker calls it.
    chip
        What is on it.
    platform
        The class in amaranth-boards that has its pins, as ``module.Class``.
    baud
        Bits a second at which its bridge to the host's USB, or an adapter at its pins, is used.
    busy, error
        Resources that are lights: name, number, and a part's name where the resource has parts.
    reset
        The same of a button, or None.
    pll
        The cell that makes other clocks: on iCE40 SB_PLL40_PAD where the oscillator comes in on the
        PLL's own pad, SB_PLL40_CORE elsewhere.
    loader
        What openFPGALoader is told about the board.
    own_loader
        The program that amaranth-boards loads it with, if that is another, and what it is told.
    serial_pins
        Balls of the serial line, receive and transmit, and what is said of them, for a board that
        has no bridge: pins for an adapter.
    """

    name: str
    title: str
    chip: Chip
    platform: str
    baud: int
    busy: tuple[str | int, ...]
    error: tuple[str | int, ...]
    reset: tuple[str | int, ...] | None = None
    pll: str = "EHXPLLL"
    loader: tuple[str, ...] = ()
    own_loader: tuple[str, ...] = ()
    serial_pins: tuple[str, str] | None = None


FT231X = 3_000_000
FT2232H = 12_000_000
"""Most bits a second of two bridges between USB and a serial line."""

_ULX3S: Mapping[str, Any] = {
    "busy": ("led", 0),
    "error": ("led", 7),
    "reset": ("button_fire", 0),
    "loader": ("--board", "ulx3s"),
}
_ECPIX5: Mapping[str, Any] = {
    "busy": ("rgb_led", 0, "g"),
    "error": ("rgb_led", 1, "r"),
    "reset": ("rst", 0),
}

BOARDS = {
    board.name: board
    for board in (
        Board(
            name="ulx3s_85f",
            title="ULX3S, ECP5-85F",
            chip=ECP5_85F,
            platform="ulx3s.ULX3S_85F_Platform",
            baud=FT231X,
            **_ULX3S,
        ),
        Board(
            name="ulx3s_25f",
            title="ULX3S, ECP5-25F",
            chip=ECP5_25F,
            platform="ulx3s.ULX3S_25F_Platform",
            baud=FT231X,
            **_ULX3S,
        ),
        Board(
            name="orangecrab_25f",
            title="OrangeCrab r0.2, ECP5-25F",
            chip=ECP5_25F_8,
            platform="orangecrab_r0_2.OrangeCrabR0_2_25FPlatform",
            baud=FT231X,  # it has no bridge: an adapter at its pins
            busy=("rgb_led", 0, "g"),
            error=("rgb_led", 0, "r"),
            reset=("button", 0),
            loader=("--board", "orangeCrab"),
            serial_pins=("N17", "M18"),  # io 0 and 1, marked RX and TX
        ),
        Board(
            name="ecpix5_85f",
            title="ECPIX-5, ECP5-85F",
            chip=ECP5_85F_5G,
            platform="ecpix5.ECPIX585Platform",
            baud=FT2232H,
            loader=("--board", "ecpix5"),
            **_ECPIX5,
        ),
        Board(
            name="ecpix5_45f",
            title="ECPIX-5, ECP5-45F",
            chip=ECP5_45F_5G,
            platform="ecpix5.ECPIX545Platform",
            baud=FT2232H,
            loader=("--board", "ecpix5"),
            **_ECPIX5,
        ),
        Board(
            name="icebreaker",
            title="iCEBreaker, iCE40UP5K",
            chip=ICE40_UP5K,
            platform="icebreaker.ICEBreakerPlatform",
            baud=FT231X,  # the bridge does 12 Mbaud, the link a quarter of its clock
            busy=("led_g", 0),
            error=("led_r", 0),
            reset=("button", 0),
            pll="SB_PLL40_PAD",
            loader=("--board", "ice40_generic"),
            own_loader=("iceprog",),
        ),
        Board(
            name="ice40_hx8k_b_evn",
            title="iCE40-HX8K breakout board",
            chip=ICE40_HX8K,
            platform="ice40_hx8k_b_evn.ICE40HX8KBEVNPlatform",
            baud=FT2232H,
            busy=("led", 0),
            error=("led", 1),
            pll="SB_PLL40_CORE",
            loader=("--board", "ice40_generic"),
            own_loader=("iceprog",),
        ),
    )
}
"""Every board by name."""


def board_of(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    SpecError
        There is none; the text names the nearest, and all.
    """
    if name not in BOARDS:
        raise SpecError(
            f"--board {name}: there is no such board; nearest is {nearest_word(name, BOARDS)} "
            f"(of {', '.join(BOARDS)})"
        )
    return BOARDS[name]
