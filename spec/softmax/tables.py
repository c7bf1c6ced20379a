"""A look-up table as the gates hold it: entries of a stated width, and what they weigh in bytes."""

from dataclasses import dataclass

__all__ = ["Table", "table_bytes"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A read-only table of unsigned integers.

    Parameters
    ----------
    name
        What the table holds; also its name in the manifest.
    width
        Bits an entry.
    entries
        The values, index 0 first.
    """

    name: str
    width: int
    entries: tuple[int, ...]

    def __post_init__(self) -> None:
        for index, entry in enumerate(self.entries):
            if not 0 <= entry < 1 << self.width:
                raise ValueError(f"{self.name}[{index}] = {entry} does not fit {self.width} bits")

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def bits(self) -> int:
        """Storage of one copy, in bits."""
        return self.width * len(self.entries)


def table_bytes(tables: tuple[Table, ...]) -> int:
    """Storage of one copy of each of `tables`, in whole bytes a table."""
    return sum((table.bits + 7) // 8 for table in tables)
