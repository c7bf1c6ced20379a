import pytest
from amaranth.hdl import signed, unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.emit import emit_rtlil
from hw.attention.mac_array import MacArray, MacArrayConfig
from hw.prim.target import Target
from tests.support.netlist import run_amaranth
from tests.support.payload import decode, encode

BYTE = signed(8)
SIZES = [(1, 1), (2, 1), (1, 4), (4, 2), (8, 2)]


def config_of(rows, columns, *, row_shape=BYTE, sum_bits=20, logic_rows=0):
    return MacArrayConfig(
        rows=rows,
        columns=columns,
        row_shape=row_shape,
        column_shape=BYTE,
        sum_bits=sum_bits,
        logic_rows=logic_rows,
    )


def wrapped(value, bits):
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def due(config, pushes, cycles):
    """The sums of every cycle: accumulators of a row after a `last`, modulo their width, or 0."""
    sums = [[0] * config.columns for _ in range(config.rows)]
    shown = [[0] * config.columns for _ in range(cycles)]
    for cycle in sorted(pushes):
        push = pushes[cycle]
        for r, a in enumerate(push["row"]):
            sums[r] = [
                wrapped(total + a * b, config.sum_bits)
                for total, b in zip(sums[r], push["column"], strict=True)
            ]
            if push["last"]:
                shown[cycle + config.latency + r] = list(sums[r])
    return shown


def run(config, pushes, cycles):
    shape = config.i_shape
    junk = (1 << shape.size) - 1
    stimulus = [{"i__valid": 0, "i__payload": junk} for _ in range(cycles)]
    for cycle, push in pushes.items():
        stimulus[cycle] = {"i__valid": 1, "i__payload": encode(push, shape)}
    trace = run_amaranth(MacArray(config), stimulus)
    return [decode(row["sums"] or 0, config.sums_shape) for row in trace]


@st.composite
def scenarios(draw):
    config = config_of(
        *draw(st.sampled_from(SIZES)),
        row_shape=draw(st.sampled_from([BYTE, unsigned(6), unsigned(18)])),
        sum_bits=draw(st.sampled_from([3, 17, 27])),
    )
    low = -(1 << config.row_shape.width - 1) if config.row_shape.signed else 0
    high = low + (1 << config.row_shape.width) - 1
    pushes, cycle, free = {}, 0, 0
    for _ in range(draw(st.integers(1, 20))):
        cycle += draw(st.integers(0, 2))
        last = cycle >= free and draw(st.booleans())
        free = cycle + config.rows if last else free
        operand = st.sampled_from([low, high]) | st.integers(low, high)
        pushes[cycle] = {
            "row": draw(st.lists(operand, min_size=config.rows, max_size=config.rows)),
            "column": draw(
                st.lists(st.integers(-128, 127), min_size=config.columns, max_size=config.columns)
            ),
            "last": int(last),
        }
        cycle += 1
    return config, pushes


@settings(max_examples=60)
@given(scenarios())
def test_rows_of_sums_leave_one_a_cycle_and_nothing_between_them(scenario):
    config, pushes = scenario
    cycles = max(pushes) + config.latency + config.rows + 2
    assert run(config, pushes, cycles) == due(config, pushes, cycles)


@pytest.mark.parametrize("size", SIZES)
def test_a_last_every_rows_cycles(size):
    config = config_of(*size)
    pushes = {
        cycle: {
            "row": [cycle + 3 * r + 1 for r in range(config.rows)],
            "column": [c + 2 * cycle + 1 for c in range(config.columns)],
            "last": int(cycle % config.rows == config.rows - 1),
        }
        for cycle in range(5 * config.rows)
    }
    cycles = max(pushes) + config.latency + config.rows + 2
    shown = run(config, pushes, cycles)
    assert shown == due(config, pushes, cycles)
    assert sum(any(row) for row in shown) == 5 * config.rows


@pytest.mark.parametrize("field", ["rows", "columns"])
@pytest.mark.parametrize("value", [0, 3, 32])
def test_sides_are_powers_of_two(field, value):
    sides = {"rows": 2, "columns": 2, field: value}
    with pytest.raises(
        ValueError,
        match=rf"MacArrayConfig\.{field} must be a power of two from 1 to 16, got {value}",
    ):
        config_of(**sides)


def test_a_sum_has_a_bit():
    with pytest.raises(ValueError, match=r"MacArrayConfig\.sum_bits must be at least 1, got 0"):
        config_of(1, 1, sum_bits=0)


@pytest.mark.parametrize("logic_rows", (0, 1, 4))
def test_rows_of_logic_take_no_multipliers_and_no_other_cycles(logic_rows):
    config = config_of(4, 2, logic_rows=logic_rows)
    assert config.latency == config_of(4, 2).latency
    cells = emit_rtlil(MacArray(config), Target.ECP5).count("cell \\MULT18X18D ")
    assert cells == (4 - logic_rows) * 2


def test_rows_of_logic_are_some_of_the_rows():
    with pytest.raises(ValueError, match=r"^MacArrayConfig.logic_rows must be from 0 to 4, got 5$"):
        config_of(4, 2, logic_rows=5)
