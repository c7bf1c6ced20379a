"""A wrapper for a design that is measured on its own, without pins that would limit it."""

from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.prim.target import Target, target_of

__all__ = ["BehindRegisters"]


class BehindRegisters(wiring.Component):
    """A design whose every input is driven by a register and every output captured by one.

    Two data pins remain, whatever the design's width: inputs come from a shift register, and
    outputs go through a pipelined tree of exclusive ors, so that neither pins nor the way to them
    limit the clock, and nothing in the design is without effect. On ECP5 the reset comes on a
    global net, as a board's does: as an ordinary one of thousands of loads the router fails at it.

    *Timing*: every look-up table of the wrapper has a register behind it.

    *Members*: ``serial_in``, ``serial_out``.
    """

    serial_in: Signal
    serial_out: Signal

    def __init__(self, design: wiring.Component):
        self.design = design
        super().__init__({"serial_in": In(1), "serial_out": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the shift register, the design and the tree."""
        m = Module()
        design: Any = self.design
        if target_of(platform) is Target.ECP5:
            domain: Any = ClockDomain("design")
            m.domains.design = domain
            m.d.comb += domain.clk.eq(ClockSignal())
            m.submodules.reset = Instance(
                "DCCA", i_CLKI=ResetSignal(), i_CE=Const(1), o_CLKO=domain.rst
            )
            design = DomainRenamer("design")(design)
        m.submodules.design = design
        ports = [(m, Value.cast(v)) for _, m, v in self.design.signature.flatten(self.design)]
        inputs = Cat(value for member, value in ports if member.flow == In)
        outputs = Cat(value for member, value in ports if member.flow == Out)

        shift = Signal(max(1, len(inputs)), reset_less=True)
        m.d.sync += shift.eq(Cat(self.serial_in, shift[:-1]))
        m.d.comb += inputs.eq(shift)

        captured = Signal(max(1, len(outputs)), reset_less=True)
        m.d.sync += captured.eq(outputs)
        level = 0
        while len(captured) > 1:
            level += 1
            fours = [captured[i : i + 4].xor() for i in range(0, len(captured), 4)]
            captured = Signal(len(fours), reset_less=True, name=f"xor_{level}")
            m.d.sync += captured.eq(Cat(fours))
        m.d.comb += self.serial_out.eq(captured)
        return m
