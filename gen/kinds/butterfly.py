"""The kind of a butterfly core."""

from collections.abc import Mapping
from typing import Any

from amaranth.lib import wiring

from gen.kinds import two_layer
from gen.kinds.kind import Kind
from hw.bus.butterfly import ButterflySystem
from hw.bus.mixing import MixingSystem
from hw.bus.registers import Identity
from hw.bus.system import System
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from hw.butterfly.divided import DividedConfig
from hw.butterfly.mixing import MixingConfig
from hw.butterfly.timing import ButterflyTiming
from hw.butterfly.two_layer import TwoLayerCore
from sim.cycle.butterfly import JobSize, butterfly_cycles
from spec.butterfly import Butterfly

__all__ = ["ButterflyKind"]

AnyConfig = ButterflyConfig | MixingConfig | DividedConfig

UNITS = 4
"""Butterfly units, at most, unless the user says otherwise."""


class ButterflyKind(Kind):
    """Vectors in, their transforms out."""

    name = "butterfly"
    description_type = Butterfly
    config_type = ButterflyConfig
    subject = "butterfly"

    def configure(self, description: Butterfly, hardware: Mapping[str, Any]) -> AnyConfig:
        """Four units, and two words a cycle, which keep up with them from 16 points on."""
        units = hardware.get("units", UNITS)
        words = min(2, units) if isinstance(units, int) else 1
        kind: type[AnyConfig] = ButterflyConfig
        if "mixing" in description.transforms:
            kind = MixingConfig
        elif description.divided_from is not None:
            kind = DividedConfig
        return kind(butterfly=description, **{"units": units, "stream_words": words, **hardware})

    def unit(self, config: AnyConfig) -> wiring.Component:
        """The core, to be elaborated once."""
        return (
            ButterflyCore(config) if isinstance(config, ButterflyConfig) else TwoLayerCore(config)
        )

    def system(self, config: AnyConfig, identity: Identity) -> System:
        """Vectors and matrices, or blocks, on streams of their own, one kind and size a run."""
        if isinstance(config, MixingConfig):
            return MixingSystem(config, identity)
        return ButterflySystem(config, identity)

    def sections(self, config: AnyConfig) -> dict[str, Any]:
        """Formats, bytes of tables, cycles of the largest vectors, and the streams' order."""
        butterfly = config.butterfly
        if not isinstance(config, ButterflyConfig):
            return {
                "numerics": {
                    "word_bits": butterfly.word_bits,
                    "coefficient_frac": butterfly.coefficient_frac,
                    "least_points": two_layer.least_points(config),
                },
                "tables": _tables(config.core),
                "cycles": two_layer.cycles(config),
                "streams": two_layer.streams(config),
            }
        return {
            "numerics": {
                "word_bits": butterfly.word_bits,
                "coefficient_frac": butterfly.coefficient_frac,
                "least_points": 1 << config.min_stages,
                "batch_vectors": {
                    str(1 << stages): ButterflyTiming(config).batch_vectors(stages)
                    for stages in config.sizes
                },
            },
            "tables": _tables(config),
            "cycles": _cycles(config),
            "streams": _streams(config),
        }

    def summary(self, manifest: Mapping[str, Any]) -> list[str]:
        """Sizes and cycles, and bytes of tables."""
        told, cycles = manifest["description"], manifest["cycles"]
        if "mixing" in told["transforms"]:
            return two_layer.summary(manifest)
        return [
            f"{', '.join(told['transforms'])}; {manifest['numerics']['least_points']} to "
            f"{told['points']} points, {manifest['configuration']['units']} units",
            f"{cycles['points']} points: {cycles['one_vector']} cycles for one vector, "
            f"{cycles['each_further_vector']} for each further vector",
            f"tables {manifest['tables']['bytes']} bytes",
        ]


def _tables(config: ButterflyConfig) -> dict[str, Any]:
    """Twiddle factors, of all units together: there are no copies."""
    if not config.fft:
        return {"bytes": 0, "each": []}
    roms = ButterflyTiming(config).twiddles.roms
    entries, width = sum(rom.depth for rom in roms), roms[0].width
    size = (entries * width + 7) // 8
    each = {"name": "twiddles", "entries": entries, "width": width, "bytes": size}
    return {"bytes": size, "each": [each]}


def _cycles(config: ButterflyConfig) -> dict[str, Any]:
    """Of the largest vectors: one alone, and each of many."""
    points = config.butterfly.points
    batch = ButterflyTiming(config).batch_vectors(config.stages)

    def cycles_of(vectors: int) -> int:
        job = JobSize(points=points, vectors=vectors, bpmm=not config.fft)
        return butterfly_cycles(config, [job]).total

    few, more = 8 * batch, 16 * batch
    return {
        "points": points,
        "one_vector": cycles_of(1),
        "each_further_vector": (cycles_of(more) - cycles_of(few)) // (more - few),
        "steps": config.stages * points // (2 * config.units),
    }


def _streams(config: ButterflyConfig) -> dict[str, str]:
    """The order of words, for whoever drives the ports."""
    parts = "re and im" if config.fft else "re"
    streams = {
        "i_job": "one transfer a run of vectors: log2 of their points, and how many; which of "
        "several transforms; ports that could hold one value only are left out",
        "i": f"each job: each vector: {config.stream_words} words a transfer, in order, {parts}",
    }
    if config.bpmm:
        streams["i_job"] += "; keep: the next product uses the same matrix"
        streams["i_weights"] = (
            f"each matrix: each factor in the order in which it is applied, each line of "
            f"{config.units} blocks: w00, w01, w10, w11 of each; blocks in the order of "
            "spec.butterfly.block_numbers; last with a matrix's last line"
        )
    flag = "; saturated with every word of a vector" if config.butterfly.shifts is not None else ""
    streams["o"] = (
        f"each vector: {config.stream_words} words a transfer, in order, {parts}, and the "
        f"vector's exponent; the result is the word times 2^exponent{flag}; last with its last word"
    )
    return streams
