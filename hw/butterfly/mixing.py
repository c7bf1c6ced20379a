"""Configuration of the core that mixes real blocks."""

from dataclasses import dataclass, replace
from functools import cached_property

from amaranth.lib.data import StructLayout

from hw.butterfly.align import ALIGN_LATENCY
from hw.butterfly.config import VECTORS_BITS, ButterflyConfig
from hw.butterfly.layers import BlockShape, TwoLayerConfig
from hw.butterfly.scratchpad import ScratchpadConfig
from spec.errors import SpecError

__all__ = ["MixingConfig"]


@dataclass(frozen=True, kw_only=True)
class MixingConfig(TwoLayerConfig):
    """A core of two layers for the transform mixing alone; see `TwoLayerConfig`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.butterfly.transforms != ("mixing",):
            raise SpecError(
                "Butterfly.transforms: mixing has a core of its own; name it alone or leave it out"
            )
        least = min(self.butterfly.block)
        if 2 * self.units > least:
            raise SpecError(
                f"units must be at most half of the rows and of the columns, {least // 2}, got "
                f"{self.units}; nearest is {least // 2}"
            )

    @cached_property
    def core(self) -> ButterflyConfig:
        """The butterfly core within."""
        return ButterflyConfig(
            butterfly=replace(self.butterfly, transforms=("fft",), rows=None, columns=None),
            units=self.units,
            stream_words=self.stream_words,
        )

    @property
    def log2_rows(self) -> int:
        """Of the largest block."""
        return self.butterfly.block[0].bit_length() - 1

    @property
    def log2_columns(self) -> int:
        """Of the largest block."""
        return self.butterfly.block[1].bit_length() - 1

    def check_block(self, where: str, rows: int, columns: int) -> BlockShape:
        """The shape of a block that the core takes.

        Raises
        ------
        SpecError
            A side is no power of two, over the largest, or under 8 or 2P.
        """
        self.butterfly.check_block(where, rows, columns)
        for side, points in (("rows", rows), ("columns", columns)):
            self.core.check_points(f"{where}: {side}", points)
        log2_rows, log2_columns = rows.bit_length() - 1, columns.bit_length() - 1
        return BlockShape(
            stages=(log2_columns, log2_rows),
            vectors=(rows // 2, columns // 2),
            words=columns // 2,
            paired=True,
            partner=columns // 2,
        )

    @cached_property
    def middle(self) -> ScratchpadConfig:
        """Pairs of rows, of two blocks, since one is written while one is read."""
        return self.scratchpad(self.log2_rows - 1, self.log2_columns, 2)

    @cached_property
    def back(self) -> ScratchpadConfig:
        """Columns, of two blocks, since storing one takes longer than a layer."""
        return self.scratchpad(self.log2_columns - 1, self.log2_rows, 2)

    @property
    def back_latency(self) -> int:
        """Cycles from a read of columns to the offer of its words.

        Scratchpad, choice, alignment, queue.
        """
        return self.back.latency + 1 + ALIGN_LATENCY + self.queue(self.o_shape).latency

    @property
    def job_shape(self) -> StructLayout:
        """A run of blocks of one shape."""
        return StructLayout(
            {
                "log2_rows": range(self.log2_rows + 1),
                "log2_columns": range(self.log2_columns + 1),
                "blocks": VECTORS_BITS,
            }
        )

    @property
    def o_parts(self) -> tuple[str, ...]:
        """Results are real."""
        return ("re",)
