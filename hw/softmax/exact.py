"""The exact method in gates: 2^-t of a distance, one over a sum, and their product.

The equations, formats and tables are those of ``spec.softmax.exact``. All units have a fixed
latency, an interval of one cycle, and never stall.
"""

from amaranth.hdl import Cat, Const, Module

from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.prim.ram import Rom
from hw.softmax.exponent import (
    SHIFT_STAGES,
    distance_config,
    fraction_config,
    normalise,
    normalise_stages,
    reciprocal_config,
    shift_down,
    shift_of,
)
from hw.softmax.roles import Align, Element, Factor, Scale
from spec.softmax import ExactNumerics

__all__ = ["ExactAlign", "ExactElement", "ExactFactor", "ExactScale"]


class ExactElement(Element):
    """Weight of one element: W = floor(fraction[f] 2^guard / 2^n), t = d log2(e) = n + f.

    Contract: an invisible element weighs 0. A shift of `sum_weight_bits` or more leaves 0.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactNumerics

    @staticmethod
    def latency_of(n: ExactNumerics) -> int:
        """Cycles: multiply, look up, shift by 0 to 3, shift by multiples of 4."""
        return distance_config(n).latency + fraction_config(n).latency + SHIFT_STAGES

    def elaborate(self, platform: object) -> Module:
        """Reduce the range, look the fraction up, shift."""
        m = Module()
        n = self.numerics
        m.submodules.scale = scale = Multiplier(distance_config(n))
        m.submodules.fraction = fraction = Rom(fraction_config(n))
        m.d.comb += [scale.a.eq(self.distance), scale.b.eq(n.log2e)]
        with Pipe(m, "element", latency=self.latency_of(n), valid=1, visible=self.visible) as p:
            p.through(scale.config.latency, t=scale.o, keep=("visible",))
            m.d.comb += fraction.address.eq(
                p.t[n.exponent_frac - n.fraction_index_bits : n.exponent_frac]
            )
            p.through(0, keep=("visible",), **shift_of(m, n, p.t, p.visible))
            p.through(fraction.config.latency, entry=fraction.data, keep=("shift", "gone"))
            shift_down(p, n, Cat(p.entry, Const(1, 1)))
            m.d.comb += [self.addend.eq(p.addend), self.weight.eq(p.addend[n.dropped_bits :])]
        return m


class ExactFactor(Factor):
    """Row factor of a sum S = 2^(k + bits - 1) m: the reciprocal of m from the table, and k.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactNumerics

    @classmethod
    def latency_of(cls, n: ExactNumerics) -> int:
        """Cycles: normalise, look up."""
        return normalise_stages(n) + reciprocal_config(n).latency

    def elaborate(self, platform: object) -> Module:
        """Shift the leading one to the top, counting; look up what follows it."""
        m = Module()
        n = self.numerics
        m.submodules.reciprocal = reciprocal = Rom(reciprocal_config(n))
        with Pipe(m, "factor", latency=self.latency_of(n), valid=1, total=self.total) as p:
            normalise(p, n)
            m.d.comb += reciprocal.address.eq(p.mantissa)
            p.through(reciprocal.config.latency, entry=reciprocal.data, keep=("k",))
            m.d.comb += self.factor.eq(Cat(p.entry, p.k))
        return m


class ExactAlign(Align):
    """Row factor with its exponent spent: F = floor(reciprocal 2^g / 2^k).

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactNumerics

    @staticmethod
    def latency_of(n: ExactNumerics) -> int:
        """Cycles: shift by 0 to 3, shift by multiples of 4."""
        return 2

    def elaborate(self, platform: object) -> Module:
        """Shift down in two stages."""
        m = Module()
        n = self.numerics
        bits = n.factor_mantissa_bits
        reciprocal, k = self.factor[:bits], self.factor[bits:]
        wide = Cat(Const(0, n.aligned_bits - bits), reciprocal)
        with Pipe(m, "align", latency=self.latency_of(n), valid=1, wide=wide, k=k) as p:
            p.stage("shift_fine", fine=p.wide >> p.k[:2], coarse=p.k[2:])
            p.stage("shift_coarse", aligned=p.fine >> Cat(Const(0, 2), p.coarse))
            m.d.comb += self.aligned.eq(p.aligned)
        return m


class ExactScale(Scale):
    """Probability of one element: p = floor(weight factor / 2^shift + 1/2).

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactNumerics

    @staticmethod
    def _product_config(n: ExactNumerics) -> MultiplierConfig:
        return MultiplierConfig(a_width=n.weight_bits, b_width=n.aligned_bits)

    @classmethod
    def latency_of(cls, n: ExactNumerics) -> int:
        """Cycles: multiply, round."""
        return cls._product_config(n).latency + 1

    def elaborate(self, platform: object) -> Module:
        """Multiply and round half up; the tables keep the result within its bits."""
        m = Module()
        n = self.numerics
        m.submodules.product = product = Multiplier(self._product_config(n))
        m.d.comb += [product.a.eq(self.weight), product.b.eq(self.aligned)]
        with Pipe(m, "scale", latency=self.latency_of(n), valid=1) as p:
            p.through(product.config.latency, product=product.o)
            # Below the lowest one of the constant an adder would do nothing.
            idle = (n.rounding & -n.rounding).bit_length() - 1
            rounded = (p.product[idle:] + (n.rounding >> idle)) >> n.product_shift - idle
            p.stage("round", p=rounded[: n.output_bits])
            m.d.comb += self.p.eq(p.p)
        return m
