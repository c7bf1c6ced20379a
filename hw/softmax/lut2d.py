"""The two-dimensional-table method in gates: no multiplier, three look-ups.

The equations, formats and tables are those of ``spec.softmax.lut2d`` (our reading of
arXiv 2111.10770). All three units have a fixed latency, an interval of one cycle, and never stall.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.lib.arith import times
from hw.lib.pipe import Pipe
from hw.prim.ram import Rom, RomConfig
from hw.softmax.ones import OnesDivider, OnesDividerConfig
from hw.softmax.steps import distance_in_steps
from spec.softmax import Lut2dNumerics
from spec.softmax.lut2d import QUOTIENT_ROWS, STEPS_PER_UNIT

__all__ = ["Lut2dElement", "Lut2dFactor", "Lut2dScale"]


class Lut2dElement(wiring.Component):
    """Exponential of one element from the table, and the quotient's row that it selects.

    *Timing*: latency `latency_of(numerics)`.

    *Members*
    distance, visible
        max - score in score steps; whether the element takes part.
    weight, addend
        The row of the quotient table; the exponential, for the sum. Both 0 where invisible.
    """

    distance: Signal
    visible: Signal
    weight: Signal
    addend: Signal

    def __init__(self, numerics: Lut2dNumerics):
        self.numerics = numerics
        super().__init__(
            {
                "distance": In(unsigned(numerics.score_bits)),
                "visible": In(1),
                "weight": Out(unsigned(numerics.weight_bits)),
                "addend": Out(unsigned(numerics.full_scale.bit_length())),
            }
        )

    @staticmethod
    def _rom_config(n: Lut2dNumerics) -> RomConfig:
        return RomConfig(width=n.exp.width, entries=n.exp.entries)

    @classmethod
    def latency_of(cls, n: Lut2dNumerics) -> int:
        """Cycles: three to the step, look up, compare, count."""
        return 3 + cls._rom_config(n).latency + 2

    def elaborate(self, platform: object) -> Module:
        """Distance to step, step to exponential, exponential to row."""
        m = Module()
        n = self.numerics
        m.submodules.exp = exp = Rom(self._rom_config(n))
        with Pipe(
            m,
            "element",
            latency=self.latency_of(n),
            valid=1,
            distance=self.distance,
            visible=self.visible,
        ) as p:
            distance_in_steps(p, per_unit=STEPS_PER_UNIT, frac=n.score_frac, last=n.exp_entries - 1)
            m.d.comb += exp.address.eq(p.step)
            p.through(exp.config.latency, exp=exp.data, keep=("visible",))
            value = Mux(p.visible, p.exp, 0)
            # Row i begins where round(10 e / one) first reaches i: no table, ten comparisons.
            starts = [
                -(-(2 * row - 1) * n.full_scale // (2 * STEPS_PER_UNIT))
                for row in range(1, QUOTIENT_ROWS)
            ]
            reached = Signal(len(starts))
            m.d.comb += [reached[i].eq(value >= start) for i, start in enumerate(starts)]
            p.stage("compare", reached=reached, addend=value)
            row = Signal(n.weight_bits)
            m.d.comb += row.eq(sum(p.reached[i] for i in range(len(starts))))
            p.stage("count", row=row, keep=("addend",))
            m.d.comb += [self.weight.eq(p.row), self.addend.eq(p.addend)]
        return m


class Lut2dFactor(wiring.Component):
    """Row factor of a sum: the quotient table's column, round(sum / one) clipped to 1 ... sums.

    *Timing*: latency `latency_of(numerics)`.

    *Members*: ``total`` the sum; ``factor`` the column, from 0.
    """

    total: Signal
    factor: Signal

    def __init__(self, numerics: Lut2dNumerics):
        self.numerics = numerics
        super().__init__(
            {
                "total": In(unsigned(numerics.sum_bits)),
                "factor": Out(unsigned(numerics.factor_bits)),
            }
        )

    @staticmethod
    def _divider_config(n: Lut2dNumerics) -> OnesDividerConfig:
        return OnesDividerConfig(
            max_value=n.full_scale * n.max_length, ones=n.full_scale.bit_length()
        )

    @classmethod
    def latency_of(cls, n: Lut2dNumerics) -> int:
        """Cycles: divide, clip."""
        return cls._divider_config(n).latency + 1

    def elaborate(self, platform: object) -> Module:
        """Divide and clip."""
        m = Module()
        n = self.numerics
        m.submodules.units = units = OnesDivider(self._divider_config(n))
        m.d.comb += units.i.eq(self.total)
        with Pipe(m, "factor", latency=self.latency_of(n), valid=1) as p:
            p.through(units.config.latency, units=units.o)
            column = Mux(p.units >= n.sums, n.sums - 1, Mux(p.units == 0, 0, p.units - 1))
            p.stage("clip", column=column[: n.factor_bits])
            m.d.comb += self.factor.eq(p.column)
        return m


class Lut2dScale(wiring.Component):
    """Probability of one element: quotient[weight, aligned].

    *Timing*: latency `latency_of(numerics)`.

    *Members*: ``weight`` the row, ``aligned`` the column; ``p``.
    """

    weight: Signal
    aligned: Signal
    p: Signal

    def __init__(self, numerics: Lut2dNumerics):
        self.numerics = numerics
        super().__init__(
            {
                "weight": In(unsigned(numerics.weight_bits)),
                "aligned": In(unsigned(numerics.aligned_bits)),
                "p": Out(unsigned(numerics.output_bits)),
            }
        )

    @staticmethod
    def _rom_config(n: Lut2dNumerics) -> RomConfig:
        return RomConfig(width=n.quotient.width, entries=n.quotient.entries)

    @classmethod
    def latency_of(cls, n: Lut2dNumerics) -> int:
        """Cycles: start of the row, address, look up."""
        return 2 + cls._rom_config(n).latency

    def elaborate(self, platform: object) -> Module:
        """Address row by row, so that the table has no unused entry."""
        m = Module()
        n = self.numerics
        m.submodules.quotient = quotient = Rom(self._rom_config(n))
        with Pipe(
            m, "scale", latency=self.latency_of(n), valid=1, row=self.weight, column=self.aligned
        ) as p:
            base = times(p.row, n.sums)
            p.stage("row", base=base[: quotient.config.address_width], keep=("column",))
            p.stage("address", address=(p.base + p.column)[: quotient.config.address_width])
            m.d.comb += quotient.address.eq(p.address)
            p.through(quotient.config.latency, p=quotient.data)
            m.d.comb += self.p.eq(p.p)
        return m
