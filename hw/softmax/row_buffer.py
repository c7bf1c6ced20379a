"""A buffer between two passes over rows: words wait until their row's descriptor is known."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.arith import step
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.prim.ram import Ram, RamConfig

__all__ = ["GRANT_DELAY", "RowBuffer", "RowBufferConfig", "count_shape_of"]

GRANT_DELAY = 1
"""Cycles by which a head sees a grant late. A register between the two shortens the longest path,
from the room in one buffer to the next row of the one before."""


def count_shape_of(max_words: int) -> Shape:
    """Shape of a row's count: its words less two, so that the sign says "one"."""
    return signed(max_words.bit_length() + 1)


@dataclass(frozen=True, kw_only=True)
class RowBufferConfig:
    """Size of a row buffer.

    Parameters
    ----------
    word_shape
        What waits, one a cycle.
    row_shape
        What is known once a row is complete, apart from its count.
    max_words
        Words in the longest row.
    fill_latency
        Cycles from the taking of a row's last word to the push of its descriptor.
    rows
        Rows that may wait, at least; more where `fill_latency` needs them.
    """

    word_shape: ShapeLike
    row_shape: ShapeLike
    max_words: int
    fill_latency: int
    rows: int

    def __post_init__(self) -> None:
        for field, low in (("max_words", 1), ("fill_latency", 1), ("rows", 2)):
            if getattr(self, field) < low:
                raise ValueError(
                    f"RowBufferConfig.{field} must be at least {low}, got {getattr(self, field)}"
                )

    @property
    def latency(self) -> int:
        """Cycles from the issue of a word to its arrival at `o`."""
        return RamConfig(width=1, depth=2).latency

    @property
    def depth_words(self) -> int:
        """Words of storage: the longest row, and what arrives until its first place is free again.

        A descriptor is offered a cycle after its push and loaded in the same cycle; the first word
        is issued in the next, and its place granted in the one after; the head sees that late.
        """
        return self.max_words + self.fill_latency + 3 + GRANT_DELAY

    @property
    def depth_rows(self) -> int:
        """Descriptors of storage: enough that rows of one word follow each other without a gap."""
        return max(self.rows, self.fill_latency + 2 + GRANT_DELAY)

    @property
    def count_shape(self) -> Shape:
        """Shape of a row's count in the descriptor."""
        return count_shape_of(self.max_words)


class RowBuffer(wiring.Component):
    """Words in, in the order of rows; words out beside the descriptor of their whole row.

    Contract: words and descriptors leave in the order in which they came, each exactly once, and a
    row's words are issued one a cycle as long as `advance` lets them. `take` is legal only
    `GRANT_DELAY` cycles after a `grant`; every taken word is pushed before its row's descriptor is,
    and the descriptor is pushed once for every `take_row`. No read ever meets a write to the same
    address, because a word is issued only after its descriptor was pushed, and its place granted
    only after that.

    *Timing*: from `issue` to `o`, `config.latency` cycles. A buffer of
    `depth_words` keeps one word a cycle going for rows of any equal length.

    *Members*
    grant, take, take_row
        There is room for a word and a row; a word, and with it the end of a row, is taken.
    i_word, i_row
        Pushes of the taken words and of {count, row}; count is the row's words less two.
    advance
        The pipeline behind `o` grants one more word; heeded `GRANT_DELAY` cycles later.
    issue, issue_last
        A word, and with it the end of a row, is sent on its way: take the room.
    o
        {word, row, first, last}, without ready.
    """

    grant: Signal
    take: Signal
    take_row: Signal
    i_word: Push
    i_row: Push
    advance: Signal
    issue: Signal
    issue_last: Signal
    o: Push

    def __init__(self, config: RowBufferConfig):
        self.config = config
        self.descriptor_shape = StructLayout({"count": config.count_shape, "row": config.row_shape})
        self.output_shape = StructLayout(
            {"word": config.word_shape, "row": config.row_shape, "first": 1, "last": 1}
        )
        super().__init__(
            {
                "grant": Out(1),
                "take": In(1),
                "take_row": In(1),
                "i_word": In(PushSignature(config.word_shape)),
                "i_row": In(PushSignature(self.descriptor_shape)),
                "advance": In(1),
                "issue": Out(1),
                "issue_last": Out(1),
                "o": Out(PushSignature(self.output_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join storage, descriptors and the reader."""
        m = Module()
        depth = self.config.depth_words
        width = Shape.cast(self.config.word_shape).width
        m.submodules.words = words = Ram(RamConfig(width=width, depth=depth))
        m.submodules.rows = rows = CreditFifo(
            CreditFifoConfig(
                shape=self.descriptor_shape, depth=self.config.depth_rows, reserve=GRANT_DELAY
            )
        )
        count_shape = signed((depth - 1).bit_length() + 1)
        spare = Signal(count_shape, init=depth - 1 - GRANT_DELAY)
        m.d.comb += [
            self.grant.eq(~spare[-1] & rows.grant),
            rows.take.eq(self.take_row),
            rows.i.valid.eq(self.i_row.valid),
            rows.i.payload.eq(self.i_row.payload),
        ]
        m.d.sync += spare.eq(step(spare, up=self.issue, down=self.take))

        # Write: one place after the other.
        write_at = Signal(range(depth))
        m.d.comb += [
            words.write.enable.eq(self.i_word.valid),
            words.write.address.eq(write_at),
            words.write.data.eq(self.i_word.payload),
        ]
        with m.If(self.i_word.valid):
            m.d.sync += write_at.eq(Mux(write_at == depth - 1, 0, write_at + 1))

        # Read: load a descriptor, then count its words down; the sign of `count` says "last".
        active = Signal()
        first = Signal()
        granted = Signal()
        m.d.sync += granted.eq(self.advance)
        count = Signal(self.config.count_shape, reset_less=True)
        row = Signal(self.config.row_shape, reset_less=True)
        read_at = Signal(range(depth))
        m.d.comb += [
            self.issue.eq(active & granted),
            self.issue_last.eq(self.issue & count[-1]),
            rows.o.ready.eq(~active | self.issue_last),
            words.read.address.eq(read_at),
        ]
        with m.If(self.issue):
            m.d.sync += [
                read_at.eq(Mux(read_at == depth - 1, 0, read_at + 1)),
                count.eq(count - 1),
                first.eq(0),
            ]
        with m.If(rows.o.ready):
            m.d.sync += [
                active.eq(rows.o.valid),
                count.eq(rows.o.payload.count),
                row.eq(rows.o.payload.row),
                first.eq(1),
            ]

        # Carry what goes with the word past the memory's latency.
        beside = StructLayout({"valid": 1, "row": self.config.row_shape, "first": 1, "last": 1})
        now = Signal(beside)
        m.d.comb += [
            now.valid.eq(self.issue),
            now.row.eq(row),
            now.first.eq(first),
            now.last.eq(count[-1]),
        ]
        for stage in range(self.config.latency):
            later = Signal(beside, name=f"beside_{stage + 1}")
            m.d.sync += later.eq(now)
            now = later
        m.d.comb += [
            self.o.valid.eq(now.valid),
            self.o.payload.word.eq(words.read.data),
            self.o.payload.row.eq(now.row),
            self.o.payload.first.eq(now.first),
            self.o.payload.last.eq(now.last),
        ]
        return m
