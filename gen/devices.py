"""The chips that a design is planned for: what they hold, how fast cores run on them.

Resources are those of nextpnr's databases. Clocks are nextpnr's after routing, of the slowest of
the seeds that were tried, as the tables in ``docs/measured/`` have them; where nothing was measured
it says so beside the number. Which board has which is in `gen.boards`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.prim.target import Target

__all__ = ["CHIPS", "Chip", "Resources"]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a chip has of each cell, or what a design takes.

    Parameters
    ----------
    logic_cells
        Look-up tables of four inputs as the router counts their places, carries and distributed
        memory included: TRELLIS_COMB on ECP5; on iCE40 logic cells of one table and one register.
    flip_flops
        Registers.
    multipliers
        MULT18X18D, or SB_MAC16.
    block_rams
        DP16KD of 18 kbit, or SB_RAM40_4K of 4 kbit.
    single_port_rams
        SB_SPRAM256KA of 256 kbit.
    """

    logic_cells: int = 0
    flip_flops: int = 0
    multipliers: int = 0
    block_rams: int = 0
    single_port_rams: int = 0


@dataclass(frozen=True, kw_only=True)
class Chip:
    """An FPGA.

    Parameters
    ----------
    name
        As its maker calls it.
    target
        Whose cells the primitives are filled with.
    resources
        What it holds.
    clocks_mhz
        Kind of core, or ``link`` -> the clock that it was seen to reach alone.
    build_mhz
        The clock that everything built for a board met: cores, link and reset on one chip, which
        they fill. The planner's clocks come from these (`gen.plan.rates`).
    guessed
        Those of `clocks_mhz`, or ``build``, that nobody measured on this chip.
    """

    name: str
    target: Target
    resources: Resources
    clocks_mhz: Mapping[str, float]
    build_mhz: float
    guessed: tuple[str, ...] = ()


ECP5_CLOCKS: Mapping[str, float] = {
    "attention": 160,  # attention_area.md: 8 x 8 arrays on an 85F, speed 6
    "butterfly": 190,  # butterfly_area.md: butterfly_1024; FFTs alone 207
    "softmax": 133,  # softmax.md: lut2d; exact 177, rexp 181
    "link": 159,  # link.md: words of 64 bits
}
"""At speed grade 6. Grade 8 is faster: of it only whole builds were measured."""


def _ecp5(
    name: str,
    cells: int,
    multipliers: int,
    block_rams: int,
    build_mhz: float,
    guessed: tuple[str, ...] = (),
) -> Chip:
    return Chip(
        name=name,
        target=Target.ECP5,
        resources=Resources(
            logic_cells=cells,
            flip_flops=cells,
            multipliers=multipliers,
            block_rams=block_rams,
        ),
        clocks_mhz=ECP5_CLOCKS,
        build_mhz=build_mhz,
        guessed=guessed,
    )


# Builds: boards.md, of what fills the chip and so has the longest wires.
ECP5_25F = _ecp5("LFE5U-25F", 24288, 28, 56, 152)
ECP5_85F = _ecp5("LFE5U-85F", 83640, 156, 208, 135)
# At speed grade 8; the clocks of what is alone are those of grade 6.
ECP5_25F_8 = _ecp5("LFE5U-25F", 24288, 28, 56, 196)
ECP5_45F_5G = _ecp5("LFE5UM5G-45F", 43848, 72, 108, 200)
ECP5_85F_5G = _ecp5("LFE5UM5G-85F", 83640, 156, 208, 197)
ICE40_UP5K = Chip(
    name="iCE40UP5K",
    target=Target.ICE40,
    resources=Resources(
        logic_cells=5280, flip_flops=5280, multipliers=8, block_rams=30, single_port_rams=4
    ),
    clocks_mhz={
        "attention": 46,  # attention_ice40.md: 2 x 2, E = 1
        "butterfly": 55,  # butterfly_area.md: one unit
        "softmax": 57,  # softmax.md: exact on one lane
        "link": 46,  # link.md
    },
    build_mhz=40.6,  # boards.md: butterfly_icebreaker
)
ICE40_HX8K = Chip(
    name="iCE40HX8K",
    target=Target.ICE40_HX,
    resources=Resources(logic_cells=7680, flip_flops=7680, block_rams=32),
    clocks_mhz={
        "attention": 65.8,  # boards.md: attention_hx8k, its link in it
        "butterfly": 60,
        "softmax": 80,  # softmax.md: exact on one lane
        "link": 82.2,  # boards.md: softmax_ice40, its link in it
    },
    build_mhz=82.2,  # boards.md: softmax_ice40
    guessed=("butterfly",),
)
CHIPS = (ECP5_25F, ECP5_25F_8, ECP5_85F, ECP5_45F_5G, ECP5_85F_5G, ICE40_UP5K, ICE40_HX8K)
"""Every chip."""
