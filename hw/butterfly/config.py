"""The one configuration of the butterfly core, and what enters and leaves it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.hdl import signed
from amaranth.lib.data import ArrayLayout, StructLayout

from hw.butterfly.unit import PRODUCTS, UnitConfig
from spec.butterfly import Butterfly
from spec.errors import SpecError, check_choice

__all__ = ["MAX_BATCH", "ButterflyConfig"]

UNITS = (1, 2, 4, 8)
MAX_BATCH = 32
"""Vectors of a batch: enough that the smallest hide the pipeline."""

VECTORS_BITS = 16


@dataclass(frozen=True, kw_only=True)
class ButterflyConfig:
    """How a butterfly core is built: `butterfly` decides every bit, the rest only cycles and area.

    Parameters
    ----------
    butterfly
        Transforms, sizes, formats.
    units
        Butterfly units, P: 1, 2, 4 or 8. The smallest vector has max(8, 2P) points.
    stream_words
        Words a cycle of input and of output, 1, 2 or 4, at most `units`; at most 2 for a butterfly
        matrix of increasing strides. They keep up with the units from 2^(2P / stream_words)
        points on.
    weight_sets
        Butterfly matrices held: 1, or 2 to load one while the other is used.
    """

    butterfly: Butterfly
    units: int = 4
    stream_words: int = 2
    weight_sets: int = 1

    def __post_init__(self) -> None:
        check_choice("units", self.units, UNITS)
        check_choice("stream_words", self.stream_words, (1, 2, 4))
        check_choice("weight_sets", self.weight_sets, (1, 2))
        if "mixing" in self.butterfly.transforms:
            raise SpecError(
                "Butterfly.transforms: mixing has a core of its own; name it alone or leave it out"
            )
        if self.butterfly.divided_from is not None:
            raise SpecError(
                "Butterfly.divided_from has a core of its own, of two layers; leave it out"
            )
        if self.stream_words > self.units:
            raise SpecError(
                f"stream_words must be at most units = {self.units}, got {self.stream_words}; "
                f"nearest is {self.units}"
            )
        if "increasing" in self.butterfly.orders and self.stream_words > 2:
            raise SpecError(
                f"stream_words must be at most 2 for order increasing, got {self.stream_words}; "
                "nearest is 2"
            )
        if 2 * self.units > self.butterfly.points:
            raise SpecError(
                f"units must be at most points / 2 = {self.butterfly.points // 2}, "
                f"got {self.units}; nearest is {self.butterfly.points // 2}"
            )
        if self.bpmm and 2 * self.units > self.butterfly.layer_points:
            raise SpecError(
                f"units must be at most {self.butterfly.layer_points // 2}, half the points of the "
                f"matrices for Butterfly.inputs = {self.butterfly.inputs}, got {self.units}; "
                f"nearest is {self.butterfly.layer_points // 2}"
            )

    @property
    def fft(self) -> bool:
        """Whether it does the FFT or its inverse."""
        return self.butterfly.complex_data

    @property
    def inverse(self) -> bool:
        """Whether the inverse is among what it does."""
        return "inverse" in self.butterfly.transforms

    @property
    def forward(self) -> bool:
        """Whether the FFT itself is among what it does."""
        return "fft" in self.butterfly.transforms

    @property
    def bpmm(self) -> bool:
        """Whether it multiplies by butterfly matrices."""
        return "bpmm" in self.butterfly.transforms

    @property
    def increasing(self) -> bool:
        """Whether it does matrices of increasing strides."""
        return self.bpmm and "increasing" in self.butterfly.orders

    @property
    def decreasing(self) -> bool:
        """Whether it does matrices of decreasing strides."""
        return self.bpmm and "decreasing" in self.butterfly.orders

    @property
    def log2_units(self) -> int:
        """Bits of a lane's number, p."""
        return self.units.bit_length() - 1

    @property
    def log2_line(self) -> int:
        """Bits of a word's number in its line of 2P words, q."""
        return self.log2_units + 1

    @property
    def banks(self) -> int:
        """Banks of each memory: lanes of half 0, then those of half 1."""
        return 2 * self.units

    @property
    def stages(self) -> int:
        """Stages of the largest vector."""
        return self.butterfly.stages

    @property
    def min_stages(self) -> int:
        """Stages of the smallest vector."""
        return max(3, self.log2_line)

    @property
    def sizes(self) -> range:
        """Stages of every vector that is accepted."""
        return range(self.min_stages, self.stages + 1)

    def check_points(self, where: str, points: int) -> int:
        """Return the size of a vector if the core takes it.

        Raises
        ------
        SpecError
            It is no power of two, over the largest, or under 8 or 2P.
        """
        least = 1 << self.min_stages
        points = self.butterfly.check_points(where, points)
        if points < least:
            raise SpecError(
                f"{where} must be at least {least} with {self.units} units, got {points}; "
                f"nearest is {least}"
            )
        return points

    @cached_property
    def unit(self) -> UnitConfig:
        """The butterfly units."""
        return UnitConfig(
            word_bits=self.butterfly.word_bits,
            coefficient_bits=self.butterfly.coefficient_bits,
            fft=self.fft,
            bpmm=self.bpmm,
            saturates=self.butterfly.shifts is not None,
        )

    @property
    def turn_bits(self) -> int:
        """Bits by which a job's vectors may be turned against each other; see `DividedConfig`."""
        return 0

    @property
    def turn_fields(self) -> dict[str, Any]:
        """The field of a turn, where there is one."""
        return {"turn": self.turn_bits} if self.turn_bits else {}

    @property
    def exponent_shape(self):
        """Shape of an exponent: every stage shifts by −1 to 2, the end by up to 2."""
        return signed((2 * self.stages + 2).bit_length() + 1)

    @property
    def job_shape(self) -> StructLayout:
        """A run of vectors of one kind; what could have one value only is left out."""
        fields: dict[str, Any] = {"log2_points": range(self.stages + 1), "vectors": VECTORS_BITS}
        if self.fft and self.bpmm:
            fields["bpmm"] = 1
        if self.forward and self.inverse:
            fields["inverse"] = 1
        if self.increasing and self.decreasing:
            fields["increasing"] = 1
        if self.bpmm:
            fields["keep"] = 1
        if self.turn_bits:
            fields |= {"start": 1, **self.turn_fields}
        return StructLayout(fields)

    @property
    def i_shape(self) -> StructLayout:
        """Words of an input transfer, in order: real parts, imaginary parts if there are any."""
        return StructLayout(self._words)

    @property
    def parts(self) -> tuple[str, ...]:
        """Components of a word of a stream."""
        return ("re", "im")[: self.unit.parts]

    @property
    def _words(self) -> dict[str, ArrayLayout]:
        part = ArrayLayout(signed(self.butterfly.data_bits), self.stream_words)
        return dict.fromkeys(self.parts, part)

    @property
    def o_shape(self) -> StructLayout:
        """Words of an output transfer, and what holds for their vector."""
        fields: dict[str, Any] = {
            **self._words,
            "exponent": self.exponent_shape,
            "last": 1,
        }
        if self.butterfly.shifts is not None:
            fields["saturated"] = 1
        return StructLayout(fields)

    @property
    def block_shape(self) -> ArrayLayout:
        """A 2 × 2 block of weights: w00, w01, w10, w11."""
        return ArrayLayout(signed(self.butterfly.coefficient_bits), PRODUCTS)

    @property
    def weights_shape(self) -> StructLayout:
        """A line of weights: the blocks of all units, and whether it is a matrix's last."""
        weight = signed(self.butterfly.coefficient_bits)
        return StructLayout({"weight": ArrayLayout(weight, PRODUCTS * self.units), "last": 1})
