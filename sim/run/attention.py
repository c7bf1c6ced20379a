"""Running an attention layer on queries, keys and values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen.design import Design
from hw.attention.config import AttentionConfig
from sim.bench.attention import cycles_per_second, simulate
from sim.bench.runner import BenchError
from sim.cycle.heads import Loaded, head_answers, head_cycles, visible_tiles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from sim.run.arrays import check_mask, require
from sim.run.runner import Runner
from spec import SpecError
from spec.tiles import TileGrid

__all__ = ["AttentionRunner"]


@dataclass(frozen=True)
class Heads:
    """Arrays of all heads, their mask if the user gave one, and what of it is loaded."""

    q: NDArray[np.int8]
    k: NDArray[np.int8]
    v: NDArray[np.int8]
    mask: NDArray[np.bool_] | None
    loaded: Sequence[Loaded]
    """One for every head, or one for all."""

    @property
    def nothing(self) -> bool:
        """Whether there is no query or no key, so that the core has nothing to do."""
        return 0 in (self.q.shape[1], self.k.shape[1])


class Result(NamedTuple):
    """What a run gives."""

    o: NDArray[np.signedinteger]
    """(heads, queries, value_dim), in units of out_scale."""
    empty: NDArray[np.bool_]
    """(heads, queries), True where a query sees no key."""
    cycles: int
    """From the first input to the last output, without stalls."""
    tiles: int
    """Tiles visited, of all heads."""
    stall_free_cycles: int
    """tiles · head_dim: what the score array needs by itself."""


class AttentionRunner(Runner):
    """``q``, ``k``, ``v`` int8, and ``mask`` bool, True = attend."""

    arrays = ("q", "k", "v", "mask")

    def read(self, path: Path, arrays: Mapping[str, NDArray[Any]], design: Design) -> Heads:
        """Operands and mask, checked against the layer and the core."""
        config: AttentionConfig = design.config
        layer, held = config.layer, dict(arrays)
        q, k, v = (require(path, held, name) for name in "qkv")
        heads, kv_heads = layer.heads, layer.key_value_heads
        _check_operand(path, "q", q, ("heads", heads), ("queries", layer.queries), layer.head_dim)
        _check_operand(path, "k", k, ("kv_heads", kv_heads), ("keys", layer.keys), layer.head_dim)
        _check_operand(path, "v", v, ("kv_heads", kv_heads), ("keys", layer.keys), layer.columns)
        if k.shape[1] != v.shape[1]:
            raise SpecError(f"{path}: k has {k.shape[1]} keys, but v has {v.shape[1]}")
        mask = held.get("mask")
        if mask is None and "generator" not in layer.masks:
            raise SpecError(
                f"{path}: there is no array called mask, and the core has no mask of its own; "
                "give one, or --set masks=generator"
            )
        if mask is not None:
            _check_mask(path, mask, heads, q.shape[1], k.shape[1])
        if 0 in (q.shape[1], k.shape[1]):
            return Heads(q, k, v, mask, (None,))
        work = Heads(q, k, v, mask, _load(path, config, mask))
        _check_ring(path, config, work)
        return work

    def golden(self, design: Design, work: Heads) -> Result:
        """Bits by the golden model, cycles by the cycle model."""
        config: AttentionConfig = design.config
        o, empty = attention(config.layer, work.q, work.k, work.v, work.mask)
        cycles = tiles = 0
        if not work.nothing:
            found = head_cycles(config, work.q.shape[1], work.k.shape[1], work.loaded)
            cycles, tiles = found.total, found.tiles
        return _result(config, o, empty, cycles, tiles)

    def rtl(self, design: Design, work: Heads, folder: Path, verilog: Path) -> Result:
        """Bits and cycles by the emitted Verilog in Icarus."""
        config: AttentionConfig = design.config
        if work.nothing:
            return self.golden(design, work)
        trace = simulate(
            config,
            verilog,
            work.q,
            work.k,
            work.v,
            work.loaded,
            top=design.name,
            folder=folder,
        )
        if trace.refused.any():
            raise BenchError("the core refused a row block that its score ring should hold")
        tiles = sum(int(visible_tiles(each).sum()) for each in _answers(config, work))
        return _result(config, trace.o, trace.empty, trace.total, tiles)

    def rtl_seconds(self, design: Design, work: Heads) -> float:
        """How long `rtl` takes, roughly."""
        if work.nothing:
            return 0
        config: AttentionConfig = design.config
        cycles = head_cycles(config, work.q.shape[1], work.k.shape[1], work.loaded).total
        return cycles / cycles_per_second(config)

    def summary(self, work: Heads, result: Result) -> dict[str, Any]:
        """Sizes, cycles and how much of them the tiles alone would take."""
        share = result.stall_free_cycles / result.cycles if result.cycles else 0
        return {
            "heads": work.q.shape[0],
            "queries": work.q.shape[1],
            "keys": work.k.shape[1],
            "empty_rows": int(result.empty.sum()),
            "cycles": result.cycles,
            "tiles": result.tiles,
            "stall_free_cycles": result.stall_free_cycles,
            "bound_by_tiles": round(share, 4),
        }

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        size = f"{summary['heads']} heads of {summary['queries']} queries, {summary['keys']} keys"
        lines = [
            f"{summary['tiles']} tiles in {summary['cycles']} cycles with loading; the tiles alone "
            f"take {summary['stall_free_cycles']}, {summary['bound_by_tiles']} of them"
        ]
        if summary["empty_rows"]:
            lines.append(f"{summary['empty_rows']} rows see no key and are zero")
        return size, lines


def _result(
    config: AttentionConfig,
    o: NDArray[np.int64],
    empty: NDArray[np.bool_],
    cycles: int,
    tiles: int,
) -> Result:
    narrow = o.astype(np.int8 if config.layer.output_bits == 8 else np.int16)
    return Result(narrow, empty, cycles, tiles, tiles * config.layer.head_dim)


def _check_operand(
    path: Path,
    name: str,
    array: NDArray[Any],
    heads: tuple[str, int],
    length: tuple[str, int],
    dims: int,
) -> None:
    """An int8 array of (heads, up to length, dims)."""
    where = f"{path}: {name}"
    if array.dtype != np.int8:
        raise SpecError(
            f"{where} must be int8, got {array.dtype}; quantise real values with "
            f"np.clip(np.round(x / {name}_scale), -128, 127).astype(np.int8)"
        )
    wanted = f"({heads[0]} = {heads[1]}, {length[0]} up to {length[1]}, {dims})"
    if array.ndim != 3 or array.shape[0] != heads[1] or array.shape[2] != dims:
        raise SpecError(f"{where} must have shape {wanted}, got {array.shape}")
    if array.shape[1] > length[1]:
        raise SpecError(
            f"{where} has {array.shape[1]} {length[0]}; the most is {length[0]} = {length[1]} "
            f"(--set {length[0]}=N takes up to 16384)"
        )


def _check_mask(path: Path, mask: NDArray[Any], heads: int, queries: int, keys: int) -> None:
    check_mask(path, mask)
    if mask.shape not in ((queries, keys), (heads, queries, keys)):
        raise SpecError(
            f"{path}: mask must have shape {(queries, keys)} or {(heads, queries, keys)}, "
            f"got {mask.shape}"
        )


def _load(path: Path, config: AttentionConfig, mask: NDArray[np.bool_] | None) -> list[Loaded]:
    """The user's mask in a form that the core has a source for."""
    if mask is None:
        return [None]
    masks = config.layer.masks
    if "bitmap" not in masks and "columns" not in masks:
        raise SpecError(
            f"{path}: a mask is given, but the core has only its own; "
            "--set masks=generator,bitmap makes one that takes it"
        )
    return [_compile(path, config, each) for each in (mask if mask.ndim == 3 else [mask])]


def _compile(path: Path, config: AttentionConfig, mask: NDArray[np.bool_]) -> Loaded:
    if "bitmap" not in config.layer.masks:
        try:
            return compile_columns(mask)
        except SpecError as error:
            raise SpecError(f"{path}: {error} (--set masks=bitmap takes any mask)") from None
    grid = TileGrid(config.rows, config.columns, *mask.shape)
    bitmap = compile_bitmap(mask, grid)
    partial = len(bitmap.token_words) // config.rows
    if partial > config.partial_tiles:
        raise SpecError(
            f"{path}: mask has {partial} partly visible tiles, more than partial_tiles = "
            f"{config.partial_tiles}; --set partial_tiles={partial} takes it"
        )
    return bitmap


def _answers(config: AttentionConfig, work: Heads) -> list[Any]:
    loaded = list(work.loaded) * (work.q.shape[0] if len(work.loaded) == 1 else 1)
    return head_answers(config, work.q.shape[1], work.k.shape[1], loaded)


def _check_ring(path: Path, config: AttentionConfig, work: Heads) -> None:
    """Refuse what the core would refuse, before it runs."""
    most = config.most_tiles
    if most is None:
        return
    for head, answers in enumerate(_answers(config, work)):
        tiles = visible_tiles(answers)
        if tiles.max() > most:
            raise SpecError(
                f"{path}: in head {head} queries from {int(tiles.argmax()) * config.rows} see "
                f"{tiles.max()} tiles, more than the score ring's score_tiles = {most}; "
                f"--set score_tiles={tiles.max()} holds them"
            )
