"""Division by 2^v - 1, rounded to nearest, with adders only."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.lib.arith import greater
from hw.lib.pipe import Pipe
from spec.softmax.paper import PaperNumerics

__all__ = ["OnesDivider", "OnesDividerConfig", "sum_divider"]


@dataclass(frozen=True, kw_only=True)
class OnesDividerConfig:
    """Range of a division by ones.

    Parameters
    ----------
    max_value
        Largest dividend, at least 0.
    ones
        v: the divisor is 2^v - 1; at least 2.
    """

    max_value: int
    ones: int

    def __post_init__(self) -> None:
        if self.max_value < 0:
            raise ValueError(
                f"OnesDividerConfig.max_value must be at least 0, got {self.max_value}"
            )
        if self.ones < 2:
            raise ValueError(f"OnesDividerConfig.ones must be at least 2, got {self.ones}")

    @property
    def divisor(self) -> int:
        """2^v - 1."""
        return (1 << self.ones) - 1

    @property
    def rounded_max(self) -> int:
        """Largest dividend after half the divisor is added; the divisor is odd: no tie exists."""
        return self.max_value + self.divisor // 2

    @property
    def remainders(self) -> tuple[int, ...]:
        """Bound of what is left to divide after each fold; the last is below twice the divisor."""
        bounds = [self.rounded_max]
        while bounds[-1] >= 2 * self.divisor:
            bounds.append((bounds[-1] >> self.ones) + self.divisor)
        return tuple(bounds)

    @property
    def latency(self) -> int:
        """Cycles: one to round, one a fold, one to compare, one to add."""
        return len(self.remainders) + 2

    @property
    def interval(self) -> int:
        """Cycles between dividends."""
        return 1


class OnesDivider(wiring.Component):
    """o = round(i / (2^v - 1)), exactly.

    A value h 2^v + l is h (2^v - 1) + (h + l): each fold moves h into the quotient and leaves
    h + l, until what is left is below twice the divisor and one comparison ends it.

    *Timing*: latency `config.latency`, interval 1; it never stalls.

    *Members*: ``i`` the dividend, ``o`` the quotient.
    """

    i: Signal
    o: Signal

    def __init__(self, config: OnesDividerConfig):
        self.config = config
        quotient_max = config.rounded_max // config.divisor
        super().__init__({"i": In(range(config.max_value + 1)), "o": Out(range(quotient_max + 1))})

    def elaborate(self, platform: object) -> Module:
        """Round, fold, compare, add."""
        m = Module()
        config = self.config
        quotient_shape = self.o.shape()
        with Pipe(m, "divide", latency=config.latency, valid=1, value=self.i) as p:
            left = Signal(range(config.rounded_max + 1))
            m.d.comb += left.eq(p.value + config.divisor // 2)
            p.stage("round", left=left, quotient=Signal(quotient_shape))
            for fold, bound in enumerate(config.remainders[1:], 1):
                high, low = p.left[config.ones :], p.left[: config.ones]
                left = Signal(range(bound + 1), name=f"left_{fold}")
                quotient = Signal(quotient_shape, name=f"quotient_{fold}")
                m.d.comb += [left.eq(high + low), quotient.eq(p.quotient + high)]
                p.stage("fold", left=left, quotient=quotient)
            p.stage("compare", more=greater(p.left, config.divisor - 1), keep=("quotient",))
            quotient = Signal(quotient_shape, name="quotient")
            m.d.comb += quotient.eq(p.quotient + p.more)
            p.stage("add", quotient=quotient)
            m.d.comb += self.o.eq(p.quotient)
        return m


def sum_divider(n: PaperNumerics) -> OnesDividerConfig:
    """The division that turns a row sum into units of one."""
    return OnesDividerConfig(max_value=n.max_sum, ones=n.addend_bits)
