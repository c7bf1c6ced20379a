"""Exact products of R queries and C keys: an outer product for each dimension."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.attention.mac_array import MacArray, MacArrayConfig, check_sides
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.ram import Ram, RamConfig

__all__ = ["ScoreArray", "ScoreArrayConfig"]

OPERAND_BITS = 8


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
    logic_rows
        Rows, the last ones, whose products are made of logic.
    """

    rows: int
    columns: int
    lanes: int
    head_dim: int
    logic_rows: int = 0

    def __post_init__(self) -> None:
        check_sides(self, "rows", "columns", "lanes")
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
    def row_words(self) -> int:
        """Words of a row."""
        return self.columns // self.lanes

    @property
    def macs(self) -> MacArrayConfig:
        """The multiply-accumulates."""
        return MacArrayConfig(
            rows=self.rows,
            columns=self.columns,
            row_shape=signed(OPERAND_BITS),
            column_shape=signed(OPERAND_BITS),
            sum_bits=self.sum_bits,
            logic_rows=self.logic_rows,
        )

    @property
    def row_latency(self) -> int:
        """Cycles from a row's sums to its first word: none where a row is a word."""
        return 2 if self.row_words > 1 else 0

    @property
    def latency(self) -> int:
        """Cycles from a tile's last dimension to its first word.

        Multiply-accumulates, the row's way, operands of the difference, difference.
        """
        return self.macs.latency + self.row_latency + 1 + 1

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

    Rows end one after the other and wait for their turn in a small memory. A tile's sum is what
    the accumulators gained since the tile before, whose state waits in another; one subtractor a
    lane finds it.

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
        """Build the multiply-accumulates, the rows' way to the words, and the difference."""
        m = Module()
        config, payload = self.config, self.i.payload
        m.submodules.macs = macs = MacArray(config.macs)
        m.d.comb += [
            macs.i.valid.eq(self.i.valid),
            Value.cast(macs.i.payload.row).eq(Cat(payload.query)),
            Value.cast(macs.i.payload.column).eq(Cat(payload.key)),
            macs.i.payload.last.eq(payload.last),
        ]
        # A word's number is known two cycles before its sums: the latency of the memory of what
        # they were.
        early = config.latency - 2 - 2
        with Pipe(m, "ended", latency=early - 1, valid=self.i.valid & payload.last) as p:
            p.through(early - 1)
            active, word = _counted(m, "word", p.valid, config.words)
            rows = _counted(m, "row", p.valid, config.rows)
        sums: Value = Value.cast(macs.sums)
        if config.row_words > 1:
            sums = self._words(m, sums, rows, word)
        self._subtract(m, sums, active, word)
        return m

    def _words(self, m: Module, sums: Value, coming: tuple[Signal, Signal], word: Signal) -> Value:
        """Word after word, two cycles after its number, of rows that come one a cycle."""
        config = self.config
        log2_row_words = config.row_words.bit_length() - 1
        m.submodules.rows = rows = Memory(shape=len(sums), depth=max(2, config.rows), init=[])
        write, read = rows.write_port(), rows.read_port(domain="comb")
        begins = Signal()
        read_row = Signal(range(max(2, config.rows)))
        shift = Signal(len(sums), name="row_shift", reset_less=True)
        m.d.comb += [write.en.eq(coming[0]), write.addr.eq(coming[1]), write.data.eq(sums)]
        m.d.comb += read.addr.eq(read_row)
        m.d.sync += [
            begins.eq(word[:log2_row_words] == 0),
            read_row.eq(word[log2_row_words:]),
            shift.eq(Mux(begins, read.data, shift >> config.lanes * config.sum_bits)),
        ]
        return shift[: config.lanes * config.sum_bits]

    def _subtract(self, m: Module, sums: Value, active: Signal, word: Signal) -> None:
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
            row = p.word[config.row_words.bit_length() - 1 :]
            end = p.word == config.words - 1
            p.stage("subtract", score=Cat(lanes), row=row, end=end)
            m.d.comb += [
                self.o.valid.eq(p.valid),
                Value.cast(self.o.payload.score).eq(p.score),
                self.o.payload.row.eq(p.row),
                self.o.payload.end.eq(p.end),
            ]


def _counted(m: Module, name: str, start: Value, count: int) -> tuple[Signal, Signal]:
    """Whether and how far it is counted, to a power of two, from the cycle after `start`."""
    active, at = Signal(name=f"{name}_active"), Signal(range(count), name=f"{name}_at")
    with m.If(active):
        m.d.sync += at.eq(at + 1)
    with m.If(start):
        m.d.sync += active.eq(1)
    with m.Elif(at == count - 1):
        m.d.sync += active.eq(0)
    return active, at
