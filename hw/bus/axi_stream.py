"""Rows of a core's stream as AXI4-Stream: TLAST ends a row, TKEEP says how many elements it has."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.registers import FAULTS
from hw.lib.stream import SkidBuffer, SkidBufferConfig

__all__ = ["RowIn", "RowOut", "RowsConfig", "fault_shape"]


def fault_shape() -> StructLayout:
    """A bit for each of `hw.bus.registers.FAULTS`."""
    return StructLayout(dict.fromkeys(FAULTS, 1))


@dataclass(frozen=True, kw_only=True)
class RowsConfig:
    """Rows of elements on a bus: transfers in a row, rows in a set, sets in a run.

    Parameters
    ----------
    lanes
        Elements of a transfer, the first in the lowest bits.
    element
        Shape of an element. On the bus it has 1, 2, 4 … bytes, and is extended by its sign.
    transfers, rows, sets
        At most, each at least 1.
    user
        Bits of TUSER, which go with each transfer; 0 for none.
    ragged
        Whether a row's last transfer may hold fewer elements than there are lanes.
    """

    lanes: int
    element: Shape
    transfers: int
    rows: int
    sets: int
    user: int = 0
    ragged: bool = False

    @property
    def element_bytes(self) -> int:
        """Bytes of an element on the bus."""
        return 1 << ((self.element.width + 7) // 8 - 1).bit_length()

    @property
    def packet_shape(self) -> StructLayout:
        """A transfer on the bus: {data, keep, user, last}, `user` if it has bits."""
        size = self.lanes * self.element_bytes
        user = {"user": self.user} if self.user else {}
        return StructLayout({"data": 8 * size, "keep": size, **user, "last": 1})

    @property
    def word_shape(self) -> StructLayout:
        """A transfer inside: which elements are the row's, whether it ends the row, and a set."""
        user = {"user": self.user} if self.user else {}
        return StructLayout(
            {
                "data": ArrayLayout(self.element, self.lanes),
                "kept": self.lanes,
                **user,
                "row_last": 1,
                "set_last": 1,
            }
        )

    @property
    def counts_shape(self) -> StructLayout:
        """Transfers of a row, rows of a set, sets; each less one."""
        return StructLayout(
            {
                "transfers": range(self.transfers),
                "rows": range(self.rows),
                "sets": range(self.sets),
            }
        )

    @property
    def plan_shape(self) -> StructLayout:
        """What a run will bring: the counts, and the index of a row's last element's lane."""
        tail = range(self.lanes if self.ragged else 1)
        return StructLayout({**self.counts_shape.members, "tail": tail})


class RowIn(wiring.Component):
    """Takes the rows of a run from the bus, checks their form, and gives them to a core.

    Contract: after `begin`, `o` carries exactly the transfers of the plan: `transfers` a row,
    `rows` a set, `sets`; `row_last`, `set_last` and `kept` follow from the plan alone, whatever
    comes. Nothing is taken before `begin` or after the plan's last transfer. If a transfer is not
    as the plan says, that is told in `fault`, and from the next one on zeros, of which no element
    is kept, take the place of what comes, which is taken and dropped. This lasts until the cycle
    after `failed`, which may also rise by itself, has been high and falls. So a run's input always
    ends, whatever comes or does not.

    *Timing*: latency 1, interval 1. `i.ready` comes from registers.

    *Members*
    i
        Stream of `RowsConfig.packet_shape`.
    o
        Stream of `RowsConfig.word_shape`.
    plan, begin
        What a run brings, taken in a cycle with `begin`; not while it is `active`.
    active
        There is more to come.
    failed
        From the next cycle on, take and drop what comes; until the next one after it falls.
    fault
        For a cycle, what was wrong with a transfer; a cycle after that.
    stalls
        A transfer was wanted and did not come.
    moved
        A transfer came.

    *Source*: AMBA AXI4-Stream, IHI 0051A; what a row is, and what is done about a bad one, is ours.
    """

    i: stream.Interface
    o: stream.Interface
    plan: Any
    begin: Signal
    active: Signal
    failed: Signal
    fault: Any
    stalls: Signal
    moved: Signal

    def __init__(self, config: RowsConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.packet_shape)),
                "o": Out(stream.Signature(config.word_shape)),
                "plan": In(config.plan_shape),
                "begin": In(1),
                "active": Out(1),
                "failed": In(1),
                "fault": Out(fault_shape()),
                "stalls": Out(1),
                "moved": Out(1),
            }
        )
        # For proofs to refer to: what is left; whether the next transfer ends a row, and which
        # elements it brings; a fault that `failed` has not answered yet; that what comes is
        # dropped, a register here, as `failed` comes from far away.
        self.left: Any = Signal(config.counts_shape)
        self.row_due = Signal()
        self.wanted = Signal(config.lanes)
        self.spoilt = Signal()
        self.drops = Signal()
        self.skid = SkidBuffer(SkidBufferConfig(shape=config.word_shape))

    def elaborate(self, platform: object) -> Module:
        """Count, check, and replace what is spoilt."""
        m = Module()
        left, drop, row_due = self.left, self.drops, self.row_due
        m.submodules.skid = skid = self.skid
        connect(m, skid.o, flipped(self.o))
        taken = self.i.valid & self.i.ready
        given = Signal()
        spoils = Signal()
        set_due = Signal()
        due_next = Signal()
        m.d.comb += [
            given.eq(skid.i.valid & skid.i.ready),
            due_next.eq(Mux(self.begin | row_due, self.plan.transfers == 0, left.transfers == 1)),
            set_due.eq(row_due & (left.rows == 0)),
            self.i.ready.eq(drop | (self.active & skid.i.ready)),
            # What comes right after a spoilt transfer is taken, and not given: a zero will be.
            skid.i.valid.eq(self.active & (drop | (self.i.valid & ~spoils))),
            self.stalls.eq(self.active & ~drop & skid.i.ready & ~self.i.valid),
            self.moved.eq(taken),
        ]
        self._give(m, set_due)
        with m.If(given):
            m.d.sync += left.transfers.eq(Mux(row_due, self.plan.transfers, left.transfers - 1))
            with m.If(row_due):
                m.d.sync += left.rows.eq(Mux(set_due, self.plan.rows, left.rows - 1))
            with m.If(set_due):
                m.d.sync += left.sets.eq(left.sets - 1)
                with m.If(left.sets == 0):
                    m.d.sync += self.active.eq(0)
        with m.If(self.begin):
            m.d.sync += self.active.eq(1)
            m.d.sync += [
                left[name].eq(self.plan[name]) for name in self.config.counts_shape.members
            ]
        whole = (1 << self.config.lanes) - 1
        with m.If(given | self.begin):
            m.d.sync += row_due.eq(due_next)
            if self.config.ragged:
                tail = Cat(self.plan.tail >= lane for lane in range(self.config.lanes))
                m.d.sync += self.wanted.eq(Mux(due_next, tail, whole))
        if not self.config.ragged:
            m.d.comb += self.wanted.eq(whole)
        self._judge(m, taken, spoils)
        m.d.sync += [
            self.spoilt.eq(spoils | (self.spoilt & ~self.failed)),
            drop.eq(spoils | self.spoilt | self.failed),
        ]
        return m

    def _give(self, m: Module, set_due: Value) -> None:
        """A transfer for the core: the elements that came, and marks that follow from the plan."""
        config, word = self.config, self.skid.i.payload
        bits, packet = 8 * config.element_bytes, self.i.payload
        m.d.comb += [
            word.kept.eq(Mux(self.drops, 0, self.wanted)),
            word.row_last.eq(self.row_due),
            word.set_last.eq(set_due),
        ]
        for lane in range(config.lanes):
            element = packet.data[bits * lane : bits * lane + config.element.width]
            m.d.comb += word.data[lane].eq(Mux(self.drops, 0, element))
        if config.user:
            m.d.comb += word.user.eq(Mux(self.drops, 0, packet.user))

    def _judge(self, m: Module, taken: Value, spoils: Signal) -> None:
        """Whether the transfer of the cycle before `spoils` the run, and what is wrong with it.

        All of it is told from registers: a transfer is as wide as its path here is long.
        """
        config, packet, wanted = self.config, self.i.payload, self.wanted
        size = config.element_bytes
        elements = [packet.keep.word_select(lane, size) for lane in range(config.lanes)]
        other = Cat(
            element != want.replicate(size) for element, want in zip(elements, wanted, strict=True)
        )

        there = Cat(element.all() for element in elements)
        seen: Any = Signal(
            StructLayout(
                dict.fromkeys(("judged", "other", "last", "due", "parts", "gaps", "lacks"), 1)
            )
        )
        m.d.comb += spoils.eq(seen.judged & seen.other)
        m.d.sync += [
            seen.judged.eq(taken & ~self.drops & ~spoils),
            seen.other.eq(other.any() | (packet.last != self.row_due)),
            seen.last.eq(packet.last),
            seen.due.eq(self.row_due),
            seen.parts.eq(Cat(each.any() & ~each.all() for each in elements).any()),
            seen.gaps.eq((~there[:-1] & there[1:]).any()),
            seen.lacks.eq((wanted & ~there).any()),
        ]
        torn = seen.parts | seen.gaps
        ends = spoils & seen.last & seen.due
        m.d.comb += [
            self.fault.row_early.eq(spoils & seen.last & ~seen.due),
            self.fault.row_missing.eq(spoils & ~seen.last & seen.due),
            # Whole elements from the first on, but not those of the plan: fewer, or more.
            self.fault.row_short.eq(ends & ~torn & seen.lacks),
            self.fault.row_long.eq(ends & ~torn & ~seen.lacks),
            self.fault.keep.eq(spoils & ((ends & torn) | (~seen.last & ~seen.due))),
        ]


class RowOut(wiring.Component):
    """Gives the rows of a run from a core to the bus.

    Contract: `o` carries what `i` accepts, in order, each once, but nothing of what it accepts in
    the cycles after those with `drop`, in which it accepts at once. A row that is cut short by
    this is ended on the bus by a transfer of one element, 0, with TLAST, so that the next one is
    whole.

    *Timing*: latency 1, interval 1.

    *Members*
    i
        Stream of `RowsConfig.word_shape`.
    o
        Stream of `RowsConfig.packet_shape`; elements that are not kept are 0.
    sets, begin
        How many sets a run has, less one, taken in a cycle with `begin`; not while it is `active`.
    active
        There is more to come, or to be accepted.
    drop
        From the next cycle on, drop what comes; until the next one after it falls. A transfer that
        is on offer stays so, as AXI4-Stream demands.
    stalls, moved
        A transfer was offered and not accepted; one was.
    """

    i: stream.Interface
    o: stream.Interface
    sets: Signal
    begin: Signal
    active: Signal
    drop: Signal
    stalls: Signal
    moved: Signal

    def __init__(self, config: RowsConfig):
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.word_shape)),
                "o": Out(stream.Signature(config.packet_shape)),
                "sets": In(range(config.sets)),
                "begin": In(1),
                "active": Out(1),
                "drop": In(1),
                "stalls": Out(1),
                "moved": Out(1),
            }
        )
        # For proofs to refer to: what is left, and that a set came to its end in the cycle before;
        # that what comes is dropped; the state of a row on the bus: it is open, and must be ended
        # there because the rest of it was dropped.
        self.left = Signal(range(config.sets))
        self.more = Signal()
        self.ended = Signal()
        self.drops = Signal()
        self.open = Signal()
        self.torn = Signal()
        self.skid = SkidBuffer(SkidBufferConfig(shape=config.packet_shape))

    def elaborate(self, platform: object) -> Module:
        """Count sets, pack elements into bytes."""
        m = Module()
        config, word = self.config, self.i.payload
        m.submodules.skid = skid = self.skid
        connect(m, skid.o, flipped(self.o))
        packet, bits = skid.i.payload, 8 * config.element_bytes
        elements = [Mux(word.kept[k], word.data[k], 0) for k in range(config.lanes)]
        signed = config.element.signed
        wide = [_extended(each[: config.element.width], bits, signed) for each in elements]
        # Far from here, and an input is ready by it: hence a register of its own.
        drops = self.drops
        m.d.sync += drops.eq(self.drop)
        # What is torn is open. A register tells it, for all bits of what is given wait for it.
        torn = self.torn
        pushed = skid.i.valid & skid.i.ready
        with m.If(pushed):
            m.d.sync += [self.open.eq(~packet.last), torn.eq(0)]
        with m.Elif(drops & self.open):
            m.d.sync += torn.eq(1)
        kept = Mux(torn, 1, word.kept)
        m.d.comb += [
            skid.i.valid.eq(torn | (self.i.valid & ~drops)),
            self.i.ready.eq(drops | (skid.i.ready & ~torn)),
            packet.data.eq(Mux(torn, 0, Cat(wide))),
            packet.keep.eq(
                Cat(kept[k].replicate(config.element_bytes) for k in range(config.lanes))
            ),
            packet.last.eq(torn | word.row_last),
            self.active.eq(self.more | (self.o.valid & ~drops)),
            self.stalls.eq(self.o.valid & ~self.o.ready),
            self.moved.eq(self.o.valid & self.o.ready),
        ]
        if config.user:
            m.d.comb += packet.user.eq(Mux(torn, 0, word.user))
        # A set is counted a cycle after its last transfer came, which is on offer then.
        m.d.sync += self.ended.eq(self.i.valid & self.i.ready & word.set_last)
        with m.If(self.ended):
            m.d.sync += self.left.eq(self.left - 1)
            with m.If(self.left == 0):
                m.d.sync += self.more.eq(0)
        with m.If(self.begin):
            m.d.sync += [self.more.eq(1), self.left.eq(self.sets)]
        return m


def _extended(value: Value, bits: int, signed: bool) -> Value:
    """`value` with its sign, or zeros, up to `bits`."""
    top = value[-1] if signed else Const(0, 1)
    return Cat(value, top.replicate(bits - len(value)))
