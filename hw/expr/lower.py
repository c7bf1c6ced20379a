"""From any expression to one of fewer kinds of node, each of which is one adder, cell or table.

What is left: multiplications have operands of at most 18 bits and no constant of few digits, the
divisor of MOD is a power of two, there is no DIV, and the address of a TABLE is one of its entries.
"""

from dataclasses import dataclass, field

from spec.expr import Entries, Expr, Op, constant, walk
from spec.expr.nodes import node as make
from spec.expr.nodes import shift_left, shift_right
from spec.fixed import Rounding

__all__ = ["Lowered", "width_of"]

MOST_DIGITS = 4
"""Signed binary digits of a constant up to which a product is a sum of shifts."""

CELL_BITS = 18
"""Bits of an operand that one multiplier cell takes."""

CHUNK_BITS = 6
MOST_TABLE_DIVISOR = 32
"""Remainders of divisors up to this come from tables of `CHUNK_BITS` address bits."""


def width_of(low: int, high: int) -> int:
    """Bits that hold every integer from `low` to `high`, signed if `low` is negative."""
    return max(high.bit_length(), (~low).bit_length()) + 1 if low < 0 else max(1, high.bit_length())


@dataclass
class Lowered:
    """Expressions in simpler nodes, and the bounds known of each, which are those of the originals.

    `bounds[n]` may be narrower than `n.bounds`: use it for the width of a node.
    """

    roots: dict[str, Expr]
    bounds: dict[Expr, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self):
        simple: dict[Expr, Expr] = {}
        for node in walk(*self.roots.values()):
            found = self._lower(node, tuple(simple[arg] for arg in node.args))
            simple[node] = self._learn(found, node.bounds)
        self.roots = {name: simple[root] for name, root in self.roots.items()}
        for node in walk(*self.roots.values()):
            self._learn(node, node.bounds)

    def _learn(self, node: Expr, bounds: tuple[int, int]) -> Expr:
        low, high = self.known(node)
        self.bounds[node] = max(low, bounds[0]), min(high, bounds[1])
        return node

    def known(self, node: Expr) -> tuple[int, int]:
        """The narrowest bounds known of `node`."""
        return self.bounds.get(node, node.bounds)

    def _width(self, node: Expr) -> int:
        return width_of(*self.known(node))

    def _lower(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        match node.op:
            case Op.MUL:
                return self._product(args[0], args[1], node.frac)
            case Op.DIV:
                return self._quotient(args[0], node.data)
            case Op.MOD if node.data & (node.data - 1):
                return self._remainder(args[0], node.data, node.frac)
            case Op.TABLE:
                return self._read(node.data, args[0], node.frac)
        if all(new is old for new, old in zip(args, node.args, strict=True)):
            return node
        return make(node.op, args, node.data, node.frac)

    def _product(self, a: Expr, b: Expr, frac: int) -> Expr:
        if b.op is Op.CONSTANT:
            digits = _digits(b.data)
            if len(digits) <= MOST_DIGITS:
                return _sum_of_shifts(a, digits, frac)
        if self._width(a) < self._width(b):
            a, b = b, a
        if self._width(a) <= CELL_BITS:
            return make(Op.MUL, (a, b), None, frac)
        if a.op is Op.CONSTANT:
            upper, lower = (constant(part) for part in divmod(a.data, 1 << CELL_BITS))
        else:
            low, high = self.known(a)
            upper = self._learn(_floor(a, CELL_BITS), (low >> CELL_BITS, high >> CELL_BITS))
            lower = make(Op.MOD, (a,), 1 << CELL_BITS, 0)
        high = self._product(upper, b, frac)
        return shift_left(high, CELL_BITS) + self._product(lower, b, frac)

    def _quotient(self, a: Expr, divisor: int) -> Expr:
        """By a multiplication that is exact for every `a` in its bounds."""
        low, high = self.known(a)
        base = low // divisor
        most = high - base * divisor
        if most < divisor:
            return constant(base)
        # The numerators nearest below a multiple are where a reciprocal too great shows first.
        worst = (most + 1) // divisor * divisor - 1
        shift = 0
        while worst * (-(1 << shift) % divisor) >= 1 << shift:
            shift += 1
        reciprocal = -(-(1 << shift) // divisor)
        start = self._learn(a - constant(base * divisor, a.frac), (0, most))
        product = self._product(start, constant(reciprocal), 0)
        quotient = _floor(self._learn(product, (0, most * reciprocal)), shift)
        return quotient + base

    def _remainder(self, a: Expr, divisor: int, frac: int) -> Expr:
        low, high = self.known(a)
        if divisor > MOST_TABLE_DIVISOR:
            whole = self._learn(self._quotient(a, divisor), (low // divisor, high // divisor))
            back = _sum_of_shifts(whole, _digits(divisor), frac)
            return a - shift_left(back, 0, frac=frac)
        if high - low < 1 << CHUNK_BITS:
            values = tuple(each % divisor for each in range(low, high + 1))
            return self._read(Entries(values, low, "remainder"), a, frac)
        # The remainder of a sum is that of the remainders' sum.
        lower = make(Op.MOD, (a,), 1 << CHUNK_BITS, a.frac)
        values = tuple(each % divisor for each in range(1 << CHUNK_BITS))
        parts = [self._read(Entries(values, 0, "remainder"), lower, frac)]
        upper = self._learn(_floor(a, CHUNK_BITS), (low >> CHUNK_BITS, high >> CHUNK_BITS))
        above = self._remainder(upper, divisor, frac)
        scaled = tuple((each << CHUNK_BITS) % divisor for each in range(divisor))
        parts.append(self._read(Entries(scaled, 0, "remainder"), above, frac))
        return self._remainder(parts[0] + parts[1], divisor, frac)

    def _read(self, entries: Entries, address: Expr, frac: int) -> Expr:
        """`entries` at `address`, which is first limited to where there are any."""
        low, high = self.known(address)
        if low < entries.offset or high > entries.last:
            limits = entries.offset, entries.last
            address = self._learn(make(Op.SATURATE, (address,), limits, address.frac), limits)
        if address.op is Op.CONSTANT:
            return constant(entries[address.data], frac)
        return make(Op.TABLE, (address,), entries, frac)


def _floor(a: Expr, shift: int) -> Expr:
    """The integer of `a` without its `shift` low bits, as an integer."""
    return shift_right(a, shift, Rounding.FLOOR, frac=0)


def _digits(value: int) -> list[tuple[int, int]]:
    """(sign, shift) of the fewest powers of two that add up to `value`, the greatest first."""
    digits = []
    shift = 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((sign, shift))
            value -= sign
        value >>= 1
        shift += 1
    return digits[::-1]


def _sum_of_shifts(a: Expr, digits: list[tuple[int, int]], frac: int) -> Expr:
    """A balanced tree, of shifts of `a`."""
    plus = [shift_left(a, shift, frac=frac) for sign, shift in digits if sign > 0]
    minus = [shift_left(a, shift, frac=frac) for sign, shift in digits if sign < 0]
    if not minus:
        return _total(plus) if plus else constant(0, frac)
    return (_total(plus) if plus else constant(0, frac)) - _total(minus)


def _total(terms: list[Expr]) -> Expr:
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [a + b for a, b in pairs] + terms[len(terms) & ~1 :]
    return terms[0]
