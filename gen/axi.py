"""A system's ports as users of AXI know them: ``s_axi_awvalid``, ``s_axis_i_tdata``."""

from typing import Any

from amaranth.hdl import Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from gen.ports import PlainPorts, Port
from hw.bus.axi import AxiTop

__all__ = ["axi_ports"]

LITE, SLAVE, MASTER = "s_axi", "s_axis", "m_axis"


def axi_ports(system: wiring.Component) -> PlainPorts:
    """A system with its access port on AXI4-Lite, and the names of AXI.

    AXI4-Lite begins with ``s_axi``, a stream that comes in with ``s_axis_<name>``, one that goes
    out with ``m_axis_<name>``; other members are outputs of one bit and keep their names.
    """
    top = AxiTop(system)
    wires: list[tuple[Port, Value]] = []
    for name, member in top.signature.members.items():
        inner: Any = getattr(top, name)
        if name == "axi":
            for channel, each in member.signature.members.items():
                into = each.flow == In
                wires += _wires(f"{LITE}_{channel}", getattr(inner, channel), into)
        elif member.is_signature and isinstance(member.signature, stream.Signature):
            into = member.flow == In
            wires += _wires(f"{SLAVE if into else MASTER}_{name}_t", inner, into)
        else:
            wires.append((Port(name=name, direction="output", width=1), inner))
    return PlainPorts(top, wires)


def _wires(prefix: str, inner: Any, into: bool) -> list[tuple[Port, Value]]:
    here, there = ("input", "output") if into else ("output", "input")
    wires = [(Port(name=f"{prefix}valid", direction=here, width=1), inner.valid)]
    wires.append((Port(name=f"{prefix}ready", direction=there, width=1), inner.ready))
    for field in inner.payload.shape().members:
        value = Value.cast(inner.payload[field])
        wires.append((Port(name=f"{prefix}{field}", direction=here, width=len(value)), value))
    return wires
