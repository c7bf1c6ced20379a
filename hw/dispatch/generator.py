"""The mask source that needs no memory: what an expression can be on a tile, in gates."""

from functools import lru_cache
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.dispatch.config import DispatchConfig
from hw.dispatch.source import SourceLatency, source_members
from hw.expr.build import ExprConfig, ExprUnit
from spec.expr import FALSE, TRUE, Expr, symbolic_class, variable

__all__ = ["GeneratorSource"]


def questions(config: DispatchConfig, columns: int) -> tuple[Expr, Expr]:
    """(may be true, may be false) on a row block by `columns` keys, over the ends of its ranges."""
    if config.mask is None:
        return TRUE, FALSE
    used = config.mask.variables
    ends = {}
    for name, low, high in (("q", "q_low", "q_high"), ("k", "k_low", "k_high")):
        if name in used:
            first, last = used[name].data[1:]
            ends[name] = variable(low, first, last), variable(high, first, last)
    same = {name: (used[name], used[name]) for name in used if name not in ends}
    granules = {"q": config.sizes.rows, "k": columns}
    return symbolic_class(config.mask, {**ends, **same}, granules)


@lru_cache(maxsize=64)
def units_of(config: DispatchConfig) -> tuple[ExprConfig, ExprConfig]:
    """What the coarse and the fine level compute."""
    coarse, _ = questions(config, config.sizes.columns * config.group)
    true, false = questions(config, config.sizes.columns)
    return (
        ExprConfig(roots={"may": coarse}),
        ExprConfig(roots={"may_be_true": true, "may_be_false": false}),
    )


PORTS = {"b": "batch", "h": "head"}
"""Fields of a query that variables of another name read."""


class GeneratorSource(wiring.Component):
    """A mask expression, bounded over the ranges of a tile or of a group.

    Contract: the answers are those of `spec.expr.classify` on the same ranges, which are clipped to
    the queries and keys that exist: never wrong, and exact where that is.

    *Timing*: latency ``latency_of(config)``, interval 1.

    *Members*: those of `source_members`.
    """

    coarse: Any
    coarse_answer: Any
    fine: Any
    fine_answer: Any

    def __init__(self, config: DispatchConfig):
        self.config = config
        super().__init__(source_members(config))

    @staticmethod
    def latency_of(config: DispatchConfig) -> SourceLatency:
        """Those of the two expressions."""
        coarse, fine = units_of(config)
        return SourceLatency(coarse=coarse.latency, fine=fine.latency)

    def elaborate(self, platform: object) -> Module:
        """Connect each variable to its field of the question."""
        m = Module()
        both = zip(
            ("coarse", "fine"),
            units_of(self.config),
            (self.coarse, self.fine),
            (self.coarse_answer, self.fine_answer),
            strict=True,
        )
        for name, each, query, answer in both:
            m.submodules[name] = unit = ExprUnit(each)
            m.d.comb += [
                *(getattr(unit, key).eq(query[PORTS.get(key, key)]) for key in each.inputs),
                *(answer[key].eq(getattr(unit, key)) for key in each.outputs),
            ]
        return m
