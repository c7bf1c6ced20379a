"""The boards that a design can be built for, and their facts as amaranth-boards has them."""

from fpga.boards.boards import BOARDS, Board, Facts, Pin, board_of

__all__ = ["BOARDS", "Board", "Facts", "Pin", "board_of"]
