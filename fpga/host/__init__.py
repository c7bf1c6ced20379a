"""The cores of a board, run on arrays: `connect` and what it gives; see docs/host.md.

It knows a design by its folder's manifest, and loads no gateware.
"""

from fpga.host.connection import Board, Difference, NotGolden, Run, connect

__all__ = ["Board", "Difference", "NotGolden", "Run", "connect"]
