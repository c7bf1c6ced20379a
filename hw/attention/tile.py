"""How the words of a tile follow each other between the score array and the value array."""

from dataclasses import dataclass

__all__ = ["TileWords"]


@dataclass(frozen=True, kw_only=True)
class TileWords:
    """A tile as a sequence of words: `row_words` words of row 0, of row 1, and so on.

    Parameters
    ----------
    rows
        R, queries of a tile; a power of two.
    row_words
        C / L, words of a row's segment; a power of two.
    lanes
        L, scores of a word; a power of two.
    """

    rows: int
    row_words: int
    lanes: int

    def __post_init__(self) -> None:
        for field in ("rows", "row_words", "lanes"):
            value = getattr(self, field)
            if type(value) is not int or value < 1 or value & value - 1:
                raise ValueError(f"TileWords.{field} must be a power of two, got {value!r}")

    @property
    def words(self) -> int:
        """W, words of a tile."""
        return self.rows * self.row_words

    @property
    def columns(self) -> int:
        """C, keys of a tile."""
        return self.row_words * self.lanes

    @property
    def log2_lanes(self) -> int:
        """Levels of a tree over the lanes."""
        return self.lanes.bit_length() - 1

    @property
    def log2_row_words(self) -> int:
        """Bits of a word's place in its row's segment."""
        return self.row_words.bit_length() - 1

    @property
    def log2_words(self) -> int:
        """Bits of a word's place in its tile."""
        return self.words.bit_length() - 1
