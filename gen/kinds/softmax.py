"""The kind of a lone softmax."""

from collections.abc import Mapping
from typing import Any

from amaranth.lib import wiring

from gen.kinds.kind import Kind
from gen.kinds.tables import listed
from hw.bus.registers import Identity
from hw.bus.softmax import SoftmaxSystem
from hw.bus.system import System
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax as SoftmaxUnit
from hw.softmax.core import SoftmaxTiming
from hw.softmax.methods import copies_of
from sim.cycle.softmax import softmax_cycles
from spec import Softmax

__all__ = ["SoftmaxKind", "table_summary"]

LANES = 4
"""Elements a cycle, unless the user says otherwise and where the longest row is a multiple."""

STEADY_ROWS = 8
"""Rows after which the passes overlap fully; the figures below are differences beyond them."""


class SoftmaxKind(Kind):
    """Rows of scores in, rows of probabilities out."""

    name = "softmax"
    description_type = Softmax
    config_type = SoftmaxConfig
    subject = "numerics"

    def configure(self, description: Softmax, hardware: Mapping[str, Any]) -> SoftmaxConfig:
        """Four lanes if they divide the longest row."""
        lanes = LANES if description.max_length % LANES == 0 else 1
        return SoftmaxConfig(numerics=description.numerics, **{"lanes": lanes, **hardware})

    def unit(self, config: SoftmaxConfig) -> wiring.Component:
        """The unit, to be elaborated once."""
        return SoftmaxUnit(config)

    def system(self, config: SoftmaxConfig, identity: Identity) -> System:
        """Rows of scores on one stream, of probabilities on another."""
        return SoftmaxSystem(config, identity)

    def sections(self, config: SoftmaxConfig) -> dict[str, Any]:
        """Bytes of tables, and cycles of the longest row."""
        return {"tables": table_summary(config), "cycles": _cycles(config)}

    def summary(self, manifest: Mapping[str, Any]) -> list[str]:
        """Cycles of a row, and bytes of tables."""
        cycles, tables = manifest["cycles"], manifest["tables"]
        return [
            f"{cycles['row_length']} elements a row: {cycles['one_row']} cycles for one row, "
            f"{cycles['each_further_row']} for each further row",
            f"tables {tables['bytes']} bytes, {tables['bytes_of_all_copies']} with all copies",
        ]


def table_summary(config: SoftmaxConfig) -> dict[str, Any]:
    """Bytes of the tables that are emitted: of one copy each, and of all copies."""
    tables, copies = config.numerics.tables, copies_of(config.numerics, config.lanes)
    return listed([(table, copies[table.name]) for table in tables])


def _cycles(config: SoftmaxConfig) -> dict[str, Any]:
    longest = config.numerics.max_length
    lone = softmax_cycles(config, [longest])
    few = softmax_cycles(config, [longest] * STEADY_ROWS)
    more = softmax_cycles(config, [longest] * (STEADY_ROWS + 1))
    return {
        "row_length": longest,
        "one_row": lone.total,
        "each_further_row": more.total - few.total,
        "latency_of_one_transfer": SoftmaxTiming(config).latency,
    }
