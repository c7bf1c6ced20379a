"""Configuration of the core that divides long vectors into two layers."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from amaranth.lib.data import StructLayout

from hw.butterfly.align import ALIGN_LATENCY
from hw.butterfly.config import VECTORS_BITS, ButterflyConfig
from hw.butterfly.layers import BlockShape, TwoLayerConfig
from hw.butterfly.scratchpad import ScratchpadConfig
from spec.butterfly import division
from spec.errors import SpecError

__all__ = ["DividedConfig", "LayerConfig"]


@dataclass(frozen=True, kw_only=True)
class LayerConfig(ButterflyConfig):
    """A butterfly core whose jobs may begin at stage 1, and turn each vector's factors further.

    Parameters
    ----------
    log2_turns
        Bits of a turn.
    """

    log2_turns: int = 1

    @property
    def turn_bits(self) -> int:
        """Bits of a turn."""
        return self.log2_turns


@dataclass(frozen=True, kw_only=True)
class DividedConfig(TwoLayerConfig):
    """A core of two layers for FFTs and their inverse of long vectors; see `TwoLayerConfig`.

    Vectors are from ``butterfly.divided_from`` to ``butterfly.points`` long.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        least = self.butterfly.divided_from
        if least is None:
            raise SpecError("Butterfly.divided_from must be given, got None; nearest is 64")
        most = 1 << division(least).stages - 1
        if self.units > most:
            raise SpecError(
                f"units must be at most {most} where vectors of {least} points are divided, got "
                f"{self.units}; nearest is {most}"
            )

    @cached_property
    def core(self) -> LayerConfig:
        """The butterfly core within."""
        largest = division(self.butterfly.points)
        return LayerConfig(
            butterfly=replace(
                self.butterfly,
                transforms=("fft",),
                points=1 << largest.stages,
                divided_from=None,
            ),
            units=self.units,
            stream_words=self.stream_words,
            log2_turns=largest.log2_vectors,
        )

    @property
    def sizes(self) -> range:
        """Stages of every vector that is accepted."""
        least = self.butterfly.divided_from or 0
        return range(least.bit_length() - 1, self.butterfly.stages + 1)

    @property
    def parts(self) -> tuple[str, ...]:
        """Components of a word of a stream."""
        return ("re", "im")

    @property
    def bpmm(self) -> bool:
        """There are no butterfly matrices."""
        return False

    @property
    def inverse(self) -> bool:
        """Whether the inverse is among what it does."""
        return "inverse" in self.butterfly.transforms

    def check_points(self, where: str, points: int) -> int:
        """Return the size of a vector if the core takes it.

        Raises
        ------
        SpecError
            It is no power of two, over the largest, or under the least that is divided.
        """
        return self.butterfly.check_points(where, points)

    def shape_of(self, points: int) -> BlockShape:
        """A vector as a block."""
        stages, log2_vectors = division(points)
        vectors = 1 << log2_vectors
        return BlockShape(
            stages=(stages, stages),
            vectors=(vectors, vectors),
            words=vectors,
            paired=stages > log2_vectors,
            # The other word of a first layer's vector that goes into the same one of the second.
            partner=vectors % (1 << stages),
            skipped=stages - log2_vectors,
        )

    @property
    def _largest(self) -> tuple[int, int]:
        stages, log2_vectors = division(self.butterfly.points)
        return log2_vectors, stages

    @cached_property
    def front(self) -> ScratchpadConfig:
        """Before the first layer: L runs of V words, as they come."""
        log2_vectors, stages = self._largest
        return self.scratchpad(stages, log2_vectors, 1)

    @cached_property
    def middle(self) -> ScratchpadConfig:
        """Between the layers: of two vectors, since one is written while one is read."""
        return self.scratchpad(*self._largest, 2)

    @cached_property
    def back(self) -> ScratchpadConfig:
        """Behind the second layer."""
        return self.scratchpad(*self._largest, 1)

    @property
    def front_latency(self) -> int:
        """Cycles from a read before the first layer to the offer of its words."""
        return self.front.latency + self.queue(self.core.i_shape).latency

    @property
    def back_latency(self) -> int:
        """Cycles from a read behind the second layer to the offer of its words."""
        return self.back.latency + ALIGN_LATENCY + self.queue(self.o_shape).latency

    @property
    def job_shape(self) -> StructLayout:
        """A run of vectors of one kind."""
        fields: dict[str, Any] = {
            "log2_points": range(self.butterfly.stages + 1),
            "vectors": VECTORS_BITS,
        }
        if self.butterfly.transforms == ("fft", "inverse"):
            fields["inverse"] = 1
        return StructLayout(fields)

    @property
    def o_parts(self) -> tuple[str, ...]:
        """Results are complex."""
        return self.parts
