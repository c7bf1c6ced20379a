"""The exact method for 16-bit outputs in gates: a straight line after the table, Newton's step.

The equations, formats and tables are those of ``spec.softmax.exact_wide``. Aligning and scaling are
those of ``hw.softmax.exact``. Both units have a fixed latency, an interval of one cycle, and never
stall.
"""

from dataclasses import replace

from amaranth.hdl import Cat, Const, Module, Signal

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
from hw.softmax.roles import Element, Factor
from spec.softmax import ExactWideNumerics
from spec.softmax.exact_wide import SLOPE_FRAC

__all__ = ["ExactWideElement", "ExactWideFactor"]


class ExactWideElement(Element):
    """Weight of one element: W = floor(fraction[f_high] line(f_low) 2^guard / 2^n).

    Contract: as `hw.softmax.exact.ExactElement`.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactWideNumerics

    @staticmethod
    def _distance_config(n: ExactWideNumerics) -> MultiplierConfig:
        return replace(distance_config(n), b_constant=n.log2e, far=True)

    @staticmethod
    def _drop_config(n: ExactWideNumerics) -> MultiplierConfig:
        width = n.slope.bit_length()
        return MultiplierConfig(a_width=n.fine_bits, b_width=width, b_constant=n.slope, far=True)

    @staticmethod
    def _mantissa_config(n: ExactWideNumerics) -> MultiplierConfig:
        return MultiplierConfig(a_width=n.fraction_bits, b_width=n.fraction_bits, far=True)

    @classmethod
    def latency_of(cls, n: ExactWideNumerics) -> int:
        """Cycles: multiply, look up beside the line's product, subtract, multiply, shift."""
        line = cls._drop_config(n).latency + 1
        return (
            cls._distance_config(n).latency + line + cls._mantissa_config(n).latency + SHIFT_STAGES
        )

    def elaborate(self, platform: object) -> Module:
        """Reduce the range, look up and interpolate, multiply, shift."""
        m = Module()
        n = self.numerics
        m.submodules.scale = scale = Multiplier(self._distance_config(n))
        m.submodules.fraction = fraction = Rom(fraction_config(n))
        m.submodules.drop = drop = Multiplier(self._drop_config(n))
        m.submodules.mantissa = mantissa = Multiplier(self._mantissa_config(n))
        m.d.comb += [scale.a.eq(self.distance), scale.b.eq(n.log2e), drop.b.eq(n.slope)]
        with Pipe(m, "element", latency=self.latency_of(n), valid=1, visible=self.visible) as p:
            p.through(scale.config.latency, t=scale.o, keep=("visible",))
            high_at = n.exponent_frac - n.fraction_index_bits
            m.d.comb += [
                fraction.address.eq(p.t[high_at : n.exponent_frac]),
                drop.a.eq(p.t[high_at - n.fine_bits : high_at]),
            ]
            p.through(0, keep=("visible",), **shift_of(m, n, p.t, p.visible))
            keep = ("shift", "gone")
            p.through(fraction.config.latency, entry=fraction.data, keep=keep)
            ahead = drop.config.latency - fraction.config.latency
            p.through(ahead, drop=drop.o, keep=("entry", *keep))
            line = (n.line_start - (p.drop >> SLOPE_FRAC))[: n.fraction_bits]
            p.stage("line", line=line, entry=Cat(p.entry, Const(1, 1)), keep=keep)
            m.d.comb += [mantissa.a.eq(p.entry), mantissa.b.eq(p.line)]
            p.through(mantissa.config.latency, mantissa=mantissa.o[n.fraction_bits :], keep=keep)
            shift_down(p, n, p.mantissa)
            m.d.comb += [self.addend.eq(p.addend), self.weight.eq(p.addend[n.dropped_bits :])]
        return m


class ExactWideFactor(Factor):
    """Row factor of a sum: reciprocal r of its mantissa m, refined to r + r (1 - m r), and k.

    Contract: as `hw.softmax.exact.ExactFactor`.

    *Timing*: latency `latency_of(numerics)`.
    """

    numerics: ExactWideNumerics

    @staticmethod
    def _product_config(n: ExactWideNumerics) -> MultiplierConfig:
        return MultiplierConfig(a_width=n.mantissa_bits, b_width=n.reciprocal_bits)

    @staticmethod
    def _correction_config(n: ExactWideNumerics) -> MultiplierConfig:
        return MultiplierConfig(a_width=n.short_bits, a_signed=True, b_width=n.reciprocal_bits)

    @classmethod
    def latency_of(cls, n: ExactWideNumerics) -> int:
        """Cycles: normalise, look up, multiply, subtract, multiply, add."""
        products = cls._product_config(n).latency + cls._correction_config(n).latency
        return normalise_stages(n) + reciprocal_config(n).latency + products + 2

    def elaborate(self, platform: object) -> Module:
        """Normalise, look up, and take Newton's step with two products."""
        m = Module()
        n = self.numerics
        m.submodules.reciprocal = reciprocal = Rom(reciprocal_config(n))
        m.submodules.product = product = Multiplier(self._product_config(n))
        m.submodules.correction = correction = Multiplier(self._correction_config(n))
        with Pipe(m, "factor", latency=self.latency_of(n), valid=1, total=self.total) as p:
            normalise(p, n)
            m.d.comb += reciprocal.address.eq(p.mantissa[-n.reciprocal_index_bits :])
            p.through(reciprocal.config.latency, entry=reciprocal.data, keep=("k", "mantissa"))
            m.d.comb += [product.a.eq(p.mantissa), product.b.eq(p.entry)]
            # What the leading one and half a unit take is subtracted while the rest is multiplied;
            # last, so that the table's entry has left its block memory.
            p.through(product.config.latency - 1, keep=("k", "entry"))
            left = n.one - (p.entry << n.mantissa_bits) - (p.entry >> 1)
            p.stage("lead", left=left, keep=("k", "entry"))
            p.through(0, product=product.o, keep=("left", "k", "entry"))
            short = Signal(self._correction_config(n).a_shape)
            m.d.comb += short.eq((p.left - p.product) >> n.short_shift)
            p.stage("subtract", short=short, keep=("k", "entry"))
            m.d.comb += [correction.a.eq(p.short), correction.b.eq(p.entry)]
            p.through(correction.config.latency, correction=correction.o, keep=("k", "entry"))
            step = n.correction_shift
            refined = Signal(n.factor_mantissa_bits)
            # The half that rounds stands just below the entry, and needs no adder of its own.
            lead = Cat(Const(1, 1), Const(0, n.aligned_bits - n.reciprocal_bits), p.entry)
            m.d.comb += refined.eq((lead + (p.correction >> step - 1)) >> 1)
            p.stage("add", refined=refined, keep=("k",))
            m.d.comb += self.factor.eq(Cat(p.refined, p.k))
        return m
