"""The end of the core: row blocks are collected, and leave row by row as one stream."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.lib.arith import step
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.lib.pipe import Pipe
from hw.lib.stream import SkidBuffer, SkidBufferConfig
from hw.prim.ram import Ram, RamConfig

__all__ = ["Output", "OutputConfig"]


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """Size of an output memory.

    Parameters
    ----------
    rows
        Rows of a row block.
    groups, lanes
        Words of a row, and values of a word.
    output_bits
        Bits of a value.
    blocks
        Row blocks that may wait, at least 2.
    row_blocks
        Row blocks of a head, at most.
    compact
        Whether a row block without a visible tile is one transfer, or rows of zeros.
    """

    rows: int
    groups: int
    lanes: int
    output_bits: int
    blocks: int
    row_blocks: int
    compact: bool

    def __post_init__(self) -> None:
        least = {"rows": 1, "groups": 1, "lanes": 1, "output_bits": 1, "blocks": 2, "row_blocks": 1}
        for field, low in least.items():
            if getattr(self, field) < low:
                raise ValueError(
                    f"OutputConfig.{field} must be at least {low}, got {getattr(self, field)}"
                )

    @property
    def word_bits(self) -> int:
        """Bits of the values of a word."""
        return self.lanes * self.output_bits

    @property
    def address_bits(self) -> tuple[int, int, int]:
        """Bits of the group, the row and the slot in an address, from the lowest up."""
        group, row, slot = (
            (count - 1).bit_length() for count in (self.groups, self.rows, self.blocks)
        )
        return group, row, slot

    @property
    def ram(self) -> RamConfig:
        """The memory of all slots: values, and whether their row is empty."""
        return RamConfig(width=self.word_bits + 1, depth=1 << sum(self.address_bits))

    @property
    def send_latency(self) -> int:
        """Cycles from the reading of a word to its push into the last queue."""
        return self.ram.latency + 1

    @property
    def latency(self) -> int:
        """Cycles from a row block's last word to the offer of its first, if nothing waits.

        The count of whole blocks, the start of one, the reading, the queue.
        """
        return 1 + 1 + self.send_latency + 1

    @property
    def i_shape(self) -> StructLayout:
        """Values of one row and group, where they belong, and what is said about the row."""
        return StructLayout(
            {
                "value": ArrayLayout(signed(self.output_bits), self.lanes),
                "row": range(self.rows),
                "group": range(self.groups),
                "empty": 1,
                "end": 1,
            }
        )

    @property
    def block_shape(self) -> StructLayout:
        """What comes next: row blocks to skip, and whether one with data follows them.

        `rows` are those of the last row block of these, less one.
        """
        return StructLayout(
            {
                "skips": range(self.row_blocks + 1),
                "data": 1,
                "rows": range(self.rows),
                "end": 1,
                "refused": 1,
            }
        )

    @property
    def o_shape(self) -> StructLayout:
        """What the host sees."""
        return StructLayout(
            {
                "value": ArrayLayout(signed(self.output_bits), self.lanes),
                "empty": 1,
                "refused": 1,
                "skip": 1,
                "row_end": 1,
                "last": 1,
            }
        )

    @property
    def descriptor_shape(self) -> StructLayout:
        """A descriptor as it waits: its row blocks less two, so that the sign says "one"."""
        more = signed((self.row_blocks + 1).bit_length() + 1)
        given = self.block_shape.members
        return StructLayout(
            {"more": more, **{name: given[name] for name in ("data", "rows", "end", "refused")}}
        )

    @property
    def unit_shape(self) -> StructLayout:
        """One row block: its rows less two, whether it is skipped, and what ends with it."""
        more = signed(self.rows.bit_length() + 1)
        return StructLayout({"more": more, "skip": 1, "refused": 1, "done": 1, "last": 1})


class Output(wiring.Component):
    """o = the words of every row block, row by row, and what stands for those that were skipped.

    Contract: a descriptor {skips, data, rows, end, refused} announces `skips` row blocks without a
    visible tile and then, with `data`, one whose words come at `i`; there is at least one in all.
    `rows` is how many rows the last of these has, less one; the others have all, and words of rows
    that it does not have are dropped. `end` says that it is the last row block of its head. The
    values of a `refused` one are zero. One with `data` is begun by `take`, legal only with `room`,
    and pushed in the same cycle or later; one without needs `room` in the cycle in which it is
    pushed, which is no other's `take`. The words at `i` come for one begun row block after the
    other, in any order within it, all of them, the last one with `end`.

    A skipped row block is one transfer with `skip`, `empty`, `row_end` and zeros if `compact`, and
    else what its rows would be: zeros with `empty`. `last` is with a head's last transfer. Every
    word leaves once, in the order of row blocks, rows and groups. `room` and `o.valid` come from
    registers; no valid depends on a ready.

    *Timing*: `config.latency` from a row block's last word to its first; one word a cycle, also
    from block to block. With two slots a row block is begun when the second before it has left,
    with three while that leaves: they keep pace with row blocks of one tile each.

    *Members*
    i
        Push of {value, row, group, empty, end}: the words of row blocks.
    i_block
        Push of descriptors.
    room, take
        There is room for one more descriptor; a row block with data is begun.
    o
        Stream of {value, empty, refused, skip, row_end, last}.

    `spare` and `whole` are its counts, for proofs to refer to: descriptors that there is room for,
    and row blocks that were written and not begun to be sent, each less one.

    *Source*: docs/attention.md, "Interfaces between the parts".
    """

    i: Push
    i_block: Push
    room: Signal
    take: Signal
    o: stream.Interface

    def __init__(self, config: OutputConfig):
        self.config = config
        super().__init__(
            {
                "i": In(PushSignature(config.i_shape)),
                "i_block": In(PushSignature(config.block_shape)),
                "room": Out(1),
                "take": In(1),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )
        count = signed((config.blocks - 1).bit_length() + 1)
        self.spare = Signal(count, init=config.blocks - 1)
        self.whole = Signal(count, init=-1)

    def elaborate(self, platform: object) -> Module:
        """Collect, unfold the descriptors into row blocks, and walk over the words of each."""
        m = Module()
        units = self._unfold(m)
        begun, done = self._send(m, units)
        complete = self.i.valid & self.i.payload.end
        taken = self.take | (self.i_block.valid & ~self.i_block.payload.data)
        m.d.comb += self.room.eq(~self.spare[-1])
        m.d.sync += [
            self.spare.eq(step(self.spare, up=done, down=taken)),
            self.whole.eq(step(self.whole, up=complete, down=begun)),
        ]
        return m

    def _unfold(self, m: Module) -> stream.Interface:
        """Descriptors into row blocks, one a cycle."""
        config, block = self.config, self.i_block.payload
        m.submodules.descriptors = descriptors = CreditFifo(
            CreditFifoConfig(shape=config.descriptor_shape, depth=config.blocks)
        )
        m.submodules.units = units = SkidBuffer(SkidBufferConfig(shape=config.unit_shape))
        # As many places as slots, so that there is always one.
        m.d.comb += [
            descriptors.take.eq(self.i_block.valid),
            descriptors.i.valid.eq(self.i_block.valid),
            descriptors.i.payload.more.eq(block.skips + block.data - 2),
            descriptors.i.payload.data.eq(block.data),
            descriptors.i.payload.rows.eq(block.rows),
            descriptors.i.payload.end.eq(block.end),
            descriptors.i.payload.refused.eq(block.refused),
        ]
        active = Signal()
        now = Signal(config.descriptor_shape, reset_less=True)
        unit, final = units.i.payload, now.more[-1]
        m.d.comb += [
            units.i.valid.eq(active),
            unit.more.eq(Mux(final, now.rows, config.rows - 1) - 1),
            unit.skip.eq(~(final & now.data)),
            unit.refused.eq(now.refused),
            unit.done.eq(final),
            unit.last.eq(final & now.end),
            descriptors.o.ready.eq(~active | (final & units.i.ready)),
        ]
        with m.If(units.i.ready):
            m.d.sync += now.more.eq(now.more - 1)
        with m.If(descriptors.o.ready):
            m.d.sync += [active.eq(descriptors.o.valid), now.eq(descriptors.o.payload)]
        return units.o

    def _send(self, m: Module, units: stream.Interface) -> tuple[Value, Value]:
        """Walk over the words of each row block; say when one is begun and a descriptor done."""
        config = self.config
        slot_bits = config.address_bits[-1]
        m.submodules.words = words = Ram(config.ram)
        m.submodules.queue = queue = CreditFifo(
            CreditFifoConfig(shape=config.o_shape, depth=config.send_latency + 2)
        )

        # Write: anywhere within the slot, which the row block's last word closes.
        i = self.i.payload
        write_slot = Signal(slot_bits)
        m.d.comb += [
            words.write.enable.eq(self.i.valid),
            words.write.address.eq(_address(config, i.group, i.row, write_slot)),
            words.write.data.eq(Cat(i.value, i.empty)),
        ]
        with m.If(self.i.valid & i.end):
            m.d.sync += write_slot.eq(_next(write_slot, config.blocks))

        # Walk: the sign of `now.more` says that this row is the last. Registers tell what ends with
        # the next word.
        active = Signal()
        single = Signal()
        now = Signal(config.unit_shape, reset_less=True)
        group = Signal(range(config.groups))
        row = Signal(range(config.rows))
        read_slot = Signal(slot_bits)
        group_end = Signal()
        final = Signal()
        issue = Signal()
        begin = Signal()
        can_begin = Signal()
        m.d.comb += [
            issue.eq(active & queue.grant),
            can_begin.eq(units.payload.skip | ~self.whole[-1]),
            units.ready.eq((~active | (issue & final)) & can_begin),
            begin.eq(units.valid & units.ready),
        ]
        with m.If(issue):
            m.d.sync += group.eq(group + 1)
            if config.groups == 1:
                m.d.sync += final.eq(now.more <= 0)
            else:
                next_ends = ~group_end & (group == config.groups - 2)
                m.d.sync += [group_end.eq(next_ends), final.eq(next_ends & now.more[-1])]
            with m.If(group_end):
                m.d.sync += [group.eq(0), row.eq(row + 1), now.more.eq(now.more - 1)]
            with m.If(final):
                m.d.sync += active.eq(0)
                with m.If(~now.skip):
                    m.d.sync += read_slot.eq(_next(read_slot, config.blocks))
        with m.If(begin):
            whole = units.payload.skip & config.compact
            ends = whole | (config.groups == 1)
            m.d.sync += [active.eq(1), now.eq(units.payload), row.eq(0), single.eq(whole)]
            m.d.sync += [group_end.eq(ends), final.eq(ends & (whole | units.payload.more[-1]))]

        # Read: what goes with a word waits for the memory.
        m.d.comb += [
            queue.take.eq(issue),
            words.read.address.eq(_address(config, group, row, read_slot)),
        ]
        last = final & now.last
        with Pipe(
            m,
            "send",
            latency=config.send_latency,
            valid=issue,
            empty=now.skip,
            refused=now.refused & ~now.skip,
            skip=single,
            row_end=group_end,
            last=last,
        ) as p:
            flags = ("refused", "skip", "row_end", "last")
            for _ in range(config.ram.latency):
                p.stage("read", keep=("empty", *flags))
            value, told = words.read.data[: config.word_bits], words.read.data[config.word_bits]
            blank = p.empty | p.refused
            p.stage("choose", value=Mux(blank, 0, value), empty=p.empty | told, keep=flags)
            m.d.comb += [
                queue.i.valid.eq(p.valid),
                Value.cast(queue.i.payload.value).eq(p.value),
                queue.i.payload.empty.eq(p.empty),
                queue.i.payload.refused.eq(p.refused),
                queue.i.payload.skip.eq(p.skip),
                queue.i.payload.row_end.eq(p.row_end),
                queue.i.payload.last.eq(p.last),
            ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return begin & ~units.payload.skip, issue & final & now.done


def _address(config: OutputConfig, group: Value, row: Value, slot: Value) -> Value:
    """Where a word is, in fields of the memory's address."""
    fields = zip((group, row, slot), config.address_bits, strict=True)
    return Cat(field[:bits] for field, bits in fields)


def _next(slot: Signal, blocks: int) -> Value:
    return Mux(slot == blocks - 1, 0, slot + 1)
