"""What a configured core has to do for its layer: exact cycles, and when each part of it works.

Cycles are those of ``sim.cycle``: the counters of the gates give the same numbers.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gen.kinds import kind_of
from hw.attention.config import AttentionConfig
from hw.attention.timing import AttentionTiming
from hw.bus.system import System
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import BlockShape
from hw.butterfly.mixing import MixingConfig
from hw.softmax.config import SoftmaxConfig
from sim.cycle.attention import AttentionCycles
from sim.cycle.butterfly import JobSize, butterfly_cycles
from sim.cycle.heads import head_cycles
from sim.cycle.softmax import softmax_cycles
from sim.cycle.two_layer import BlockSize, two_layer_cycles

__all__ = ["Phase", "Work", "heads_of", "layer_bytes", "work_of"]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of the core, and when it works.

    Parameters
    ----------
    name
        What it does.
    spans
        First cycle and the one after the last, of each stretch.
    """

    name: str
    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> int:
        """Its first cycle."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """The cycle after its last."""
        return self.spans[-1][1]


@dataclass(frozen=True, kw_only=True)
class Work:
    """A layer on a core.

    Parameters
    ----------
    what
        It in words.
    cycles
        From the first input to the last output, inputs and outputs never stalling.
    each_further
        Cycles of each further one of the same back to back; None where nothing follows.
    shown
        What `phases` show.
    phases
        When the parts of the core work.
    """

    what: str
    cycles: int
    each_further: int | None
    shown: str
    phases: tuple[Phase, ...]


def work_of(description: Any, config: Any) -> Work:
    """The work of a layer: all its heads, a longest row, a largest vector or block."""
    if isinstance(config, AttentionConfig):
        return _attention(config)
    told = kind_of(description).sections(config)["cycles"]
    if isinstance(config, SoftmaxConfig):
        return _softmax(config, told)
    return _butterfly(config, told)


def layer_bytes(config: Any, system: System) -> tuple[int, int]:
    """Bytes in and out of the same work over a link, each transfer in whole bytes."""
    names: tuple[str, ...] = (*system.inputs, *system.outputs)
    transfers: dict[str, Any]
    if isinstance(config, AttentionConfig):
        layer, dims = config.layer, config.layer.head_dim
        transfers = {
            "q": layer.heads * config.row_blocks * dims,
            "k": layer.key_value_heads * config.key_tiles * dims,
            "v": layer.key_value_heads * config.key_tiles * config.columns * config.groups,
            "o": layer.heads * layer.queries * config.groups,
        }
    elif isinstance(config, SoftmaxConfig):
        transfers = dict.fromkeys(names, config.max_words)
    elif isinstance(config, MixingConfig):
        rows, columns = config.butterfly.block
        words = rows * columns // config.stream_words
        # Two rows come in one, as real and imaginary part.
        transfers = {
            **dict.fromkeys(system.inputs, words // 2),
            **dict.fromkeys(system.outputs, words),
        }
    else:
        words = config.butterfly.points // config.stream_words
        transfers = dict.fromkeys(names, words)
    into, out = (
        sum(transfers[name] * -(-rows.packet_shape.size // 8) for name, rows in streams.items())
        for streams in (system.inputs, system.outputs)
    )
    return into, out


# --- attention ---


def heads_of(config: AttentionConfig) -> AttentionCycles:
    """Every head in turn under the layer's own mask; rows of logic take as long as others."""
    return _heads_of(replace(config, logic_rows=0))


@functools.lru_cache(maxsize=16)
def _heads_of(config: AttentionConfig) -> AttentionCycles:
    return head_cycles(config, config.layer.queries, config.layer.keys, [None])


def _attention(config: AttentionConfig) -> Work:
    layer, timing = config.layer, AttentionTiming(config)
    found = heads_of(config)
    tiles, words = found.tiles // layer.heads, len(found.delivered) // layer.heads
    score, value = timing.score_sequencer.interval, timing.value_sequencer.interval
    of_keys = config.key_tiles * config.columns * config.groups
    loads = (
        ("load q", config.row_blocks * layer.head_dim),
        ("load k", config.key_tiles * layer.head_dim),
        ("load v", of_keys),
    )
    phases = [Phase(name=name, spans=((0, length),)) for name, length in loads]
    for name, starts, length in (
        ("scores", found.tile_starts[:tiles], score),
        ("values", found.value_starts[:tiles], value),
        ("output", found.delivered[:words], 1),
    ):
        if starts:
            phases.append(Phase(name=name, spans=_joined(starts, length)))
    first, heads_told = "its one head", "a head"
    if layer.heads > 1:
        first, heads_told = f"the first of {layer.heads} heads", f"{layer.heads} heads"
    return Work(
        what=f"{heads_told} of {layer.queries} queries on {layer.keys} keys",
        cycles=found.total,
        each_further=None,
        shown=first,
        phases=tuple(phases),
    )


def _joined(starts: Sequence[int], length: int) -> tuple[tuple[int, int], ...]:
    """Stretches of `length` from each start on, joined where they meet."""
    spans: list[tuple[int, int]] = []
    for start in starts:
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], start + length
        else:
            spans.append((start, start + length))
    return tuple(spans)


# --- softmax and butterfly ---


def _softmax(config: SoftmaxConfig, told: Mapping[str, Any]) -> Work:
    length = config.numerics.max_length
    row = softmax_cycles(config, [length])
    return Work(
        what=f"a row of {length} elements",
        cycles=told["one_row"],
        each_further=told["each_further_row"],
        shown="one row",
        phases=_through(row.accepted, row.delivered, "scores", "weights", "probabilities"),
    )


def _butterfly(config: Any, told: Mapping[str, Any]) -> Work:
    vectors = "points" in told
    one = told["one_vector" if vectors else "one_block"]
    more = told["each_further_vector" if vectors else "each_further_block"]
    if isinstance(config, ButterflyConfig):
        job = JobSize(points=config.butterfly.points, vectors=1, bpmm=not config.fft)
        found: Any = butterfly_cycles(config, [job])
    else:
        found = two_layer_cycles(config, [BlockSize(shape=_shape(config), blocks=1)])
    size = (
        f"vector of {told['points']}" if vectors else f"block of {told['rows']} x {told['columns']}"
    )
    start = found.accepted[0]
    return Work(
        what=f"a {size}",
        cycles=one,
        each_further=more,
        shown=f"one {'vector' if vectors else 'block'}",
        phases=_through(
            [cycle - start for cycle in found.accepted],
            [cycle - start for cycle in found.delivered],
            "load", "transform", "output",
        ),
    )  # fmt: skip


def _shape(config: MixingConfig | DividedConfig) -> BlockShape:
    if isinstance(config, DividedConfig):
        return config.shape_of(config.butterfly.points)
    return config.check_block("block", *config.butterfly.block)


def _through(
    accepted: Sequence[int], delivered: Sequence[int], into: str, within: str, out: str
) -> tuple[Phase, ...]:
    """What goes in, what happens within from then on, and what comes out."""
    return (
        Phase(name=into, spans=_joined(accepted, 1)),
        Phase(name=within, spans=((accepted[-1] + 1, max(accepted[-1] + 2, delivered[0])),)),
        Phase(name=out, spans=_joined(delivered, 1)),
    )
