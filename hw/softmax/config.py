"""The one configuration of the softmax units, and the streams that enter and leave them."""

from dataclasses import dataclass

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib.data import ArrayLayout, StructLayout

from hw.softmax.row_buffer import count_shape_of
from spec.errors import SpecError, check_range
from spec.softmax import Numerics

__all__ = ["SoftmaxConfig"]

MAX_LANES = 16


@dataclass(frozen=True, kw_only=True)
class SoftmaxConfig:
    """How a softmax is built: `numerics` decide every bit, the rest only cycles and area.

    Parameters
    ----------
    numerics
        Method, formats and tables, from ``spec.Softmax(...).numerics``.
    lanes
        Elements a cycle, a power of two from 1 to 16 that divides the longest row.
    rows_in_flight
        Rows that may wait at once between two passes, at least. Rows of equal length never wait
        for a place; after a long row, this many short ones are taken in before the input stalls.
    """

    numerics: Numerics
    lanes: int = 4
    rows_in_flight: int = 16

    def __post_init__(self) -> None:
        check_range("lanes", self.lanes, 1, MAX_LANES)
        check_range("rows_in_flight", self.rows_in_flight, 2, 256)
        if self.lanes & (self.lanes - 1):
            below = 1 << self.lanes.bit_length() - 1
            raise SpecError(f"lanes must be a power of two, got {self.lanes}; nearest is {below}")
        if self.numerics.max_length % self.lanes:
            length = -(-self.numerics.max_length // self.lanes) * self.lanes
            raise SpecError(
                f"max_length must be a multiple of lanes = {self.lanes}, "
                f"got {self.numerics.max_length}; nearest is {length}"
            )

    @property
    def max_words(self) -> int:
        """Transfers in the longest row."""
        return self.numerics.max_length // self.lanes

    @property
    def log2_lanes(self) -> int:
        """Levels of a tree over the lanes."""
        return (self.lanes - 1).bit_length()

    @property
    def count_shape(self) -> Shape:
        """Shape of a row's count: its transfers less two, so that the sign says "one"."""
        return count_shape_of(self.max_words)

    @property
    def score_shape(self) -> Shape:
        """Shape of a score."""
        return signed(self.numerics.score_bits)

    @property
    def input_shape(self) -> StructLayout:
        """A transfer of scores: lane 0 first; elements past a row's end are sent invisible."""
        return StructLayout(
            {
                "score": ArrayLayout(self.score_shape, self.lanes),
                "visible": unsigned(self.lanes),
                "last": 1,
            }
        )

    @property
    def output_shape(self) -> StructLayout:
        """A transfer of probabilities, in the order of the scores."""
        return StructLayout(
            {
                "p": ArrayLayout(unsigned(self.numerics.output_bits), self.lanes),
                "last": 1,
                "empty": 1,
                "refused": 1,
            }
        )

    @property
    def weight_shape(self) -> StructLayout:
        """A transfer of un-normalised weights."""
        return StructLayout(
            {"weight": ArrayLayout(unsigned(self.numerics.weight_bits), self.lanes), "last": 1}
        )
