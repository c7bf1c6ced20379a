"""Maxima of the rows of a row block, while its scores are on their way into the score ring."""

import itertools
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.tile import TileWords
from hw.lib.arith import greater, reduce_level
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe

__all__ = ["TileRowMax", "TileRowMaxConfig"]


@dataclass(frozen=True, kw_only=True)
class TileRowMaxConfig:
    """Shape of what is looked at.

    Parameters
    ----------
    tile
        The words of a tile.
    score_bits
        Width of a signed score, at least 2.
    tiles
        Most tiles of a row block: what the score ring holds.
    whole_blocks
        Whether row maxima are wanted, so that a row block is announced as a whole. Otherwise every
        tile is announced once it is written.
    """

    tile: TileWords
    score_bits: int
    tiles: int
    whole_blocks: bool = True

    def __post_init__(self) -> None:
        for field, low in (("score_bits", 2), ("tiles", 1)):
            if getattr(self, field) < low:
                raise ValueError(
                    f"TileRowMaxConfig.{field} must be at least {low}, got {getattr(self, field)}"
                )

    @property
    def word_latency(self) -> int:
        """Cycles from `i` to `o_word`."""
        return 1

    @property
    def row_latency(self) -> int:
        """Cycles from a row's last word in a row block to `o_row`: lanes, segment, row, a way."""
        return self.tile.log2_lanes + 2 + 1

    @property
    def block_latency(self) -> int:
        """Cycles from the last word of a row block, or tile, to `o_block`."""
        return self.row_latency if self.whole_blocks else self.word_latency + 1

    @property
    def score_shape(self) -> Shape:
        """A score; the lowest means masked."""
        return signed(self.score_bits)

    @property
    def i_shape(self) -> StructLayout:
        """A word of scores, and what ends with it; `first` and `last` are its tile's."""
        score = ArrayLayout(self.score_shape, self.tile.lanes)
        return StructLayout({"score": score, "row_end": 1, "end": 1, "first": 1, "last": 1})

    @property
    def word_shape(self) -> StructLayout:
        """What the score ring keeps of a word."""
        return StructLayout({"score": ArrayLayout(self.score_shape, self.tile.lanes)})

    @property
    def row_shape(self) -> StructLayout | None:
        """What the score ring keeps of a row."""
        return StructLayout({"row_max": self.score_shape}) if self.whole_blocks else None

    @property
    def o_word_shape(self) -> StructLayout:
        """A word for the ring, and whether its tile is the last of its row block."""
        return StructLayout({"word": self.word_shape, "last": 1})

    @property
    def o_block_shape(self) -> StructLayout:
        """How many tiles more are complete."""
        return StructLayout({"tiles": range(self.tiles + 1)})


class TileRowMax(wiring.Component):
    """max s over the keys of a row block, for each of its rows; and word by word what it came from.

    Contract: tiles of `tile.words` words come in order, with gaps or without; `row_end` is set on
    the last word of every segment, `end` on a tile's last word, `first` and `last` on every word of
    a row block's first and last tile. All words leave, in order. Of every row block, each row's
    maximum leaves once, in the order of rows; the number of its tiles leaves after the last row's
    maximum and all its words. A row without a visible score has the lowest code for maximum.
    Without `whole_blocks` every tile is announced by itself, after its last word.

    *Timing*: `word_latency`, `row_latency` and `block_latency`; interval one cycle, never a stall.

    *Members*
    i
        Push of {score, row_end, end, first, last}.
    o_word, o_row, o_block
        Pushes of {word: {score}, last}, {row_max} and {tiles}, for a
        `hw.attention.block_ring.BlockRing`; no `o_row` without `whole_blocks`.
    """

    i: Push
    o_word: Push
    o_row: Push
    o_block: Push

    def __init__(self, config: TileRowMaxConfig):
        self.config = config
        ports = {
            "i": In(PushSignature(config.i_shape)),
            "o_word": Out(PushSignature(config.o_word_shape)),
            "o_block": Out(PushSignature(config.o_block_shape)),
        }
        if config.row_shape is not None:
            ports["o_row"] = Out(PushSignature(config.row_shape))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Pass the words on; compare lanes, the words of a segment, the segments of a row."""
        m = Module()
        config, word = self.config, self.i.payload
        with Pipe(
            m,
            "word",
            latency=config.word_latency,
            valid=self.i.valid,
            score=word.score,
            end=word.end,
            last=word.last,
        ) as p:
            p.stage("pass", keep=("score", "end", "last"))
            m.d.comb += [
                self.o_word.valid.eq(p.valid),
                self.o_word.payload.word.score.eq(p.score),
                self.o_word.payload.last.eq(p.last),
            ]
            if not config.whole_blocks:
                m.d.sync += self.o_block.valid.eq(p.valid & p.end)
                m.d.comb += self.o_block.payload.tiles.eq(1)
        if config.whole_blocks:
            self._compare(m)
        return m

    def _compare(self, m: Module) -> None:
        config, word = self.config, self.i.payload
        flags = ("row_end", "end", "first", "last")
        scores = {f"best{lane}": word.score[lane] for lane in range(config.tile.lanes)}
        marks = {flag: getattr(word, flag) for flag in flags}
        with Pipe(
            m, "max", latency=config.row_latency - 1, valid=self.i.valid, **scores, **marks
        ) as p:
            for level in range(config.tile.log2_lanes):
                lanes = [getattr(p, f"best{lane}") for lane in range(config.tile.lanes >> level)]
                greatest = enumerate(reduce_level(lanes, _greatest))
                p.stage("lanes", **{f"best{i}": each for i, each in greatest}, keep=flags)

            # The segment's maximum so far is the register that this stage drives: it only changes
            # with a word, and the first word of a segment does not look at it.
            segment = Signal(config.score_shape, reset_less=True)
            begins = Signal(init=1)
            with m.If(p.valid):
                m.d.sync += [
                    segment.eq(_greatest(p.best0, segment, anyway=begins)),
                    begins.eq(p.row_end),
                ]
            p.through(1, best=segment, keep=flags)

            # The rows' maxima so far go round; the head is the row whose segment ends.
            ends = p.valid & p.row_end
            ring = [
                Signal(config.score_shape, reset_less=True, name=f"row_{place}")
                for place in range(config.tile.rows)
            ]
            tiles = Signal(range(config.tiles + 1), init=1)
            tiles_now = Signal.like(tiles, reset_less=True)
            with m.If(ends):
                m.d.sync += [
                    ring[-1].eq(_greatest(p.best, ring[0], anyway=p.first)),
                    *(place.eq(after) for place, after in itertools.pairwise(ring)),
                ]
                with m.If(p.end):
                    m.d.sync += tiles.eq(Mux(p.last, 1, tiles + 1))
            m.d.sync += tiles_now.eq(tiles)
            p.through(1, row_max=ring[-1], tiles=tiles_now, keep=("row_end", "end", "last"))
            row = p.valid & p.row_end & p.last
            # The ring may lie far from here.
            m.d.sync += [
                self.o_row.valid.eq(row),
                self.o_row.payload.row_max.eq(p.row_max),
                self.o_block.valid.eq(row & p.end),
                self.o_block.payload.tiles.eq(p.tiles),
            ]


def _greatest(a: Value, b: Value, anyway: Value | int = 0) -> Value:
    """The greater of `a` and `b`; `a` `anyway`."""
    return Mux(anyway | greater(a, b), a, b)
