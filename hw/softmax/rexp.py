"""The reciprocal-exponential method in gates: two look-ups and one product.

The equations, formats and tables are those of ``spec.softmax.rexp`` (our reading of
arXiv 2111.10770). All three units have a fixed latency, an interval of one cycle, and never stall.
"""

from amaranth.hdl import Module, Mux

from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.prim.ram import Rom, RomConfig
from hw.softmax.ones import OnesDivider, OnesDividerConfig, sum_divider
from hw.softmax.roles import Element, Factor, Scale
from hw.softmax.steps import distance_in_steps
from spec.softmax import RexpNumerics

__all__ = ["RexpElement", "RexpFactor", "RexpScale"]


class RexpElement(Element):
    """Exponential of one element from the table.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: RexpNumerics

    @staticmethod
    def _rom_config(n: RexpNumerics) -> RomConfig:
        return RomConfig(width=n.exp.width, entries=n.exp.entries)

    @classmethod
    def latency_of(cls, n: RexpNumerics) -> int:
        """Cycles: three to the step, look up, hide."""
        return 3 + cls._rom_config(n).latency + 1

    def elaborate(self, platform: object) -> Module:
        """Distance to step, step to exponential."""
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
            distance_in_steps(p, per_unit=1, frac=n.score_frac, last=len(n.exp) - 1)
            m.d.comb += exp.address.eq(p.step)
            p.through(exp.config.latency, exp=exp.data, keep=("visible",))
            p.stage("hide", weight=Mux(p.visible, p.exp, 0)[: n.weight_bits])
            m.d.comb += [self.weight.eq(p.weight), self.addend.eq(p.weight)]
        return m


class RexpFactor(Factor):
    """Row factor of a sum: alpha[min(round(sum / one), entries - 1)].

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: RexpNumerics

    @staticmethod
    def _rom_config(n: RexpNumerics) -> RomConfig:
        return RomConfig(width=n.alpha.width, entries=n.alpha.entries)

    @classmethod
    def latency_of(cls, n: RexpNumerics) -> int:
        """Cycles: divide, clip, look up."""
        return sum_divider(n).latency + 1 + cls._rom_config(n).latency

    def elaborate(self, platform: object) -> Module:
        """Divide, clip, look up."""
        m = Module()
        n = self.numerics
        m.submodules.units = units = OnesDivider(sum_divider(n))
        m.submodules.alpha = alpha = Rom(self._rom_config(n))
        m.d.comb += units.i.eq(self.total)
        with Pipe(m, "factor", latency=self.latency_of(n), valid=1) as p:
            p.through(units.config.latency, units=units.o)
            last = n.alpha_entries - 1
            clipped = Mux(p.units > last, last, p.units)
            p.stage("clip", index=clipped[: alpha.config.address_width])
            m.d.comb += alpha.address.eq(p.index)
            p.through(alpha.config.latency, factor=alpha.data)
            m.d.comb += self.factor.eq(p.factor)
        return m


class RexpScale(Scale):
    """Probability of one element: p = round(weight aligned / one).

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: RexpNumerics

    @staticmethod
    def _product_config(n: RexpNumerics) -> MultiplierConfig:
        return MultiplierConfig(a_width=n.weight_bits, b_width=n.aligned_bits)

    @staticmethod
    def _divider_config(n: RexpNumerics) -> OnesDividerConfig:
        return OnesDividerConfig(max_value=n.full_scale**2, ones=n.addend_bits)

    @classmethod
    def latency_of(cls, n: RexpNumerics) -> int:
        """Cycles: multiply, divide."""
        return cls._product_config(n).latency + cls._divider_config(n).latency

    def elaborate(self, platform: object) -> Module:
        """Multiply, divide by one."""
        m = Module()
        n = self.numerics
        m.submodules.product = product = Multiplier(self._product_config(n))
        m.submodules.units = units = OnesDivider(self._divider_config(n))
        m.d.comb += [
            product.a.eq(self.weight),
            product.b.eq(self.aligned),
            units.i.eq(product.o),
        ]
        with Pipe(m, "scale", latency=self.latency_of(n), valid=1) as p:
            p.through(product.config.latency)
            p.through(units.config.latency, p=units.o)
            m.d.comb += self.p.eq(p.p)
        return m
