"""A design on a board: its area with registers and link, its clock, and what of it is too much."""

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from gen.boards import Board
from gen.design import Design
from gen.devices import Chip, Resources
from gen.plan.area import Area, joined_area, predicted_area
from gen.plan.census import census
from gen.plan.least import blocks_of
from gen.plan.work import layer_bytes
from hw.bus.link import LinkConfig, UartLinkConfig
from hw.bus.uart import FEWEST_CLOCKS_PER_BIT, UartConfig
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

MARGINS: Mapping[str, float] = {
    "logic_cells": 0.9,
    "flip_flops": 0.9,
    "multipliers": 1.0,
    "block_rams": 1.0,
    "single_port_rams": 1.0,
}
"""Share of each resource that a plan may take: room for the model's error, and for the router."""

ICE40_CELLS = 1.03
"""The same of iCE40's logic cells. Designs that fill such a chip were routed, so that here only the
model's error is left, a twentieth at worst and 3 % as a rule; whoever plans is told."""

NAMES = {
    "logic_cells": "logic cells",
    "flip_flops": "flip-flops",
    "multipliers": "multipliers",
    "block_rams": "block RAMs",
    "single_port_rams": "single-port RAMs",
}
"""Resources in words."""

BUFFER_BYTES = {Target.ECP5: 2048, Target.ICE40: 512, Target.ICE40_HX: 512}
"""Of the link: what fills a block memory."""

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
    at_least
        Whether it may be more than `needed`.
    """

    resource: str
    needed: int
    there: int
    at_least: bool

    @property
    def share(self) -> float:
        """How many times too large."""
        return self.needed / max(1, self.there)

    def __str__(self) -> str:
        least = "at least " if self.at_least else ""
        return f"{least}{self.needed} {self.resource} of {self.there}"


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
    clock_mhz, guessed
        One clock for the core and for what joins it to the line; whether nobody has measured it.
    area
        Of everything: core, registers, link.
    link
        None for a core with bare streams.
    """

    design: Design
    clock_mhz: float
    guessed: bool
    area: Area
    link: Link | None


def built_on(board: Board, design: Design, bus: str, *, shared: bool = False) -> Built:
    """A core on a board, with registers and link where it has them and the bus is ``uart``.

    A link that is `shared` was counted with another core.
    """
    chip, kind = board.chip, design.kind.name
    target, clocks, streams = chip.target, chip.clocks_mhz, None
    if bus == "uart":
        with contextlib.suppress(SpecError):  # a core that has bare streams only
            streams = streams_of(design)
    if streams is None:
        return Built(
            design=design,
            clock_mhz=clocks[kind],
            guessed=kind in chip.guessed,
            area=_core_area(design, target),
            link=None,
        )
    clock_mhz = min(clocks[kind], clocks["link"])
    config = _link_config(streams, board, round(clock_mhz * 1_000_000))
    into, out = streams.layer_bytes
    link = Link(
        baud=config.uart.baud,
        bytes_in=into,
        bytes_out=out,
        area=_area_of_link(config, target, shared),
    )
    return Built(
        design=design,
        clock_mhz=clock_mhz,
        guessed=bool({kind, "link"} & {*chip.guessed}),
        area=_core_area(design, target) + link.area,
        link=link,
    )


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


@functools.lru_cache(maxsize=16)
def _core_area(design: Design, target: Target) -> Area:
    return predicted_area(census(design.unit(), target), target)


def _link_config(streams: Streams, board: Board, clock_hz: int) -> UartLinkConfig:
    widths = streams.widths
    return UartLinkConfig(
        uart=UartConfig(clock_hz=clock_hz, baud=min(board.baud, clock_hz // FEWEST_CLOCKS_PER_BIT)),
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


def most_of(chip: Chip, resource: str) -> int:
    """How many of a resource a plan may take."""
    share = MARGINS[resource]
    if resource == "logic_cells" and chip.target is not Target.ECP5:
        share = ICE40_CELLS
    return int(getattr(chip.resources, resource) * share)


def overflow_of(
    taken: Any, chip: Chip, *, beside: Resources | None = None, at_least: bool = False
) -> Overflow | None:
    """The resource of which most is lacking, if any, `beside` what others take."""
    worst: Overflow | None = None
    for field in fields(Resources):
        there, needed = most_of(chip, field.name), getattr(taken, field.name)
        if beside is not None:
            there = max(0, there - getattr(beside, field.name))
        if needed > there:
            found = Overflow(
                resource=NAMES[field.name], needed=needed, there=there, at_least=at_least
            )
            if worst is None or found.share > worst.share:
                worst = found
    return worst
