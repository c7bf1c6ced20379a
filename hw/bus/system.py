"""A core that is run from registers, with its data on streams of rows: what all kinds share."""

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.axi_stream import RowIn, RowOut, RowsConfig
from hw.bus.control import Control
from hw.bus.register_file import AccessSignature
from spec.registers import RegisterMap

__all__ = ["OVERHEAD_CYCLES", "System", "none_active", "offer_job"]


OVERHEAD_CYCLES = 4
"""Of a run, beside those of its core from the first transfer in to the last one out, if every
stream keeps up: to begin, through the adapters, and to see the end."""


class System(wiring.Component):
    """Registers, control and adapters; a kind adds its core and says what a run brings.

    Parameters
    ----------
    registers
        Its map.
    inputs, outputs, tables
        Stream -> how rows look on it; of data, and of tables that are loaded between runs.
    words
        Stream -> what its elements are, and in which order, for the manifest.

    *Members*
    access
        Port to the registers.
    <stream>
        Stream of `RowsConfig.packet_shape`.
    busy, error
        A run is going; some cause of an error is set.
    """

    access: Any
    busy: Signal
    error: Signal

    def __init__(
        self,
        registers: RegisterMap,
        *,
        inputs: Mapping[str, RowsConfig],
        outputs: Mapping[str, RowsConfig],
        words: Mapping[str, str],
        tables: Mapping[str, RowsConfig] | None = None,
    ):
        self.registers, self.words = registers, words
        self.inputs, self.outputs, self.tables = inputs, outputs, tables or {}
        members: dict[str, Any] = {"access": In(AccessSignature())}
        members |= {
            name: In(stream.Signature(config.packet_shape)) for name, config in self.to_core.items()
        }
        members |= {
            name: Out(stream.Signature(config.packet_shape)) for name, config in outputs.items()
        }
        super().__init__({**members, "busy": Out(1), "error": Out(1)})

    @property
    def to_core(self) -> dict[str, RowsConfig]:
        """Streams that bring something: inputs, then tables."""
        return {**self.inputs, **self.tables}

    def join(self, m: Module) -> tuple[Any, dict[str, Any]]:
        """Make control and adapters, and join them and the members; give them.

        What is left to the kind: when each adapter begins and what it is to bring, `idle`, and the
        adapters' streams to and from the core.
        """
        m.submodules.control = control = Control(
            self.registers, list(self.inputs), list(self.outputs), list(self.tables)
        )
        connect(m, control.access, flipped(self.access))
        adapters: dict[str, Any] = {}
        for name, config in self.to_core.items():
            m.submodules[f"rows_{name}"] = adapters[name] = rows = RowIn(config)
            connect(m, flipped(getattr(self, name)), rows.i)
            m.d.comb += [
                rows.failed.eq(control.failed),
                getattr(control, f"fault_{name}").eq(rows.fault),
            ]
        for name, config in self.outputs.items():
            m.submodules[f"rows_{name}"] = adapters[name] = rows = RowOut(config)
            connect(m, rows.o, flipped(getattr(self, name)))
            m.d.comb += rows.drop.eq(control.drop)
        for name, rows in adapters.items():
            m.d.comb += getattr(control, f"moved_{name}").eq(rows.moved)
            if name not in self.tables:
                m.d.comb += getattr(control, f"stalls_{name}").eq(rows.stalls)
        m.d.comb += [
            self.busy.eq(control.busy),
            self.error.eq(control.error),
        ]
        return control, adapters


def none_active(adapters: Iterable[Any]) -> Value:
    """Whether no adapter has anything left."""
    return ~Cat(rows.active for rows in adapters).any()


def offer_job(m: Module, begin: Value, job: Any) -> Signal:
    """Offer a core's job, a stream, from the cycle after `begin` until it is taken; give whether.

    Its payload is left to the caller.
    """
    asks = Signal()
    m.d.comb += job.valid.eq(asks)
    with m.If(asks & job.ready):
        m.d.sync += asks.eq(0)
    with m.If(begin):
        m.d.sync += asks.eq(1)
    return asks
