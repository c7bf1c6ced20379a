"""A system on AXI: AXI4-Lite for its registers, AXI4-Stream for its data."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from hw.bus.axi_lite import AxiLite, AxiLiteSignature

__all__ = ["AxiTop"]


class AxiTop(wiring.Component):
    """A system whose registers are reached through AXI4-Lite.

    Contract, *timing*: those of `hw.bus.axi_lite.AxiLite` and of the system.

    *Members*
    axi
        AXI4-Lite.
    <others>
        Those of the system but for `access`.
    """

    axi: Any

    def __init__(self, system: Any):
        self.system = system
        self.others = [name for name in system.signature.members if name != "access"]
        members = {name: system.signature.members[name] for name in self.others}
        super().__init__({"axi": In(AxiLiteSignature()), **members})

    def elaborate(self, platform: object) -> Module:
        """Join both."""
        m = Module()
        m.submodules.lite = lite = AxiLite()
        m.submodules.system = system = self.system
        connect(m, flipped(self.axi), lite.bus)
        connect(m, lite.access, system.access)
        for name in self.others:
            outer, inner = getattr(self, name), getattr(system, name)
            if system.signature.members[name].is_signature:
                connect(m, flipped(outer), inner)
            else:
                m.d.comb += outer.eq(inner)
        return m
