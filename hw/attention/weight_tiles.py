"""Weights of a few tiles, and the factors of a few row blocks, until the value array takes them."""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Module, Mux, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.tile import TileWords
from hw.lib.arith import step
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import Ram, RamConfig

__all__ = ["WeightTiles", "WeightTilesConfig"]


@dataclass(frozen=True, kw_only=True)
class WeightTilesConfig:
    """Size of `WeightTiles`.

    Parameters
    ----------
    tile
        The words of a tile.
    weight_shape
        Shape of a weight.
    tiles
        Tiles held, a power of two.
    settle
        Cycles from a tile's last word to the moment when it may be used: what belongs to it, its
        rows' factors, comes that much later.
    """

    tile: TileWords
    weight_shape: Shape
    tiles: int
    settle: int

    def __post_init__(self) -> None:
        if self.tiles < 1 or self.tiles & self.tiles - 1:
            raise ValueError(f"WeightTilesConfig.tiles must be a power of two, got {self.tiles}")
        if self.settle < 1:
            raise ValueError(f"WeightTilesConfig.settle must be at least 1, got {self.settle}")

    @property
    def latency(self) -> int:
        """Cycles from the address of a key to its weights: the memory's and the lane's choice."""
        return RamConfig(width=1, depth=2).latency + 1

    @property
    def i_shape(self) -> StructLayout:
        """Weights of a word of a row."""
        return StructLayout(
            {
                "weight": ArrayLayout(self.weight_shape, self.tile.lanes),
                "row": range(self.tile.rows),
                "row_end": 1,
                "end": 1,
            }
        )


class WeightTiles(wiring.Component):
    """Tiles of weights in word by word, out key by key: all rows' weights of a key at once.

    Contract: tiles are used in the order in which they came. `start` is legal only with `room`,
    `take` only with `ready`, `free` once for each tile taken, with or after the issue of its last
    read and before the next tile's first. Words come only for started tiles.

    *Timing*: `room` in a cycle says that tiles - (starts before) + (frees before) is above 0;
    `ready` that (tiles whose last word came more than `settle` cycles ago) - (takes before) is.

    *Members*
    room, start
        There is a place for a tile; its weights are on their way.
    i
        Push of {weight, row, row_end, end}.
    ready, take, free
        A tile waits; its use begins; it is used no more.
    key, weight
        Key within the oldest tile taken, and `latency` cycles later its weights, one a row.
    """

    room: Signal
    start: Signal
    i: Push
    ready: Signal
    take: Signal
    free: Signal
    key: Signal
    weight: Signal

    def __init__(self, config: WeightTilesConfig):
        self.config = config
        super().__init__(
            {
                "room": Out(1),
                "start": In(1),
                "i": In(PushSignature(config.i_shape)),
                "ready": Out(1),
                "take": In(1),
                "free": In(1),
                "key": In(range(config.tile.columns)),
                "weight": Out(ArrayLayout(config.weight_shape, config.tile.rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A memory a row, a counter of tiles at each end."""
        m = Module()
        config, tile = self.config, self.config.tile
        slots = range(config.tiles)

        settled = self.i.valid & self.i.payload.end
        for stage in range(config.settle):
            later = Signal(name=f"settled_{stage + 1}")
            m.d.sync += later.eq(settled)
            settled = later
        # Both count one less than they mean, so that the sign alone says "none".
        count = signed(config.tiles.bit_length() + 1)
        spare = Signal(count, init=config.tiles - 1)
        waiting = Signal(count, init=-1)
        for level, up, down in ((spare, self.free, self.start), (waiting, settled, self.take)):
            m.d.sync += level.eq(step(level, up=up, down=down))
        m.d.comb += [self.room.eq(~spare[-1]), self.ready.eq(~waiting[-1])]

        write_slot = Signal(slots)
        read_slot = Signal(slots)
        with m.If(self.i.valid & self.i.payload.end):
            m.d.sync += write_slot.eq(write_slot + 1)
        with m.If(self.free):
            m.d.sync += read_slot.eq(read_slot + 1)
        word = Signal(range(tile.row_words))
        with m.If(self.i.valid):
            last = self.i.payload.row_end
            m.d.sync += word.eq(Mux(last, 0, word + 1))

        # Register what is written: every row's memory sees the same word.
        enable = Signal(tile.rows)
        address = Signal(tile.log2_row_words + (config.tiles - 1).bit_length() or 1)
        data = Signal(config.i_shape["weight"].shape, reset_less=True)
        m.d.sync += [
            enable.eq(Mux(self.i.valid, 1 << self.i.payload.row, 0)),
            address.eq(_place(word, tile.log2_row_words, write_slot, config.tiles)),
            data.eq(self.i.payload.weight),
        ]
        width = Shape.cast(config.i_shape["weight"].shape).width
        depth = config.tiles * tile.row_words
        lane_bits = tile.log2_lanes
        lane = Signal(range(tile.lanes))
        at = self.key[:lane_bits]
        for stage in range(RamConfig(width=1, depth=2).latency):
            later = Signal(range(tile.lanes), name=f"lane_{stage + 1}", reset_less=True)
            m.d.sync += later.eq(at)
            at = later
        m.d.comb += lane.eq(at)
        read_word = self.key[lane_bits:]
        for row in range(tile.rows):
            m.submodules[f"row_{row}"] = memory = Ram(RamConfig(width=width, depth=depth))
            m.d.comb += [
                memory.write.enable.eq(enable[row]),
                memory.write.address.eq(address),
                memory.write.data.eq(data),
                memory.read.address.eq(
                    _place(read_word, tile.log2_row_words, read_slot, config.tiles)
                ),
            ]
            words = [
                memory.read.data.word_select(each, config.weight_shape.width)
                for each in range(tile.lanes)
            ]
            m.d.sync += self.weight[row].eq(words[0] if len(words) == 1 else Array(words)[lane])
        return m


def _place(word, word_bits: int, slot: Signal, tiles: int):
    """Address of a word of a slot."""
    parts = [word[:word_bits]] if word_bits else []
    if tiles > 1:
        parts.append(slot)
    return Cat(*parts)
