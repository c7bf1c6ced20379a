"""Products without a multiplier: sums of shifted operands, a level of adders between two ranks."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hw.prim.cells import extended, signed_like

__all__ = ["constant_multiplier", "logic_multiplier", "signed_digits"]

Term = tuple[int, int, Value]
"""Sign, place and operand of a summand: ± operand · 2^place."""


def constant_multiplier(a: Signal, constant: int, o: Signal, *, stages: int = 2) -> Module:
    """Logic: o = a × constant, `stages` cycles later, at least 2."""
    return _sum([(sign, place, a) for sign, place in signed_digits(constant)], o, stages)


def logic_multiplier(a: Signal, b: Signal, o: Signal, *, stages: int = 2) -> Module:
    """Logic: o = a × b, `stages` cycles later, at least 2: a summand for each bit of b.

    The highest bit of a signed b counts negative.
    """
    top = len(b) - 1 if b.shape().signed else None
    terms = [
        (-1 if place == top else 1, place, signed_like(a, Mux(bit, a, 0)[: len(a)]))
        for place, bit in enumerate(b)
    ]
    return _sum(terms, o, stages)


def signed_digits(constant: int) -> list[tuple[int, int]]:
    """The (sign, place) of digits -1 and 1 whose sum is `constant`, lowest first, the fewest."""
    digits, place = [], 0
    while constant:
        if constant & 1:
            sign = 2 - (constant & 3)
            digits.append((sign, place))
            constant -= sign
        constant, place = constant >> 1, place + 1
    return digits


def _sum(terms: Sequence[Term], o: Signal, stages: int) -> Module:
    """Logic: o = the sum of the terms, lowest place first, `stages` cycles later.

    Every rank of registers but the last has one level of adders before it; the last has all that
    are left.
    """
    m = Module()
    sums: list[tuple[int, Value]] = []
    for index in range(0, len(terms), 2):
        (sign, place, operand), *others = terms[index : index + 2]
        value: Value = operand if sign > 0 else -operand
        for other_sign, other_place, other in others:
            value = _plus_shifted(value, other, other_place - place, other_sign)
        sums.append((place, value))
    for rank in range(1, stages):
        if rank > 1:
            sums = _added_in_pairs(sums)
        sums = [(place, _registered(m, value, f"part_{rank}_{place}")) for place, value in sums]
    while len(sums) > 1:
        sums = _added_in_pairs(sums)
    place, total = sums[0] if sums else (0, Const(0, 1))
    product = Signal(len(o), reset_less=True)
    m.d.sync += product.eq(total << place)
    m.d.comb += o.eq(product)
    return m


def _registered(m: Module, value: Value, name: str) -> Signal:
    register = Signal(value.shape(), reset_less=True, name=name)
    m.d.sync += register.eq(value)
    return register


def _added_in_pairs(sums: list[tuple[int, Value]]) -> list[tuple[int, Value]]:
    pairs = [sums[index : index + 2] for index in range(0, len(sums), 2)]
    return [
        (low[0], _plus_shifted(low[1], high[0][1], high[0][0] - low[0], 1)) if high else low
        for low, *high in pairs
    ]


def _plus_shifted(low: Value, high: Value, places: int, sign: int) -> Value:
    """Low ± high · 2^places, by an adder over the bits above."""
    low = signed_like(low, extended(low, max(len(low), places + 1)))
    upper = signed_like(low, low[places:])
    total = upper + high if sign > 0 else upper - high
    return signed_like(total, Cat(low[:places], total))
