"""Sums of two words, halved, brought to a common exponent and rounded: what a reader gives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from hw.lib.arith import saturate
from hw.lib.pipe import Pipe

__all__ = ["ALIGN_LATENCY", "Operands", "aligned"]

ALIGN_LATENCY = 4
"""Cycles from operands to words: sum, coarse shift, fine shift, round."""

FINE_BITS = 2


class Operands(NamedTuple):
    """A component that is to be: (first ± second) / 2^(down + 1)."""

    first: Value
    second: Value
    minus: Value
    down: Value


def aligned(
    m: Module,
    operands: Sequence[Operands],
    *,
    width: int,
    valid: Value,
    **beside: Any,
) -> Pipe:
    """Round (first ± second) / 2^(down + 1) half up, and saturate to `width` bits.

    A word v that is only to be shifted is v + v.

    Returns
    -------
    Pipe
        At its end, `ALIGN_LATENCY` cycles later: word0, word1, … and what was `beside`.
    """
    names = tuple(beside)
    components = range(len(operands))
    pipe = Pipe(m, "align", latency=ALIGN_LATENCY, valid=valid, **beside)
    with pipe as p:
        values: dict[str, Any] = {}
        for k, (first, second, minus, down) in enumerate(operands):
            # first − second is first + ~second + 1; the carry's one stands below both.
            a = Cat(minus, first).as_signed()
            b = Cat(minus, second[:] ^ minus.replicate(len(second))).as_signed()
            values[f"sum{k}"] = (a + b)[1:].as_signed()
            values[f"down{k}"] = down
        p.stage("sum", keep=names, **values)
        p.stage(
            "coarse",
            keep=names,
            **{
                f"sum{k}": _shifted(m, getattr(p, f"sum{k}"), getattr(p, f"down{k}"), coarse=True)
                for k in components
            },
            **{f"down{k}": getattr(p, f"down{k}")[:FINE_BITS] for k in components},
        )
        p.stage(
            "fine",
            keep=names,
            **{
                f"sum{k}": _shifted(m, getattr(p, f"sum{k}"), getattr(p, f"down{k}"), coarse=False)
                for k in components
            },
        )
        p.stage(
            "round",
            keep=names,
            **{
                f"word{k}": saturate(((getattr(p, f"sum{k}") + 1) >> 1).as_signed(), signed(width))
                for k in components
            },
        )
    return pipe


def _shifted(m: Module, value: Value, down: Value, *, coarse: bool) -> Value:
    """`value` shifted right by the coarse or the fine part of `down`."""
    for bit in range(FINE_BITS, len(down)) if coarse else range(FINE_BITS):
        # A signal for each level: an expression would hold the one before three times.
        level = Signal(value.shape(), name=f"down_{1 << bit}")
        m.d.comb += level.eq(Mux(down[bit], _by(value, 1 << bit), value))
        value = level
    return value


def _by(value: Value, places: int) -> Value:
    """`value` shifted right by a constant, of its own width."""
    kept = value[min(places, len(value) - 1) :]
    return Cat(kept, value[-1].replicate(len(value) - len(kept))).as_signed()
