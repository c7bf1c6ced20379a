"""What a configuration takes of a chip at least, in a millisecond: from sizes of its parts alone.

Only the parts that grow with the configuration are in it. It tells what cannot fit from what may;
the latter's gates are then counted.
"""

from collections.abc import Iterator

from amaranth.hdl import Shape

from gen.devices import Resources
from hw.attention.config import AttentionConfig
from hw.attention.timing import AttentionTiming
from hw.prim import ecp5, ice40
from hw.prim.ram import RamConfig
from hw.prim.target import Target

__all__ = ["attention_least", "blocks_of", "butterfly_least"]

CELLS_A_PRODUCT = {Target.ECP5: 50, Target.ICE40: 100, Target.ICE40_HX: 200}
"""Logic cells for each multiply-accumulate of a large array, all that it needs included."""

CELLS_OF_ANY = {Target.ECP5: 1000, Target.ICE40: 2500, Target.ICE40_HX: 2500}
"""Logic cells of an attention core without its arrays, at least."""

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


def attention_least(config: AttentionConfig, target: Target) -> Resources:
    """Operands, rings, weight tiles and sums of an attention core; its arrays' multipliers."""
    blocks, singles = 0, 0
    for ram in _memories(config):
        of_block, of_single = blocks_of(ram, target)
        blocks, singles = blocks + of_block, singles + of_single
    rows, columns, values = config.rows, config.columns, config.value_columns
    multipliers = 0
    if target is Target.ECP5:
        multipliers = rows * (columns + values) + values + _of_scale(config)
    elif target is Target.ICE40:
        pairs = AttentionTiming(config).weight_shape.width <= ice40.HALF_OPERAND_WIDTH
        multipliers = rows * (-(-columns // 2) + (-(-values // 2) if pairs else values)) + values
    products = rows * (columns + values)
    return Resources(
        logic_cells=CELLS_OF_ANY[target] + CELLS_A_PRODUCT[target] * products,
        multipliers=multipliers,
        block_rams=blocks,
        single_port_rams=singles,
    )


def _of_scale(config: AttentionConfig) -> int:
    """Multipliers that turn products into scores, one or two a lane."""
    scale = AttentionTiming(config).alu.scale
    if not scale.multiplies:
        return 0
    return config.lanes * (1 + (scale.high_multiplier is not None))


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
        yield RamConfig(width=Shape.cast(ring.word_shape).width, depth=ring.depth_words)
        if ring.row_shape is not None:
            yield RamConfig(width=Shape.cast(ring.row_shape).width, depth=ring.depth_rows)
    weights, values = timing.weights, timing.values
    width = config.lanes * weights.weight_shape.width
    yield from [RamConfig(width=width, depth=weights.tiles * config.tile.row_words)] * config.rows
    yield RamConfig(width=config.value_columns * values.sum_bits, depth=config.rows * config.groups)
    yield timing.output.ram
    yield timing.factors


def butterfly_least(units: int, target: Target) -> Resources:
    """The units of a butterfly core."""
    products = PRODUCTS_A_UNIT * units
    return Resources(
        logic_cells=CELLS_A_PRODUCT[target] * products,
        multipliers=0 if target is Target.ICE40_HX else products,
    )
