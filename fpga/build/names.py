"""Names of cells and nets after synthesis, back to units and signals as the gateware has them."""

import re

from fpga.build.board_top import DESIGN

__all__ = ["BOARD", "signal_of", "unit_of"]

BOARD = "board"
"""The unit of what the board's top adds itself."""

_GENERATED = re.compile(
    r"_(?:SB_\w+|TRELLIS_\w+|ICESTORM_\w+"
    r"|CCU2C|LUT4|L6MUX21|PFUMX|DP16KD|PDPW16KD|MULT18X18D)(?:_|$)"
)
"""Where the synthesiser went on from a name of ours, cell by cell."""


def signal_of(name: str) -> str:
    """The path of ours that a name begins with: units and a signal, or nothing."""
    if name.startswith("$"):
        return ""
    path = name.split("$")[0]
    found = _GENERATED.search(path)
    path = path[: found.start()] if found else path
    return re.sub(r"(?:\[\d+(?::\d+)?\])+$", "", path)


def unit_of(name: str) -> str:
    """The unit that a cell or net belongs to: its path below the design, or `BOARD`."""
    parts = signal_of(name).split(".")[:-1]
    if parts[:1] != [DESIGN]:
        return BOARD
    return ".".join(parts[1:]) or DESIGN
