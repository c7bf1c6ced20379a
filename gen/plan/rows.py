"""A core's area, its gates counted once however many rows of its score array are logic.

A row whose products are logic differs from one of multipliers in its products alone. So what it
takes beyond that is found on a few multipliers by themselves, exactly as if all had been counted.
"""

import functools
from dataclasses import replace

from gen.design import Design
from gen.plan.area import Area, predicted_area
from gen.plan.census import Census, census
from gen.plan.least import row_multipliers
from hw.attention.config import AttentionConfig
from hw.attention.timing import AttentionTiming
from hw.prim.multiply import Multiplier, MultiplierConfig, MultiplierPair
from hw.prim.target import Target

__all__ = ["core_area"]


def core_area(design: Design, target: Target) -> Area:
    """What a core takes, without registers and link."""
    config = design.config
    rows = config.logic_rows if isinstance(config, AttentionConfig) else 0
    if not rows or not row_multipliers(config.columns, target):
        return predicted_area(_counted(design, target), target)
    plain = replace(design, config=replace(config, logic_rows=0))
    found = Census(float, _counted(plain, target))
    for feature, more in _of_a_row(config, target).items():
        found[feature] += rows * more
    return predicted_area(found, target)


@functools.lru_cache(maxsize=16)
def _counted(design: Design, target: Target) -> Census:
    return census(design.unit(), target)


def _of_a_row(config: AttentionConfig, target: Target) -> Census:
    """What a row of logic has beyond one of multipliers."""
    multiplier = AttentionTiming(config).array.macs.multiplier
    pairs, more = max(1, config.columns // 2), Census(float)
    for logic, sign in ((True, pairs), (False, -pairs)):
        each = _of_products(replace(multiplier, logic=logic), config.columns > 1, target)
        for feature, much in each.items():
            more[feature] += sign * much
    return more


@functools.cache
def _of_products(config: MultiplierConfig, pair: bool, target: Target) -> Census:
    """A product by itself, or two that share a pair of multipliers."""
    return census(MultiplierPair(config) if pair else Multiplier(config), target)
