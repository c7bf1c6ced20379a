"""Leads tiles through the score array: when one starts, what is read, and what is noted of it."""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.config import AttentionConfig
from hw.attention.pace import LEAST_INTERVAL, Pace
from hw.lib.arith import times
from hw.lib.credit import Push, PushSignature
from hw.lib.stream import SkidBuffer, SkidBufferConfig

__all__ = ["ScoreSequencer", "ScoreSequencerConfig", "head_shape", "record_shape"]


def head_shape(config: AttentionConfig) -> StructLayout:
    """What is known of a head while its tiles pass.

    `source` is the mask's, `causal` belongs to column intervals, `keep` says that the next head
    uses the same keys and values.
    """
    layer = config.layer
    return StructLayout(
        {
            "batch": range(layer.batches),
            "head": range(layer.heads),
            "queries": range(layer.queries + 1),
            "keys": range(layer.keys + 1),
            "source": range(len(layer.masks)),
            "causal": int("columns" in layer.masks),
            "keep": 1,
        }
    )


def record_shape(config: AttentionConfig) -> StructLayout:
    """What the value array must know of a tile, or of empty row blocks at the end of a head.

    `skips` row blocks without a visible tile come before it; `data` says that there is a tile;
    `rows` are the queries of the last row block spoken of, less one.
    """
    return StructLayout(
        {
            "skips": range(config.row_blocks + 1),
            "data": 1,
            "key_tile": range(config.key_tiles),
            "first": 1,
            "last": 1,
            "end": 1,
            "refused": 1,
            "rows": range(config.rows),
            "keep": 1,
        }
    )


class ScoreSequencerConfig:
    """Sizes of a `ScoreSequencer`."""

    def __init__(self, attention: AttentionConfig, interval: int):
        self.attention = attention
        self.interval = max(interval, LEAST_INTERVAL)
        """Cycles from tile to tile, at least head_dim."""

    @property
    def read_shape(self) -> StructLayout:
        """Where a dimension of the queries and of the keys is read, in words."""
        config = self.attention
        dims = config.layer.head_dim
        return StructLayout(
            {
                "query": range(config.row_blocks * dims),
                "key": range(config.key_tiles * dims),
                "last": 1,
            }
        )

    @property
    def tile_shape(self) -> StructLayout:
        """What the score ALU must know of a tile."""
        config = self.attention
        return StructLayout(
            {
                "row_block": range(config.row_blocks),
                "key_tile": range(config.key_tiles),
                "partial": 1,
                "token_tile": range(config.partial_tiles if "bitmap" in config.layer.masks else 1),
                "first": 1,
                "last": 1,
                "end": 1,
                "head": head_shape(config),
            }
        )


class ScoreSequencer(wiring.Component):
    """Starts a tile as soon as its operands are there and the score ring has a place for it.

    Contract: commands are taken in order, each once. Empty row blocks take no cycle of the score
    array: they come as a count. With a head's last command its queries are released, and its keys
    unless the next head keeps them.

    *Timing*: a command accepted in cycle t can start in t + 2; what allows it must hold two cycles
    before. A tile that starts in t reads its dimensions in t + 2 ... t + head_dim + 1, and is
    told of in t + 1; the next one starts `interval` cycles after it at the earliest. A head's
    operands are released in the cycle after their last read; from that read on nothing starts for
    `SETTLE` cycles, in which their state follows.

    *Members*
    i, i_head
        Streams of tile commands, and of what is known of each head.
    query_full, key_full, release_query, release_key
        State of the operands of the oldest head; they are read no more.
    room, take
        The score ring has a place for a tile; a tile takes it.
    log_room, o_log
        Room for a record; Push of records, one a tile.
    o_read
        Push of operand addresses, one a dimension.
    o_tile
        Push of what the score ALU must know, once a tile, when it starts.
    finish
        A head ends without a tile.
    """

    i: stream.Interface
    i_head: stream.Interface
    query_full: Signal
    key_full: Signal
    release_query: Signal
    release_key: Signal
    room: Signal
    take: Signal
    log_room: Signal
    o_log: Push
    o_read: Push
    o_tile: Push
    finish: Signal

    def __init__(self, config: ScoreSequencerConfig, command_shape: StructLayout):
        self.config = config
        self.command_shape = command_shape
        attention = config.attention
        super().__init__(
            {
                "i": In(stream.Signature(command_shape)),
                "i_head": In(stream.Signature(head_shape(attention))),
                "query_full": In(1),
                "key_full": In(1),
                "release_query": Out(1),
                "release_key": Out(1),
                "room": In(1),
                "take": Out(1),
                "log_room": In(1),
                "o_log": Out(PushSignature(record_shape(attention))),
                "o_read": Out(PushSignature(config.read_shape)),
                "o_tile": Out(PushSignature(config.tile_shape)),
                "finish": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hold a command with its addresses, decide, then count dimensions."""
        m = Module()
        attention = self.config.attention
        dims = attention.layer.head_dim
        # Hold the next two commands, with their addresses worked out.
        m.submodules.next = held = SkidBuffer(SkidBufferConfig(shape=self._held_shape))
        offered = self.i.payload
        m.d.comb += [
            held.i.valid.eq(self.i.valid),
            self.i.ready.eq(held.i.ready),
            held.i.payload.command.eq(offered),
            held.i.payload.query.eq(times(offered.row_block, dims)),
            held.i.payload.key.eq(times(offered.key_tile, dims)),
        ]
        command, done = held.o.payload.command, held.o.ready

        # Decide, a cycle before it happens: a tile, or empty row blocks that end a head.
        # What allows it is looked at a cycle before that. It ends by nothing but a start or a
        # finish, and the next of these is at least LEAST_INTERVAL cycles away.
        m.submodules.pace = pace = Pace(self.config.interval)
        able = Signal()
        able_tile = Signal()
        operands = self.query_full & self.key_full & self.i_head.valid & self.log_room
        m.d.sync += [able.eq(operands), able_tile.eq(operands & self.room)]
        start = Signal()
        finish = self.finish
        ends = Signal()
        decides = held.o.valid & pace.open & ~done
        m.d.sync += [
            start.eq(decides & ~command.none & able_tile),
            finish.eq(decides & command.none & able),
        ]
        m.d.comb += [
            done.eq(start | finish),
            ends.eq(done & command.end),
            pace.start.eq(start),
            pace.ends.eq(ends),
        ]
        # Later by a cycle, and in time: the next head is looked at when it may start.
        m.d.sync += [self.take.eq(start), self.i_head.ready.eq(ends)]

        self._note(m, command, start, finish)
        self._read(m, held.o.payload, start, finish, pace)
        return m

    @property
    def _held_shape(self) -> StructLayout:
        """A command, and where its queries and keys are."""
        read = self.config.read_shape.members
        return StructLayout(
            {"command": self.command_shape, "query": read["query"], "key": read["key"]}
        )

    def _note(self, m: Module, command, start: Signal, finish: Signal) -> None:
        """Tell of each tile, and of the empty row blocks before it."""
        record, tile, head = self.o_log.payload, self.o_tile.payload, self.i_head.payload
        rows = self.config.attention.rows
        # Queries of a head's last row block, less one.
        last_rows = (head.queries - 1)[: len(record.rows)]
        # Told a cycle later, from registers.
        m.d.sync += [
            self.o_log.valid.eq(start | finish),
            record.skips.eq(command.skips + command.none),
            record.data.eq(start),
            record.key_tile.eq(command.key_tile),
            record.first.eq(command.first),
            record.last.eq(command.last),
            record.end.eq(command.end),
            record.refused.eq(command.refused),
            record.rows.eq(Mux(command.end, last_rows, rows - 1)),
            record.keep.eq(head.keep),
            self.o_tile.valid.eq(start),
            tile.row_block.eq(command.row_block),
            tile.key_tile.eq(command.key_tile),
            tile.partial.eq(command.partial),
            tile.token_tile.eq(command.token_tile),
            tile.first.eq(command.first),
            tile.last.eq(command.last),
            tile.end.eq(command.end),
            tile.head.eq(head),
        ]

    def _read(self, m: Module, held, start: Signal, finish: Signal, pace: Pace) -> None:
        """Read a dimension a cycle, and release the operands with the last of a head."""
        dims = self.config.attention.layer.head_dim
        read = self.o_read.payload
        # What was decided, from registers.
        started = Signal()
        finished = Signal()
        tile = Signal.like(held, reset_less=True)
        keep = Signal(reset_less=True)
        m.d.sync += [
            started.eq(start),
            finished.eq(finish),
            tile.eq(held),
            keep.eq(self.i_head.payload.keep),
        ]
        left = Signal(unsigned(Shape.cast(range(dims)).width))
        active = Signal()
        last = Signal()
        ending = Signal()
        keeping = Signal()
        m.d.comb += [
            self.o_read.valid.eq(active),
            read.last.eq(last),
            pace.released.eq((ending & active & last) | finished),
        ]
        # Told a cycle later, to parts far away.
        m.d.sync += [
            self.release_query.eq(pace.released),
            self.release_key.eq(pace.released & ~Mux(finished, keep, keeping)),
        ]
        with m.If(started):
            m.d.sync += [
                active.eq(1),
                left.eq(dims - 1),
                last.eq(dims == 1),
                read.query.eq(tile.query),
                read.key.eq(tile.key),
                ending.eq(tile.command.end),
                keeping.eq(keep),
            ]
        with m.Elif(active):
            m.d.sync += [
                active.eq(~last),
                left.eq(left - 1),
                last.eq(left == 1),
                read.query.eq(read.query + 1),
                read.key.eq(read.key + 1),
            ]
