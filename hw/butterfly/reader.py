"""What the readers of a scratchpad have in common: their ports, and a walk that a queue paces."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.layers import TwoLayerConfig
from hw.butterfly.scratchpad import ScratchpadConfig
from hw.butterfly.walk import MirrorWalk, Walk
from hw.lib.credit import CreditFifo

__all__ = ["follow", "parts_of", "read_members"]


def read_members(config: TwoLayerConfig, pad: ScratchpadConfig) -> dict[str, Any]:
    """What every reader has: a scratchpad's port, and when to begin."""
    groups = pad.log2_vectors - pad.log2_stream
    return {
        "start": In(1),
        "last_word": In(pad.log2_words),
        "last_group": In(groups),
        "busy": Out(1),
        "done": Out(1),
        "read_group": Out(groups),
        "read_word": Out(pad.log2_words),
        "read_data": In(ArrayLayout(pad.width, pad.stream_words)),
        "down": In(ArrayLayout(config.core.exponent_shape.width, pad.stream_words)),
    }


def follow(m: Module, reader: Any, walk: Walk | MirrorWalk, queue: CreditFifo) -> Signal:
    """Join a reader's ports to its walk, which goes while the queue grants; high while it asks."""
    ask = Signal(name="ask")
    m.d.comb += [
        walk.start.eq(reader.start),
        walk.last_word.eq(reader.last_word),
        walk.last_group.eq(reader.last_group),
        walk.go.eq(queue.grant),
        ask.eq(walk.busy & queue.grant),
        reader.busy.eq(walk.busy),
        reader.done.eq(ask & walk.last),
        reader.read_group.eq(walk.group),
        reader.read_word.eq(walk.word),
    ]
    return ask


def parts_of(word: Value, bits: int) -> tuple[Value, Value]:
    """Real and imaginary part of a packed word."""
    return word[:bits].as_signed(), word[bits:].as_signed()
