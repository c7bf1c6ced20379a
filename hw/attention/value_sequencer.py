"""Leads tiles through the value array: when a tile starts, and in which order it is read."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.config import AttentionConfig
from hw.attention.pace import LEAST_INTERVAL, Pace
from hw.attention.score_sequencer import record_shape
from hw.lib.arith import times
from hw.lib.credit import Push, PushSignature
from hw.lib.stream import SkidBuffer, SkidBufferConfig

__all__ = ["ValueSequencer", "ValueSequencerConfig"]


class ValueSequencerConfig:
    """Sizes of a `ValueSequencer`."""

    def __init__(self, attention: AttentionConfig, interval: int):
        self.attention = attention
        self.interval = max(interval, LEAST_INTERVAL)
        """Cycles from tile to tile, at least those in which it is read."""

    @property
    def pass_cycles(self) -> int:
        """Cycles of a column group: a key each, and at least one for each row."""
        return max(self.attention.rows, self.attention.columns)

    @property
    def read_cycles(self) -> int:
        """Cycles in which a tile is read."""
        return self.attention.groups * self.pass_cycles

    @property
    def read_shape(self) -> StructLayout:
        """A key's place in its tile, where its values are read, and what begins and ends there."""
        config = self.attention
        return StructLayout(
            {
                "key": range(config.columns),
                "value": range(config.key_tiles * config.columns * config.groups),
                "last_key": 1,
                "first_tile": 1,
                "last_tile": 1,
            }
        )

    @property
    def block_shape(self) -> StructLayout:
        """A row block for the output: see `hw.attention.output`."""
        record = record_shape(self.attention).members
        return StructLayout(
            {name: record[name] for name in ("skips", "data", "end", "rows", "refused")}
        )


class ValueSequencer(wiring.Component):
    """Starts a tile as soon as its weights are there, in the order in which they were made.

    Contract: records are taken in order, each once. A row block's last tile starts only if the
    output has room for the block. With a head's last record its values are released unless the
    next head keeps them.

    *Timing*: a record accepted in cycle t can start in t + 2; what allows it must hold two cycles
    before, and the output is told two cycles later. A tile that starts in t is read in
    t + 2 ... t + read_cycles + 1, column group by column group; the next starts `interval` cycles
    after it at the earliest. A head's values are released in the cycle after their last read; from
    that read on nothing starts for `SETTLE` cycles.

    *Members*
    i
        Stream of records.
    ready, take, free
        A tile of weights waits; its use begins; it was read.
    value_full, release_value
        State of the values of the oldest head; they are read no more.
    room, take_room
        The output has room for a row block; its last tile takes it.
    o_block
        Push of row blocks for the output.
    o_read
        Push of what is read.
    """

    i: stream.Interface
    ready: Signal
    take: Signal
    free: Signal
    value_full: Signal
    release_value: Signal
    room: Signal
    take_room: Signal
    o_block: Push
    o_read: Push

    def __init__(self, config: ValueSequencerConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(record_shape(config.attention))),
                "ready": In(1),
                "take": Out(1),
                "free": Out(1),
                "value_full": In(1),
                "release_value": Out(1),
                "room": In(1),
                "take_room": Out(1),
                "o_block": Out(PushSignature(config.block_shape)),
                "o_read": Out(PushSignature(config.read_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Hold a record with its address, decide, then walk groups and keys."""
        m = Module()
        attention = self.config.attention
        tile_words = attention.columns * attention.groups

        # Hold the next two records, with their addresses worked out.
        m.submodules.next = held = SkidBuffer(SkidBufferConfig(shape=self._held_shape))
        m.d.comb += [
            held.i.valid.eq(self.i.valid),
            self.i.ready.eq(held.i.ready),
            held.i.payload.record.eq(self.i.payload),
            held.i.payload.value.eq(times(self.i.payload.key_tile, tile_words)),
        ]
        record, done = held.o.payload.record, held.o.ready

        # Decide, a cycle before it happens: a tile, or row blocks without one that end a head.
        # What allows it is looked at a cycle before that. It ends by nothing but a start or a
        # finish, and the next of these is at least LEAST_INTERVAL cycles away.
        m.submodules.pace = pace = Pace(self.config.interval)
        able = Signal()
        able_last = Signal()
        able_end = Signal()
        m.d.sync += [
            able.eq(self.value_full & self.ready),
            able_last.eq(self.value_full & self.ready & self.room),
            able_end.eq(self.value_full & self.room),
        ]
        start = Signal()
        finish = Signal()
        decides = held.o.valid & pace.open & ~done
        m.d.sync += [
            start.eq(decides & record.data & Mux(record.last, able_last, able)),
            finish.eq(decides & ~record.data & able_end),
        ]
        m.d.comb += [
            done.eq(start | finish),
            pace.start.eq(start),
            pace.ends.eq(done & record.end),
        ]
        m.d.sync += [self.take.eq(start), self.take_room.eq(start & record.last)]

        # What was decided, from registers.
        started = Signal()
        described = Signal()
        tile = Signal.like(held.o.payload, reset_less=True)
        m.d.sync += [
            started.eq(start),
            described.eq(finish | (start & record.last)),
            tile.eq(held.o.payload),
        ]
        self._tell(m, tile.record, started, described)
        self._read(m, tile, started, described & ~tile.record.data, pace)
        return m

    @property
    def _held_shape(self) -> StructLayout:
        """A record, and where its tile's values are."""
        value = self.config.read_shape.members["value"]
        return StructLayout({"record": record_shape(self.config.attention), "value": value})

    def _tell(self, m: Module, record, start: Signal, describe: Signal) -> None:
        """Describe the row block, counting the empty ones before its first tile."""
        skips = Signal.like(record.skips)
        block = self.o_block.payload
        # Only a row block's first record counts skips; the last one tells of the block.
        with m.If(describe):
            m.d.sync += skips.eq(0)
        with m.Elif(start & record.first):
            m.d.sync += skips.eq(record.skips)
        m.d.sync += [
            self.o_block.valid.eq(describe),
            block.skips.eq(skips | record.skips),
            block.data.eq(record.data),
            block.end.eq(record.end),
            block.rows.eq(record.rows),
            block.refused.eq(record.refused),
        ]

    def _read(self, m: Module, tile, start: Signal, finish: Value, pace: Pace) -> None:
        """Walk a column group's keys, then the next group's; idle where there are fewer keys."""
        config, attention = self.config, self.config.attention
        record = tile.record
        groups, columns, cycles = attention.groups, attention.columns, self.config.pass_cycles
        read = self.o_read.payload
        active = Signal()
        ending = Signal()
        keep = Signal()
        step = Signal(range(cycles))
        group = Signal(range(groups))
        group_at = Signal(config.read_shape["value"].shape, reset_less=True)
        last_step = Signal()
        last_group = Signal()
        m.d.comb += [
            last_step.eq(step == cycles - 1),
            last_group.eq(group == groups - 1),
            self.o_read.valid.eq(active & (step < columns)),
            read.key.eq(step),
            read.last_key.eq(step == columns - 1),
            pace.released.eq((self.free & ending) | (finish & record.end)),
        ]
        # Both are told to parts far away, from registers: `free` in a tile's last cycle all the
        # same, the release in the cycle after it.
        cycles_left = Signal(range(self.config.read_cycles))
        m.d.sync += [
            self.free.eq(Mux(start, self.config.read_cycles == 1, cycles_left == 1)),
            self.release_value.eq(pace.released & ~Mux(finish, record.keep, keep)),
            cycles_left.eq(
                Mux(start, self.config.read_cycles - 1, cycles_left - cycles_left.any())
            ),
        ]
        with m.If(start):
            m.d.sync += [
                active.eq(1),
                step.eq(0),
                group.eq(0),
                read.value.eq(tile.value),
                group_at.eq(tile.value + 1),
                read.first_tile.eq(record.first),
                read.last_tile.eq(record.last),
                ending.eq(record.end),
                keep.eq(record.keep),
            ]
        with m.Elif(active):
            with m.If(last_step):
                m.d.sync += [
                    active.eq(~last_group),
                    step.eq(0),
                    group.eq(group + 1),
                    read.value.eq(group_at),
                    group_at.eq(group_at + 1),
                ]
            with m.Else():
                m.d.sync += [step.eq(step + 1), read.value.eq(read.value + groups)]
