"""The two-dimensional-table method in gates: no multiplier, three look-ups.

The equations, formats and tables are those of ``spec.softmax.lut2d`` (our reading of
arXiv 2111.10770). All three units have a fixed latency, an interval of one cycle, and never stall.
"""

from amaranth.hdl import Module, Mux, Signal

from hw.lib.arith import times
from hw.lib.pipe import Pipe
from hw.prim.ram import Rom, RomConfig
from hw.softmax.ones import OnesDivider, sum_divider
from hw.softmax.roles import Element, Factor, Scale
from hw.softmax.steps import distance_in_steps
from spec.softmax import Lut2dNumerics
from spec.softmax.lut2d import QUOTIENT_ROWS, STEPS_PER_UNIT

__all__ = ["Lut2dElement", "Lut2dFactor", "Lut2dScale"]


class Lut2dElement(Element):
    """Exponential of one element from the table, and the quotient's row that it selects.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: Lut2dNumerics

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


class Lut2dFactor(Factor):
    """Row factor of a sum: the quotient table's column, round(sum / one) clipped to 1 ... sums.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: Lut2dNumerics

    @classmethod
    def latency_of(cls, n: Lut2dNumerics) -> int:
        """Cycles: divide, clip."""
        return sum_divider(n).latency + 1

    def elaborate(self, platform: object) -> Module:
        """Divide and clip."""
        m = Module()
        n = self.numerics
        m.submodules.units = units = OnesDivider(sum_divider(n))
        m.d.comb += units.i.eq(self.total)
        with Pipe(m, "factor", latency=self.latency_of(n), valid=1) as p:
            p.through(units.config.latency, units=units.o)
            column = Mux(p.units >= n.sums, n.sums - 1, Mux(p.units == 0, 0, p.units - 1))
            p.stage("clip", column=column[: n.factor_bits])
            m.d.comb += self.factor.eq(p.column)
        return m


class Lut2dScale(Scale):
    """Probability of one element: quotient[weight, aligned].

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: Lut2dNumerics

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
