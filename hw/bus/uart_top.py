"""Systems behind the two pins of a serial line: the whole accelerator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.bus.access_switch import AccessSwitch
from hw.bus.link import LinkConfig, UartLink, UartLinkConfig
from hw.bus.link_config import least_buffer_bytes
from hw.bus.system import System
from hw.bus.uart import UartConfig
from spec.errors import SpecError
from spec.registers import ADDRESS_BITS

__all__ = ["LineConfig", "UartTop", "map_base"]

WIDE_BITS = 40
"""Words of more bits come from arrays so large that they lie far from the link."""


@dataclass(frozen=True, kw_only=True)
class LineConfig:
    """The serial line of a `UartTop`.

    Parameters
    ----------
    clock_hz
        Frequency of the clock.
    baud
        Bits a second on the line, at most a quarter of the clock.
    buffer_bytes
        Bytes of the buffer for a request, and of that for an answer: 64 to 32768, and enough for
        a word of every stream. 2048 fill a block RAM of an ECP5, 512 one of an iCE40.
    patience_cycles
        Cycles that a request may wait in all for streams, 1 to 2**20.
    """

    clock_hz: int = 48_000_000
    baud: int = 1_000_000
    buffer_bytes: int = 2048
    patience_cycles: int = 1 << 14

    def __post_init__(self) -> None:
        self.link(())
        assert self.uart

    @property
    def uart(self) -> UartConfig:
        """Clock and rate."""
        return UartConfig(clock_hz=self.clock_hz, baud=self.baud)

    def link(self, systems: "tuple[System, ...]") -> LinkConfig:
        """Sizes of the link to these systems, their streams in order.

        Raises
        ------
        SpecError
            A word does not fit the buffer.
        """
        to_core = [rows.packet_shape.size for each in systems for rows in each.to_core.values()]
        from_core = [rows.packet_shape.size for each in systems for rows in each.outputs.values()]
        widest = -(-max([*to_core, *from_core], default=1) // 8)
        least = least_buffer_bytes(widest)
        if systems and self.buffer_bytes < least:
            raise SpecError(
                f"LineConfig.buffer_bytes must be at least {least} for words of {widest} bytes, "
                f"got {self.buffer_bytes}; nearest is {least}"
            )
        return LinkConfig(
            send_widths=tuple(to_core),
            receive_widths=tuple(from_core),
            buffer_bytes=self.buffer_bytes,
            patience_cycles=self.patience_cycles,
            maps=max(1, len(systems)),
        )


def map_base(core: int) -> int:
    """Byte address on the link at which the registers of a core begin."""
    return core << ADDRESS_BITS


class UartTop(wiring.Component):
    """Systems, one or several, whose registers and streams are reached over a serial line.

    Contract: that of `hw.bus.link.UartLink` (docs/link.md), and of each system. The registers of
    system k lie from `map_base(k)` on; an address of no system is refused, as one of no register
    is. The streams to the core are the inputs and then the tables of the first system, then those
    of the next; those from the core are the outputs, in the same order. A word of a stream is its
    `RowsConfig.packet_shape`, {data, keep, user, last} from the lowest bit up.

    *Timing*: that of the link and of the systems, a cycle more from a core, and for words of more
    than `WIDE_BITS` two to a core and from it; `busy` and `error` a cycle later.

    *Members*
    receive, transmit
        The pins of the line, high when idle.
    busy, error
        A run of some system is going; some cause of an error is set in some system.
    """

    receive: Signal
    transmit: Signal
    busy: Signal
    error: Signal

    def __init__(self, systems: Mapping[str, System], line: LineConfig):
        self.systems, self.line = dict(systems), line
        self.config = UartLinkConfig(uart=line.uart, link=line.link(tuple(systems.values())))
        super().__init__(
            {
                "receive": In(1, init=1),  # pyright: ignore[reportCallIssue]: not in the stubs
                "transmit": Out(1, init=1),  # pyright: ignore[reportCallIssue]
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join the link to the registers and to the streams of all."""
        m = Module()
        m.submodules.link = link = UartLink(self.config)
        m.d.comb += [link.receive.eq(self.receive), self.transmit.eq(link.transmit)]
        systems: list[Any] = list(self.systems.values())
        ports = [link.registers]
        if len(systems) > 1:
            m.submodules.switch = switch = AccessSwitch(len(systems))
            connect(m, link.registers, switch.access)
            ports = switch.ports
        to_core, from_core = iter(link.to_core), iter(link.from_core)
        for port, name, system in zip(ports, self.systems, systems, strict=True):
            m.submodules[f"core_{name}"] = system
            connect(m, port, system.access)
            for own in system.to_core:
                sink = getattr(system, own)
                _join(m, f"{name}_{own}", next(to_core), sink, registers=0)
            for own in system.outputs:
                source = getattr(system, own)
                _join(m, f"{name}_{own}", source, next(from_core), registers=1)
        m.d.sync += [
            self.busy.eq(Cat(each.busy for each in systems).any()),
            self.error.eq(Cat(each.error for each in systems).any()),
        ]
        return m


def _join(m: Module, name: str, source: Any, sink: Any, *, registers: int) -> None:
    """Join two streams, whose payloads have the same bits under other names, by so many registers.

    Of a wide stream by two, of which one can lie near the link and one near the core: else the
    link's states, and its own word, would be pulled towards every core at once.
    """
    width = len(Value.cast(source.payload))
    if width > WIDE_BITS:
        registers = 2
    for number in range(1, registers):
        between = stream.Signature(width).create()
        _hold(m, f"{name}_{number}", source, between)
        source = between
    if registers:
        _hold(m, name, source, sink)
        return
    m.d.comb += [
        sink.valid.eq(source.valid),
        Value.cast(sink.payload).eq(Value.cast(source.payload)),
        source.ready.eq(sink.ready),
    ]


def _hold(m: Module, name: str, source: Any, sink: Any) -> None:
    """Join two streams through a register, which takes a word when it has none.

    So what the link is doing does not reach into a core in the same cycle; a word every other cycle
    is more than a line carries.
    """
    valid = Signal(name=f"valid_{name}")
    payload = Signal(len(Value.cast(source.payload)), reset_less=True, name=f"payload_{name}")
    m.d.comb += [
        source.ready.eq(~valid),
        sink.valid.eq(valid),
        Value.cast(sink.payload).eq(payload),
    ]
    with m.If(valid):
        m.d.sync += valid.eq(~sink.ready)
    with m.Else():
        m.d.sync += [valid.eq(source.valid), payload.eq(Value.cast(source.payload))]
