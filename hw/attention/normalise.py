"""A row's sums times its factor: shift, multiply, round once, saturate."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.arith import round_shift
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe, delay
from hw.prim.multiply import Multiplier, MultiplierConfig
from spec.fixed import Rounding

__all__ = ["ALIGNED_BITS", "MANTISSA_BITS", "Normaliser", "NormaliserConfig"]

MANTISSA_BITS = 18
"""Bits of a factor's mantissa, unsigned."""

ALIGNED_BITS = 18
"""Bits of a shifted sum, signed."""

SHIFT_BITS_A_STAGE = 2
"""Bits of the exponent, and so levels of multiplexers, between two registers."""

LANES_A_GROUP = 4
"""Lanes that one set of a factor's registers reaches: lanes stand as far apart as the columns of
the value array from which their sums come."""


@dataclass(frozen=True, kw_only=True)
class NormaliserConfig:
    """Formats of a normaliser.

    Parameters
    ----------
    sum_bits
        Bits of a sum, at least 2.
    lanes
        Sums of a word.
    exponent_bits
        Bits of a factor's exponent, at least 1.
    base_shift
        What a sum is shifted right by beside the exponent; negative shifts left.
    product_shift
        What the product is shifted right by, 0 to 35.
    output_bits
        Bits of a value: 8 or 16.
    tag_shape
        Shape of what goes beside a word.
    """

    sum_bits: int
    lanes: int
    exponent_bits: int
    base_shift: int
    product_shift: int
    output_bits: int
    tag_shape: ShapeLike

    def __post_init__(self) -> None:
        for field, low in (("sum_bits", 2), ("lanes", 1), ("exponent_bits", 1)):
            if getattr(self, field) < low:
                raise ValueError(
                    f"NormaliserConfig.{field} must be at least {low}, got {getattr(self, field)}"
                )
        most = MANTISSA_BITS + ALIGNED_BITS - 1
        if not 0 <= self.product_shift <= most:
            raise ValueError(
                f"NormaliserConfig.product_shift must be from 0 to {most}, got {self.product_shift}"
            )
        if self.output_bits not in (8, 16):
            raise ValueError(
                f"NormaliserConfig.output_bits must be 8 or 16, got {self.output_bits}"
            )
        Shape.cast(self.tag_shape)

    @property
    def multiplier(self) -> MultiplierConfig:
        """The multiplier of a shifted sum and a mantissa."""
        return MultiplierConfig(a_width=ALIGNED_BITS, a_signed=True, b_width=MANTISSA_BITS)

    @property
    def shift_stages(self) -> int:
        """Stages that shift by the exponent."""
        return -(-self.exponent_bits // SHIFT_BITS_A_STAGE)

    @property
    def groups(self) -> int:
        """Groups of lanes that share the registers of a factor."""
        return -(-self.lanes // LANES_A_GROUP)

    @property
    def group_latency(self) -> int:
        """Cycles from a sum to its value in one group.

        Broadcast, shift, two to saturate, product, rounding, two to saturate.
        """
        return 1 + self.shift_stages + 2 + self.multiplier.latency + 1 + 2

    @property
    def latency(self) -> int:
        """Cycles from a sum to its value: the last group's, which the others wait for."""
        return self.groups - 1 + self.group_latency

    @property
    def interval(self) -> int:
        """Cycles between two words: 1."""
        return 1

    @property
    def i_shape(self) -> StructLayout:
        """Sums of one row, and the row's factor."""
        return StructLayout(
            {
                "sum": ArrayLayout(signed(self.sum_bits), self.lanes),
                "mantissa": MANTISSA_BITS,
                "exponent": self.exponent_bits,
                "zero": 1,
                "tag": self.tag_shape,
            }
        )

    @property
    def o_shape(self) -> StructLayout:
        """Values, and what was beside their sums."""
        return StructLayout(
            {"value": ArrayLayout(signed(self.output_bits), self.lanes), "tag": self.tag_shape}
        )


class Normaliser(wiring.Component):
    """value = round(aligned · mantissa / 2**product_shift), aligned = sum >> exponent + base_shift.

    Contract: the first shift drops bits, towards minus infinity, and saturates to `ALIGNED_BITS`
    signed bits; the second rounds half up, and saturates to `output_bits`. With `zero` the values
    are 0. Order is kept; nothing stalls.

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    i
        Push of {sum, mantissa, exponent, zero, tag}.
    o
        Push of {value, tag}.

    *Source*: docs/attention.md, "Numbers".
    """

    i: Push
    o: Push

    def __init__(self, config: NormaliserConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Build a pipeline for each group of lanes, each a cycle behind the one before."""
        m = Module()
        config, payload = self.config, self.i.payload
        factor = {key: payload[key] for key in ("mantissa", "exponent", "zero", "tag")}
        valid: Value = self.i.valid
        values: list[Value] = []
        for behind in range(config.groups):
            first = behind * LANES_A_GROUP
            lanes = range(first, min(first + LANES_A_GROUP, config.lanes))
            if behind:
                later = Signal(name=f"valid_{first}")
                m.d.sync += later.eq(valid)
                valid = later
                factor = {key: delay(m, f"{key}_{first}", each, 1) for key, each in factor.items()}
            sums = [delay(m, f"sum_{lane}", payload.sum[lane], behind) for lane in lanes]
            with Pipe(
                m, f"lanes_{first}", latency=config.group_latency, valid=valid, **factor
            ) as p:
                self._normalise(m, p, first, sums)
            if behind == config.groups - 1:
                m.d.comb += [self.o.valid.eq(p.valid), self.o.payload.tag.eq(p.tag)]
            values += [
                delay(m, f"value_{lane}", getattr(p, f"x_{k}"), config.groups - 1 - behind)
                for k, lane in enumerate(lanes)
            ]
        m.d.comb += [self.o.payload.value[k].eq(value) for k, value in enumerate(values)]
        return m

    def _normalise(self, m: Module, p: Pipe, first: int, sums: list[Value]) -> None:
        """The stages of one group of lanes, the first of which is `first`."""
        config, factor = self.config, ("mantissa", "exponent", "zero", "tag")
        lanes = range(len(sums))
        given = {f"x_{k}": _base_shifted(sums[k], config.base_shift) for k in lanes}
        p.stage("broadcast", **given, keep=factor)
        for stage in reversed(range(config.shift_stages)):
            low = stage * SHIFT_BITS_A_STAGE
            by = p.exponent[low : low + SHIFT_BITS_A_STAGE]
            shifted = {f"x_{k}": _shifted(getattr(p, f"x_{k}"), by, low) for k in lanes}
            p.stage("shift", **shifted, keep=factor)
        _saturate(p, len(sums), ALIGNED_BITS, keep=("mantissa", "tag"), zero=p.zero)

        products = {}
        for k in lanes:
            m.submodules[f"multiply_{first + k}"] = multiply = Multiplier(config.multiplier)
            m.d.comb += [multiply.a.eq(getattr(p, f"x_{k}")), multiply.b.eq(p.mantissa)]
            products[f"x_{k}"] = multiply.o
        p.through(config.multiplier.latency, **products, keep=("tag",))
        rounded = {
            f"x_{k}": round_shift(getattr(p, f"x_{k}"), config.product_shift, Rounding.HALF_UP)
            for k in lanes
        }
        p.stage("round", **rounded, keep=("tag",))
        _saturate(p, len(sums), config.output_bits, keep=("tag",), zero=Const(0, 1))


def _base_shifted(value: Value, shift: int) -> Value:
    """`value` shifted right, or left where `shift` is negative; at least its sign stays."""
    if shift < 0:
        return Cat(Const(0, -shift), value).as_signed()
    return value[min(shift, len(value) - 1) :].as_signed()


def _shifted(value: Value, by: Value, low: int) -> Value:
    """`value` shifted right by `by` · 2**low, in its own width."""
    value = value.as_unsigned()
    for bit in reversed(range(len(by))):
        amount = min(1 << low + bit, len(value) - 1)
        moved = Cat(value[amount:], value[-1].replicate(amount))
        value = Mux(by[bit], moved, value)
    return value.as_signed()


def _saturate(p: Pipe, lanes: int, width: int, *, keep: tuple[str, ...], zero: Value) -> None:
    """Two stages: every x_k to the nearest of `width` signed bits, or to 0 with `zero`."""
    values = {}
    for k in range(lanes):
        x = getattr(p, f"x_{k}")
        sign = x[-1]
        extended = Cat(x, sign.replicate(max(0, width - len(x))))
        # The bits that must all equal the sign for x to fit.
        above = sign if len(x) <= width else x[width - 1 : -1]
        values |= {
            f"x_{k}": Cat(extended[: width - 1], sign & ~zero),
            f"set_{k}": ~sign & above.any() & ~zero,
            f"clear_{k}": sign & ~above.all() | zero,
        }
    p.stage("measure", **values, keep=keep)
    clamped = {}
    for k in range(lanes):
        x, up, down = (getattr(p, f"{name}_{k}") for name in ("x", "set", "clear"))
        # Whatever happens to the rest, the sign stays as it is.
        rest = (x[:-1] | up.replicate(width - 1)) & ~down.replicate(width - 1)
        clamped[f"x_{k}"] = Cat(rest, x[-1]).as_signed()
    p.stage("clamp", **clamped, keep=keep)
