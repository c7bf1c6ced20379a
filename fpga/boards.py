"""What a build must know of a board beside its entry: device, oscillator and pins.

They are read from the platform of amaranth-boards that the entry names.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpga import flow
from fpga.flow import Device
from gen.boards import Board
from spec.errors import SpecError

__all__ = ["Facts", "Pin", "facts_of"]


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


def facts_of(board: Board) -> Facts:
    """The facts of a board, from amaranth-boards.

    Raises
    ------
    SpecError
        amaranth-boards is not installed.
    """
    module, name = board.platform.split(".")
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
