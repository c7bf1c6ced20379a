"""The bench of an attention core: arrays and masks in; outputs and the cycle of every transfer out.

What is sent in which order is the manifest's section ``streams``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import NDArray

from hw.attention.config import AttentionConfig
from hw.attention.score_sequencer import head_shape
from sim.arrays.layout import by_dimension, by_key
from sim.bench.simulators import Simulator
from sim.bench.streams import Sink, Source, StreamTrace, budget_of, run_streams, seconds_of
from sim.cycle.heads import Loaded, head_cycles, source_of
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals

__all__ = [
    "AttentionTrace",
    "by_dimension",
    "by_key",
    "cycles_per_second",
    "mask_words",
    "simulate",
]

OUTPUT_FIELDS = ("value", "empty", "refused", "skip", "row_end", "last")


class AttentionTrace(NamedTuple):
    """What came out of the simulated core."""

    o: NDArray[np.int64]
    """(heads, queries, value_dim)."""
    empty: NDArray[np.bool_]
    """(heads, queries), whether the core called the row empty."""
    refused: NDArray[np.bool_]
    """(heads, queries), whether the core refused the row's block."""
    cycles: dict[str, list[int]]
    """Stream -> cycle of every transfer; 0 is that of the first one in."""

    @property
    def total(self) -> int:
        """Cycles from the first transfer in to the last one out."""
        return self.cycles["o"][-1] + 1


def cycles_per_second(config: AttentionConfig) -> float:
    """What Icarus manages on two slow cores, roughly; it depends on the size of the arrays."""
    return 6000 / (1 + config.rows * (config.columns + config.value_columns) / 12)


def simulate(
    config: AttentionConfig,
    verilog: Path,
    q: NDArray[np.int8],
    k: NDArray[np.int8],
    v: NDArray[np.int8],
    masks: Sequence[Loaded] = (None,),
    *,
    top: str,
    folder: Path,
    stall: float = 0.0,
    seed: int = 1,
    b: int = 0,
    simulator: Simulator = Simulator.ICARUS,
) -> AttentionTrace:
    """Run all heads through emitted Verilog.

    Parameters
    ----------
    config
        The configuration that `verilog` was emitted from.
    q, k, v
        (heads, queries, head_dim), (kv_heads, keys, head_dim), (kv_heads, keys, value_dim).
    masks
        One for every head, or one for all: what is loaded, None for the generator.
    top
        Name of the Verilog module.
    folder
        Work folder.
    stall
        Probability, each cycle and at each stream, of not offering and of not accepting.
    seed
        Of the stalls.
    b
        Index of the batch.
    simulator
        What runs it.

    Raises
    ------
    SpecError
        A tool is missing.
    BenchError
        The simulation fails, or does not end within its bounds.
    """
    heads, queries, _ = q.shape
    of_head = list(masks) * heads if len(masks) == 1 else list(masks)
    sources = {
        "i_job": _jobs(config, queries, k.shape[1], of_head, b),
        "i_q": _operand(by_dimension(q, config.rows)),
        "i_k": _operand(by_dimension(k, config.columns)),
        "i_v": _operand(by_key(v, config.columns, config.value_columns)),
        **_loads(config, of_head),
    }
    expected = head_cycles(config, queries, k.shape[1], of_head, b=b).total
    longest = max(map(len, sources.values()))
    budget = budget_of(expected, longest, stall)
    trace = run_streams(
        verilog,
        top=top,
        folder=folder,
        sources=sources,
        sinks={"o": Sink(fields=OUTPUT_FIELDS, ends=heads)},
        budget=budget,
        seconds=seconds_of(budget, cycles_per_second(config)),
        stall=stall,
        seed=seed,
        simulator=simulator,
    )
    return _read(config, heads, queries, trace)


def _jobs(
    config: AttentionConfig, queries: int, keys: int, masks: Sequence[Loaded], b: int
) -> Source:
    """A job a head; one whose mask replaces another waits until that is loaded."""
    groups, heads = config.layer.groups, len(masks)
    values = {
        "batch": [b] * heads,
        "head": list(range(heads)),
        "queries": [queries] * heads,
        "keys": [keys] * heads,
        "source": [source_of(config, mask) for mask in masks],
        "causal": [int(isinstance(mask, ColumnIntervals) and mask.causal) for mask in masks],
        "keep": [int(h % groups != groups - 1) for h in range(heads)],
    }
    shapes = head_shape(config).members
    after: dict[int, list[tuple[str, int]]] = {}
    for kind, streams in STREAMS.items():
        changes = _changes(masks, kind)
        for number, head in enumerate(changes):
            if number:
                after[head] = [(stream, number + 1) for stream in streams]
    fields = {name: bits for name, bits in values.items() if Shape.cast(shapes[name]).width}
    return Source(fields=fields, after=after)


STREAMS = {ColumnIntervals: ("i_columns",), BlockBitmap: ("i_bitmap", "i_tokens")}
"""Kind of mask -> the streams that load it."""


def _changes(masks: Sequence[Loaded], kind: type) -> list[int]:
    """Heads before which a mask of this kind is loaded: where it differs from the last such one."""
    found, held = [], None
    for head, mask in enumerate(masks):
        if isinstance(mask, kind) and mask is not held:
            held = mask
            found.append(head)
    return found


def _loads(config: AttentionConfig, masks: Sequence[Loaded]) -> dict[str, Source]:
    """Words of every mask; those of one that replaces another wait for the jobs before it."""
    fields: dict[str, dict[str, list[int]]] = {}
    after: dict[str, dict[int, list[tuple[str, int]]]] = {}
    for kind in STREAMS:
        for number, head in enumerate(_changes(masks, kind)):
            mask = masks[head]
            assert mask is not None
            for stream, columns in mask_words(config, mask).items():
                held = fields.setdefault(stream, {key: [] for key in columns})
                if number:
                    start = len(held["last"])
                    after.setdefault(stream, {})[start] = [("o", head)]
                for key, bits in columns.items():
                    held[key] += bits
                held["last"] += [0] * (len(next(iter(columns.values()))) - 1) + [1]
    return {
        stream: Source(fields=each, after=after.get(stream, {})) for stream, each in fields.items()
    }


def mask_words(
    config: AttentionConfig, mask: BlockBitmap | ColumnIntervals
) -> dict[str, dict[str, list[int]]]:
    """Stream -> field -> bits of every word, without `last`."""
    if isinstance(mask, BlockBitmap):
        low = (1 << GROUP) - 1
        return {
            "i_bitmap": {
                "visible": [word & low for word in mask.group_words],
                "partial": [word >> GROUP for word in mask.group_words],
                "last": [],
            },
            "i_tokens": {"bits": list(mask.token_words) or [0], "last": []},
        }
    bounds = np.array(mask.hidden, np.int64).reshape(-1, 4).T.tolist()
    names = ("start0", "end0", "start1", "end1")
    return {"i_columns": {**dict(zip(names, bounds, strict=True)), "last": []}}


def _operand(words: NDArray[np.uint8]) -> Source:
    """Sets of words, (sets, words, bytes)."""
    sets, count, _ = words.shape
    data = [int.from_bytes(word.tobytes(), "little") for word in words.reshape(sets * count, -1)]
    return Source(fields={"data": data, "last": ([0] * (count - 1) + [1]) * sets})


def _read(config: AttentionConfig, heads: int, queries: int, trace: StreamTrace) -> AttentionTrace:
    """Put the words in their places; every mark must be where it belongs."""
    layer, groups, lanes = config.layer, config.groups, config.value_columns
    o = np.zeros((heads, queries, groups, lanes), np.int64)
    empty = np.zeros((heads, queries), bool)
    refused = np.zeros((heads, queries), bool)
    bits = layer.output_bits
    places = np.arange(lanes) * bits
    told = trace.outputs["o"]
    head = row = group = 0
    for value, is_empty, is_refused, skip, row_end, last in zip(
        *(told[name] for name in OUTPUT_FIELDS), strict=True
    ):
        where = f"head {head}, row {row}, group {group}"
        height = min(config.rows, queries - row) if skip else 1
        if skip and (value or group or not row_end or not is_empty):
            raise AssertionError(f"{where}: a skipped row block is no row of its own")
        o[head, row, group] = [value >> int(at) & (1 << bits) - 1 for at in places]
        empty[head, row : row + height] |= bool(is_empty)
        refused[head, row : row + height] |= bool(is_refused)
        group += 1
        if bool(row_end) != (skip or group == groups):
            raise AssertionError(f"{where}: row_end is {row_end}")
        if row_end:
            group, row = 0, row + height
        if bool(last) != (row == queries):
            raise AssertionError(f"{where}: last is {last}")
        if last:
            head, row = head + 1, 0
    o -= (o >> bits - 1) << bits
    return AttentionTrace(o.reshape(heads, queries, -1), empty, refused, trace.cycles)
