"""An outer product a cycle, accumulated: R rows of C multipliers, each a cycle behind the last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import delay
from hw.prim.multiply import Multiplier, MultiplierConfig, MultiplierPair

__all__ = ["SIDES", "MacArray", "MacArrayConfig", "check_sides"]

SIDES = (1, 2, 4, 8, 16)
"""Rows, and columns, that an array may have."""

REACH = 4
"""Columns that one register of a row's operand reaches; the next ones get it a cycle later."""

CHOOSE, GATHER = 2, 4
"""What fits a look-up table of four inputs: two rows' bits and whether each is due, or four words
of which one at most is not zero."""


def check_sides(config: Any, *fields: str) -> None:
    """Raise a ValueError for the first of a configuration's fields that is no side of an array."""
    for field in fields:
        if getattr(config, field) not in SIDES:
            raise ValueError(
                f"{type(config).__name__}.{field} must be a power of two from 1 to {SIDES[-1]}, "
                f"got {getattr(config, field)}"
            )


@dataclass(frozen=True, kw_only=True)
class MacArrayConfig:
    """Size of an array of multiply-accumulates.

    Parameters
    ----------
    rows, columns
        Powers of two up to 16.
    row_shape, column_shape
        Formats of the operand that a row shares, and of the one that a column shares.
    sum_bits
        Bits of an accumulator.
    logic_rows
        Rows, the last ones, whose products are made of logic.
    """

    rows: int
    columns: int
    row_shape: Shape
    column_shape: Shape
    sum_bits: int
    logic_rows: int = 0

    def __post_init__(self) -> None:
        check_sides(self, "rows", "columns")
        if self.sum_bits < 1:
            raise ValueError(f"MacArrayConfig.sum_bits must be at least 1, got {self.sum_bits}")
        if not 0 <= self.logic_rows <= self.rows:
            raise ValueError(
                f"MacArrayConfig.logic_rows must be from 0 to {self.rows}, got {self.logic_rows}"
            )

    @property
    def multiplier(self) -> MultiplierConfig:
        """The multiplier of a row's and a column's operand, with a register before the sum.

        Multipliers stand in columns of their own, too far from most adders to add in one cycle.
        """
        return MultiplierConfig(
            a_width=self.row_shape.width,
            a_signed=self.row_shape.signed,
            b_width=self.column_shape.width,
            b_signed=self.column_shape.signed,
            far=True,
        )

    def multiplier_of(self, row: int) -> MultiplierConfig:
        """That of a row: a cell, or logic."""
        return replace(self.multiplier, logic=row >= self.rows - self.logic_rows)

    @property
    def groups(self) -> int:
        """Groups of columns, each a cycle behind the one before."""
        return -(-self.columns // REACH)

    @property
    def gather_latency(self) -> int:
        """Cycles from a row's accumulators to the one word of all rows.

        Up to four rows are one level of registers, and one gate behind it at most.
        """
        if self.rows <= GATHER:
            return 1
        levels, words = 1, self.rows // CHOOSE
        while words > 1:
            levels, words = levels + 1, -(-words // GATHER)
        return levels

    @property
    def latency(self) -> int:
        """Cycles from a `last` to the sums of row 0; row r comes r cycles later.

        Operands at the row, the groups before the last, product, accumulator, gathering.
        """
        return 1 + self.groups - 1 + self.multiplier.latency + 1 + self.gather_latency

    @property
    def i_shape(self) -> StructLayout:
        """Operands of every row and of every column, and whether they end a sum."""
        return StructLayout(
            {
                "row": ArrayLayout(self.row_shape, self.rows),
                "column": ArrayLayout(self.column_shape, self.columns),
                "last": 1,
            }
        )

    @property
    def sums_shape(self) -> ArrayLayout:
        """The accumulators of a row."""
        return ArrayLayout(signed(self.sum_bits), self.columns)


class _Row(NamedTuple):
    """A row's accumulators, and whether they are to be shown: for one cycle, from a register."""

    sums: list[Signal]
    due: Signal


def _any(words: Iterable[Value]) -> Value:
    """The one word that is not zero, if there is one."""
    return reduce(or_, words)


class MacArray(wiring.Component):
    """sum[r][c] += row[r] · column[c], modulo 2**sum_bits, for every push, from 0 at reset.

    Contract: accumulators are never cleared; what a sum gained since another is the difference of
    the two. So there is no gate in their loop, and no signal to them but their enable. Each `last`
    shows the sums up to and with its push, row after row. A `last` comes at least `rows` cycles
    after the one before. Nothing stalls.

    Row r works r cycles after row 0, so that one row of sums leaves a cycle; the columns' operands
    are handed down from row to row, and a row's to the next `REACH` columns: no register drives
    more multipliers than these.

    *Timing*: `sums` is that of row r `config.latency` + r cycles after the push of a `last`, and 0
    where no row is due.

    *Members*
    i
        Push of {row, column, last}.
    sums
        Accumulators of a row.

    *Source*: docs/attention.md, "The pipeline".
    """

    i: Push
    sums: Signal

    def __init__(self, config: MacArrayConfig):
        self.config = config
        super().__init__({"i": In(PushSignature(config.i_shape)), "sums": Out(config.sums_shape)})

    def elaborate(self, platform: object) -> Module:
        """Build the rows, and gather the sums of each group of columns."""
        m = Module()
        words = []
        for first, rows in self._rows(m).items():
            word = self._gather(m, first, rows)
            words.append(delay(m, f"word_{first}", word, self.config.groups - 1 - len(words)))
        m.d.comb += Value.cast(self.sums).eq(Cat(words))
        return m

    def _gather(self, m: Module, first: int, rows: list[_Row]) -> Value:
        """The sums of the one row that is due, if any, of the columns from `first` on."""
        words: list[Value] = []
        for row in range(0, len(rows), CHOOSE):
            due = _any(Mux(row.due, Cat(row.sums), 0) for row in rows[row : row + CHOOSE])
            words.append(delay(m, f"chosen_{row}_{first}", due, 1))
        while len(words) > 1:
            parts = [words[k : k + GATHER] for k in range(0, len(words), GATHER)]
            registers = int(self.config.rows > GATHER)
            words = [
                delay(m, f"joined_{k}_of_{len(parts)}_{first}", _any(part), registers)
                for k, part in enumerate(parts)
            ]
        return words[0]

    def _rows(self, m: Module) -> dict[int, list[_Row]]:
        """Hand operands down, row by row, and to the right; rows by their group's first column."""
        config = self.config
        waiting = [Value.cast(operand) for operand in self.i.payload.row]
        columns: list[Value] = [
            delay(m, f"column_{column}", self.i.payload.column[column], column // REACH)
            for column in range(config.columns)
        ]
        flags = {"valid": self.i.valid, "ended": self.i.valid & self.i.payload.last}
        rows: dict[int, list[_Row]] = {REACH * group: [] for group in range(config.groups)}
        for row in range(config.rows):
            # The operands of the rows below wait beside those that are handed down.
            for index in range(row, config.rows):
                waiting[index] = delay(m, f"row_{row}_{index}", waiting[index], 1)
            columns = [
                delay(m, f"column_{row}_{column}", operand, 1)
                for column, operand in enumerate(columns)
            ]
            flags = _next(m, flags, f"{row}")
            operand, here = waiting[row], flags
            for first in rows:
                if first:
                    operand = delay(m, f"row_{row}_right_{first}", operand, 1)
                    here = _next(m, here, f"{row}_{first}")
                group = dict(list(enumerate(columns))[first : first + REACH])
                rows[first].append(self._row(m, row, operand, group, here))
        return rows

    def _row(
        self,
        m: Module,
        row: int,
        operand: Value,
        columns: dict[int, Value],
        flags: dict[str, Signal],
    ) -> _Row:
        """Multiply and accumulate, in the columns of a group."""
        config, first = self.config, min(columns)
        for stage in range(config.multiplier.latency):
            flags = _next(m, flags, f"{row}_{first}_{stage}")
        due = _next(m, {"due": flags["ended"]}, f"{row}_{first}")["due"]
        sums = []
        for column, product in self._multiply(m, row, operand, columns).items():
            total = Signal(signed(config.sum_bits), name=f"sum_{row}_{column}")
            with m.If(flags["valid"]):
                m.d.sync += total.eq(total + product)
            sums.append(total)
        return _Row(sums, due)

    def _multiply(
        self, m: Module, row: int, operand: Value, columns: dict[int, Value]
    ) -> dict[int, Value]:
        """Multiply a row's operand by every column's; two columns share a pair of multipliers."""
        config = self.config
        if len(columns) == 1:
            m.submodules[f"cell_{row}"] = cell = Multiplier(config.multiplier_of(row))
            m.d.comb += [cell.a.eq(operand), cell.b.eq(columns[0])]
            return {0: cell.o}
        products: dict[int, Value] = {}
        for column in list(columns)[::2]:
            m.submodules[f"cell_{row}_{column}"] = pair = MultiplierPair(config.multiplier_of(row))
            for half in range(2):
                m.d.comb += [pair.a[half].eq(operand), pair.b[half].eq(columns[column + half])]
                products[column + half] = pair.o[half]
        return products


def _next(m: Module, flags: Mapping[str, Value], where: str) -> dict[str, Signal]:
    """Flags a cycle later, in registers with a reset."""
    later = {name: Signal(name=f"{name}_{where}") for name in flags}
    m.d.sync += [register.eq(flags[name]) for name, register in later.items()]
    return later
