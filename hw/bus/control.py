"""How a design is run from registers: start, watch, count, and get over whatever goes wrong."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.axi_stream import fault_shape
from hw.bus.register_file import AccessSignature, RegisterFile
from hw.bus.registers import CAUSES, FATAL, FAULTS
from spec.registers import WORD_BITS, Access, RegisterMap

__all__ = ["Control"]


class Control(wiring.Component):
    """The registers of a design, and its runs.

    Contract: a run, or a load of tables, goes from an accepted start or load to the cycle in which
    `idle` says that nothing more will move. Settings are locked meanwhile. A cause in `FATAL` makes
    it fail: `failed` tells the streams to replace what comes by zeros, so that the core comes to
    its end; it falls when nothing goes on and every such cause has been cleared. After `timeout` or
    `aborted`, `drop` tells the outputs to drop what the core still gives. No state of a stream
    makes a run go on for ever, but for an output that is not taken while the watchdog is off and no
    one aborts.

    *Timing*: `begin`, and `begin_load`, is a cycle, the first of `busy`.

    *Members*
    access
        Port to the registers.
    <setting>
        Every setting of the map, out.
    begin, busy, failed, drop, error
        What goes on; `error`: some cause is set.
    begin_load, startable
        Where there are tables: a load begins; what a run needs has been loaded.
    idle
        No stream has anything left of it. It must not be high in the cycle after `begin`.
    fault_<input>
        Faults of each input, and of each table.
    stalls_<stream>, moved_<stream>
        Of each stream: it stalls, a transfer happens.
    """

    access: Any
    begin: Signal
    busy: Signal
    failed: Signal
    drop: Signal
    error: Signal
    idle: Signal

    begin_load: Signal
    startable: Signal

    def __init__(
        self,
        registers: RegisterMap,
        inputs: Sequence[str],
        outputs: Sequence[str],
        tables: Sequence[str] = (),
    ):
        self.registers, self.tables = registers, tables
        self.inputs, self.outputs = inputs, outputs
        self.file: Any = RegisterFile(registers)
        members: dict[str, Any] = {"access": In(AccessSignature())}
        self.settings = [register.name for register in registers.of(Access.SETTING)]
        for name in self.settings:
            members[name] = Out(self.file.signature.members[name].shape)
        members |= dict.fromkeys(("begin", "busy", "failed", "drop", "error"), Out(1))
        members["idle"] = In(1)
        if tables:
            members |= {"begin_load": Out(1), "startable": In(1)}
        for name in [*inputs, *tables]:
            members[f"fault_{name}"] = In(fault_shape())
        for name in [*inputs, *outputs]:
            members[f"stalls_{name}"] = In(1)
        for name in [*inputs, *outputs, *tables]:
            members[f"moved_{name}"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Join the file, the run's state, the watchdog and the counters."""
        m = Module()
        m.submodules.file = file = self.file
        connect(m, file.access, flipped(self.access))
        m.d.comb += [
            file.locked.eq(self.busy),
            *(getattr(self, name).eq(getattr(file, name)) for name in self.settings),
            file.status.busy.eq(self.busy),
            file.status.failed.eq(self.failed),
            self.error.eq(Value.cast(file.error_now).any()),
        ]
        start = file.control.start
        begun = Signal()
        load = file.control.load if self.tables else Const(0, 1)
        startable = self.startable if self.tables else Const(1, 1)
        free = ~self.busy & ~self.failed
        begins = free & (start & startable | load & ~start)
        m.d.sync += [begun.eq(begins), self.begin.eq(free & start & startable)]
        if self.tables:
            m.d.sync += self.begin_load.eq(free & load & ~start)
        with m.If(begins):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.busy & ~begun & self.idle):
            m.d.sync += self.busy.eq(0)

        causes: Any = Signal(StructLayout(dict.fromkeys(CAUSES, 1)))
        takes = [*self.inputs, *self.tables]
        faults = {name: getattr(self, f"fault_{name}") for name in takes}
        m.d.comb += [
            file.error.eq(causes),
            causes.unknown_register.eq(file.refused.unknown),
            causes.value.eq(file.refused.value),
            causes.locked.eq(file.refused.locked),
            causes.start_busy.eq(start & self.busy),
            causes.start_error.eq((start | load) & ~self.busy & self.failed),
            causes.load_busy.eq(load & (self.busy | start)),
            causes.mask_missing.eq(start & free & ~startable),
            causes.timeout.eq(self._watchdog(m, begun)),
            causes.aborted.eq(file.control.abort & self.busy),
            *(
                causes[name].eq(Cat(fault[name] for fault in faults.values()).any())
                for name in FAULTS
            ),
            *(
                file.error_stream[name].eq(Value.cast(fault).any())
                for name, fault in faults.items()
            ),
        ]
        self._fail(m, causes)
        self._count(m, begun)
        return m

    def _fail(self, m: Module, causes: Any) -> None:
        """From a fatal cause until it is cleared and no run is going."""
        held = Cat(self.file.error_now[name] for name in FATAL).any()
        with m.If(Cat(causes[name] for name in FATAL).any()):
            m.d.sync += self.failed.eq(1)
        with m.Elif(~self.busy & ~held):
            m.d.sync += [self.failed.eq(0), self.drop.eq(0)]
        with m.If(causes.timeout | causes.aborted):
            m.d.sync += self.drop.eq(1)

    def _watchdog(self, m: Module, begun: Value) -> Value:
        """Whether nothing has moved for so long, for a cycle.

        In a failed run only outputs count: what is dropped moves without an end.
        """
        left = Signal(WORD_BITS + 1)
        off = Signal()
        of_inputs = Cat(
            getattr(self, f"moved_{name}") for name in [*self.inputs, *self.tables]
        ).any()
        of_outputs = Cat(getattr(self, f"moved_{name}") for name in self.outputs).any()
        moves = Signal()
        m.d.sync += [
            moves.eq(of_outputs | of_inputs & ~self.failed),
            off.eq(~self.file.timeout.cycles.any()),
        ]
        # Counts down to -1, which its sign tells; there it stays until something moves.
        with m.If(~self.busy | moves | begun):
            m.d.sync += left.eq(self.file.timeout.cycles)
        with m.Elif(~left[-1]):
            m.d.sync += left.eq(left - 1)
        told = Signal()
        m.d.sync += told.eq(left[-1])
        return left[-1] & ~told & ~off & self.busy

    def _count(self, m: Module, begun: Value) -> None:
        """Cycles of the run, and of every stream's stalls in it, each counted a cycle late.

        What stalls a stream is known late in a cycle, and far from here.
        """
        begun_before = Signal()
        m.d.sync += begun_before.eq(begun)
        for name, event in [
            ("cycles", self.busy),
            *(
                (f"stalls_{name}", getattr(self, f"stalls_{name}") & self.busy)
                for name in [*self.inputs, *self.outputs]
            ),
        ]:
            count = Signal(WORD_BITS + 1, name=f"count_{name}")
            before = Signal(name=f"before_{name}")
            full = (1 << WORD_BITS) - 1
            m.d.sync += before.eq(event)
            with m.If(begun_before):
                m.d.sync += count.eq(before)
            with m.Elif(before & ~count[-1]):
                m.d.sync += count.eq(count + 1)
            m.d.comb += getattr(self.file, name).value.eq(Mux(count[-1], full, count))
