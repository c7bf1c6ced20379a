"""Synthesis, place and route by the open tools, for measurements and for board builds.

Every step works in a folder of the caller's and leaves its files and logs there. The tools see the
folder as their working directory, so it may lie anywhere.
"""

from fpga.flow.behind_registers import BehindRegisters
from fpga.flow.devices import ECP5_25F, ECP5_85F, ICE40_HX8K, ICE40_UP5K, Device, ecp5
from fpga.flow.measurement import Measurement, measure
from fpga.flow.routing import Placer, Routing, place_and_route
from fpga.flow.synthesis import Cells, Synthesis, synthesise
from fpga.flow.tools import FlowError, run_tool, tool

__all__ = [
    "ECP5_25F",
    "ECP5_85F",
    "ICE40_HX8K",
    "ICE40_UP5K",
    "BehindRegisters",
    "Cells",
    "Device",
    "FlowError",
    "Measurement",
    "Placer",
    "Routing",
    "Synthesis",
    "ecp5",
    "measure",
    "place_and_route",
    "run_tool",
    "synthesise",
    "tool",
]
