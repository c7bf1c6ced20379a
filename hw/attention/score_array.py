"""Exact products of R queries and C keys: an outer product for each dimension."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.prim.ram import Ram, RamConfig

__all__ = ["ScoreArray", "ScoreArrayConfig"]

OPERAND_BITS = 8
SIDES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class ScoreArrayConfig:
    """Size of a score array.

    Parameters
    ----------
    rows, columns
        Queries and keys of a tile; powers of two up to 16.
    lanes
        Sums that leave a cycle; a power of two up to `columns`.
    head_dim
        Dimensions of a query, at least 1.
    """

    rows: int
    columns: int
    lanes: int
    head_dim: int

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "lanes"):
            if getattr(self, field) not in SIDES:
                raise ValueError(
                    f"ScoreArrayConfig.{field} must be a power of two from 1 to 16, "
                    f"got {getattr(self, field)}"
                )
        if self.lanes > self.columns:
            raise ValueError(
                f"ScoreArrayConfig.lanes must be at most columns = {self.columns}, got {self.lanes}"
            )
        if self.head_dim < 1:
            raise ValueError(f"ScoreArrayConfig.head_dim must be at least 1, got {self.head_dim}")

    @property
    def words(self) -> int:
        """Words in which a tile leaves."""
        return self.rows * self.columns // self.lanes

    @property
    def sum_bits(self) -> int:
        """Bits of a sum, which -128 × -128 in every dimension does not exceed."""
        return (self.head_dim << 2 * (OPERAND_BITS - 1)).bit_length() + 1

    @property
    def tile_interval(self) -> int:
        """Cycles from the last dimension of a tile to that of the next, at least.

        So long a tile enters and leaves; and a word of the memory is written before it is read.
        """
        return max(self.head_dim, self.words, 3)

    @property
    def multiplier(self) -> MultiplierConfig:
        """The multiplier of one query and one key."""
        return MultiplierConfig(
            a_width=OPERAND_BITS, b_width=OPERAND_BITS, a_signed=True, b_signed=True
        )

    @property
    def product_latency(self) -> int:
        """Cycles from operands to their product, with a register between multiplier and sum.

        Multipliers stand in columns of their own, too far from most adders to add in one cycle.
        """
        return self.multiplier.latency + 1

    @property
    def latency(self) -> int:
        """Cycles from a tile's last dimension to its first word.

        Broadcast, product, accumulator, shift register, operands of the difference, difference.
        """
        return 1 + self.product_latency + 1 + 1 + 1 + 1

    @property
    def i_shape(self) -> StructLayout:
        """One dimension of a tile's queries and keys, and whether it is the `last` one."""
        return StructLayout(
            {
                "query": ArrayLayout(signed(OPERAND_BITS), self.rows),
                "key": ArrayLayout(signed(OPERAND_BITS), self.columns),
                "last": 1,
            }
        )

    @property
    def o_shape(self) -> StructLayout:
        """Sums of one row, the row, and whether they are the tile's last."""
        return StructLayout(
            {
                "score": ArrayLayout(signed(self.sum_bits), self.lanes),
                "row": range(self.rows),
                "end": 1,
            }
        )


class ScoreArray(wiring.Component):
    """score[r][c] = Σ_d query[d][r] · key[d][c], exactly, for tile after tile.

    Contract: a tile is what is pushed up to and with a `last`, at most `head_dim` dimensions, with
    gaps or without; the next one may follow in the next cycle. The `last` of a tile comes at least
    `max(words, 3)` cycles after that of the one before. Nothing stalls.

    The accumulators are never cleared: they count modulo 2**sum_bits, and a tile's sum is what they
    gained since the tile before, whose state waits in a memory. So there is no gate in their loop
    and no signal to all of them but their enable, and one subtractor a lane does the rest.

    *Timing*: the `words` words of a tile leave in consecutive cycles, the first `config.latency`
    cycles after the push of its `last`.

    *Members*
    i
        Push of {query, key, last}: one dimension of a tile.
    o
        Push of {score, row, end}: word w has keys (w mod columns / lanes) · lanes and up of row
        w // (columns / lanes).

    *Source*: docs/attention.md, "The pipeline".
    """

    i: Push
    o: Push

    def __init__(self, config: ScoreArrayConfig):
        self.config = config
        super().__init__(
            {"i": In(PushSignature(config.i_shape)), "o": Out(PushSignature(config.o_shape))}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the cells, the shift register behind them, and the difference."""
        m = Module()
        config = self.config

        # Broadcast: one register for each row and column of cells.
        query = Signal(config.i_shape["query"].shape, reset_less=True)
        key = Signal(config.i_shape["key"].shape, reset_less=True)
        m.d.sync += [query.eq(self.i.payload.query), key.eq(self.i.payload.key)]
        with Pipe(
            m,
            "dimension",
            latency=1 + config.product_latency,
            valid=self.i.valid,
            last=self.i.valid & self.i.payload.last,
        ) as p:
            p.stage("broadcast", keep=("last",))
            for _ in range(config.product_latency - 1):
                p.stage("multiply", keep=("last",))
            # Two cycles before a tile's first word: the memory's latency.
            active, word = self._count_words(m, p.last)
            p.stage("multiply", keep=("last",))
            accumulate, ended = p.valid, p.last

        # Cells: a multiplier and an accumulator that is never cleared.
        sums = []
        for row in range(config.rows):
            for column in range(config.columns):
                name = f"{row}_{column}"
                m.submodules[f"cell_{name}"] = cell = Multiplier(config.multiplier)
                product = Signal.like(cell.o, name=f"product_{name}", reset_less=True)
                total = Signal(signed(config.sum_bits), name=f"sum_{name}")
                m.d.comb += [cell.a.eq(query[row]), cell.b.eq(key[column])]
                m.d.sync += product.eq(cell.o)
                with m.If(accumulate):
                    m.d.sync += total.eq(total + product)
                sums.append(total)
        sums_now = self._shift(m, sums, ended)
        self._subtract(m, sums_now, active, word)
        return m

    def _count_words(self, m: Module, start: Signal) -> tuple[Signal, Signal]:
        """Count a tile's words, from the cycle after `start`."""
        words = self.config.words
        active, word = Signal(), Signal(range(words))
        with m.If(start):
            m.d.sync += [active.eq(1), word.eq(0)]
        with m.Elif(word == words - 1):
            m.d.sync += active.eq(0)
        with m.Else():
            m.d.sync += word.eq(word + 1)
        return active, word

    def _shift(self, m: Module, sums: list[Signal], ended: Signal) -> Signal:
        """Copy all sums once a tile has ended, and give a word of them a cycle."""
        lanes = self.config.lanes
        load = Signal()
        m.d.sync += load.eq(ended)
        words = [
            Signal(lanes * self.config.sum_bits, name=f"word_{index}", reset_less=True)
            for index in range(self.config.words)
        ]
        for index, (word, behind) in enumerate(zip(words, [*words[1:], words[-1]], strict=True)):
            copied = Cat(sums[index * lanes : (index + 1) * lanes])
            m.d.sync += word.eq(Mux(load, copied, behind))
        return words[0]

    def _subtract(self, m: Module, sums: Signal, active: Signal, word: Signal) -> None:
        """Take from each word what it was a tile ago."""
        config = self.config
        m.submodules.before = before = Ram(
            RamConfig(width=config.lanes * config.sum_bits, depth=config.words)
        )
        m.d.comb += before.read.address.eq(word)
        with Pipe(m, "word", latency=4, valid=active, word=word) as p:
            p.stage("read", keep=("word",))
            p.stage("read", keep=("word",))
            m.d.comb += [
                before.write.enable.eq(p.valid),
                before.write.address.eq(p.word),
                before.write.data.eq(sums),
            ]
            # The first tile starts from cleared accumulators.
            fresh = Signal(init=1)
            with m.If(p.valid & (p.word == config.words - 1)):
                m.d.sync += fresh.eq(0)
            p.stage("prepare", now=sums, before=Mux(fresh, 0, before.read.data), keep=("word",))
            bits = config.sum_bits
            lanes = [
                (p.now.word_select(lane, bits) - p.before.word_select(lane, bits))[:bits]
                for lane in range(config.lanes)
            ]
            p.stage("subtract", score=Cat(lanes), keep=("word",))
            row_from = (config.columns // config.lanes).bit_length() - 1
            m.d.comb += [
                self.o.valid.eq(p.valid),
                Value.cast(self.o.payload.score).eq(p.score),
                self.o.payload.row.eq(p.word[row_from:]),
                self.o.payload.end.eq(p.word == config.words - 1),
            ]
