"""A ring of tiles: words wait until their row block, or their tile, may be read."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, ShapeLike, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.attention.tile import TileWords
from hw.lib.arith import step
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import Ram, RamConfig

__all__ = ["BlockRing", "BlockRingConfig"]

LOGIC_TILES = 256
"""Tiles up to which a bit for each is distributed memory; more in one would be slow."""

NEAR_BITS = 1 << 16
"""Of words, up to which the memory is near its writer: three or four of an ECP5's blocks."""


@dataclass(frozen=True, kw_only=True)
class BlockRingConfig:
    """Size of a ring of tiles.

    Parameters
    ----------
    tile
        The words of a tile.
    word_shape
        What waits, one a cycle.
    row_shape
        What is known of each row of a row block once it is complete; None for nothing.
    tiles
        Places for tiles, at least 1; also the most tiles of a row block.
    """

    tile: TileWords
    word_shape: ShapeLike
    row_shape: ShapeLike | None
    tiles: int

    def __post_init__(self) -> None:
        if self.tiles < 1:
            raise ValueError(f"BlockRingConfig.tiles must be at least 1, got {self.tiles}")

    @property
    def latency(self) -> int:
        """Cycles from `start` to a tile's first word at `o`: one, and the memory's."""
        return 1 + self.read_latency

    @property
    def announce_latency(self) -> int:
        """Cycles from an `i_block` to the `start` of its first tile, at least."""
        return 2

    @property
    def interval(self) -> int:
        """Cycles from a `start` to the next, at least: a tile's words."""
        return self.tile.words

    @property
    def read_latency(self) -> int:
        """Cycles from the issue of a word to its arrival at `o`."""
        return RamConfig(width=1, depth=2).latency

    @property
    def words_ram(self) -> RamConfig:
        """Storage of the words. A large one is written a cycle late, long before it is read."""
        width, depth = Shape.cast(self.word_shape).width, self.tiles * self.tile.words
        return RamConfig(width=width, depth=depth, write_registers=int(width * depth > NEAR_BITS))

    @property
    def rows_ram(self) -> RamConfig:
        """Storage of the row values, if there are any: for as many row blocks as tiles.

        A row block has a tile. What it keeps is written after its last tile took a place, and is
        read for the last time with that tile's last word.
        """
        return RamConfig(
            width=Shape.cast(self.row_shape).width,  # type: ignore[arg-type]
            depth=self.tiles * self.tile.rows,
        )

    @property
    def i_shape(self) -> StructLayout:
        """A word, and whether its tile is the last of its row block."""
        return StructLayout({"word": self.word_shape, "last": 1})

    @property
    def i_block_shape(self) -> StructLayout:
        """How many tiles more may be read."""
        return StructLayout({"tiles": range(self.tiles + 1)})

    @property
    def o_shape(self) -> StructLayout:
        """A word, the value of its row and that row's index; what ends with it, and its tile."""
        members = {"word": self.word_shape}
        if self.row_shape is not None:
            members["row"] = self.row_shape
        flags = {"row_end": 1, "end": 1, "first": 1, "last": 1}
        return StructLayout({**members, "row_index": range(self.tile.rows), **flags})


class BlockRing(wiring.Component):
    """Tiles in, in order; the same tiles out, beside the values of their rows, when allowed.

    Contract: words leave in the order in which they came, each exactly once; row values too, each
    beside every word of its row in its row block. `take` is legal only in a cycle with `room`. Only
    words of taken tiles are pushed, as many as a tile has. Before an `i_block` of n tiles, or in
    its cycle, the words of n more whole tiles and their rows' values were pushed. A row block's
    tiles may be announced one by one if there are no row values.
    No read ever meets a write to the same address, of its cycle or of the one before: a word is
    read only after its tile was announced, and its place is given away only after the tile's last
    word was read.

    *Timing*, in cycles; a register's value in cycle t is that before the edge which ends t:

    - `room` in t says that tiles - (takes before t) + (last words issued before t - 1) is above 0.
    - *ready* in t is (tiles announced before t - 1) - (`start`s before t).
    - `start` is high in t exactly if ready is above 0, `advance` is high, and no word is issued in
      t or it is the last of its tile.
    - After a `start` in t the tile's words are issued in t + 1 ... t + W, and are at `o` in
      t + `latency` ... t + `latency` + W - 1: `o` has no gap while `start` can follow.

    *Members*
    room, take
        There is a free place for a tile; a tile takes it.
    i
        Push of {word, last}; last is the same for all words of a tile.
    i_row
        Push of the row values, only with a `row_shape`.
    i_block
        Push of {tiles}: so many more tiles may be read.
    advance, start
        The consumer has room for a whole tile; a tile takes that room.
    o
        Push of {word, row, row_index, row_end, end, first, last}. first and last are the tile's in
        its row block, end is set on its last word, row_end on a row's last word in it.
    """

    room: Signal
    take: Signal
    i: Push
    i_row: Push
    i_block: Push
    advance: Signal
    start: Signal
    o: Push

    def __init__(self, config: BlockRingConfig):
        self.config = config
        ports = {
            "room": Out(1),
            "take": In(1),
            "i": In(PushSignature(config.i_shape)),
            "i_block": In(PushSignature(config.i_block_shape)),
            "advance": In(1),
            "start": Out(1),
            "o": Out(PushSignature(config.o_shape)),
        }
        if config.row_shape is not None:
            ports["i_row"] = In(PushSignature(config.row_shape))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Write word by word, count tiles, read tile by tile."""
        m = Module()
        config, tile = self.config, self.config.tile
        m.submodules.words = words = Ram(config.words_ram)

        # Write: one place after the other.
        write_word = Signal(tile.log2_words)
        write_tile = Signal(range(config.tiles))
        write_end = _full(write_word)
        m.d.comb += [
            words.write.enable.eq(self.i.valid),
            words.write.address.eq(Cat(write_word, write_tile)),
            words.write.data.eq(self.i.payload.word),
        ]
        with m.If(self.i.valid):
            m.d.sync += write_word.eq(write_word + 1)
            with m.If(write_end):
                m.d.sync += write_tile.eq(self._next(write_tile))

        # Count: both counts are one less than they mean, so that the sign alone says "none".
        active = Signal()
        word = Signal(tile.log2_words)
        end = Signal(init=tile.words == 1)
        freed = active & end
        count_shape = signed((config.tiles - 1).bit_length() + 1)
        spare = Signal(count_shape, init=config.tiles - 1)
        ready = Signal(count_shape, init=-1)
        announced = Signal(range(config.tiles + 1))
        # A reader may lie far from those who ask for room.
        freed_before = Signal()
        # Nothing starts in the cycle after a start but a tile of one word.
        started: Value = self.start
        if tile.words > 1:
            started = Signal(name="started")
            m.d.sync += started.eq(self.start)
        m.d.comb += [
            self.room.eq(~spare[-1]),
            self.start.eq((~active | end) & ~ready[-1] & self.advance),
        ]
        m.d.sync += [
            freed_before.eq(freed),
            spare.eq(step(spare, up=freed_before, down=self.take)),
            announced.eq(Mux(self.i_block.valid, self.i_block.payload.tiles, 0)),
            ready.eq(ready + announced - started),
        ]

        # Read: what is known of a tile is loaded at its start.
        tile_at = Signal(range(config.tiles))
        next_tile = Signal(range(config.tiles))
        first = Signal(init=1)
        last = Signal()
        next_last = self._next_last(m, self.i.valid & (write_word == 0), write_tile, next_tile)
        m.d.comb += words.read.address.eq(Cat(word, tile_at))
        with m.If(active):
            m.d.sync += word.eq(word + 1)
            if tile.words > 1:
                m.d.sync += end.eq(word == tile.words - 2)
            with m.If(end):
                m.d.sync += [active.eq(0), first.eq(last)]
        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                tile_at.eq(next_tile),
                next_tile.eq(self._next(next_tile)),
                last.eq(next_last),
            ]

        # Carry what goes with the word past the memory's latency.
        place, row_index = word[: tile.log2_row_words], word[tile.log2_row_words :]
        beside: Value = Cat(active, row_index, _full(place), end, first, last)
        for stage in range(config.read_latency):
            later = Signal(len(beside), name=f"beside_{stage + 1}")
            m.d.sync += later.eq(beside)
            beside = later
        o = self.o.payload
        m.d.comb += [
            Cat(self.o.valid, o.row_index, o.row_end, o.end, o.first, o.last).eq(beside),
            o.word.eq(words.read.data),
        ]
        if config.row_shape is not None:
            m.submodules.rows = rows = self._rows(m, row_index, freed & last)
            m.d.comb += o.row.eq(rows.read.data)
        return m

    def _next_last(self, m: Module, begins: Value, write_tile: Value, next_tile: Value) -> Value:
        """Whether the next tile is its row block's last: one bit a tile, written when it begins.

        A tile of three words starts no sooner than three cycles after it began to be written, and
        after the tile before it: a memory of latency 2 is quick enough.
        """
        config, last = self.config, self.i.payload.last
        if config.tiles > LOGIC_TILES and config.tile.words >= 3:
            m.submodules.lasts = ram = Ram(RamConfig(width=1, depth=config.tiles))
            m.d.comb += [
                ram.write.enable.eq(begins),
                ram.write.address.eq(write_tile),
                ram.write.data.eq(last),
                ram.read.address.eq(next_tile),
            ]
            return ram.read.data
        m.submodules.lasts = lasts = Memory(shape=1, depth=max(2, config.tiles), init=[])
        write, read = lasts.write_port(), lasts.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(begins),
            write.addr.eq(write_tile),
            write.data.eq(last),
            read.addr.eq(next_tile),
        ]
        return read.data

    def _rows(self, m: Module, row_index: Value, block_ends: Value) -> Ram:
        """Row values: written one after the other, read with every word of their row."""
        config, log2_rows = self.config, self.config.tile.rows.bit_length() - 1
        rows = Ram(config.rows_ram)
        write_row = Signal(log2_rows)
        write_block = Signal(range(config.tiles))
        read_block = Signal(range(config.tiles))
        m.d.comb += [
            rows.write.enable.eq(self.i_row.valid),
            rows.write.address.eq(Cat(write_row, write_block)),
            rows.write.data.eq(self.i_row.payload),
            rows.read.address.eq(Cat(row_index, read_block)),
        ]
        with m.If(self.i_row.valid):
            m.d.sync += write_row.eq(write_row + 1)
            with m.If(_full(write_row)):
                m.d.sync += write_block.eq(self._next(write_block))
        with m.If(block_ends):
            m.d.sync += read_block.eq(self._next(read_block))
        return rows

    def _next(self, place: Value) -> Value:
        return Mux(place == self.config.tiles - 1, 0, place + 1)


def _full(count: Value) -> Value:
    """Whether a counter stands at its last value; one without bits always does."""
    return count.all() if len(count) else Const(1, 1)
