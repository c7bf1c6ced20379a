"""Division by ones against integer division, and the helper that measures a latency."""

import random

import pytest
from amaranth.hdl import Module

from hw.lib.pipe import LatencyError
from hw.softmax.ones import OnesDivider, OnesDividerConfig
from tests.support.fixed import delays, per_cycle, run_fixed


def rounded(value, divisor):
    return (2 * value + divisor) // (2 * divisor)


def check(config, values):
    outputs = per_cycle(o=(rounded(value, config.divisor) for value in values))
    assert delays(OnesDivider(config), per_cycle(i=values), outputs) == [config.latency]


@pytest.mark.parametrize("ones", [2, 3, 4, 7])
@pytest.mark.parametrize("max_value", [1, 6, 21, 255, 1000])
def test_every_dividend(ones, max_value):
    config = OnesDividerConfig(max_value=max_value, ones=ones)
    values = list(range(max_value + 1))
    random.Random(1).shuffle(values)
    if max_value < config.divisor // 2 + 1:  # every quotient is 0: no delay can be told
        outputs = run_fixed(OnesDivider(config), config.latency, per_cycle(i=values))
        assert outputs == [{"o": 0}] * len(values)
    else:
        check(config, values)


@pytest.mark.parametrize("ones", [2, 8, 15])
@pytest.mark.parametrize("units", [64, 4096, 1 << 20])
def test_dividends_around_halves_and_ends(ones, units):
    config = OnesDividerConfig(max_value=((1 << ones) - 1) * units, ones=ones)
    source = random.Random(2)
    values = [0, config.max_value]
    for _ in range(200):
        half = source.randrange(units) * config.divisor + config.divisor // 2
        values += [half, half + 1, source.randint(0, config.max_value)]
    check(config, [value for value in values if value <= config.max_value])


@pytest.mark.parametrize("ones", [2, 5, 8])
@pytest.mark.parametrize("max_value", [0, 1, 100, 255 * 4096])
def test_each_remainder_bounds_the_next_and_the_last_needs_one_comparison(ones, max_value):
    config = OnesDividerConfig(max_value=max_value, ones=ones)
    first, *others = config.remainders
    assert first == max_value + config.divisor // 2
    for before, after in zip(config.remainders, others, strict=False):
        folded = ((value >> ones) + (value & config.divisor) for value in range(before + 1))
        assert before > 4000 or max(folded) <= after < before
    assert config.remainders[-1] < 2 * config.divisor
    assert (config.latency, config.interval) == (len(config.remainders) + 2, 1)


class Late(OnesDivider):
    """Delivers a cycle after it says."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.divider = divider = OnesDivider(self.config)
        m.d.comb += divider.i.eq(self.i)
        m.d.sync += self.o.eq(divider.o)
        return m


def test_a_cycle_more_or_less_is_another_latency():
    config = OnesDividerConfig(max_value=255, ones=2)
    inputs, outputs = per_cycle(i=range(256)), per_cycle(o=(rounded(v, 3) for v in range(256)))
    assert delays(Late(config), inputs, outputs) == [config.latency + 1]
    wrong = [*outputs[:-1], {"o": 0}]
    assert delays(OnesDivider(config), inputs, wrong) == []
    assert run_fixed(OnesDivider(config), config.latency, inputs) == outputs
    assert run_fixed(OnesDivider(config), config.latency - 1, inputs)[: len(outputs)] != outputs
    with pytest.raises(ValueError, match="256 inputs cannot have 255 outputs"):
        delays(OnesDivider(config), inputs, outputs[1:])


class Shorter(OnesDividerConfig):
    """States one cycle less than it takes."""

    @property
    def latency(self) -> int:
        return super().latency - 1


def test_a_stated_latency_that_is_not_built_is_refused():
    config = Shorter(max_value=255, ones=2)
    with pytest.raises(LatencyError, match=f"{config.latency + 1} stages built"):
        run_fixed(OnesDivider(config), config.latency, per_cycle(i=range(9)))


@pytest.mark.parametrize(
    ("field", "value", "rule"), [("max_value", -1, "at least 0"), ("ones", 1, "at least 2")]
)
def test_rejections(field, value, rule):
    with pytest.raises(ValueError, match=rf"OnesDividerConfig\.{field} must be {rule}, got"):
        OnesDividerConfig(**{"max_value": 9, "ones": 2, field: value})
