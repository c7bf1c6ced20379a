"""Weighted sums of values, exchanged with a memory from tile to tile."""

from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.attention.mac_array import MacArray, MacArrayConfig, check_sides
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.ram import Ram, RamConfig

__all__ = ["ValueArray", "ValueArrayConfig"]

VALUE_BITS = 8


@dataclass(frozen=True, kw_only=True)
class ValueArrayConfig:
    """Size of a value array.

    Parameters
    ----------
    rows, columns, value_columns
        Queries and keys of a tile, and value columns of a group; powers of two up to 16.
    groups
        Groups of value columns, at least 1.
    weight_bits, weight_signed
        Format of a weight, 2 to 18 bits.
    max_keys
        Keys of a row block with a weight other than 0, at most.
    """

    rows: int
    columns: int
    value_columns: int
    groups: int
    weight_bits: int
    weight_signed: bool
    max_keys: int

    def __post_init__(self) -> None:
        check_sides(self, "rows", "columns", "value_columns")
        for field in ("groups", "max_keys"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"ValueArrayConfig.{field} must be at least 1, got {getattr(self, field)}"
                )
        if not 2 <= self.weight_bits <= 18:
            raise ValueError(
                f"ValueArrayConfig.weight_bits must be from 2 to 18, got {self.weight_bits}"
            )

    def _bits_of_sum(self, keys: int) -> int:
        largest = 1 << self.weight_bits - 1 if self.weight_signed else (1 << self.weight_bits) - 1
        return (largest * keys << VALUE_BITS - 1).bit_length() + 1

    @property
    def sum_bits(self) -> int:
        """Bits of a sum over `max_keys` keys, whatever they are."""
        return self._bits_of_sum(self.max_keys)

    @property
    def tile_sum_bits(self) -> int:
        """Bits of a sum over the keys of one tile."""
        return self._bits_of_sum(min(self.columns, self.max_keys))

    @property
    def pass_interval(self) -> int:
        """Cycles from the last key of a group to that of the next, at least: a row is one cycle.

        A pass of `columns` keys needs so many anyway.
        """
        return max(self.rows, self.columns)

    @property
    def spill_loop(self) -> int:
        """Cycles from the last key of a group to its last key in the next tile, at least.

        The spilled word is read two cycles before the difference is there to be added to it, and
        written after the sum; the next read of it comes a cycle after that.
        """
        return RamConfig(width=1, depth=1).latency + 1 + 1 + 1

    @property
    def tile_interval(self) -> int:
        """Cycles that a tile takes, keys coming one a cycle."""
        return max(self.groups * self.pass_interval, self.spill_loop)

    @property
    def weight_shape(self) -> Shape:
        """Shape of a weight."""
        return Shape(self.weight_bits, self.weight_signed)

    @property
    def macs(self) -> MacArrayConfig:
        """The multiply-accumulates."""
        return MacArrayConfig(
            rows=self.rows,
            columns=self.value_columns,
            row_shape=self.weight_shape,
            column_shape=signed(VALUE_BITS),
            sum_bits=self.tile_sum_bits,
        )

    @property
    def latency(self) -> int:
        """Cycles from a group's last key to its sums of row 0; row r comes r cycles later.

        Multiply-accumulates, operands of the difference, difference, sum.
        """
        return self.macs.latency + 1 + 1 + 1

    @property
    def i_shape(self) -> StructLayout:
        """The weights of one key, its values of one group, and where in the row block it is."""
        return StructLayout(
            {
                "weight": ArrayLayout(self.weight_shape, self.rows),
                "value": ArrayLayout(signed(VALUE_BITS), self.value_columns),
                "last_key": 1,
                "first_tile": 1,
                "last_tile": 1,
            }
        )

    @property
    def o_shape(self) -> StructLayout:
        """Sums of one row and group, which they are, and whether they are the row block's last."""
        return StructLayout(
            {
                "sum": ArrayLayout(signed(self.sum_bits), self.value_columns),
                "row": range(self.rows),
                "group": range(self.groups),
                "end": 1,
            }
        )


class _Burst(NamedTuple):
    """The rows that follow a group's last key, one a cycle."""

    active: Signal
    row: Signal
    group: Signal
    first_tile: Signal
    last_tile: Signal


class ValueArray(wiring.Component):
    """sum[r][e] = Σ_k weight[k][r] · value[k][e] over the keys of a row block, exactly.

    Contract: keys come tile by tile, in each group by group from 0, in each up to `columns` keys,
    the last with `last_key`; with gaps or without. `first_tile` and `last_tile` are those of the
    group's last key. A `last_key` comes at least `rows` cycles after the one before, and
    `spill_loop` after the one of the same group. A key that does not count has weight 0. Nothing
    stalls.

    One row of sums a cycle is exchanged: what the accumulators gained since the group before is
    added to the row's sum so far, which waits in the spill memory between tiles.

    *Timing*: with `last_tile`, row r of a group leaves `config.latency` + r cycles after the push
    of its `last_key`. A tile takes `config.tile_interval` cycles.

    *Members*
    i
        Push of {weight, value, last_key, first_tile, last_tile}: one key.
    o
        Push of {sum, row, group, end}.

    *Source*: docs/attention.md, "Why sums may wait in a spill memory".
    """

    i: Push
    o: Push

    def __init__(self, config: ValueArrayConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply and accumulate, and add what was spilled."""
        m = Module()
        payload = self.i.payload
        m.submodules.macs = macs = MacArray(self.config.macs)
        m.d.comb += [
            macs.i.valid.eq(self.i.valid),
            Value.cast(macs.i.payload.row).eq(Cat(payload.weight)),
            Value.cast(macs.i.payload.column).eq(Cat(payload.value)),
            macs.i.payload.last.eq(payload.last_key),
        ]
        self._accumulate(m, self._count_rows(m), Value.cast(macs.sums))
        return m

    def _count_rows(self, m: Module) -> _Burst:
        """Count the rows from the cycle after a group's last key, and the groups."""
        config, payload = self.config, self.i.payload
        groups, rows = range(config.groups), range(config.rows)
        shapes = {"active": 1, "row": rows, "group": groups, "first_tile": 1, "last_tile": 1}
        burst = _Burst(**{f: Signal(shape, name=f"burst_{f}") for f, shape in shapes.items()})
        next_group = Signal(groups)
        with m.If(self.i.valid & payload.last_key):
            m.d.sync += [
                burst.active.eq(1),
                burst.row.eq(0),
                burst.group.eq(next_group),
                burst.first_tile.eq(payload.first_tile),
                burst.last_tile.eq(payload.last_tile),
                next_group.eq(Mux(next_group == config.groups - 1, 0, next_group + 1)),
            ]
        with m.Elif(burst.row == config.rows - 1):
            m.d.sync += burst.active.eq(0)
        with m.Else():
            m.d.sync += burst.row.eq(burst.row + 1)
        return burst

    def _accumulate(self, m: Module, burst: _Burst, sums: Value) -> None:
        """What each word gained since the one of its row before, added to what was spilled."""
        config = self.config
        tile_bits, bits = config.tile_sum_bits, config.sum_bits
        columns = range(config.value_columns)
        spill_config = RamConfig(width=len(columns) * bits, depth=config.rows * config.groups)
        m.submodules.spill = spill = Ram(spill_config)
        m.submodules.before = before = Memory(shape=len(sums), depth=max(2, config.rows), init=[])
        before_write, before_read = before.write_port(), before.read_port(domain="comb")

        kept = ("row", "group", "last_tile")
        head = burst._asdict()
        latency = config.latency - 1
        with Pipe(m, "word", latency=latency, valid=head.pop("active"), **head) as p:
            # The memory's data are needed one cycle after the sums.
            for _ in range(config.latency - 1 - 3 - 1):
                p.stage("wait", keep=(*kept, "first_tile"))
            m.d.comb += spill.read.address.eq(Cat(p.row, p.group))
            p.stage("read", keep=(*kept, "first_tile"))

            m.d.comb += [
                before_read.addr.eq(p.row),
                before_write.en.eq(p.valid),
                before_write.addr.eq(p.row),
                before_write.data.eq(sums),
            ]
            # The first group starts from cleared accumulators.
            fresh = Signal(init=1)
            with m.If(p.valid & (p.row == config.rows - 1)):
                m.d.sync += fresh.eq(0)
            was = Mux(fresh, 0, before_read.data)
            p.stage("prepare", now=sums, before=was, keep=(*kept, "first_tile"))
            gains = [
                (p.now.word_select(k, tile_bits) - p.before.word_select(k, tile_bits))[:tile_bits]
                for k in columns
            ]
            spilled = Mux(p.first_tile, 0, spill.read.data)
            p.stage("subtract", gain=Cat(gains), spilled=spilled, keep=kept)
            totals = [
                p.spilled.word_select(k, bits).as_signed()
                + p.gain.word_select(k, tile_bits).as_signed()
                for k in columns
            ]
            end = (p.row == config.rows - 1) & (p.group == config.groups - 1)
            # The memory's enable goes far: it comes from a register.
            spills = p.valid & ~p.last_tile
            p.stage(
                "add", sum=Cat(total[:bits] for total in totals), end=end, spills=spills, keep=kept
            )

            m.d.comb += [
                spill.write.enable.eq(p.spills),
                spill.write.address.eq(Cat(p.row, p.group)),
                spill.write.data.eq(p.sum),
                self.o.valid.eq(p.valid & p.last_tile),
                Value.cast(self.o.payload.sum).eq(p.sum),
                self.o.payload.row.eq(p.row),
                self.o.payload.group.eq(p.group),
                self.o.payload.end.eq(p.end),
            ]
