"""Clock and area of a design on its own, over several seeds of the router."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from fpga.flow.behind_registers import BehindRegisters
from fpga.flow.devices import Device
from fpga.flow.routing import Placer, Routing, place_and_route
from fpga.flow.synthesis import Cells, synthesise
from hw.prim.target import Target

__all__ = ["Measurement", "measure"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Clock and area of a design, over several seeds.

    Parameters
    ----------
    cells
        Of the design after synthesis, without the wrapper.
    logic_cells
        The router's logic cells, without the wrapper's: TRELLIS_COMB, which count carries as well
        as look-up tables, or ICESTORM_LC. A few of them drive constants.
    routings
        One for each seed.
    """

    cells: Cells
    logic_cells: int
    routings: tuple[Routing, ...]

    @property
    def fmax_mhz(self) -> tuple[float, ...]:
        """The clock of each seed."""
        return tuple(routing.fmax_mhz for routing in self.routings)

    @property
    def median_mhz(self) -> float:
        """The clock of the middle seed."""
        return statistics.median(self.fmax_mhz)


def measure(
    design: wiring.Component,
    device: Device,
    folder: Path,
    *,
    target: Target | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    goal_mhz: float = 250,
    placer: Placer = Placer.USUAL,
) -> Measurement:
    """Clock and area of a design on its own, between registers.

    Parameters
    ----------
    design
        What to measure.
    device
        The chip.
    folder
        Where the files go; made if missing.
    target
        As for `synthesise`.
    seeds
        One run of the router for each.
    goal_mhz, placer
        As for `place_and_route`.
    """
    synthesis = synthesise(BehindRegisters(design), device, folder, target=target)
    routings = tuple(
        place_and_route(synthesis, device, seed=seed, goal_mhz=goal_mhz, placer=placer)
        for seed in seeds
    )
    # The wrapper's look-up tables share their logic cells with its registers on iCE40, and stand
    # apart from them on ECP5.
    wrapper = synthesis.wrapper
    cells_of_wrapper = wrapper.lut4 if device.target is Target.ECP5 else wrapper.flip_flops
    return Measurement(
        cells=synthesis.cells,
        logic_cells=routings[0].used[device.logic_cell] - cells_of_wrapper,
        routings=routings,
    )
