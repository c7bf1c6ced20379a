"""The joints between units: decouple, queue, fork and join streams.

At every one of them `valid` at an output never depends on a `ready` in the same cycle, and is not
withdrawn. `hw.lib.width` changes the number of lanes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.lib.credit import CreditFifo, CreditFifoConfig

__all__ = [
    "Fifo",
    "FifoConfig",
    "Fork",
    "ForkConfig",
    "Join",
    "JoinConfig",
    "SkidBuffer",
    "SkidBufferConfig",
]


class PassSignature(wiring.Signature):
    """One stream in, one stream of the same shape out."""

    def __init__(self, shape: ShapeLike):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})


@dataclass(frozen=True, kw_only=True)
class SkidBufferConfig:
    """Configuration of a `SkidBuffer`.

    Parameters
    ----------
    shape
        Shape of the payload.
    """

    shape: ShapeLike

    def __post_init__(self):
        Shape.cast(self.shape)

    @property
    def latency(self) -> int:
        """Cycles from accepted input to offered output."""
        return 1

    @property
    def interval(self) -> int:
        """Cycles between accepts."""
        return 1


class SkidBuffer(wiring.Component):
    """Registers in both directions: no path from input to output, nor from ready to ready.

    Contract: `o` carries what `i` accepted, in order, each once.

    Timing
    ------
    Latency 1, interval 1; `i.ready` follows `o.ready` one cycle later.

    Members
    -------
    i, o
        Streams of `config.shape`.

    `held` and `held_valid` are what waits behind the output register, for proofs to refer to.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: SkidBufferConfig):
        self.config = config
        super().__init__(PassSignature(config.shape))
        self.held = Signal(config.shape, reset_less=True)
        self.held_valid = Signal()

    def elaborate(self, platform: object) -> Module:
        """Build the output register, and the one behind it."""
        m = Module()
        o_valid = Signal()
        o_payload = Signal(self.config.shape, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~self.held_valid),
            self.o.valid.eq(o_valid),
            self.o.payload.eq(o_payload),
        ]
        with m.If(~o_valid | self.o.ready):
            m.d.sync += [
                o_valid.eq(self.i.valid | self.held_valid),
                o_payload.eq(Mux(self.held_valid, self.held, self.i.payload)),
                self.held_valid.eq(0),
            ]
        with m.Else():
            m.d.sync += self.held_valid.eq(self.held_valid | self.i.valid)
        # Follows the input until it has to hold: its enable is a register, not a handshake.
        with m.If(~self.held_valid):
            m.d.sync += self.held.eq(self.i.payload)
        return m


@dataclass(frozen=True, kw_only=True)
class FifoConfig:
    """Configuration of a `Fifo`.

    Parameters
    ----------
    shape
        Shape of the payload.
    depth
        Entries, at least 2. Up to 16 cost the same on ECP5.
    """

    shape: ShapeLike
    depth: int

    def __post_init__(self):
        Shape.cast(self.shape)
        if self.depth < 2:
            raise ValueError(f"FifoConfig.depth must be at least 2, got {self.depth}")

    @property
    def latency(self) -> int:
        """Cycles from accepted input to offered output."""
        return 1

    @property
    def interval(self) -> int:
        """Cycles between accepts."""
        return 1


class Fifo(wiring.Component):
    """A queue: a `CreditFifo` behind a pipeline of no stages.

    Contract: `o` carries what `i` accepted, in order, each once; `i` accepts until `depth` payloads
    wait. `i.ready` comes from a register.

    Timing
    ------
    Latency 1, interval 1.

    Members
    -------
    i, o
        Streams of `config.shape`.

    `queue` is the part that holds the state, for proofs to refer to.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: FifoConfig):
        self.config = config
        super().__init__(PassSignature(config.shape))
        self.queue = CreditFifo(CreditFifoConfig(shape=config.shape, depth=config.depth))

    def elaborate(self, platform: object) -> Module:
        """Take and push in the same cycle."""
        m = Module()
        m.submodules.queue = queue = self.queue
        m.d.comb += [
            self.i.ready.eq(queue.grant),
            queue.take.eq(self.i.valid & queue.grant),
            queue.i.valid.eq(queue.take),
            queue.i.payload.eq(self.i.payload),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m


@dataclass(frozen=True, kw_only=True)
class ForkConfig:
    """Configuration of a `Fork`.

    Parameters
    ----------
    shape
        Shape of the payload.
    outputs
        Number of output streams, at least 1.
    """

    shape: ShapeLike
    outputs: int

    def __post_init__(self):
        Shape.cast(self.shape)
        if self.outputs < 1:
            raise ValueError(f"ForkConfig.outputs must be at least 1, got {self.outputs}")

    @property
    def latency(self) -> int:
        """Cycles from offered input to offered outputs."""
        return 0

    @property
    def interval(self) -> int:
        """Cycles between accepts."""
        return 1


class ForkSignature(wiring.Signature):
    """Members of a `Fork`."""

    def __init__(self, config: ForkConfig):
        port = stream.Signature(config.shape)
        super().__init__({"i": In(port), "o": Out(port).array(config.outputs)})


class Fork(wiring.Component):
    """Every output carries every input, and each is consumed at its own pace.

    Contract: each output carries what `i` accepts, in order, each once. An output may be ahead of
    the others by the one payload that `i` offers; `i` is accepted when the last output takes it.

    Timing
    ------
    Latency 0, interval 1. `i.ready` depends on every `o.ready` in the same cycle.

    Members
    -------
    i
        Stream of `config.shape`.
    o
        `config.outputs` streams of the same.

    `done` has a bit per output that already took the payload on offer, for proofs to refer to.
    """

    i: stream.Interface
    o: tuple[stream.Interface, ...]

    def __init__(self, config: ForkConfig):
        self.config = config
        super().__init__(ForkSignature(config))
        self.done = Signal(config.outputs)

    def elaborate(self, platform: object) -> Module:
        """Remember which outputs are done with the payload on offer."""
        m = Module()
        taken = Signal(self.config.outputs)
        for k, o in enumerate(self.o):
            m.d.comb += [
                o.payload.eq(self.i.payload),
                o.valid.eq(self.i.valid & ~self.done[k]),
                taken[k].eq(self.done[k] | (o.valid & o.ready)),
            ]
        m.d.comb += self.i.ready.eq(taken.all())
        m.d.sync += self.done.eq(Mux(taken.all(), 0, taken))
        return m


@dataclass(frozen=True, kw_only=True)
class JoinConfig:
    """Configuration of a `Join`.

    Parameters
    ----------
    shapes
        Name and shape of every input, at least one.
    """

    shapes: Mapping[str, ShapeLike]

    def __post_init__(self):
        if not self.shapes:
            raise ValueError("JoinConfig.shapes must name at least one input, got none")
        for shape in self.shapes.values():
            Shape.cast(shape)

    @property
    def layout(self) -> data.StructLayout:
        """Shape of the output's payload."""
        return data.StructLayout(dict(self.shapes))

    @property
    def latency(self) -> int:
        """Cycles from the last offered input to the offered output."""
        return 0

    @property
    def interval(self) -> int:
        """Cycles between accepts."""
        return 1


class JoinSignature(wiring.Signature):
    """Members of a `Join`."""

    def __init__(self, config: JoinConfig):
        inputs = {f"i_{key}": In(stream.Signature(each)) for key, each in config.shapes.items()}
        super().__init__({**inputs, "o": Out(stream.Signature(config.layout))})


class Join(wiring.Component):
    """One output payload of one payload from every input.

    Contract: the n-th payload of `o` has the n-th of every input in its fields; the inputs are
    accepted together, in the cycle in which the output is.

    Timing
    ------
    Latency 0, interval 1. Every `ready` depends on `o.ready` in the same cycle.

    Members
    -------
    i_<name>
        A stream for every name in `config.shapes`, listed in `inputs`.
    o
        Stream of `config.layout`.
    """

    o: stream.Interface

    def __init__(self, config: JoinConfig):
        self.config = config
        super().__init__(JoinSignature(config))
        self.inputs: dict[str, stream.Interface] = {
            key: getattr(self, f"i_{key}") for key in config.shapes
        }

    def elaborate(self, platform: object) -> Module:
        """Wait for all, then accept all."""
        m = Module()
        every = Signal(len(self.inputs))
        m.d.comb += self.o.valid.eq(every.all())
        for k, (key, i) in enumerate(self.inputs.items()):
            m.d.comb += [
                every[k].eq(i.valid),
                self.o.payload[key].eq(i.payload),
                i.ready.eq(self.o.ready & every.all()),
            ]
        return m
