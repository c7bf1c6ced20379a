"""The netlist of a design on its board, in a folder that a script over two pins takes.

The netlist is what `fpga.build` would place and route: PLL, reset bridge, link and cores. Of the
board there is an oscillator, as quick as the clock that the PLL would make of the real one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.build.request import Request
from gen.boards import BOARDS
from gen.design import Design
from gen.verilog import write_design
from tests.support.bus_session import LINE
from tests.support.gates import TOP, as_verilog, cell_types, netlist_of

__all__ = ["BoardGates", "board_gates"]

CLOCKS_A_BIT = 4
"""The fewest that a line may have: a byte takes 40 cycles."""

LOCK_CYCLES = 40
"""After which `PLL` has long locked, and its lock has crossed into the clock's domain."""

PLL_CELLS = {"SB_PLL40_CORE", "SB_PLL40_PAD"}
PLL = """
module simulated_pll (
    input REFERENCECLK, PACKAGEPIN, RESETB, BYPASS, output PLLOUTGLOBAL, output reg LOCK
);
    parameter FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0;
    reg [3:0] edges = 0;
    assign PLLOUTGLOBAL = (REFERENCECLK === 1'bz) ? PACKAGEPIN : REFERENCECLK;
    initial LOCK = 0;
    always @(posedge PLLOUTGLOBAL) begin
        edges <= edges + !LOCK;
        LOCK <= RESETB && !BYPASS && (LOCK || &edges);
    end
endmodule
"""
"""What comes in goes out; locked from the sixteenth of its edges."""

SHELL = """
module \\{name} (input clk, rst, receive, output transmit, busy, error);
    wire busy_pin, error_pin;
    {top} board (
        .oscillator(clk), .receive(receive), .transmit(transmit),
        {button}.busy(busy_pin), .error(error_pin)
    );
    assign busy = busy_pin ^ 1'b{busy:d}, error = error_pin ^ 1'b{error:d};
endmodule
"""
"""Lights that are 1 when they are on, and a button, where there is one, that `rst` presses."""


@dataclass(frozen=True, kw_only=True)
class BoardGates:
    """A design's netlist on a board.

    Parameters
    ----------
    folder
        As of ``gen.verilog --bus uart``, with the netlist for Verilog.
    manifest
        What the folder's says. Clock and rate are those of a simulation, `LINE`.
    settle_cycles
        After which the PLL has locked and the reset has ended.
    cells
        Types of the netlist's cells.
    """

    folder: Path
    manifest: dict[str, Any]
    settle_cycles: int
    cells: set[str]


def board_gates(design: Design, board: str, folder: Path) -> BoardGates:
    """The design as it is built for a board that is told no more than of a quick line."""
    named = Request.of(design, BOARDS[board])
    request = Request.of(design, BOARDS[board], baud=named.clock.hz // CLOCKS_A_BIT)
    facts, line = request.facts, request.line
    write_design(design, folder, target=facts.device.target, bus="uart", line=line)
    top = request.top()
    netlist = netlist_of(top, facts.device, folder / "gates")
    cells = cell_types(netlist)
    assert cells & PLL_CELLS == {request.board.pll}
    pass_through = [f"chtype -set simulated_pll t:{request.board.pll}"]
    gates = as_verilog(netlist, facts.device, pass_through).read_text()
    button = f".button(rst ^ 1'b{facts.reset.inverted:d}), " if facts.reset else ""
    shell = SHELL.format(
        name=design.name,
        top=TOP,
        button=button,
        busy=facts.busy.inverted,
        error=facts.error.inverted,
    )
    (folder / f"{design.name}.v").write_text("\n".join([gates, PLL, shell]))
    path = folder / "manifest.json"
    told = json.loads(path.read_text())
    told["uart"] |= {"clock_hz": LINE.clock_hz, "baud": LINE.clock_hz // CLOCKS_A_BIT}
    path.write_text(json.dumps(told))
    settle = LOCK_CYCLES + top.config.settle_cycles
    return BoardGates(folder=folder, manifest=told, settle_cycles=settle, cells=cells)
