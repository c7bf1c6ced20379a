import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.attention.normalise import ALIGNED_BITS, MANTISSA_BITS, Normaliser, NormaliserConfig
from spec.fixed import Rounding, bounds, round_shift, saturate
from tests.support.push import pushed

WIDE = {"sum_bits": 36, "lanes": 2, "exponent_bits": 4, "base_shift": 8, "product_shift": 26}
CONFIGS = {
    "wide": {**WIDE, "output_bits": 8},
    "wide_16": {**WIDE, "product_shift": 18, "output_bits": 16},
    "retention": {**WIDE, "exponent_bits": 5, "base_shift": 0, "output_bits": 16},
    "left": {**WIDE, "sum_bits": 15, "base_shift": -5, "exponent_bits": 3, "output_bits": 8},
    "narrow": {**WIDE, "sum_bits": 6, "base_shift": 2, "exponent_bits": 1, "output_bits": 16},
    "gone": {**WIDE, "sum_bits": 4, "base_shift": 9, "product_shift": 0, "output_bits": 8},
    "all_kept": {**WIDE, "base_shift": -1, "product_shift": 0, "output_bits": 16},
    "all_dropped": {**WIDE, "product_shift": 35, "output_bits": 8},
}


def config_of(name, **fields):
    return NormaliserConfig(**{**CONFIGS[name], "tag_shape": 5, **fields})


def normalise(config, total, mantissa, exponent):
    """The golden twin, lane by lane."""
    shift = exponent + config.base_shift
    aligned = saturate(total >> shift if shift >= 0 else total << -shift, ALIGNED_BITS, True)
    rounded = round_shift(aligned * mantissa, config.product_shift, Rounding.HALF_UP)
    return saturate(rounded, config.output_bits, True)


def words_of(config):
    low, high = bounds(config.sum_bits, True)
    # Sums of every length, so that few of them saturate.
    scaled = st.builds(
        lambda x, shift: x >> shift, st.integers(low, high), st.integers(0, config.sum_bits)
    )
    sums = st.sampled_from([low, high, 0, -1, 1]) | scaled
    most = (1 << MANTISSA_BITS) - 1
    mantissa = st.sampled_from([0, 1, most >> 1, most]) | st.integers(0, most)
    return st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "sum": st.lists(sums, min_size=config.lanes, max_size=config.lanes),
                "mantissa": mantissa,
                "exponent": st.integers(0, (1 << config.exponent_bits) - 1),
                "zero": st.sampled_from([0, 0, 0, 1]),
                "tag": st.integers(0, 31),
            }
        ),
        min_size=1,
        max_size=40,
    )


def result_of(config, word):
    value = [
        0 if word["zero"] else normalise(config, each, word["mantissa"], word["exponent"])
        for each in word["sum"]
    ]
    return {"value": value, "tag": word["tag"]}


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=30)
@given(data=st.data())
def test_values_are_those_of_the_golden_twin_after_the_latency(name, data):
    config = config_of(name)
    words = dict(enumerate(data.draw(words_of(config))))
    pushes = {cycle: word for cycle, word in words.items() if word}
    results = {cycle + config.latency: result_of(config, word) for cycle, word in pushes.items()}
    assert pushed(Normaliser(config), pushes, cycles=config.latency + 3) == results


def test_every_sum_of_few_bits_with_every_exponent():
    config = config_of("narrow", lanes=1, sum_bits=7, base_shift=-13, product_shift=17)
    pushes = dict(
        enumerate(
            {"sum": [total], "mantissa": mantissa, "exponent": exponent, "zero": 0, "tag": 0}
            for total in range(-64, 64)
            for exponent in range(2)
            for mantissa in (1 << 16, 99_999, (1 << 18) - 1)
        )
    )
    results = {cycle + config.latency: result_of(config, word) for cycle, word in pushes.items()}
    assert pushed(Normaliser(config), pushes, cycles=config.latency) == results


def test_a_tag_may_be_empty():
    config = config_of("wide", tag_shape=0)
    push = {"sum": [1 << 30, -(1 << 30)], "mantissa": 1 << 17, "exponent": 0, "zero": 0, "tag": 0}
    (result,) = pushed(Normaliser(config), {0: push}, cycles=config.latency).values()
    assert result == {"value": [127, -128], "tag": 0}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sum_bits", 1, "must be at least 2, got 1"),
        ("lanes", 0, "must be at least 1, got 0"),
        ("exponent_bits", 0, "must be at least 1, got 0"),
        ("product_shift", 36, "must be from 0 to 35, got 36"),
        ("product_shift", -1, "must be from 0 to 35, got -1"),
        ("output_bits", 12, "must be 8 or 16, got 12"),
    ],
)
def test_rejections(field, value, message):
    with pytest.raises(ValueError, match=rf"NormaliserConfig\.{field} {message}"):
        config_of("wide", **{field: value})
