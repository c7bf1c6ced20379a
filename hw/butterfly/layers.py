"""What every core of two layers is configured by: blocks that pass the butterfly core twice."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from amaranth.hdl import signed
from amaranth.lib.data import ArrayLayout, StructLayout

from hw.butterfly.align import ALIGN_LATENCY
from hw.butterfly.config import UNITS, ButterflyConfig
from hw.butterfly.scratchpad import ScratchpadConfig
from hw.lib.credit import CreditFifoConfig
from spec.butterfly import Butterfly
from spec.errors import SpecError, check_choice

__all__ = ["BlockShape", "TwoLayerConfig"]

QUEUE = 16
"""Entries of a reader's queue: more than are under way."""


class BlockShape(NamedTuple):
    """A block as its two layers see it: every figure that walks and jobs need.

    Each layer is `vectors` of 2^`stages` points. The first writes the middle scratchpad, which the
    second reads: words 0 to `words` − 1 of all vectors, each with its partner where `paired`.
    """

    stages: tuple[int, int]
    vectors: tuple[int, int]
    words: int
    paired: bool
    partner: int
    """Word that goes with word 0."""
    skipped: int = 0
    """Stages that the second layer leaves out."""

    @property
    def points(self) -> tuple[int, int]:
        """Words of a vector of each layer."""
        return 1 << self.stages[0], 1 << self.stages[1]

    @property
    def size(self) -> int:
        """Complex words of a block, the same in both layers."""
        return self.vectors[0] << self.stages[0]

    @property
    def butterflies(self) -> int:
        """Butterflies of both layers together."""
        return self.size // 2 * (sum(self.stages) - self.skipped)


@dataclass(frozen=True, kw_only=True)
class TwoLayerConfig:
    """How a core of two layers is built: `butterfly` decides every bit, the rest only cycles.

    Parameters
    ----------
    butterfly
        Formats, and the largest block.
    units
        Butterfly units, P: 1, 2, 4 or 8.
    stream_words
        Words a cycle of input and of output, S: 1, 2 or 4, at most `units`.
    weight_sets
        1: there are no butterfly matrices.
    """

    butterfly: Butterfly
    units: int = 4
    stream_words: int = 2
    weight_sets: int = 1

    def __post_init__(self) -> None:
        check_choice("units", self.units, UNITS)
        check_choice("stream_words", self.stream_words, (1, 2, 4))
        if self.weight_sets != 1:
            raise SpecError(
                f"weight_sets is for transform bpmm, got {self.weight_sets}; nearest is 1"
            )
        if self.stream_words > self.units:
            raise SpecError(
                f"stream_words must be at most units = {self.units}, got {self.stream_words}; "
                f"nearest is {self.units}"
            )

    @cached_property
    def core(self) -> ButterflyConfig:
        """The butterfly core within."""
        raise NotImplementedError

    @cached_property
    def middle(self) -> ScratchpadConfig:
        """Between the layers: of two blocks, since one is written while one is read."""
        raise NotImplementedError

    @cached_property
    def back(self) -> ScratchpadConfig:
        """Behind the second layer."""
        raise NotImplementedError

    @property
    def job_shape(self) -> StructLayout:
        """A run of blocks of one shape."""
        raise NotImplementedError

    @property
    def back_latency(self) -> int:
        """Cycles from a read behind the second layer to the offer of its words."""
        raise NotImplementedError

    @property
    def o_parts(self) -> tuple[str, ...]:
        """Components of an output word."""
        raise NotImplementedError

    @property
    def middle_latency(self) -> int:
        """Cycles from the first read of a block to the offer of its first words.

        Scratchpad, a pair's second word, choice, alignment, queue. One less without pairs.
        """
        return self.middle.latency + 1 + 1 + ALIGN_LATENCY + self.queue(self.core.i_shape).latency

    @property
    def log2_stream(self) -> int:
        """Bits of a word's number in a transfer."""
        return self.stream_words.bit_length() - 1

    def scratchpad(self, log2_vectors: int, log2_words: int, buffers: int) -> ScratchpadConfig:
        """A scratchpad of vectors of complex words."""
        return ScratchpadConfig(
            log2_vectors=log2_vectors,
            log2_words=log2_words,
            log2_stream=self.log2_stream,
            width=2 * self.butterfly.data_bits,
            buffers=buffers,
        )

    def queue(self, shape: Any) -> CreditFifoConfig:
        """The queue at a reader's end."""
        return CreditFifoConfig(shape=shape, depth=QUEUE)

    @property
    def exponent_shape(self):
        """Shape of a block's exponent: that of both layers together."""
        return signed(self.core.exponent_shape.width + 1)

    @property
    def i_shape(self) -> StructLayout:
        """Words of an input transfer."""
        return self.core.i_shape

    @property
    def o_shape(self) -> StructLayout:
        """Words of an output transfer, and what holds for their block."""
        word = ArrayLayout(signed(self.butterfly.data_bits), self.stream_words)
        fields: dict[str, Any] = dict.fromkeys(self.o_parts, word)
        fields |= {"exponent": self.exponent_shape, "last": 1}
        if self.butterfly.shifts is not None:
            fields["saturated"] = 1
        return StructLayout(fields)
