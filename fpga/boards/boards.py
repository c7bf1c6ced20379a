"""Boards: an entry for each says which of its lights and buttons are used, and how it is loaded.

Its chip, the platform of amaranth-boards that has its facts, and the rate of its bridge are in
`gen.devices`; device, package, oscillator and pins are read from that platform.
"""

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpga import flow
from fpga.flow import Device
from gen import devices
from spec.errors import SpecError

__all__ = ["BOARDS", "Board", "Facts", "Pin", "board_of"]


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pin of the FPGA as a board uses it.

    Parameters
    ----------
    ball
        Its name on the package.
    inverted
        Low means on, or pressed.
    attributes
        What the router is told of its buffer, such as IO_TYPE.
    """

    ball: str
    inverted: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a build must know of a board.

    Parameters
    ----------
    part
        The device as its maker calls it.
    device
        The same as the tools know it.
    oscillator_hz, oscillator
        Its clock: frequency and pin.
    receive, transmit
        The serial line, from the host and to it.
    busy, error
        Lights.
    reset
        A button, where there is one to spare.
    """

    part: str
    device: Device
    oscillator_hz: int
    oscillator: Pin
    receive: Pin
    transmit: Pin
    busy: Pin
    error: Pin
    reset: Pin | None


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board that a design can be built for.

    Parameters
    ----------
    name
        As on the command line.
    title
        As its maker calls it.
    clock_mhz
        The clock of a build that names none: kind of core, or ``other`` -> MHz. Less than the
        cores reach alone (`gen.devices`): a chip that is full is slower.
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
    clock_mhz: Mapping[str, float]
    busy: tuple[str | int, ...]
    error: tuple[str | int, ...]
    reset: tuple[str | int, ...] | None = None
    pll: str = "EHXPLLL"
    loader: tuple[str, ...] = ()
    own_loader: tuple[str, ...] = ()
    serial_pins: tuple[str, str] | None = None

    @property
    def baud(self) -> int:
        """Most bits a second of its bridge to USB."""
        return devices.board_of(self.name).baud

    @functools.cached_property
    def facts(self) -> Facts:
        """Its facts, from amaranth-boards.

        Raises
        ------
        SpecError
            amaranth-boards is not installed.
        """
        return _facts(self)


_ULX3S: Mapping[str, Any] = {
    "clock_mhz": {"other": 100},
    "busy": ("led", 0),
    "error": ("led", 7),
    "reset": ("button_fire", 0),
    "loader": ("--board", "ulx3s"),
}
_ECPIX5: Mapping[str, Any] = {
    "clock_mhz": {"other": 100},
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
            **_ULX3S,
        ),
        Board(
            name="ulx3s_25f",
            title="ULX3S, ECP5-25F",
            **_ULX3S,
        ),
        Board(
            name="orangecrab_25f",
            title="OrangeCrab r0.2, ECP5-25F",
            clock_mhz={"other": 96},
            busy=("rgb_led", 0, "g"),
            error=("rgb_led", 0, "r"),
            reset=("button", 0),
            loader=("--board", "orangeCrab"),
            serial_pins=("N17", "M18"),  # io 0 and 1, marked RX and TX
        ),
        Board(
            name="ecpix5_85f",
            title="ECPIX-5, ECP5-85F",
            loader=("--board", "ecpix5"),
            **_ECPIX5,
        ),
        Board(
            name="ecpix5_45f",
            title="ECPIX-5, ECP5-45F",
            loader=("--board", "ecpix5"),
            **_ECPIX5,
        ),
        Board(
            name="icebreaker",
            title="iCEBreaker, iCE40UP5K",
            clock_mhz={"other": 30},
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
            clock_mhz={"other": 48},
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
    return BOARDS[devices.board_of(name).name]


# --- facts, as amaranth-boards has them ---

_ECP5_SIZES = {
    "LFE5U-12F": "12k",
    "LFE5U-25F": "25k",
    "LFE5U-45F": "45k",
    "LFE5U-85F": "85k",
    "LFE5UM-25F": "um-25k",
    "LFE5UM-45F": "um-45k",
    "LFE5UM-85F": "um-85k",
    "LFE5UM5G-25F": "um5g-25k",
    "LFE5UM5G-45F": "um5g-45k",
    "LFE5UM5G-85F": "um5g-85k",
}
_ECP5_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}


def _facts(board: Board) -> Facts:
    module, name = devices.board_of(board.name).platform.split(".")
    try:
        found = importlib.import_module(f"amaranth_boards.{module}")
    except ModuleNotFoundError:
        raise SpecError("amaranth-boards is not installed: run scripts/setup build") from None
    platform = getattr(found, name)()
    clock = platform.lookup(platform.default_clk)
    if board.serial_pins is None:
        receive = _pin(platform, ("uart", 0, "rx"))
        transmit = _pin(platform, ("uart", 0, "tx"))
    else:
        kind = _pin(platform, (platform.default_clk, 0)).attributes
        receive, transmit = (Pin(ball=ball, attributes=kind) for ball in board.serial_pins)
    return Facts(
        part=platform.device,
        device=_device(platform),
        oscillator_hz=round(clock.clock.frequency),
        oscillator=_pin(platform, (platform.default_clk, 0)),
        receive=receive,
        transmit=transmit,
        busy=_pin(platform, board.busy),
        error=_pin(platform, board.error),
        reset=_pin(platform, board.reset) if board.reset else None,
    )


def _device(platform: Any) -> Device:
    if platform.device in _ECP5_SIZES:
        package = _ECP5_PACKAGES[platform.package]
        return flow.ecp5(_ECP5_SIZES[platform.device], package, int(platform.speed))
    known = {"iCE40UP5K": flow.ICE40_UP5K, "iCE40HX8K": flow.ICE40_HX8K}
    device = known[platform.device]
    assert device.options[2] == platform.package.lower()
    return device


def _pin(platform: Any, path: tuple[str | int, ...]) -> Pin:
    """One pin of a resource, by its name, number and part."""
    name, number, *parts = path
    resource: Any = platform.lookup(name, number)
    attributes = dict(resource.attrs)
    part = resource
    for wanted in parts:
        (part,) = (each for each in part.ios if each.name == wanted)
        attributes |= part.attrs
    (pins,) = part.ios
    (ball,) = pins.map_names(platform._conn_pins, resource)
    return Pin(
        ball=ball,
        inverted=pins.invert,
        attributes={key: str(value) for key, value in attributes.items()},
    )
