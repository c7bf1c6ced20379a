"""The registers of a butterfly core."""

from hw.bus.registers import Identity, constant, setting, system_map
from hw.butterfly.config import VECTORS_BITS, ButterflyConfig
from hw.butterfly.divided import DividedConfig
from spec.butterfly import TRANSFORMS
from spec.registers import Field, Register, RegisterMap

__all__ = ["MAX_VECTORS", "butterfly_registers"]

MAX_VECTORS = (1 << VECTORS_BITS) - 1
"""Vectors of a run, at most: those of a job."""


def butterfly_registers(config: ButterflyConfig | DividedConfig, identity: Identity) -> RegisterMap:
    """The registers of a butterfly core; settings without a choice are left out."""
    butterfly = config.butterfly
    return system_map(
        "butterfly",
        identity,
        capabilities=[
            constant("max_points", butterfly.points, "points of the largest vector"),
            constant("min_points", 1 << config.sizes.start, "points of the smallest"),
            constant("max_vectors", MAX_VECTORS, "vectors of a run, at most"),
            constant("units", config.units, "butterfly units"),
            constant("stream_words", config.stream_words, "words of a vector in a transfer"),
            constant("parts", len(config.parts), "2: words are complex; 1: real"),
            constant("data_bits", butterfly.data_bits, "bits of a part of a word"),
            constant("exponent_bits", config.exponent_shape.width, "bits of an exponent"),
            constant(
                "transforms",
                sum(1 << TRANSFORMS.index(name) for name in butterfly.transforms),
                ", ".join(f"bit {k} {name}" for k, name in enumerate(TRANSFORMS)),
            ),
        ],
        settings=_settings(config),
        inputs=["i", *(["weights"] if config.bpmm else [])],
        outputs=["o"],
    )


def _settings(config: ButterflyConfig | DividedConfig) -> list[Register]:
    stages, most = config.butterfly.stages, MAX_VECTORS
    size = Field(
        name="log2",
        low=0,
        width=stages.bit_length(),
        meaning="log2 of the points of every vector",
        value=stages,
        least=config.sizes.start,
        most=stages,
    )
    count = Field(
        name="count",
        low=0,
        width=most.bit_length(),
        meaning="vectors of the run",
        value=1,
        least=1,
        most=most,
    )
    found = [
        setting("points", "size of every vector", size),
        setting("vectors", "vectors of the run", count),
    ]
    choices = (
        ("transform", config.butterfly.transforms, "what is computed"),
        ("order", config.butterfly.orders if config.bpmm else (), "order of a matrix' factors"),
    )
    for name, names, meaning in choices:
        if len(names) > 1:
            field = Field(
                name="which",
                low=0,
                width=(len(names) - 1).bit_length(),
                meaning=meaning,
                most=len(names) - 1,
                choices={each: number for number, each in enumerate(names)},
            )
            found.append(setting(name, meaning, field))
    return found
