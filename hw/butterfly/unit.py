"""One butterfly unit: four multipliers, two words in and two out every cycle, in either mode."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.arith import saturate
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig

__all__ = ["PRODUCTS", "SHIFTS", "ButterflyUnit", "UnitConfig"]

PRODUCTS = 4
SHIFTS = 4
"""Right shifts −1, 0, 1 and 2, numbered from 0."""


@dataclass(frozen=True, kw_only=True)
class UnitConfig:
    """Formats of a butterfly unit, and what it can do.

    Parameters
    ----------
    word_bits
        Width of a component, 10 to 18.
    coefficient_bits
        Width of a coefficient, 8 to 18; all but two are after the point.
    fft, bpmm
        Which of the two steps it does: one or both.
    saturates
        Whether results may not fit, and are then saturated. Without it the caller promises that
        they do, as block floating point does.
    """

    word_bits: int
    coefficient_bits: int
    fft: bool = True
    bpmm: bool = False
    saturates: bool = False

    def __post_init__(self) -> None:
        for field, low in (("word_bits", 10), ("coefficient_bits", 8)):
            if not low <= getattr(self, field) <= 18:
                raise ValueError(
                    f"UnitConfig.{field} must be from {low} to 18, got {getattr(self, field)}"
                )
        if not (self.fft or self.bpmm):
            raise ValueError("UnitConfig must have fft or bpmm, got neither")

    @property
    def parts(self) -> int:
        """Components of a word: 2 if words are complex."""
        return 1 + self.fft

    @property
    def word_shape(self) -> ArrayLayout:
        """A word: its real part, then its imaginary part if there is one."""
        return ArrayLayout(signed(self.word_bits), self.parts)

    @property
    def frac(self) -> int:
        """Bits of a coefficient after the point."""
        return self.coefficient_bits - 2

    @property
    def finest(self) -> int:
        """Bits of a product that are below half a unit of the finest result, at shift −1."""
        return self.frac - 2

    @property
    def multiplier(self) -> MultiplierConfig:
        """The multiplier of a coefficient and a component."""
        return MultiplierConfig(
            a_width=self.coefficient_bits,
            a_signed=True,
            b_width=self.word_bits,
            b_signed=True,
        )

    @property
    def latency(self) -> int:
        """Cycles from words to results.

        Product and a register behind it, sums of two, operands, sums, shift; saturation.
        """
        return self.multiplier.latency + 1 + 1 + 1 + 1 + 1 + self.saturates

    @property
    def interval(self) -> int:
        """Cycles between pairs."""
        return 1

    @property
    def i_shape(self) -> StructLayout:
        """Two words, four coefficients, the shift's number, and the mode."""
        return StructLayout(
            {
                "a": self.word_shape,
                "b": self.word_shape,
                "coefficient": ArrayLayout(signed(self.coefficient_bits), PRODUCTS),
                "shift": range(SHIFTS),
                "bpmm": 1,
            }
        )

    @property
    def o_shape(self) -> StructLayout:
        """Two results, and whether a component of them was saturated."""
        return StructLayout({"y": ArrayLayout(self.word_shape, 2), "saturated": 1})


class ButterflyUnit(wiring.Component):
    """Two results of two words, rounded once.

    With f = `config.frac`, k = `shift` − 1 and coefficients c_0 … c_3, of FFT words
    t = (c_0·b_re + c_1·b_im) + i·(c_2·b_im + c_3·b_re), y_0 = a + t/2^f, y_1 = a − t/2^f;
    of BPMM words y_0 = (c_0·a + c_1·b)/2^f, y_1 = (c_2·a + c_3·b)/2^f.
    Each is divided by 2^k, rounded half up, and saturated to `word_bits` if `config.saturates`.

    Contract: nothing stalls. In BPMM mode imaginary parts are ignored, those of the results mean
    nothing, and are not counted as saturated. Without `config.saturates` results that do not fit
    are not defined, and `saturated` is 0.

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    i
        Push of {a, b, coefficient, shift, bpmm}.
    o
        Push of {y, saturated}.

    *Source*: a step that serves both on four multipliers is Fan et al.'s, arXiv 2209.09570; the
    order of operations, formats and rounding are ours.
    """

    i: Push
    o: Push

    def __init__(self, config: UnitConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply, add in pairs, add to the first word, shift, saturate."""
        m = Module()
        config, i = self.config, self.i.payload
        bpmm = self._mode(i.bpmm)
        products = []
        for index, operand in enumerate(self._operands(bpmm)):
            m.submodules[f"multiplier{index}"] = cell = Multiplier(config.multiplier)
            m.d.comb += [cell.a.eq(i.coefficient[index]), cell.b.eq(operand)]
            products.append(cell.o)
        head: dict[str, Any] = {f"a{part}": i.a[part] for part in range(config.parts)}
        with Pipe(
            m, "unit", latency=config.latency, valid=self.i.valid, bpmm=bpmm, shift=i.shift, **head
        ) as p:
            modes = ("bpmm", "shift")
            p.through(config.multiplier.latency - 1, keep=(*modes, *head))
            p.stage("half", keep=modes, **self._halves(p))
            named = {f"product{k}": product for k, product in enumerate(products)}
            p.stage("product", keep=modes, **named, **self._bases(p))
            bases = tuple(f"base{part}" for part in range(config.parts))
            p.stage(
                "pair",
                t0=p.product0 + p.product1,
                t1=p.product2 + p.product3,
                keep=(*modes, *bases),
            )
            # Under half a unit of the finest result nothing is added to the sums, so they are cut
            # there. The second result subtracts what was added: all bits turned, and a one at the
            # bottom, which comes up to the cut if everything below is zero.
            low = config.finest
            high = [p.t0[low:].as_signed(), p.t1[low:].as_signed()]
            p.stage(
                "operand",
                add00=high[0],
                add01=high[1],
                add10=Mux(p.bpmm, high[1], ~high[0]),
                add11=~high[1],
                carry0=~p.bpmm & ~p.t0[:low].any(),
                carry1=~p.t1[:low].any(),
                keep=(*modes, *bases),
            )
            sums: dict[str, Any] = {}
            for result in range(2):
                for part in range(config.parts):
                    carry = getattr(p, f"carry{part}") if result else Const(0, 1)
                    addend = getattr(p, f"add{result}{part}")
                    sums[f"sum{result}{part}"] = _add(getattr(p, f"base{part}"), addend, carry)
            p.stage("add", keep=modes, **sums)
            shifted: dict[str, Any] = {
                name: self._shifted(getattr(p, name), p.shift) for name in sums
            }
            word = signed(config.word_bits)
            if config.saturates:
                p.stage("shift", keep=("bpmm",), **shifted)
                kept: dict[str, Any] = {name: saturate(getattr(p, name), word) for name in sums}
                over = [
                    (kept[name] != getattr(p, name)) & (~p.bpmm if name[-1] == "1" else 1)
                    for name in sums
                ]
                p.stage("saturate", over=Cat(over), **kept)
            else:
                cut: dict[str, Any] = {
                    name: value[: word.width].as_signed() for name, value in shifted.items()
                }
                p.stage("shift", over=Const(0, 1), **cut)
        m.d.comb += [self.o.valid.eq(p.valid), self.o.payload.saturated.eq(p.over.any())]
        for result in range(2):
            for part in range(config.parts):
                value = getattr(p, f"sum{result}{part}")
                m.d.comb += self.o.payload.y[result][part].eq(value)
        return m

    def _mode(self, bpmm: Value) -> Value:
        """Whether this pair is one of BPMM: a constant where only one step was generated."""
        if self.config.fft and self.config.bpmm:
            return bpmm
        return Const(self.config.bpmm, 1)

    def _operands(self, bpmm: Value) -> list[Value]:
        """What each coefficient is multiplied by."""
        a, b = self.i.payload.a, self.i.payload.b
        if not self.config.fft:
            return [a[0], b[0], a[0], b[0]]
        return [
            Mux(bpmm, a[0], b[0]),
            Mux(bpmm, b[0], b[1]),
            Mux(bpmm, a[0], b[1]),
            b[0],
        ]

    def _halves(self, p: Pipe) -> dict[str, Any]:
        """Half a unit of the result, in whole units and in two bits below; and the first word."""
        k = [Value.cast(p.shift) == number for number in range(SHIFTS)]
        parts: dict[str, Any] = {
            f"a{part}": Mux(p.bpmm, 0, getattr(p, f"a{part}")) for part in range(self.config.parts)
        }
        return {"below": Cat(k[0], k[1]), "more": Cat(k[2], k[3]), **parts}

    def _bases(self, p: Pipe) -> dict[str, Any]:
        """The first word and half a unit of the result, from half the finest unit up."""
        return {
            f"base{part}": Cat(p.below, getattr(p, f"a{part}") + p.more).as_signed()
            for part in range(self.config.parts)
        }

    def _shifted(self, value: Value, number: Value) -> Value:
        """Everything from the bit that is the result's lowest."""
        point = self.config.frac - self.config.finest
        choices = [value[point + k :].as_signed() for k in (-1, 0, 1, 2)]
        low = Mux(number[0], choices[1], choices[0])
        high = Mux(number[0], choices[3], choices[2])
        return Mux(number[1], high, low)


def _add(base: Value, addend: Value, carry: Value) -> Value:
    """Base + addend + carry, in one carry chain."""
    one = Const(1, 1)
    total = Cat(one, base).as_signed() + Cat(carry, addend).as_signed()
    return total[1:].as_signed()
