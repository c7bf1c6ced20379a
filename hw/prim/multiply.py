"""A registered multiplier: one interface, filled by plain Verilog or by a vendor's cell."""

from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.prim import ecp5, ice40
from hw.prim.adders import constant_multiplier, logic_multiplier
from hw.prim.target import Target, target_of
from spec.fixed import bounds

MAX_OPERAND_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class MultiplierConfig:
    """Shapes of a multiplier's operands.

    Parameters
    ----------
    a_width, b_width
        Bits of each operand, 1 to 64.
    a_signed, b_signed
        Whether each operand is in two's complement.
    b_constant
        The value of `b` where it never changes; its user drives it all the same. On iCE40, and
        where it is `far`, such a multiplier is a few adders, and leaves the cells to others.
    far
        Whether there is a third rank of registers. Where multipliers stand in columns of their own,
        that halves the way from a product to its user; on iCE40 UltraPlus it is one of the cell's.
    logic
        Whether it is made of adders, which leaves a vendor's cells to others.
    """

    a_width: int
    b_width: int
    a_signed: bool = False
    b_signed: bool = False
    b_constant: int | None = None
    far: bool = False
    logic: bool = False

    def __post_init__(self) -> None:
        for field in ("a_width", "b_width"):
            width = getattr(self, field)
            if type(width) is not int or not 1 <= width <= MAX_OPERAND_WIDTH:
                raise ValueError(
                    f"MultiplierConfig.{field} must be an integer from 1 to {MAX_OPERAND_WIDTH}, "
                    f"not {width!r}"
                )
        for field in ("a_signed", "b_signed", "far", "logic"):
            signed = getattr(self, field)
            if type(signed) is not bool:
                raise ValueError(f"MultiplierConfig.{field} must be True or False, not {signed!r}")
        low, high = bounds(self.b_width, self.b_signed)
        if self.b_constant is not None and not low <= self.b_constant <= high:
            raise ValueError(
                f"MultiplierConfig.b_constant must be from {low} to {high}, not {self.b_constant}"
            )

    @property
    def latency(self) -> int:
        """Cycles from the operands to their product: 2, and one more if it is `far`."""
        return 2 + self.far

    @property
    def interval(self) -> int:
        """Cycles between two pairs of operands: 1."""
        return 1

    @property
    def product_width(self) -> int:
        """Bits that hold every product, `a_width` + `b_width`."""
        return self.a_width + self.b_width

    @property
    def a_shape(self) -> Shape:
        """Shape of the first operand."""
        return Shape(self.a_width, self.a_signed)

    @property
    def b_shape(self) -> Shape:
        """Shape of the second operand."""
        return Shape(self.b_width, self.b_signed)

    @property
    def product_shape(self) -> Shape:
        """Shape of the product: signed when either operand is."""
        return Shape(self.product_width, self.a_signed or self.b_signed)


class Multiplier(wiring.Component):
    """o = a × b, exactly, every cycle.

    Contract: no rounding and no overflow; order is kept; it never stalls, and it has neither an
    enable nor a reset, so that the registers inside a vendor's cell can serve. What comes out in
    the first `latency` cycles is not defined.

    A vendor's cell serves up to 18 × 18 bits: MULT18X18D on ECP5, and on iCE40 UltraPlus SB_MAC16,
    whose own 16 × 16 bits are completed by logic. A product by a constant may be adders. A wider
    product, and any other on a family without multipliers, is the plain ``*`` between the
    same two ranks of registers: equally correct, but slow. Split wide operands upstream where the
    clock matters.

    Synthesise for iCE40 without the option ``-dsp``: Yosys would switch the cell's registers off.
    An UltraPlus UP5K has eight such cells, and what is instantiated is not made of logic when they
    run out: the router refuses the design. `MultiplierPair` takes one for two products.

    *Timing*: latency `MultiplierConfig.latency`, interval 1.

    *Members*: ``a``, ``b`` operands, in `MultiplierConfig.a_shape` and `b_shape`; ``o`` their
    product, in `MultiplierConfig.product_shape`.
    """

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, config: MultiplierConfig):
        self.config = config
        super().__init__(
            {
                "a": In(config.a_shape),
                "b": In(config.b_shape),
                "o": Out(config.product_shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        target = target_of(platform)
        widest = max(self.config.a_width, self.config.b_width)
        constant = self.config.b_constant
        of_adders = self.config.far or target in (Target.ICE40, Target.ICE40_HX)
        if target is not Target.PORTABLE and constant is not None and of_adders:
            return constant_multiplier(self.a, constant, self.o, stages=self.config.latency)
        if target is not Target.PORTABLE and self.config.logic:
            return logic_multiplier(self.a, self.b, self.o, stages=self.config.latency)
        if self.config.far:
            if target is Target.ICE40 and widest <= ice40.OPERAND_WIDTH:
                return ice40.multiplier(self.a, self.b, self.o, stages=3)
            return self._far()
        if target is Target.ECP5 and widest <= ecp5.OPERAND_WIDTH:
            return ecp5.multiplier(self.a, self.b, self.o)
        if target is Target.ICE40 and widest <= ice40.OPERAND_WIDTH:
            return ice40.multiplier(self.a, self.b, self.o)
        if target is Target.ICE40 and widest <= ice40.WIDE_OPERAND_WIDTH:
            return ice40.wide_multiplier(self.a, self.b, self.o)
        return self._portable()

    def _far(self) -> Module:
        m = Module()
        m.submodules.near = near = Multiplier(replace(self.config, far=False))
        product_3 = Signal(self.config.product_shape, reset_less=True)
        m.d.comb += [near.a.eq(self.a), near.b.eq(self.b), self.o.eq(product_3)]
        m.d.sync += product_3.eq(near.o)
        return m

    def _portable(self) -> Module:
        m = Module()
        # Without a reset, so that synthesis may move them into a multiplier of its own choice.
        a_1 = Signal(self.config.a_shape, reset_less=True)
        b_1 = Signal(self.config.b_shape, reset_less=True)
        product_2 = Signal(self.config.product_shape, reset_less=True)
        m.d.sync += [a_1.eq(self.a), b_1.eq(self.b), product_2.eq(a_1 * b_1)]
        m.d.comb += self.o.eq(product_2)
        return m


class MultiplierPair(wiring.Component):
    """o[i] = a[i] × b[i], exactly, every cycle, for i of 0 and 1: two of `Multiplier`.

    Contract: that of `Multiplier`. On iCE40 UltraPlus one SB_MAC16 serves both products where no
    operand has more than 8 bits; elsewhere these are two multipliers.

    *Timing*: latency `MultiplierConfig.latency`, interval 1.

    *Members*: ``a``, ``b``, ``o``, arrays of two of the members of `Multiplier`.
    """

    a: Any
    b: Any
    o: Any

    def __init__(self, config: MultiplierConfig):
        self.config = config
        super().__init__(
            {
                "a": In(ArrayLayout(config.a_shape, 2)),
                "b": In(ArrayLayout(config.b_shape, 2)),
                "o": Out(ArrayLayout(config.product_shape, 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        m = Module()
        config = self.config
        widest = max(config.a_width, config.b_width)
        products = [Signal(config.product_shape, name=f"product_{half}") for half in range(2)]
        m.d.comb += [self.o[half].eq(products[half]) for half in range(2)]
        whole = target_of(platform) is Target.ICE40 and not config.logic
        if whole and widest <= ice40.HALF_OPERAND_WIDTH:
            a, b = ([Value.cast(x[half]) for half in range(2)] for x in (self.a, self.b))
            m.submodules.pair = ice40.multiplier_pair(a, b, products, stages=config.latency)
            return m
        for half, product in enumerate(products):
            m.submodules[f"single_{half}"] = single = Multiplier(config)
            m.d.comb += [
                single.a.eq(self.a[half]),
                single.b.eq(self.b[half]),
                product.eq(single.o),
            ]
        return m
