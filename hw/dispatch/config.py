"""What a dispatcher is generated for, and the shapes of everything that goes through it."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Shape, unsigned
from amaranth.lib.data import StructLayout

from spec.expr import Expr
from spec.tiles import GROUP

__all__ = ["SOURCES", "DispatchConfig", "DispatchSizes", "log2"]

SOURCES = ("generator", "columns", "bitmap")
"""Where a mask may come from: gates, intervals per key, or one bit a tile."""

MAX_SIDE = 16
MAX_LENGTH = 1 << 20


def log2(power: int) -> int:
    """The exponent of a power of two."""
    return power.bit_length() - 1


@dataclass(frozen=True, kw_only=True)
class DispatchSizes:
    """Tiles, and the greatest numbers of what a job may ask for.

    Parameters
    ----------
    rows, columns
        Queries and keys of a tile, powers of two from 1 to 16.
    queries, keys
        Greatest lengths, 1 to 2**20.
    heads, batches
        How many there are, at least 1.
    """

    rows: int
    columns: int
    queries: int
    keys: int
    heads: int = 1
    batches: int = 1

    def __post_init__(self) -> None:
        for field in ("rows", "columns"):
            side = getattr(self, field)
            if side not in (1, 2, 4, 8, MAX_SIDE):
                raise ValueError(
                    f"DispatchSizes.{field} must be a power of two from 1 to {MAX_SIDE}, got {side}"
                )
        for field in ("queries", "keys"):
            length = getattr(self, field)
            if not 1 <= length <= MAX_LENGTH:
                raise ValueError(
                    f"DispatchSizes.{field} must be from 1 to {MAX_LENGTH}, got {length}"
                )
        for field in ("heads", "batches"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"DispatchSizes.{field} must be at least 1, got {getattr(self, field)}"
                )

    @property
    def row_blocks(self) -> int:
        """Row blocks of the longest job."""
        return -(-self.queries // self.rows)

    @property
    def key_tiles(self) -> int:
        """Key tiles of the longest job."""
        return -(-self.keys // self.columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class DispatchConfig:
    """Configuration of a `Dispatcher`. Two are equal only if they are the same object.

    Parameters
    ----------
    sizes
        Tiles and greatest lengths.
    mask
        The generator's expression over ``b``, ``h``, ``q``, ``k`` and, where it needs it,
        ``offset`` = keys - queries of the job; None where every pair attends.
    sources
        One or more of `SOURCES`; a job names one by its index here.
    max_tiles
        Tiles of a row block that the score ring holds; None if it holds all.
    partial_tiles
        Tiles that the token memory of a bitmap holds.
    command_depth
        Commands that may wait, at least 2.
    group
        Key tiles in a coarse group, a power of two; other than `GROUP` for proofs only.
    """

    sizes: DispatchSizes
    mask: Expr | None = None
    sources: tuple[str, ...] = ("generator",)
    max_tiles: int | None = None
    partial_tiles: int = 0
    command_depth: int = 32
    group: int = GROUP

    def __post_init__(self) -> None:
        if not isinstance(self.sources, tuple) or not self.sources:
            raise ValueError(
                f"DispatchConfig.sources must be a tuple of one or more of {', '.join(SOURCES)}, "
                f"got {self.sources!r}"
            )
        for source in self.sources:
            if source not in SOURCES or self.sources.count(source) > 1:
                raise ValueError(
                    f"DispatchConfig.sources must be of {', '.join(SOURCES)}, each at most once, "
                    f"got {self.sources!r}"
                )
        if self.mask is not None:
            self._check_mask(self.mask)
        if self.max_tiles is not None and self.max_tiles < 1:
            raise ValueError(f"DispatchConfig.max_tiles must be at least 1, got {self.max_tiles}")
        least = int("bitmap" in self.sources)
        if self.partial_tiles < least:
            raise ValueError(
                f"DispatchConfig.partial_tiles must be at least {least}, got {self.partial_tiles}"
            )
        if self.command_depth < 2:
            raise ValueError(
                f"DispatchConfig.command_depth must be at least 2, got {self.command_depth}"
            )
        if self.group < 1 or self.group & (self.group - 1):
            raise ValueError(f"DispatchConfig.group must be a power of two, got {self.group}")
        if self.group != GROUP and "bitmap" in self.sources:
            raise ValueError(f"DispatchConfig.group must be {GROUP} with a bitmap")

    def _check_mask(self, mask: Expr) -> None:
        if "generator" not in self.sources:
            raise ValueError("DispatchConfig.mask is given, but sources has no generator")
        if not mask.is_bool:
            raise ValueError(f"DispatchConfig.mask must be a truth value, got {mask!r}")
        ranges = self.index_ranges
        for name, variable in mask.variables.items():
            if name not in ranges:
                raise ValueError(
                    f"DispatchConfig.mask must be of {', '.join(ranges)}, got variable {name!r}"
                )
            low, high = variable.bounds
            if low > ranges[name][0] or high < ranges[name][1]:
                raise ValueError(
                    f"DispatchConfig.mask: variable {name} must reach from {ranges[name][0]} to "
                    f"{ranges[name][1]}, got {low} to {high}"
                )

    @property
    def index_ranges(self) -> dict[str, tuple[int, int]]:
        """Least and greatest value of everything that a mask may depend on.

        A job has at least one query and one key where it asks the mask anything.
        """
        sizes = self.sizes
        return {
            "b": (0, sizes.batches - 1),
            "h": (0, sizes.heads - 1),
            "q": (0, sizes.queries - 1),
            "k": (0, sizes.keys - 1),
            "offset": (1 - sizes.queries, sizes.keys - 1),
        }

    @property
    def groups(self) -> int:
        """Coarse groups of a row block of the longest job."""
        return -(-self.sizes.key_tiles // self.group)

    @property
    def ring_tiles(self) -> int | None:
        """`max_tiles` where a row block can have more, else None."""
        limited = self.max_tiles is not None and self.max_tiles < self.sizes.key_tiles
        return self.max_tiles if limited else None

    @property
    def loadable(self) -> tuple[str, ...]:
        """Sources that are loaded at run time."""
        return tuple(source for source in self.sources if source != "generator")

    @property
    def bound_shape(self) -> Shape:
        """Shape of an interval's start or end."""
        return Shape.cast(range(self.sizes.queries + 1))

    @cached_property
    def job_shape(self) -> StructLayout:
        """One head: its lengths, its indices, and where its mask comes from.

        `causal` belongs to the columns and `source` to more sources than one; they have no bits
        otherwise.
        """
        return StructLayout(
            {
                "queries": range(self.sizes.queries + 1),
                "keys": range(self.sizes.keys + 1),
                "batch": range(self.sizes.batches),
                "head": range(self.sizes.heads),
                "source": range(len(self.sources)),
                "causal": int("columns" in self.sources),
            }
        )

    @cached_property
    def context_shape(self) -> StructLayout:
        """What both levels of the scan know of a job: `empty` if it has no queries or no keys."""
        return StructLayout(
            {
                "queries_last": range(self.sizes.queries),
                "keys_last": range(self.sizes.keys),
                "empty": 1,
                "batch": range(self.sizes.batches),
                "head": range(self.sizes.heads),
                "offset": Shape.cast(range(-self.sizes.queries, self.sizes.keys + 1)),
                "source": range(len(self.sources)),
                "causal": int("columns" in self.sources),
            }
        )

    @cached_property
    def query_shape(self) -> StructLayout:
        """What a mask source is asked: whether it is true somewhere, or false, in these ranges.

        `number` counts the groups of a job, `tile` is the key tile; each is known to one level.
        """
        context = self.context_shape.members
        return StructLayout(
            {
                "q_low": range(self.sizes.queries),
                "q_high": range(self.sizes.queries),
                "k_low": range(self.sizes.keys),
                "k_high": range(self.sizes.keys),
                "number": range(self.sizes.row_blocks * self.groups),
                "group": range(self.groups),
                "tile": range(self.sizes.key_tiles),
                "hint": self.hint_shape,
                **{name: context[name] for name in ("batch", "head", "offset", "source", "causal")},
            }
        )

    @property
    def hint_shape(self) -> Shape:
        """What the coarse level keeps of its answer for the fine level: the bitmap's word."""
        return unsigned(2 * GROUP if "bitmap" in self.sources else 0)

    @cached_property
    def entry_shape(self) -> StructLayout:
        """A group that the coarse level lets through.

        It has `left` + 1 tiles. If not `may`, it is empty and stands for the end of its row block
        alone. `row_end` is the last group of its row block, `final` the last row block of its job.
        """
        return StructLayout(
            {
                "row_block": range(self.sizes.row_blocks),
                "group": range(self.groups),
                "left": range(self.group),
                "may": 1,
                "row_end": 1,
                "final": 1,
                "hint": self.hint_shape,
            }
        )

    @cached_property
    def step_shape(self) -> StructLayout:
        """A key tile with its class, or the end of a row block; `row_end`, `final` as above."""
        return StructLayout(
            {
                "row_block": range(self.sizes.row_blocks),
                "key_tile": range(self.sizes.key_tiles),
                "visible": 1,
                "partial": 1,
                "row_end": 1,
                "final": 1,
            }
        )

    @cached_property
    def command_shape(self) -> StructLayout:
        """A tile command, see docs/attention.md.

        `skips` row blocks without a tile come right before its own, and have no command.
        `token_tile` says which of the bitmap's partial tiles it is, where there is a bitmap.
        """
        return StructLayout(
            {
                "row_block": range(self.sizes.row_blocks),
                "key_tile": range(self.sizes.key_tiles),
                "partial": 1,
                "first": 1,
                "last": 1,
                "none": 1,
                "end": 1,
                "refused": 1,
                "skips": range(self.sizes.row_blocks),
                "token_tile": range(self.partial_tiles),
            }
        )

    @cached_property
    def column_shape(self) -> StructLayout:
        """Two ranges of queries that do not see a key."""
        bound = self.bound_shape
        return StructLayout({"start0": bound, "end0": bound, "start1": bound, "end1": bound})

    @cached_property
    def column_word_shape(self) -> StructLayout:
        """`column_shape`, and whether it is the last of its mask."""
        return StructLayout({**self.column_shape.members, "last": 1})

    @cached_property
    def bitmap_word_shape(self) -> StructLayout:
        """A group word in its two halves, and whether it is the last of its mask."""
        return StructLayout({"visible": unsigned(GROUP), "partial": unsigned(GROUP), "last": 1})

    @cached_property
    def token_word_shape(self) -> StructLayout:
        """A row of a partial tile, and whether it is the last of its mask."""
        return StructLayout({"bits": unsigned(self.sizes.columns), "last": 1})
