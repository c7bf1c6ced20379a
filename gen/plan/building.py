"""A design on a board: its area with registers and link, its clock, and what of it is too much."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import ceil
from typing import Any, NamedTuple

from gen.boards import Board
from gen.design import Design
from gen.devices import Chip, Resources
from gen.plan.area import Area, family_of, joined_area
from gen.plan.least import blocks_of
from gen.plan.rates import BUFFER_BYTES, Clock, alone, baud_of, clock_of
from gen.plan.rows import core_area
from gen.plan.work import layer_bytes
from hw.bus.link import LinkConfig, UartLinkConfig
from hw.bus.uart import UartConfig
from hw.prim.target import Target
from spec import SpecError

__all__ = [
    "LINK",
    "MARGINS",
    "NAMES",
    "Built",
    "Link",
    "Overflow",
    "built_on",
    "overflow_of",
    "streams_of",
]

MARGINS: Mapping[str, Mapping[str, float]] = {
    "ecp5": {
        "logic_cells": 0.9,
        "flip_flops": 0.9,
        # With the last ones taken, some lie far away from what they feed.
        "multipliers": 0.9,
        "block_rams": 1.0,
        "single_port_rams": 1.0,
    },
    "ice40": {
        # Designs that fill such a chip were routed, so that here only the model's error is left, a
        # twentieth at worst and 3 % as a rule; whoever plans is told.
        "logic_cells": 1.03,
        "flip_flops": 0.9,
        "multipliers": 1.0,
        "block_rams": 1.0,
        "single_port_rams": 1.0,
    },
}
"""Share of each resource that a plan may take: room for the model's error, and for the router."""

NAMES = {
    "logic_cells": "logic cells",
    "flip_flops": "flip-flops",
    "multipliers": "multipliers",
    "block_rams": "block RAMs",
    "single_port_rams": "single-port RAMs",
}
"""Resources in words."""

LINK = Resources(logic_cells=1200, block_rams=2)
"""Of any link with registers and adapters, at least."""

BITS_A_BYTE = 10
"""On a serial line."""


@dataclass(frozen=True, kw_only=True)
class Overflow:
    """A resource of which there is not enough.

    Parameters
    ----------
    resource
        Its name in words.
    needed, there
        How many are wanted, and how many may be taken.
    total, others
        How many the chip has, and how many of them the other cores take.
    at_least
        Whether it may be more than `needed`.
    """

    resource: str
    needed: int
    there: int
    total: int
    others: int
    at_least: bool

    @property
    def share(self) -> float:
        """How many times too large."""
        return self.needed / max(1, self.there)

    def __str__(self) -> str:
        text = f"{'at least ' if self.at_least else ''}{self.needed} {self.resource}"
        if self.others:
            return f"{text}, where the other cores leave {self.there}"
        if self.there < self.total:
            return f"{text}, where a plan takes {self.there} of {self.total} at most"
        return f"{text} of {self.total}"


@dataclass(frozen=True, kw_only=True)
class Link:
    """The serial line of a board, and what a layer sends over it.

    Parameters
    ----------
    baud
        Bits a second.
    bytes_in, bytes_out
        Of one layer, without frames.
    area
        Of the link, and of the core's registers and adapters of rows.
    """

    baud: int
    bytes_in: int
    bytes_out: int
    area: Area

    @property
    def seconds(self) -> float:
        """Time that these bytes take, at least."""
        return (self.bytes_in + self.bytes_out) * BITS_A_BYTE / self.baud


@dataclass(frozen=True, kw_only=True)
class Built:
    """A design with what it takes on a board.

    Parameters
    ----------
    design
        Name, description and configuration.
    clock
        One for the core, for what joins it to the line, and for cores beside it.
    area
        Of everything: core, registers, link.
    link
        None for a core with bare streams.
    """

    design: Design
    clock: Clock
    area: Area
    link: Link | None


def built_on(
    board: Board,
    design: Design,
    bus: str,
    *,
    shared: bool = False,
    kinds: Iterable[str] = (),
) -> Built:
    """A core on a board, with registers and link where it has them and the bus is ``uart``.

    A link that is `shared` was counted with another core. `kinds` are those of the cores beside it.
    """
    chip, kind = board.chip, design.kind.name
    target, streams = chip.target, None
    if bus == "uart":
        with contextlib.suppress(SpecError):  # a core that has bare streams only
            streams = streams_of(design)
    if streams is None:
        clock = alone(chip, kind)
        return Built(design=design, clock=clock, area=core_area(design, target), link=None)
    clock = clock_of(chip, {kind, *kinds})
    config = _link_config(streams, board, round(clock.mhz * 1_000_000))
    into, out = streams.layer_bytes
    link = Link(
        baud=config.uart.baud,
        bytes_in=into,
        bytes_out=out,
        area=_area_of_link(config, target, shared),
    )
    area = core_area(design, target) + link.area
    return Built(design=design, clock=clock, area=area, link=link)


class Streams(NamedTuple):
    """Streams of a core that is run from registers."""

    widths: tuple[tuple[int, ...], tuple[int, ...]]
    """Bits of a word of each to the core, and of each from it."""
    layer_bytes: tuple[int, int]
    """Bytes in and out of its layer."""


def streams_of(design: Design) -> Streams:
    """Its streams.

    Raises
    ------
    SpecError
        It has bare streams only.
    """
    system: Any = design.system()
    system._MustUse__used = True  # else Amaranth complains that it is never elaborated
    to_core = {**system.inputs, **system.tables}
    return Streams(
        widths=(
            tuple(rows.packet_shape.size for rows in to_core.values()),
            tuple(rows.packet_shape.size for rows in system.outputs.values()),
        ),
        layer_bytes=layer_bytes(design.config, system),
    )


def _link_config(streams: Streams, board: Board, clock_hz: int) -> UartLinkConfig:
    widths = streams.widths
    return UartLinkConfig(
        uart=UartConfig(clock_hz=clock_hz, baud=baud_of(board, clock_hz)),
        link=LinkConfig(
            send_widths=widths[0],
            receive_widths=widths[1],
            buffer_bytes=BUFFER_BYTES[board.chip.target],
        ),
    )


def _area_of_link(config: UartLinkConfig, target: Target, shared: bool) -> Area:
    """Registers, adapters and link by the widths of the streams; two buffers in block memory."""
    bits = sum(config.link.send_widths) + sum(config.link.receive_widths)
    area = joined_area(bits, target, shared=shared)
    blocks, _ = blocks_of(config.link.ram, target)
    return area if shared else area + Area(block_rams=2 * blocks)


def most_of(chip: Chip) -> Resources:
    """How many of each resource a plan may take."""
    shares, there = MARGINS[family_of(chip.target)], chip.resources
    return Resources(**{name: ceil(getattr(there, name) * each) for name, each in shares.items()})


def overflow_of(
    taken: Any, chip: Chip, *, beside: Resources | None = None, at_least: bool = False
) -> Overflow | None:
    """The resource of which most is lacking, if any, `beside` what others take."""
    worst: Overflow | None = None
    there = most_of(chip)
    for field in fields(Resources):
        most, needed = getattr(there, field.name), getattr(taken, field.name)
        others = getattr(beside, field.name) if beside is not None else 0
        if needed > most - others:
            found = Overflow(
                resource=NAMES[field.name],
                needed=needed,
                there=max(0, most - others),
                total=getattr(chip.resources, field.name),
                others=others,
                at_least=at_least,
            )
            if worst is None or found.share > worst.share:
                worst = found
    return worst
