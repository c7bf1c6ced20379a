"""The description's rules, and every table's shape, bytes and equation."""

import math
from fractions import Fraction

import pytest

from spec import Softmax, SpecError
from spec.softmax import (
    METHODS,
    ExactNumerics,
    Lut2dNumerics,
    RexpNumerics,
    Table,
    table_bytes,
)

WIDTHS = [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"method": "exakt"},
            "Softmax.method must be one of exact, lut2d, rexp, got 'exakt'; did you mean exact?",
        ),
        ({"score_bits": 7}, "Softmax.score_bits must be from 8 to 16, got 7; nearest is 8"),
        ({"score_bits": 17}, "Softmax.score_bits must be from 8 to 16, got 17; nearest is 16"),
        ({"score_bits": 8.0}, "Softmax.score_bits must be an integer from 8 to 16, got 8.0"),
        ({"score_frac": -1}, "Softmax.score_frac must be from 0 to 15, got -1; nearest is 0"),
        (
            {"score_bits": 8, "score_frac": 8},
            "Softmax.score_frac must be from 0 to 7, got 8; nearest is 7",
        ),
        (
            {"method": "lut2d", "output_bits": 9},
            "Softmax.output_bits must be one of 2, 4, 8, 16, got 9; nearest is 8",
        ),
        (
            {"method": "rexp", "output_bits": 1},
            "Softmax.output_bits must be one of 2, 4, 8, 16, got 1; nearest is 2",
        ),
        ({"max_length": 0}, "Softmax.max_length must be from 1 to 4096, got 0; nearest is 1"),
        (
            {"max_length": 4097},
            "Softmax.max_length must be from 1 to 4096, got 4097; nearest is 4096",
        ),
        ({"weight_bits": 7}, "Softmax.weight_bits must be from 8 to 16, got 7; nearest is 8"),
        (
            {"weight_bits": 17},
            "Softmax.weight_bits must be from 8 to 16, got 17; nearest is 16",
        ),
        (
            {"method": "rexp", "alpha_entries": 300},
            "Softmax.alpha_entries must be one of 16, 256, 320, 512, got 300; nearest is 320",
        ),
        (
            {"method": "lut2d", "weight_bits": 8},
            "Softmax.weight_bits is for method exact, but method is lut2d",
        ),
        (
            {"method": "exact", "alpha_entries": 16},
            "Softmax.alpha_entries is for method rexp, but method is exact",
        ),
    ],
    ids=str,
)
def test_a_broken_rule_is_told_in_one_line(fields, message):
    with pytest.raises(SpecError) as caught:
        Softmax(**fields)
    assert str(caught.value) == message


def test_a_width_that_only_other_methods_have_is_refused():
    message = r"^Softmax\.output_bits must be one of [8, 16]+, got 4; nearest is 8$"
    with pytest.raises(SpecError, match=message):
        Softmax("exact", output_bits=4)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_numerics(method):
    description = Softmax(method, score_bits=9, score_frac=4, max_length=40)
    n = description.numerics
    kinds = {"exact": ExactNumerics, "lut2d": Lut2dNumerics, "rexp": RexpNumerics}
    assert type(n) is kinds[method]
    assert (n.score_bits, n.score_frac, n.output_bits, n.max_length) == (9, 4, 8, 40)
    assert (description.score_min, description.score_max) == (-256, 255)
    assert n.full_scale == 255


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("method", ["lut2d", "rexp"])
def test_one_is_the_largest_magnitude(method, width):
    # "int16" has 15 magnitude bits; the other formats are unsigned.
    assert Softmax(method, output_bits=width).numerics.full_scale == {16: 32767}.get(
        width, 2**width - 1
    )


def lut2d(width: int) -> Lut2dNumerics:
    n = Softmax("lut2d", output_bits=width).numerics
    assert isinstance(n, Lut2dNumerics)
    return n


@pytest.mark.parametrize(
    ("width", "exp", "columns", "bytes_"),
    # uint8: 101 + 11 x 60 = 761 entries of one byte; 4 and 2 bits: 367 and 100 entries.
    [(8, 101, 60, 761), (16, 101, 60, 1522), (4, 48, 29, 184), (2, 12, 8, 25)],
)
def test_lut2d_tables_are_as_large_as_the_source_says(width, exp, columns, bytes_):
    n = lut2d(width)
    assert [len(table) for table in n.tables] == [exp, 11 * columns]
    assert len(n.exp) + len(n.quotient) == {2: 100, 4: 367, 8: 761, 16: 761}[width]
    assert {table.width for table in n.tables} == {width}
    assert table_bytes(n.tables) == bytes_


def nearest(exact: Fraction) -> int:
    return math.floor(exact + Fraction(1, 2))


@pytest.mark.parametrize("width", WIDTHS)
def test_lut2d_quotient_is_one_times_a_tenth_of_i_over_j(width):
    n = lut2d(width)
    expected = [
        nearest(n.full_scale * Fraction(i, 10) / j) for i in range(11) for j in range(1, n.sums + 1)
    ]
    assert list(n.quotient.entries) == expected


@pytest.mark.parametrize("width", WIDTHS)
def test_lut2d_exponential_falls_by_tenths_to_zero(width):
    n = lut2d(width)
    expected = [round(n.full_scale * math.exp(-i / 10)) for i in range(n.exp_entries - 1)]
    assert list(n.exp.entries) == [*expected, 0]


def rexp(width: int, alpha_entries: int = 256) -> RexpNumerics:
    n = Softmax("rexp", output_bits=width, alpha_entries=alpha_entries).numerics
    assert isinstance(n, RexpNumerics)
    return n


@pytest.mark.parametrize("width", WIDTHS)
def test_rexp_exponential_reaches_one_past_the_last_that_counts(width):
    n = rexp(width)
    last = math.ceil(math.log(n.full_scale)) + 1
    assert list(n.exp.entries) == [round(n.full_scale / math.e**i) for i in range(last + 1)]
    assert n.exp.entries[-1] == 0 < n.exp.entries[-3]


@pytest.mark.parametrize("alpha_entries", [16, 256, 320, 512])
@pytest.mark.parametrize("width", WIDTHS)
def test_rexp_alpha_is_one_over_the_sum(width, alpha_entries):
    n = rexp(width, alpha_entries)
    assert len(n.alpha) == alpha_entries
    expected = [nearest(Fraction(n.full_scale, max(1, j))) for j in range(alpha_entries)]
    assert list(n.alpha.entries) == expected
    assert table_bytes((n.alpha,)) == alpha_entries * width // 8


@pytest.mark.parametrize("max_length", [1, 64, 4096])
@pytest.mark.parametrize("score_frac", [0, 8, 15])
def test_exact_tables_stay_within_their_bytes(score_frac, max_length):
    n = Softmax("exact", score_frac=score_frac, max_length=max_length).numerics
    assert table_bytes(n.tables) == 72 + 288 <= 700
    assert [(table.name, len(table), table.width) for table in n.tables] == [
        ("fraction", 64, 9),
        ("reciprocal", 256, 9),
    ]


def test_exact_tables_hold_what_they_say():
    n = Softmax("exact").numerics
    assert isinstance(n, ExactNumerics)
    for i, entry in enumerate(n.fraction.entries):
        assert abs(entry + 512 - 1024 * 2 ** (-(i + 0.2) / 64)) <= (0.5 if i else 1)
    for i, entry in enumerate(n.reciprocal.entries):
        assert abs(entry - 512 * 0.99925 * 255 / 256 / (1 + (i + 0.5) / 256)) <= 0.5
    assert abs(n.log2e / 2**15 - math.log2(math.e)) <= 2**-16


@pytest.mark.parametrize("max_length", [1, 2, 3, 64, 100, 4095, 4096])
@pytest.mark.parametrize("method", METHODS)
def test_no_sum_overflows(method, max_length):
    n = Softmax(method, max_length=max_length).numerics
    largest = (1 << n.sum_weight_bits) - 1 if isinstance(n, ExactNumerics) else n.full_scale
    assert (largest * max_length).bit_length() == n.sum_bits


def test_table():
    table = Table(name="t", width=3, entries=(0, 7, 1))
    assert (len(table), table.bits, table_bytes((table, table))) == (3, 9, 4)
    for entry in (8, -1):
        with pytest.raises(ValueError, match=rf"t\[1\] = {entry} does not fit 3 bits"):
            Table(name="t", width=3, entries=(0, entry))
