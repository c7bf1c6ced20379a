"""When each node of an expression is computed: the stage it is in, without any gates.

A stage is what lies between two ranks of registers. It holds `BUDGET` levels: four small gates in a
row, or one carry chain and a gate.
"""

from hw.expr.lower import Lowered, width_of
from hw.prim.multiply import MultiplierConfig
from hw.prim.ram import RomConfig
from spec.expr import Entries, Expr, Op, walk
from spec.fixed import Rounding

__all__ = ["Schedule", "is_wiring", "multiplier_config", "rom_config"]

BUDGET = 4
"""Levels of gates in a stage."""

SHORT_CHAIN_BITS = 24
"""Bits of a carry chain that leaves room for one gate in its stage."""

BEFORE_CELL = 3
"""Levels that may precede the address of a block memory, or a multiplier's operand."""

BEFORE_LOGIC_ROM = 1


class Schedule:
    """As soon as possible: `stage` and `level` of each node, and the `latency` of them all.

    A node's value appears in its stage, `level` gates after the registers.
    """

    def __init__(self, lowered: Lowered):
        self.lowered = lowered
        self.stage: dict[Expr, int] = {}
        self.level: dict[Expr, int] = {}
        for node in walk(*lowered.roots.values()):
            self.stage[node], self.level[node] = self._place(node)
        # Outputs leave from registers, or as they came in.
        ends = [self.stage[root] + (self.level[root] > 0) for root in lowered.roots.values()]
        self.latency = max(ends, default=0)

    def start(self, node: Expr) -> int:
        """The stage whose values `node` takes."""
        return self.stage[node] - self._cell_latency(node)

    def _place(self, node: Expr) -> tuple[int, int]:
        inputs = [arg for arg in node.args if arg.op is not Op.CONSTANT]
        if not inputs:
            return 0, 0
        stage = max(self.stage[arg] for arg in inputs)
        level = max(self.level[arg] for arg in inputs if self.stage[arg] == stage)
        latency = self._cell_latency(node)
        if latency:
            late = level > self._most_before(node)
            return stage + late + latency, 0
        levels = self._levels(node)
        if level + levels <= BUDGET:
            return stage, level + levels
        return stage + 1, levels

    def _cell_latency(self, node: Expr) -> int:
        if node.op is Op.MUL:
            return multiplier_config(self.lowered, node).latency
        return rom_config(node.data).latency if node.op is Op.TABLE else 0

    def _most_before(self, node: Expr) -> int:
        logic = node.op is Op.TABLE and rom_config(node.data).style == "logic"
        return BEFORE_LOGIC_ROM if logic else BEFORE_CELL

    def _levels(self, node: Expr) -> int:
        """Levels of gates of `node` alone."""
        if is_wiring(node):
            return 0
        widest = max(width_of(*self.lowered.bounds[each]) for each in (node, *node.args))
        chain = 3 if widest <= SHORT_CHAIN_BITS else BUDGET
        match node.op:
            case Op.AND | Op.OR | Op.XOR | Op.SELECT:
                return 1
            case Op.ADD | Op.SUB | Op.LT:
                return chain
            case Op.ROUND:
                return chain if node.data[1] is Rounding.HALF_UP else BUDGET
            case Op.EQ:
                # Four inputs a gate: two bits of each operand at first, then four answers.
                answers, levels = -(-widest // 2), 1
                while answers > 1:
                    answers, levels = -(-answers // 4), levels + 1
                return min(levels, BUDGET)
            case Op.MIN | Op.MAX | Op.ABS | Op.SATURATE:
                return BUDGET
        raise ValueError(f"{node} has no gates")


def is_wiring(node: Expr) -> bool:
    """Whether `node` only selects or inverts bits of its one operand."""
    match node.op:
        case Op.SHL | Op.MOD | Op.NOT:
            return True
        case Op.ROUND:
            return node.data[1] is Rounding.FLOOR
        case Op.LT:
            return node.args[1].op is Op.CONSTANT and node.args[1].data == 0
    return False


def multiplier_config(lowered: Lowered, node: Expr) -> MultiplierConfig:
    """The multiplier of a MUL."""
    (a_low, a_high), (b_low, b_high) = (lowered.bounds[arg] for arg in node.args)
    return MultiplierConfig(
        a_width=width_of(a_low, a_high),
        b_width=width_of(b_low, b_high),
        a_signed=a_low < 0,
        b_signed=b_low < 0,
    )


def rom_config(entries: Entries) -> RomConfig:
    """The memory of a TABLE, addressed by the low bits of the address as it is."""
    address_bits = max(1, (len(entries.values) - 1).bit_length())
    width = width_of(min(entries.values), max(entries.values))
    words = [0] * (1 << address_bits)
    for address, value in enumerate(entries.values, entries.offset):
        words[address % len(words)] = value & ((1 << width) - 1)
    return RomConfig(width=width, entries=tuple(words))
