"""A unit with plain ports: ``i_valid``, ``i_score``, ``o_p``, instead of packed payloads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PlainPorts", "Port"]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the emitted module.

    Parameters
    ----------
    name
        As in the Verilog text.
    direction
        ``input`` or ``output``.
    width
        Bits.
    lanes
        Elements that share the bits, lane 0 in the lowest ones; 1 for a scalar.
    signed
        Whether an element is in two's complement.
    """

    name: str
    direction: str
    width: int
    lanes: int = 1
    signed: bool = False


class PlainPorts(wiring.Component):
    """A unit of streams, each member of a stream's payload on a port of its own.

    Members are ``<stream>_valid``, ``<stream>_ready`` and ``<stream>_<field>`` for every field of
    the payload (``<stream>_payload`` if it has none, ``<stream>_<field>_<inner>`` for a field of
    fields), as a Verilog user expects to read them. A field without bits has no port. `wires` names
    the ports otherwise: each with the unit's own signal.
    """

    def __init__(self, unit: wiring.Component, wires: Sequence[tuple[Port, Value]] | None = None):
        self.unit = unit
        self._wires = _wires(unit) if wires is None else wires
        super().__init__(
            {
                port.name: (In if port.direction == "input" else Out)(Shape(port.width))
                for port, _ in self._wires
            }
        )

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports, without clock and reset."""
        return tuple(port for port, _ in self._wires)

    def elaborate(self, platform: object) -> Module:
        """Connect name by name."""
        m = Module()
        m.submodules.unit = self.unit  # pyright: ignore[reportArgumentType]
        for port, inner in self._wires:
            outer: Signal = getattr(self, port.name)
            if port.direction == "input":
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


def _wires(unit: wiring.Component) -> list[tuple[Port, Value]]:
    wires: list[tuple[Port, Value]] = []
    for name, member in unit.signature.members.items():
        inner = getattr(unit, name)
        if not (member.is_signature and isinstance(member.signature, stream.Signature)):
            raise TypeError(f"{type(unit).__name__}.{name} is no stream")
        into = member.flow == In
        here, there = ("input", "output") if into else ("output", "input")
        wires.append((Port(name=f"{name}_valid", direction=here, width=1), inner.valid))
        wires.append((Port(name=f"{name}_ready", direction=there, width=1), inner.ready))
        for field, value, shape in _fields(inner.payload):
            if len(value) == 0:
                continue
            lanes, element = 1, shape
            if isinstance(shape, data.ArrayLayout):
                lanes, element = shape.length, shape.elem_shape
            port = Port(
                name=f"{name}_{field}",
                direction=here,
                width=len(value),
                lanes=lanes,
                signed=Shape.cast(element).signed,
            )
            wires.append((port, value))
    return wires


def _fields(payload: Any) -> list[tuple[str, Value, Any]]:
    if isinstance(payload, data.View) and isinstance(payload.shape(), data.StructLayout):
        return _members("", payload)
    value = Value.cast(payload)
    return [("payload", value, value.shape())]


def _members(prefix: str, view: Any) -> list[tuple[str, Value, Any]]:
    found = []
    for name, shape in view.shape().members.items():
        if isinstance(shape, data.StructLayout):
            found += _members(f"{prefix}{name}_", view[name])
        else:
            found.append((f"{prefix}{name}", Value.cast(view[name]), shape))
    return found
