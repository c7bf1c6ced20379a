"""The description's rules; twiddles and indices against their equations."""

import cmath
import math

import pytest

from spec import Butterfly, SpecError
from spec.butterfly import (
    block_numbers,
    insertion,
    pairs,
    reversed_bits,
    twiddle,
    twiddles,
    written_indices,
)

SIZES = [1 << n for n in range(3, 14)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"transforms": "ftt"},
            "Butterfly.transforms must be one of fft, inverse, mixing, bpmm, got 'ftt'; "
            "did you mean fft?",
        ),
        (
            {"transforms": ()},
            "Butterfly.transforms must name at least one of fft, inverse, mixing, bpmm; "
            "nearest is fft",
        ),
        ({"points": 4}, "Butterfly.points must be from 8 to 8192, got 4; nearest is 8"),
        ({"points": 16384}, "Butterfly.points must be from 8 to 8192, got 16384; nearest is 8192"),
        ({"points": 1000}, "Butterfly.points must be a power of two, got 1000; nearest is 1024"),
        ({"points": 700}, "Butterfly.points must be a power of two, got 700; nearest is 512"),
        ({"points": 8191}, "Butterfly.points must be a power of two, got 8191; nearest is 8192"),
        ({"points": 64.0}, "Butterfly.points must be an integer from 8 to 8192, got 64.0"),
        ({"data_bits": 7}, "Butterfly.data_bits must be from 8 to 16, got 7; nearest is 8"),
        ({"data_bits": 17}, "Butterfly.data_bits must be from 8 to 16, got 17; nearest is 16"),
        (
            {"coefficient_bits": 19},
            "Butterfly.coefficient_bits must be from 8 to 18, got 19; nearest is 18",
        ),
        ({"shifts": 3}, "Butterfly.shifts must be from 0 to 2, got 3; nearest is 2"),
        (
            {"points": 8, "shifts": (1, 1)},
            "Butterfly.shifts must be one number or one for each of 3 stages, got 2; "
            "nearest is (1, 1, 1)",
        ),
        (
            {"points": 8, "shifts": (1, 0, -1)},
            "Butterfly.shifts[2] must be from 0 to 2, got -1; nearest is 0",
        ),
        (
            {"orders": "increasing"},
            "Butterfly.orders is for transform bpmm, but transforms are fft; leave it out",
        ),
        (
            {"transforms": "mixing", "rows": 24},
            "Butterfly.rows must be a power of two, got 24; nearest is 32",
        ),
        (
            {"transforms": ("fft", "bpmm"), "divided_from": 64},
            "Butterfly.divided_from is for transforms fft and inverse, but transforms are fft, "
            "bpmm; leave it out",
        ),
        (
            {"points": 256, "divided_from": 512},
            "Butterfly.divided_from must be from 64 to 256, got 512; nearest is 256",
        ),
        (
            {"points": 64, "divided_from": 64, "shifts": (1, 0, 1, 1, 1, 1)},
            "Butterfly.shifts must be one number where vectors are divided, got 6; nearest is 1",
        ),
        (
            {"transforms": ("mixing", "fft"), "outputs": 8},
            "Butterfly.outputs is for transform bpmm, but transforms are fft, mixing; leave it out",
        ),
        (
            {"transforms": "bpmm", "orders": "rising"},
            "Butterfly.orders must be one of decreasing, increasing, got 'rising'; "
            "did you mean increasing?",
        ),
        (
            {"transforms": "bpmm", "points": 64, "inputs": 65},
            "Butterfly.inputs must be at most points = 64, got 65; nearest is 64",
        ),
        (
            {"transforms": "bpmm", "outputs": 0},
            "Butterfly.outputs must be from 1 to 65536, got 0; nearest is 1",
        ),
    ],
)
def test_a_field_that_breaks_its_rule_is_refused(fields, message):
    with pytest.raises(SpecError) as caught:
        Butterfly(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        ("points", 128, "x must be from 8 to 64, got 128; nearest is 64"),
        ("points", 4, "x must be from 8 to 64, got 4; nearest is 8"),
        ("points", 63, "x must be a power of two, got 63; nearest is 64"),
        ("points", 33, "x must be a power of two, got 33; nearest is 32"),
        ("transform", "bpmm", "x must be one of fft, inverse, got 'bpmm'"),
        ("order", "increasing", "x must be one of decreasing, got 'increasing'; "
         "did you mean decreasing?"),
    ],
)  # fmt: skip
def test_what_the_core_was_not_generated_with_is_refused(check, value, message):
    butterfly = Butterfly(("inverse", "fft"), points=64)
    with pytest.raises(SpecError) as caught:
        getattr(butterfly, f"check_{check}")("x", value)
    assert str(caught.value) == message


def test_what_was_generated_is_accepted():
    butterfly = Butterfly(("bpmm", "fft", "bpmm"), points=64, orders=("increasing", "decreasing"))
    assert butterfly.transforms == ("fft", "bpmm")
    assert butterfly.orders == ("decreasing", "increasing")
    assert [butterfly.check_points("x", size) for size in (8, 16, 32, 64)] == [8, 16, 32, 64]
    assert butterfly.check_transform("x", "bpmm") == "bpmm"
    assert butterfly.check_order("x", "increasing") == "increasing"


def test_formats_follow_from_the_widths():
    butterfly = Butterfly(points=64, data_bits=14, coefficient_bits=16, shifts=(0, 1, 2, 1, 0, 1))
    assert (butterfly.word_bits, butterfly.coefficient_frac) == (16, 14)
    assert (butterfly.data_max, butterfly.weight_max) == (8191, 32767)
    assert [butterfly.shift(stage) for stage in range(6)] == [0, 1, 2, 1, 0, 1]
    assert Butterfly(shifts=1).shift(9) == 1
    assert Butterfly().shift(0) is None
    assert Butterfly().complex_data
    assert not Butterfly("bpmm").complex_data


@pytest.mark.parametrize(
    ("inputs", "outputs", "points", "stacks"),
    [
        (64, 256, 64, 4),
        (256, 64, 256, 1),
        (100, 300, 128, 3),
        (3, 1, 8, 1),
        (None, 9, 256, 1),
        (33, None, 64, 1),
    ],
)
def test_rectangular_layers_are_stacked_or_cut(inputs, outputs, points, stacks):
    layer = Butterfly("bpmm", points=256, inputs=inputs, outputs=outputs)
    assert (layer.layer_points, layer.layer_stacks) == (points, stacks)


@pytest.mark.parametrize("frac", [6, 14, 16])
def test_twiddles_are_the_nearest(frac):
    for stage in range(13):
        step = max(1, (1 << stage) // 64)
        for k in range(0, 1 << stage, step):
            cos, sin = twiddle(stage, k, frac)
            exact = cmath.exp(-2j * math.pi * k / (2 << stage))
            assert abs(cos / 2**frac - exact.real) <= 0.5 / 2**frac + 1e-12
            assert abs(-sin / 2**frac - exact.imag) <= 0.5 / 2**frac + 1e-12


def test_twiddles_know_their_corners():
    assert twiddles(0, 16) == ((65536, 0),)
    assert twiddles(1, 16) == ((65536, 0), (0, 65536))
    assert twiddles(2, 16) == ((65536, 0), (46341, 46341), (0, 65536), (-46341, 46341))
    with pytest.raises(ValueError, match="stage 2 has twiddles 0 to 3, not 4"):
        twiddle(2, 4, 16)


def test_a_stage_reads_and_writes_every_word_once():
    for points in SIZES[:6]:
        assert sorted(sum(pairs(points), ())) == list(range(points))
        for position in range(points.bit_length() - 1):
            assert sorted(sum(written_indices(points, position), ())) == list(range(points))


def in_place(points, order):
    """For every stage, block -> the two original indices of the words that it joins."""
    stages = points.bit_length() - 1
    held = list(range(points))
    if order == "increasing":
        held = [reversed_bits(i, stages) for i in held]
    for stage in range(stages):
        numbers = block_numbers(points, order, stage)
        read = [(held[a], held[b]) for a, b in pairs(points)]
        yield dict(zip(numbers, read, strict=True))
        written = written_indices(points, insertion("bpmm", order, stage))
        held = [0] * points
        for (a, b), (at_0, at_1) in zip(read, written, strict=True):
            held[at_0], held[at_1] = a, b
    assert held == list(range(points))


@pytest.mark.parametrize("order", ["decreasing", "increasing"])
@pytest.mark.parametrize("points", SIZES[:7])
def test_blocks_of_a_butterfly_matrix_meet_their_own_words(points, order):
    strides = [1 << bit for bit in range(points.bit_length() - 1)]
    if order == "decreasing":
        strides.reverse()
    for stride, met in zip(strides, in_place(points, order), strict=True):
        firsts = {b: 2 * (b - b % stride) + b % stride for b in range(points // 2)}
        assert met == {b: (first, first + stride) for b, first in firsts.items()}


def test_reversed_bits():
    assert [reversed_bits(i, 3) for i in range(8)] == [0, 4, 2, 6, 1, 5, 3, 7]
    assert reversed_bits(0, 0) == 0
