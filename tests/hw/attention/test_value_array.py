import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.value_array import ValueArray, ValueArrayConfig
from tests.support.push import pushed

SIZES = {
    "smallest": (1, 2, 1, 1, 8, False, 8),
    "one": (1, 1, 1, 1, 8, True, 3),
    "rows": (4, 1, 2, 3, 9, False, 5),
    "columns": (2, 8, 1, 2, 18, False, 40),
    "signed": (2, 4, 2, 3, 18, True, 16),
    "gathered": (8, 4, 1, 1, 10, False, 12),
}


def config_of(rows, columns, value_columns, groups, weight_bits, weight_signed, max_keys):
    return ValueArrayConfig(
        rows=rows,
        columns=columns,
        value_columns=value_columns,
        groups=groups,
        weight_bits=weight_bits,
        weight_signed=weight_signed,
        max_keys=max_keys,
    )


def schedule(config, blocks, gaps):
    """Pushes and results, by cycle, of row blocks: lists of tiles: of keys: (weights, values)."""
    pushes, results, cycle = {}, {}, 0
    gaps, last, last_of = iter(gaps), -1000, [-1000] * config.groups
    for block in blocks:
        sums = [[[0] * config.value_columns for _ in range(config.rows)] for _ in last_of]
        for index, tile in enumerate(block):
            last_tile = index == len(block) - 1
            for group in range(config.groups):
                for k, (weight, values) in enumerate(tile):
                    last_key = k == len(tile) - 1
                    cycle += next(gaps, 0)
                    if last_key:
                        earliest = (last + config.rows, last_of[group] + config.spill_loop)
                        cycle = max(cycle, *earliest)
                        last = last_of[group] = cycle
                    pushes[cycle] = {
                        "weight": weight,
                        "value": values[group],
                        "last_key": int(last_key),
                        "first_tile": int(index == 0),
                        "last_tile": int(last_tile),
                    }
                    for row, each in enumerate(weight):
                        for e, value in enumerate(values[group]):
                            sums[group][row][e] += each * value
                    cycle += 1
                for row in range(config.rows if last_tile else 0):
                    results[last + config.latency + row] = {
                        "sum": sums[group][row],
                        "row": row,
                        "group": group,
                        "end": int(row == config.rows - 1 and group == config.groups - 1),
                    }
    return pushes, results


def weights_of(config):
    low = -(1 << config.weight_bits - 1) if config.weight_signed else 0
    high = (1 << config.weight_bits - config.weight_signed) - 1
    return st.sampled_from([low, high, 0, 1]) | st.integers(low, high)


def blocks_of(config):
    byte = st.sampled_from([-128, 127, 0]) | st.integers(-128, 127)
    values = st.lists(byte, min_size=config.value_columns, max_size=config.value_columns)
    key = st.tuples(
        st.lists(weights_of(config), min_size=config.rows, max_size=config.rows),
        st.lists(values, min_size=config.groups, max_size=config.groups),
    )
    tile = st.lists(key, min_size=1, max_size=min(config.columns, config.max_keys))
    tiles = max(1, config.max_keys // config.columns)
    return st.lists(st.lists(tile, min_size=1, max_size=min(3, tiles)), min_size=1, max_size=3)


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=20)
@given(data=st.data(), gaps=st.lists(st.integers(0, 4), max_size=40))
def test_sums_are_exact_and_leave_on_time(size, data, gaps):
    config = config_of(*SIZES[size])
    pushes, results = schedule(config, data.draw(blocks_of(config)), gaps)
    cycles = config.latency + config.rows + 4
    assert pushed(ValueArray(config), pushes, cycles=cycles) == results


def numbered(config, tiles, start):
    """A row block of whole tiles, all weights and values different."""
    high = (1 << config.weight_bits - config.weight_signed) - 1
    return [
        [
            (
                [(start + 31 * k + 7 * r + 3 * t) % high for r in range(config.rows)],
                [
                    [
                        (start + 5 * k + 11 * g + 3 * e) % 256 - 128
                        for e in range(config.value_columns)
                    ]
                    for g in range(config.groups)
                ],
            )
            for k in range(config.columns)
        ]
        for t in range(tiles)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_tiles_follow_each_other_at_the_interval(size):
    config = config_of(*SIZES[size])
    tiles = max(1, config.max_keys // config.columns)
    blocks = [numbered(config, tiles, start) for start in (1, 40, 77)]
    pushes, results = schedule(config, blocks, [])
    total = 3 * tiles
    last = max(pushes)
    # Only the first group of a tile can have to wait, for the same group of the tile before.
    tail = config.groups * config.pass_interval - config.columns
    assert last <= total * config.tile_interval - (1 if tail == 0 else 0)
    cycles = config.latency + config.rows + 4
    assert pushed(ValueArray(config), pushes, cycles=cycles) == results


@pytest.mark.parametrize("weight_signed", [False, True])
@pytest.mark.parametrize("value", [-128, 127])
@pytest.mark.parametrize("weight_bits", [8, 18])
def test_extreme_sums_fit(weight_bits, weight_signed, value):
    config = config_of(2, 4, 1, 1, weight_bits, weight_signed, 64)
    weight = -(1 << weight_bits - 1) if weight_signed else (1 << weight_bits) - 1
    block = [[([weight] * 2, [[value]])] * 4] * 16
    pushes, results = schedule(config, [block, block], [])
    assert {each["sum"][0] for each in results.values()} == {weight * value * 64}
    assert pushed(ValueArray(config), pushes, cycles=config.latency + 4) == results


@pytest.mark.parametrize(
    ("size", "bits", "tile_bits"),
    [
        ((8, 8, 8, 8, 18, False, 1024), 36, 29),
        ((8, 8, 8, 8, 8, False, 1024), 26, 19),
        ((8, 8, 8, 8, 16, True, 1024), 34, 27),
        ((8, 8, 8, 8, 16, False, 2), 25, 25),
    ],
)
def test_widths(size, bits, tile_bits):
    config = config_of(*size)
    assert (config.sum_bits, config.tile_sum_bits) == (bits, tile_bits)


def test_the_spill_loop_only_lengthens_very_small_tiles():
    assert config_of(8, 8, 8, 8, 18, False, 64).tile_interval == 64
    assert config_of(8, 8, 8, 1, 18, False, 64).tile_interval == 8
    small = config_of(1, 2, 1, 1, 8, False, 8)
    assert small.tile_interval == small.spill_loop == 5


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rows", 3, "must be a power of two from 1 to 16, got 3"),
        ("columns", 32, "must be a power of two from 1 to 16, got 32"),
        ("value_columns", 0, "must be a power of two from 1 to 16, got 0"),
        ("groups", 0, "must be at least 1, got 0"),
        ("max_keys", 0, "must be at least 1, got 0"),
        ("weight_bits", 19, "must be from 2 to 18, got 19"),
        ("weight_bits", 1, "must be from 2 to 18, got 1"),
    ],
)
def test_rejections(field, value, message):
    good = {
        "rows": 2,
        "columns": 2,
        "value_columns": 2,
        "groups": 1,
        "weight_bits": 8,
        "weight_signed": False,
        "max_keys": 8,
    }
    ValueArrayConfig(**good)
    with pytest.raises(ValueError, match=rf"ValueArrayConfig\.{field} {message}"):
        ValueArrayConfig(**{**good, field: value})
