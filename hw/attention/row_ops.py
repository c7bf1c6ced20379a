"""What each row operation builds: a unit for an element, and one for a row's sum.

The equations are those of ``spec.rows``. All units have a fixed latency, which
``latency_of(operation)`` states, an interval of one cycle, and never stall.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.expr.build import ExprConfig, ExprUnit
from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.softmax.exact_wide import ExactWideElement, ExactWideFactor
from hw.softmax.methods import units_of
from spec.rows import MANTISSA_BITS, ElementRow, ExactRow, RowNumerics, TableRow

__all__ = [
    "ExprElement",
    "RoundedElement",
    "RowUnits",
    "SumFactor",
    "constant_factor",
    "final_shape",
    "row_units_of",
    "weight_shape",
]


def weight_shape(operation: RowNumerics) -> Shape:
    """Shape of what a value is weighed by."""
    return Shape(operation.weight_bits, operation.weight_signed)


def constant_factor(operation: ElementRow | TableRow) -> Const:
    """A factor that no row's sum is asked for: the mantissa, and an exponent of 0 above it."""
    mantissa = operation.final.mantissa
    assert mantissa is not None
    return Const(mantissa, MANTISSA_BITS + operation.exponent_bits)


def final_shape(operation: RowNumerics) -> StructLayout:
    """What a row's outputs are scaled by, and whether it sees no key."""
    return StructLayout(
        {"mantissa": MANTISSA_BITS, "exponent": operation.exponent_bits, "empty": 1}
    )


class RoundedElement(wiring.Component):
    """Exact softmax's weight of a distance, rounded: min(floor(a / 2^n + 1/2), 2^prob_bits - 1).

    Contract: a is `hw.softmax.exact_wide.ExactWideElement`'s addend; an invisible element weighs 0.

    *Timing*: latency `latency_of(operation)`.

    *Members*: ``distance``, ``visible``; ``weight``, and ``addend``, which is the same.
    """

    distance: Signal
    visible: Signal
    weight: Signal
    addend: Signal

    def __init__(self, operation: ExactRow):
        self.operation = operation
        super().__init__(
            {
                "distance": In(unsigned(operation.element.score_bits)),
                "visible": In(1),
                "weight": Out(unsigned(operation.weight_bits)),
                "addend": Out(unsigned(operation.weight_bits)),
            }
        )

    @property
    def _overflows(self) -> bool:
        """Whether the greatest exact weight, of distance 0, rounds to 2^prob_bits."""
        n, shift = self.operation.element, self.operation.weight_shift
        entry = n.fraction.entries[0] + (1 << n.fraction_bits - 1)
        greatest = (entry * n.line_start >> n.fraction_bits) << n.guard_bits
        return (greatest + (1 << shift - 1)) >> shift > (1 << self.operation.weight_bits) - 1

    @staticmethod
    def latency_of(operation: ExactRow) -> int:
        """Cycles: the exact weight, and its rounding."""
        return ExactWideElement.latency_of(operation.element) + 1

    def elaborate(self, platform: object) -> Module:
        """Add the half where there is room for it."""
        m = Module()
        m.submodules.exact = exact = ExactWideElement(self.operation.element)
        m.d.comb += [exact.distance.eq(self.distance), exact.visible.eq(self.visible)]
        shift = self.operation.weight_shift
        kept, up = exact.addend[shift:], exact.addend[shift - 1]
        if self._overflows:
            up &= ~kept.all()
        m.d.sync += self.weight.eq(kept + up)
        m.d.comb += self.addend.eq(self.weight)
        return m


class ExprElement(wiring.Component):
    """Weight of a score by the operation's expression, 0 where invisible; and what is summed of it.

    Contract: where the row is divided by Σ |w|, the addend is |w|; else nothing is summed.

    *Timing*: latency `latency_of(operation)`.

    *Members*: ``score``, ``visible``; ``weight``, ``addend``.
    """

    score: Signal
    visible: Signal
    weight: Signal
    addend: Signal

    def __init__(self, operation: ElementRow):
        self.operation = operation
        super().__init__(
            {
                "score": In(signed(operation.context.score.width)),
                "visible": In(1),
                "weight": Out(weight_shape(operation)),
                "addend": Out(unsigned(operation.weight_bits if operation.absolute else 0)),
            }
        )

    @staticmethod
    def latency_of(operation: ElementRow) -> int:
        """Cycles: the expression, and hiding."""
        return _expression(operation).latency + 1

    def elaborate(self, platform: object) -> Module:
        """Work the expression out for every score, and hide what is masked."""
        m = Module()
        config = _expression(self.operation)
        m.submodules.expression = unit = ExprUnit(config)
        outputs = {name: getattr(unit, name) for name in config.outputs}
        m.d.comb += unit.s.eq(self.score)  # type: ignore[attr-defined]
        latency = self.latency_of(self.operation)
        with Pipe(m, "element", latency=latency, valid=1, visible=self.visible) as p:
            p.through(config.latency, **outputs, keep=("visible",))
            weight = Mux(p.visible, p.weight, 0)
            if self.operation.absolute:
                p.stage("hide", weight=weight, addend=Mux(p.visible, p.addend, 0))
                m.d.comb += self.addend.eq(p.addend)
            else:
                p.stage("hide", weight=weight)
            m.d.comb += self.weight.eq(p.weight)
        return m


@lru_cache(maxsize=64)
def _expression(operation: ElementRow) -> ExprConfig:
    """The weight, and where it is summed its absolute value."""
    summed = {"addend": abs(operation.expr)} if operation.absolute else {}
    return ExprConfig(roots={"weight": operation.expr, **summed})


class SumFactor(wiring.Component):
    """A row's final scale from its sum S = m 2^(k + floor_bits): 1 / m, times the ratio, and k.

    Contract: a sum below 2^floor_bits counts as that for a row divided by max(Σ |w|, 1). A softmax
    has none but 0, of an empty row, whose scale depends on nothing else.

    *Timing*: latency `latency_of(operation)`.

    *Members*: ``total``; ``factor``, the mantissa in 2^-18 and above it the exponent k.
    """

    total: Signal
    factor: Signal

    RATIO = MultiplierConfig(a_width=MANTISSA_BITS, b_width=MANTISSA_BITS)

    def __init__(self, operation: ExactRow | ElementRow):
        self.operation = operation
        super().__init__(
            {
                "total": In(unsigned(operation.sum_bits)),
                "factor": Out(unsigned(MANTISSA_BITS + operation.exponent_bits)),
            }
        )

    @classmethod
    def latency_of(cls, operation: ExactRow | ElementRow) -> int:
        """Cycles: the floor where there is one, the reciprocal, the ratio where there is one."""
        floor = isinstance(operation, ElementRow)
        ratio = 0 if operation.ratio_mantissa is None else cls.RATIO.latency
        return floor + ExactWideFactor.latency_of(operation.factor) + ratio

    def elaborate(self, platform: object) -> Module:
        """Raise to the floor, invert, multiply."""
        m = Module()
        operation = self.operation
        m.submodules.reciprocal = reciprocal = ExactWideFactor(operation.factor)
        with Pipe(m, "final", latency=self.latency_of(operation), valid=1, total=self.total) as p:
            if isinstance(operation, ElementRow):
                floor = operation.floor_bits
                p.stage("floor", total=Mux(p.total[floor:].any(), p.total, 1 << floor))
            m.d.comb += reciprocal.total.eq(p.total << operation.factor_shift)
            mantissa: Value = reciprocal.factor[:MANTISSA_BITS]
            p.through(
                ExactWideFactor.latency_of(operation.factor),
                mantissa=mantissa,
                exponent=reciprocal.factor[MANTISSA_BITS:],
            )
            if operation.ratio_mantissa is not None:
                m.submodules.ratio = ratio = Multiplier(self.RATIO)
                m.d.comb += [ratio.a.eq(p.mantissa), ratio.b.eq(operation.ratio_mantissa)]
                p.through(self.RATIO.latency, mantissa=ratio.o[MANTISSA_BITS:], keep=("exponent",))
            m.d.comb += self.factor.eq(Cat(p.mantissa, p.exponent))
        return m


class RowUnits(NamedTuple):
    """Units of fixed latency that make up a row operation.

    Attributes
    ----------
    element, element_latency
        Makes a unit with ``visible`` and either ``distance`` or ``score`` to ``weight`` and
        ``addend``.
    weight
        Shape of a weight.
    addend_bits, sum_bits
        Widths of what is summed over a row, and of the sum; 0 where nothing is.
    factor, factor_latency
        Makes a unit of ``total`` to ``factor``; None and 0 where nothing is summed.
    row
        Shape of what is known of a row at last: the factor, and whether the row is empty.
    """

    element: Callable[[], Any]
    element_latency: int
    weight: Shape
    addend_bits: int
    sum_bits: int
    factor: Callable[[], Any] | None
    factor_latency: int
    row: StructLayout


@lru_cache(maxsize=64)
def row_units_of(operation: RowNumerics) -> RowUnits:
    """The units of a row operation; of a table method those before the division."""
    if isinstance(operation, TableRow):
        n, units = operation.numerics, units_of(operation.numerics)
        return RowUnits(
            element=partial(units.element, n),
            element_latency=units.element.latency_of(n),
            weight=unsigned(n.weight_bits),
            addend_bits=n.addend_bits,
            sum_bits=n.sum_bits,
            factor=partial(units.factor, n),
            factor_latency=units.factor.latency_of(n),
            row=StructLayout({"factor": n.factor_bits, "empty": 1}),
        )
    summed = isinstance(operation, ExactRow) or operation.absolute
    if isinstance(operation, ExactRow):
        element, latency = partial(RoundedElement, operation), RoundedElement.latency_of(operation)
    else:
        element, latency = partial(ExprElement, operation), ExprElement.latency_of(operation)
    return RowUnits(
        element=element,
        element_latency=latency,
        weight=weight_shape(operation),
        addend_bits=operation.weight_bits if summed else 0,
        sum_bits=operation.sum_bits if summed else 0,
        factor=partial(SumFactor, operation) if summed else None,
        factor_latency=SumFactor.latency_of(operation) if summed else 0,
        row=final_shape(operation),
    )
