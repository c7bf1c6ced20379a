"""Which family of cells a design is emitted for."""

import enum


class Target(enum.Enum):
    """The family whose cells fill the primitives of `hw.prim`.

    A target is handed to elaboration as Amaranth's *platform*: ``verilog.convert(unit,
    platform=Target.ECP5)``. It changes which cells are emitted and nothing else: values and cycles
    are the same for every member.

    Attributes
    ----------
    PORTABLE
        Plain Verilog, for any simulator and any tool.
    ECP5
        Lattice ECP5: MULT18X18D and DP16KD, with their internal registers on.
    ICE40
        Lattice iCE40 UltraPlus (UP5K): SB_MAC16, SB_RAM40_4K and SB_SPRAM256KA.
    ICE40_HX
        Lattice iCE40 without multipliers and without single-port RAM (HX8K): SB_RAM40_4K only. A
        user names `ICE40`; board builds choose this member from the device.
    """

    PORTABLE = "portable"
    ECP5 = "ecp5"
    ICE40 = "ice40"
    ICE40_HX = "ice40hx"


def target_of(platform: object) -> Target:
    """The target that an elaboration's *platform* stands for.

    Parameters
    ----------
    platform
        None (portable), a `Target` (itself), or an Amaranth platform, which is recognised by its
        ``family`` and ``device`` so that no vendor's tool chain is loaded. Anything else, another
        vendor's platform included, is portable.
    """
    if isinstance(platform, Target):
        return platform
    family = str(getattr(platform, "family", "")).lower()
    device = str(getattr(platform, "device", "")).lower()
    if family == "ecp5":
        return Target.ECP5
    if family == "ice40":
        return Target.ICE40 if device.startswith("ice40up") else Target.ICE40_HX
    return Target.PORTABLE
