"""A block's figures in gates: what walks and layers count to, from its job."""

from typing import Any

from amaranth.hdl import Array, Const, Value
from amaranth.lib.data import StructLayout

from hw.butterfly.divided import DividedConfig
from hw.butterfly.layers import BlockShape, TwoLayerConfig

__all__ = ["blocks_of", "figures_shape", "look_up"]


def figures_shape(config: TwoLayerConfig) -> StructLayout:
    """A block's figures, each one less than a count where it is called last."""
    middle, back, s = config.middle, config.back, config.log2_stream
    fields: dict[str, Any] = {
        "stages_first": range(config.core.stages + 1),
        "stages_second": range(config.core.stages + 1),
        "last_first": middle.log2_vectors,
        "last_second": back.log2_vectors,
        "last_transfer": middle.log2_vectors + middle.log2_words - s,
        "middle_last_word": middle.log2_words,
        "middle_last_group": middle.log2_vectors - s,
        "back_last_word": back.log2_words,
        "back_last_group": back.log2_vectors - s,
        "paired": 1,
        "partner": middle.log2_words,
        "top": middle.log2_words,
    }
    if isinstance(config, DividedConfig):
        fields |= {
            "front_last_word": config.front.log2_words,
            "front_last_group": config.front.log2_vectors - s,
            "skip": 1,
            "turn": config.core.turn_bits,
            "inverse": 1,
            "log2_points": range(config.butterfly.stages + 1),
        }
    return StructLayout(fields)


def blocks_of(job: Any) -> Value:
    """How many blocks a job has."""
    return job["blocks" if "blocks" in job.shape().members else "vectors"]


def look_up(config: TwoLayerConfig, figures: Any, job: Any) -> list[Any]:
    """Assign a job's figures: those of `MixingConfig.check_block` or `DividedConfig.shape_of`."""
    if isinstance(config, DividedConfig):
        return _of_vector(config, figures, job)
    s = config.log2_stream
    rows, columns = (Const(1) << log2 for log2 in (job.log2_rows, job.log2_columns))
    return [
        figures.stages_first.eq(job.log2_columns),
        figures.stages_second.eq(job.log2_rows),
        figures.last_first.eq((rows >> 1) - 1),
        figures.last_second.eq((columns >> 1) - 1),
        figures.last_transfer.eq((Const(1) << (job.log2_rows + job.log2_columns))[1 + s :] - 1),
        figures.middle_last_word.eq((columns >> 1) - 1),
        figures.middle_last_group.eq((rows >> 1 + s) - 1),
        figures.back_last_word.eq(rows - 1),
        figures.back_last_group.eq((columns >> 1 + s) - 1),
        figures.paired.eq(1),
        figures.partner.eq(columns >> 1),
        figures.top.eq(columns - 1),
    ]


def _of_vector(config: DividedConfig, figures: Any, job: Any) -> list[Any]:
    shapes = {stages: config.shape_of(1 << stages) for stages in config.sizes}
    words = config.stream_words

    def of(what: Any) -> Value:
        """A figure by the vector's size; below the least it is that of the least."""
        least = config.sizes.start
        each = [what(shapes[max(least, stages)]) for stages in range(config.sizes.stop)]
        return Array(Const(value) for value in each)[job.log2_points]

    def points(shape: BlockShape) -> int:
        return shape.points[0]

    def vectors(shape: BlockShape) -> int:
        return shape.vectors[0]

    members = job.shape().members
    inverse = job.inverse if "inverse" in members else Const(config.inverse, 1)
    return [
        figures.stages_first.eq(of(lambda shape: shape.stages[0])),
        figures.stages_second.eq(of(lambda shape: shape.stages[1])),
        figures.last_first.eq(of(vectors) - 1),
        figures.last_second.eq(of(vectors) - 1),
        figures.last_transfer.eq(of(lambda shape: shape.size // words - 1)),
        figures.middle_last_word.eq(of(vectors) - 1),
        figures.middle_last_group.eq(of(lambda shape: vectors(shape) // words - 1)),
        figures.back_last_word.eq(of(points) - 1),
        figures.back_last_group.eq(of(lambda shape: vectors(shape) // words - 1)),
        figures.paired.eq(of(lambda shape: shape.paired)),
        figures.partner.eq(of(lambda shape: shape.partner)),
        figures.front_last_word.eq(of(vectors) - 1),
        figures.front_last_group.eq(of(lambda shape: points(shape) // words - 1)),
        figures.skip.eq(of(lambda shape: shape.skipped)),
        figures.turn.eq(of(lambda shape: (1 << config.core.turn_bits) // vectors(shape))),
        figures.inverse.eq(inverse),
        figures.log2_points.eq(job.log2_points),
    ]
