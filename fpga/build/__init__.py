"""A design to a board's bitstream, and what the tools say of it; see docs/boards.md."""

from fpga.build.bitstream import build, route_on_board, synthesise_on_board

__all__ = ["build", "route_on_board", "synthesise_on_board"]
