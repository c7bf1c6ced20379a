"""What a configuration takes of a chip at least, in a millisecond: from sizes of its parts.

Only the parts that grow with the configuration are in it. It tells what cannot fit from what may;
the latter's gates are then counted.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Shape

from gen.devices import Resources
from gen.plan.area import predicted_area
from gen.plan.census import census
from hw.attention.config import AttentionConfig
from hw.attention.row_ops import row_units_of
from hw.attention.timing import AttentionTiming
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.timing import ButterflyTiming
from hw.butterfly.twiddles import TwiddleConfig
from hw.dispatch.config import DispatchConfig
from hw.prim import ecp5, ice40
from hw.prim.ram import RamConfig, Rom, RomConfig
from hw.prim.target import Target
from spec.rows import RowNumerics

__all__ = ["attention_least", "blocks_of", "butterfly_least", "row_multipliers"]

CELLS_A_PRODUCT = {Target.ECP5: 50, Target.ICE40: 100, Target.ICE40_HX: 200}
"""Logic cells for each multiply-accumulate of a large array, all that it needs included."""

CELLS_OF_ANY = {Target.ECP5: 1000, Target.ICE40: 2500, Target.ICE40_HX: 2500}
"""Logic cells of an attention core without its arrays, at least."""

PRODUCTS_A_MULTIPLIER = {Target.ECP5: 1, Target.ICE40: 2, Target.ICE40_HX: math.inf}
"""Products of two bytes that one cell serves; without such cells, none is needed for any."""

PRODUCTS_A_UNIT = 4
"""Real multipliers of a butterfly unit."""


def blocks_of(ram: RamConfig, target: Target) -> tuple[int, int]:
    """Block memories and single-port memories of a `hw.prim.ram.Ram`, as its fillings join them."""
    depth, width = ice40.SPRAM_ASPECTS[0]
    single = ram.exclusive and ram.width <= width and ram.depth <= depth
    if target is Target.ICE40 and single and ram.width * ram.depth > ice40.BLOCK_BITS:
        return 0, 1
    count = ecp5.block_count if target is Target.ECP5 else ice40.block_count
    return count(ram.depth, ram.width), 0


def row_multipliers(columns: int, target: Target) -> int:
    """Cells of a row of the score array whose products are not logic."""
    return math.ceil(columns / PRODUCTS_A_MULTIPLIER[target])


def attention_least(config: AttentionConfig, target: Target) -> Resources:
    """Operands, rings, weight tiles and sums of an attention core; its arrays' multipliers."""
    blocks, singles = 0, 0
    for ram in _memories(config):
        of_block, of_single = blocks_of(ram, target)
        blocks, singles = blocks + of_block, singles + of_single
    rows, columns, values = config.rows, config.columns, config.value_columns
    multipliers = (rows - config.logic_rows) * row_multipliers(columns, target)
    of_weights, tables = _of_weights(config, target)
    if target is Target.ECP5:
        multipliers += rows * values + values + _of_scale(config)
    elif target is Target.ICE40:
        pairs = AttentionTiming(config).weight_shape.width <= ice40.HALF_OPERAND_WIDTH
        multipliers += rows * (-(-values // 2) if pairs else values) + values
    products = rows * (columns + values)
    return Resources(
        logic_cells=CELLS_OF_ANY[target] + CELLS_A_PRODUCT[target] * products,
        multipliers=multipliers + of_weights,
        block_rams=blocks + tables,
        single_port_rams=singles,
    )


def _of_scale(config: AttentionConfig) -> int:
    """Multipliers that turn products into scores, one or two a lane."""
    scale = AttentionTiming(config).alu.scale
    if not scale.multiplies:
        return 0
    return config.lanes * (1 + (scale.high_multiplier is not None))


def _of_weights(config: AttentionConfig, target: Target) -> tuple[int, int]:
    """Multipliers and block memories between scores and weights, and from sums to factors."""
    operation = AttentionTiming(config).weigher.operation
    of_element, of_factor = _of_row_operation(operation, target)
    multipliers, blocks = (
        config.lanes * each + once for each, once in zip(of_element, of_factor, strict=True)
    )
    return multipliers, blocks


@functools.lru_cache(maxsize=16)
def _of_row_operation(operation: RowNumerics, target: Target) -> tuple[tuple[int, int], ...]:
    """Multipliers and block memories of its element, which every lane has, and of its factor."""
    units = row_units_of(operation)
    found = []
    for make in (units.element, units.factor):
        area = predicted_area(census(make(), target) if make else {}, target)
        found.append((area.multipliers, area.block_rams))
    return tuple(found)


def _memories(config: AttentionConfig) -> Iterator[RamConfig]:
    timing = AttentionTiming(config)
    for fifo in (timing.heads, timing.log):
        yield RamConfig(width=Shape.cast(fifo.shape).width, depth=fifo.depth)
    yield RamConfig(width=config.lanes * timing.array.sum_bits, depth=timing.array.words)
    for operand in (timing.query, timing.key, timing.value):
        yield from [operand.ram] * operand.parts
    for ring in (timing.scores, timing.undivided):
        if ring is None:
            continue
        yield ring.words_ram
        if ring.row_shape is not None:
            yield ring.rows_ram
    weights, values = timing.weights, timing.values
    width = config.lanes * weights.weight_shape.width
    yield from [RamConfig(width=width, depth=weights.tiles * config.tile.row_words)] * config.rows
    yield RamConfig(width=config.value_columns * values.sum_bits, depth=config.rows * config.groups)
    yield timing.output.ram
    yield timing.factors
    yield from _of_masks(timing.dispatch, config.lanes)


def _of_masks(dispatch: DispatchConfig, lanes: int) -> Iterator[RamConfig]:
    """Masks that are loaded: of keys, for tiles and for lanes, of groups; of tiles and tokens."""
    sizes, bound = dispatch.sizes, dispatch.bound_shape.width
    if "columns" in dispatch.sources:
        for banks in (sizes.columns, lanes):
            depth = sizes.key_tiles * sizes.columns // banks
            yield from [RamConfig(width=4 * bound, depth=depth)] * banks
        yield RamConfig(width=3 * bound, depth=dispatch.groups)
    if "bitmap" in dispatch.sources:
        yield RamConfig(width=2 * dispatch.group, depth=sizes.row_blocks * dispatch.groups)
        yield RamConfig(width=sizes.columns, depth=dispatch.partial_tiles * sizes.rows)


@functools.lru_cache(maxsize=16)
def _of_table(rom: RomConfig, target: Target) -> int:
    """Block memories of a table."""
    return predicted_area(census(Rom(rom), target), target).block_rams


def butterfly_least(config: Any, target: Target) -> Resources:
    """Units of a butterfly core, or of that within one of two layers; banks, weights, factors."""
    core: ButterflyConfig = config if isinstance(config, ButterflyConfig) else config.core
    timing = ButterflyTiming(core)
    rams = [each.ram for each in (timing.ring, timing.middle, timing.ring)] * core.banks
    if core.bpmm:
        rams += [timing.weights.ram] * timing.weights.parts
    tables = 0
    if core.fft and isinstance(timing.twiddles, TwiddleConfig):
        tables = core.units * _of_table(timing.twiddles.roms[0], target)
    products = PRODUCTS_A_UNIT * core.units
    return Resources(
        logic_cells=CELLS_A_PRODUCT[target] * products,
        multipliers=0 if target is Target.ICE40_HX else products,
        block_rams=sum(blocks_of(ram, target)[0] for ram in rams) + tables,
        single_port_rams=sum(blocks_of(ram, target)[1] for ram in rams),
    )
