"""Exponents and mantissas, as both exact methods need them: down to a weight, up from a sum."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hw.lib.pipe import Pipe
from hw.prim.multiply import MultiplierConfig
from hw.prim.ram import RomConfig
from spec.softmax import ExactNumerics

__all__ = [
    "SHIFT_STAGES",
    "distance_config",
    "fraction_config",
    "normalise",
    "normalise_stages",
    "reciprocal_config",
    "shift_down",
    "shift_of",
]

SHIFT_STAGES = 2
"""Stages that `shift_down` adds."""


def distance_config(n: ExactNumerics) -> MultiplierConfig:
    """The product of a distance and log2(e)."""
    return MultiplierConfig(a_width=n.score_bits, b_width=n.log2e.bit_length())


def fraction_config(n: ExactNumerics) -> RomConfig:
    """The table of 2^-f."""
    return RomConfig(width=n.fraction.width, entries=n.fraction.entries)


def reciprocal_config(n: ExactNumerics) -> RomConfig:
    """The table of reciprocals."""
    return RomConfig(width=n.reciprocal.width, entries=n.reciprocal.entries)


def shift_of(m: Module, n: ExactNumerics, t: Value, visible: Value) -> dict[str, Value]:
    """Cut what a mantissa is shifted by out of `t`, and whether nothing of it is left."""
    whole = t[n.exponent_frac :]
    shift_bits = n.sum_weight_bits.bit_length()
    shift = Signal(shift_bits)
    m.d.comb += shift.eq(whole)
    return {"shift": shift, "gone": ~visible | whole[shift_bits:].any()}


def shift_down(p: Pipe, n: ExactNumerics, entry: Value) -> None:
    """Add `SHIFT_STAGES` stages: ``addend``, the mantissa `entry` as a weight, or 0 if gone."""
    fine = Cat(Const(0, 3), entry) >> p.shift[:2]
    p.stage("shift_fine", fine=fine, coarse=p.shift[2:], keep=("gone",))
    shifted = Cat(Const(0, n.guard_bits - 3), p.fine) >> Cat(Const(0, 2), p.coarse)
    p.stage("shift_coarse", addend=Mux(p.gone, 0, shifted)[: n.sum_weight_bits])


def _normalise_steps(n: ExactNumerics) -> list[int]:
    return [1 << bit for bit in reversed(range(n.max_exponent.bit_length()))]


def normalise_stages(n: ExactNumerics) -> int:
    """Stages that `normalise` adds: two a step."""
    return 2 * len(_normalise_steps(n))


def normalise(p: Pipe, n: ExactNumerics) -> None:
    """Turn ``total`` into ``k`` and ``mantissa``, the `mantissa_bits` below its leading one."""
    kept = n.max_exponent + 1 + n.mantissa_bits
    p.through(0, wide=p.total[n.sum_bits - kept :], left=Const(0, n.exponent_bits))
    for step in _normalise_steps(n):
        p.stage("detect", clear=~p.wide[-step:].any(), keep=("wide", "left"))
        p.stage(
            "normalise",
            wide=Mux(p.clear, p.wide << step, p.wide)[:kept],
            left=(p.left | Mux(p.clear, step, 0))[: n.exponent_bits],
        )
    k = (n.max_exponent - p.left)[: n.exponent_bits]
    p.through(0, mantissa=p.wide[-1 - n.mantissa_bits : -1], k=k)
