"""Multiplication by a constant without a multiplier: a sum of shifted operands."""

from amaranth.hdl import Cat, Const, Module, Signal, Value

from hw.prim.cells import extended, signed_like

__all__ = ["constant_multiplier", "signed_digits"]


def constant_multiplier(a: Signal, constant: int, o: Signal, *, stages: int = 2) -> Module:
    """Logic: o = a × constant, `stages` cycles later, at least 2.

    Every rank of registers but the last has one level of adders before it; the last has all that
    are left.
    """
    m = Module()
    digits = signed_digits(constant)
    terms: list[tuple[int, Value]] = []
    for index in range(0, len(digits), 2):
        (sign, place), *others = digits[index : index + 2]
        value: Value = a if sign > 0 else -a
        for other_sign, other_place in others:
            value = _plus_shifted(value, a, other_place - place, other_sign)
        terms.append((place, value))
    for rank in range(1, stages):
        if rank > 1:
            terms = _added_in_pairs(terms)
        terms = [(place, _registered(m, value, f"part_{rank}_{place}")) for place, value in terms]
    while len(terms) > 1:
        terms = _added_in_pairs(terms)
    place, total = terms[0] if terms else (0, Const(0, 1))
    product = Signal(len(o), reset_less=True)
    m.d.sync += product.eq(total << place)
    m.d.comb += o.eq(product)
    return m


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


def _registered(m: Module, value: Value, name: str) -> Signal:
    register = Signal(value.shape(), reset_less=True, name=name)
    m.d.sync += register.eq(value)
    return register


def _added_in_pairs(terms: list[tuple[int, Value]]) -> list[tuple[int, Value]]:
    pairs = [terms[index : index + 2] for index in range(0, len(terms), 2)]
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
