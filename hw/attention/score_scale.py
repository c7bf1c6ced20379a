"""From an exact product of query and key to a score: multiply, round once, saturate."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.lib.arith import round_shift
from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig
from spec.attention import ScoreScale as Scale
from spec.fixed import Rounding

__all__ = ["ScoreScale", "ScoreScaleConfig"]

LOW_BITS = 17
"""Low bits of a product, multiplied apart from the rest, each by one hardware multiplier."""


@dataclass(frozen=True, kw_only=True)
class ScoreScaleConfig:
    """Formats of a `ScoreScale`.

    Parameters
    ----------
    product_bits
        Width of q·k, signed.
    scale
        Mantissa and shift.
    low, high
        Range of a score, symmetric or not; a score saturates to it.
    score_bits
        Width of a score.
    """

    product_bits: int
    scale: Scale
    low: int
    high: int
    score_bits: int

    @property
    def multiplies(self) -> bool:
        """Whether the mantissa is more than a shift."""
        return self.scale.mantissa != 1

    @property
    def low_multiplier(self) -> MultiplierConfig:
        """Mantissa times the low bits of a product, which have no sign, or times all of it."""
        whole = self.product_bits <= LOW_BITS + 1
        return MultiplierConfig(
            a_width=self.product_bits if whole else LOW_BITS,
            a_signed=whole,
            b_width=self.scale.mantissa.bit_length(),
        )

    @property
    def high_multiplier(self) -> MultiplierConfig | None:
        """Mantissa times what is above the low bits; None if there is nothing."""
        if self.product_bits <= LOW_BITS + 1:
            return None
        return MultiplierConfig(
            a_width=self.product_bits - LOW_BITS,
            a_signed=True,
            b_width=self.scale.mantissa.bit_length(),
        )

    @property
    def latency(self) -> int:
        """Cycles: multiply, join, round, compare, saturate."""
        multiply = self.low_multiplier.latency + 1 if self.multiplies else 0
        return multiply + 3

    @property
    def interval(self) -> int:
        """Cycles between two products: 1."""
        return 1


class ScoreScale(wiring.Component):
    """score = saturate(floor(product · mantissa / 2^shift + 1/2)).

    Contract: exact but for the one rounding; never stalls.

    *Timing*: latency `config.latency`, interval 1.

    *Members*: ``product``; ``score``.
    """

    product: Signal
    score: Signal

    def __init__(self, config: ScoreScaleConfig):
        self.config = config
        super().__init__(
            {
                "product": In(signed(config.product_bits)),
                "score": Out(signed(config.score_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two products joined, one rounding, two comparisons."""
        m = Module()
        config = self.config
        scale = config.scale
        with Pipe(m, "scale", latency=config.latency, valid=1, wide=self.product) as p:
            if config.multiplies:
                self._multiply(m, p)
            p.stage("round", scaled=round_shift(p.wide, scale.shift, Rounding.HALF_UP))
            # Outside the range is what a difference's sign says: carry chains without a tail.
            over = (config.high - p.scaled)[-1]
            under = (p.scaled - config.low)[-1]
            p.stage("compare", over=over, under=under, kept=p.scaled[: config.score_bits])
            clamped = Mux(p.over, config.high, Mux(p.under, config.low, p.kept.as_signed()))
            p.stage("saturate", score=clamped[: config.score_bits])
            m.d.comb += self.score.eq(p.score)
        return m

    def _multiply(self, m: Module, p: Pipe) -> None:
        config = self.config
        low_config, high_config = config.low_multiplier, config.high_multiplier
        m.submodules.low = low = Multiplier(low_config)
        m.d.comb += [
            low.a.eq(p.wide[: low_config.a_width]),
            low.b.eq(config.scale.mantissa),
        ]
        if high_config is None:
            p.through(low_config.latency, product=low.o)
            p.stage("join", wide=p.product)
            return
        m.submodules.high = high = Multiplier(high_config)
        m.d.comb += [
            high.a.eq(p.wide[LOW_BITS:]),
            high.b.eq(config.scale.mantissa),
        ]
        p.through(low_config.latency, low=low.o, high=high.o)
        joined = Signal(signed(len(p.high) + LOW_BITS))
        m.d.comb += joined.eq((p.high << LOW_BITS) + p.low)
        p.stage("join", wide=joined)
