"""Measure the attention core: cycles on the mask suite, and errors against float64.

Run from the repository's root:  python -m scripts.measure_attention [-o FILE] [--picture FILE]

Cycles are those of `sim.cycle`, which tests hold equal to the emitted Verilog's.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hw.attention.config import AttentionConfig
from sim.cycle.heads import exact_answers, head_cycles, visible_tiles
from sim.golden.attention import attention
from sim.golden.masks import classes_of_bitmap, compile_bitmap
from sim.reference import attention as reference
from spec import Attention
from spec.tiles import TileGrid
from tests.support.masks import SUITE, mask_case
from tests.support.operands import KINDS, operands

HEADS = (1, 8)
TOKENS = 1024
DIMS = 64
SIDE = 8
AIM_SHARE = 0.97
"""Part of the cycles that the tiles alone must take, from `TOKENS` keys on."""

AIM_FASTER = 8.7
"""How much faster than dense a mask with a ninth of the tiles must be."""

LENGTHS = (16, 64, 256, 1024, 4096)
MOST_ROWS = 256

CYCLES = """\
# Attention: cycles on every mask

Measured by `python -m scripts.measure_attention`. R = C = E = 8, head_dim 64, masks loaded as a
bitmap, operands double-buffered, empty row blocks compact. *Cycles* run from the first tile's
start, when operands and mask are there, to the last output; *share* is tiles · 64 / cycles. With 8
heads the keys and values are shared; loading queries, 8192 cycles a head, hides behind the head
before.

A row block's values are weighed only after its last score: the row's maximum must be known. So its
tiles pass two machines, one after the other, and take each as long: a flow shop with equal times,
which no order of row blocks finishes in fewer cycles than

    bound = (tiles of all heads + most tiles of a row block) · 64

That is why the share cannot reach one for a lone head, least where a row block holds a large part
of all tiles; with 8 heads the second term hardly counts. The core needs some 300 cycles more than
the bound, which is the length of its pipeline. Masks with hardly a tile are bound by that and, with
8 heads, by loading.

| mask | queries × keys | tiles | most in a row block | bound, 1 head | cycles, 1 head | share \
| bound, 8 heads | cycles, 8 heads | share |
|---|---|---|---|---|---|---|---|---|---|
"""

NINTH = """\

## One ninth of the tiles

How many times faster than all 16384 tiles of 1024 × 1024 a mask with a ninth of them runs, and how
many times fewer tiles it has. *Of the bounds* is what the bound above allows. *With loading* counts
the first head's operands and mask too, 8192 cycles that both have in common.

| mask | tiles | times fewer | faster, 1 head | of the bounds | with loading | faster, 8 heads \
| with loading |
|---|---|---|---|---|---|---|---|
"""

ERRORS = """\

# Attention: errors against float64

Largest distance of an int8 output from float64 attention on the same int8 inputs, in LSB, its own
rounding included; head_dim 64, 18-bit weights and scores, up to 256 queries.

| data | {lengths} |
|---|{rules}|
"""


class Measured(NamedTuple):
    """Cycles of a mask in all heads."""

    tiles: int
    most: int
    """Tiles of the row block that has most."""
    cycles: int
    """From the first tile's start."""
    total: int
    """From the first input."""
    heads: int
    queries: int
    keys: int

    @property
    def loading(self) -> int:
        """Cycles in which queries of all heads but the first are loaded, a dimension of 8 each."""
        return (self.heads - 1) * -(-self.queries // SIDE) * DIMS

    @property
    def bound(self) -> int:
        """Cycles that no order of row blocks undercuts."""
        return (self.tiles + self.most) * DIMS

    @property
    def share(self) -> str:
        """Part of the cycles that the tiles alone take."""
        return f"{self.busy:.3f}" if self.tiles else "–"

    @property
    def busy(self) -> float:
        """The same as a number."""
        return self.tiles * DIMS / self.cycles

    @property
    def counts(self) -> bool:
        """Whether the aim is for it: it has tiles, and keys enough."""
        return bool(self.tiles) and self.keys >= TOKENS

    @property
    def reason(self) -> str:
        """Why it cannot reach the aim."""
        if self.loading > self.bound:
            return f"{self.tiles} tiles while queries load for {self.loading} cycles"
        most = self.tiles * DIMS / self.bound
        assert most < AIM_SHARE, "nothing that is known to us keeps it from the aim"
        return f"its bound allows {most:.3f}"


def measured(dense: np.ndarray, heads: int) -> Measured:
    queries, keys = dense.shape
    layer = Attention(
        heads=heads, kv_heads=1, queries=queries, keys=keys, head_dim=DIMS, masks=("bitmap",)
    )
    config = AttentionConfig(layer=layer, buffers=2, compact=True, partial_tiles=1 << 15)
    bitmap = compile_bitmap(dense, TileGrid(config.rows, config.columns, queries, keys))
    most = visible_tiles(exact_answers(classes_of_bitmap(bitmap))).max()
    found = head_cycles(config, queries, keys, [bitmap])
    start = found.tile_starts[0] if found.tiles else found.loaded
    cycles = found.total - start
    return Measured(found.tiles, int(most), cycles, found.total, heads, queries, keys)


def row_of(name: str, points: dict[int, list[Measured]]) -> str:
    dense = mask_case(name, TOKENS).dense
    each = [measured(dense, heads) for heads in HEADS]
    for heads, found in zip(HEADS, each, strict=True):
        points[heads].append(found)
    cells: list[Any] = [name, f"{dense.shape[0]} × {dense.shape[1]}", each[0].tiles, each[0].most]
    for found in each:
        cells += [found.bound, found.cycles, found.share]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def share_rows(points: dict[int, list[Measured]]) -> str:
    """Where the aim is met and, where it is not, why."""
    text = f"""
Aim of at least {AIM_SHARE} of the cycles, for every mask with tiles and {TOKENS} keys or more:
"""
    for heads, found in points.items():
        held = [(name, each) for name, each in zip(SUITE, found, strict=True) if each.counts]
        met = [each.busy for _, each in held if each.busy >= AIM_SHARE]
        missed = [
            f"{name} ({each.share}; {each.reason})" for name, each in held if each.busy < AIM_SHARE
        ]
        plural = "s" if heads > 1 else ""
        text += f"\n- {heads} head{plural}: met for {len(met)} masks of {len(held)}, "
        text += f"{min(met):.3f} or more; not met for {', '.join(missed) or 'none'}."
    return text + "\n"


def ninths() -> dict[str, np.ndarray]:
    """Masks with a ninth of the tiles, more or less evenly spread over row blocks."""
    count, rng = TOKENS // SIDE, np.random.default_rng(9)
    few = count * count // 9
    places = rng.permutation(count * count)[:few]
    even = np.zeros((count, count), bool)
    for block, row in enumerate(even):
        row[rng.permutation(count)[: (block + 1) * few // count - block * few // count]] = True
    window = np.zeros_like(even)
    for block, row in enumerate(window):
        size = int(even[block].sum())
        start = min(max(0, block - size // 2), count - size)
        row[start : start + size] = True
    anywhere, corner, whole = (np.zeros_like(even) for _ in range(3))
    anywhere.flat[places] = True
    corner[: count // 3 + 1, : count // 3] = True
    whole[: round(count / 9)] = True
    tiles = {
        "as many in every row block": even,
        "window": window,
        "anywhere": anywhere,
        "a third of rows and keys": corner,
        "a ninth of the rows": whole,
    }
    return {name: each.repeat(SIDE, 0).repeat(SIDE, 1) for name, each in tiles.items()}


def ninth_rows() -> str:
    dense = [measured(np.ones((TOKENS, TOKENS), bool), heads) for heads in HEADS]
    text, slowest, limited = "", [], []
    for name, mask in ninths().items():
        one, eight = (measured(mask, heads) for heads in HEADS)
        faster = [d.cycles / found.cycles for d, found in zip(dense, (one, eight), strict=True)]
        loaded = [d.total / found.total for d, found in zip(dense, (one, eight), strict=True)]
        most = dense[0].bound / one.bound
        cells = [dense[0].tiles / one.tiles, faster[0], most, loaded[0], faster[1], loaded[1]]
        text += f"| {name} | {one.tiles} | " + " | ".join(f"{x:.2f}" for x in cells) + " |\n"
        slowest.append(faster[1])
        if most >= AIM_FASTER:
            slowest.append(faster[0])
        else:
            limited.append(f"{name} (at most {most:.2f})")
    met = "met" if min(slowest) >= AIM_FASTER else "missed"
    text += f"\nAim of at least {AIM_FASTER}: {min(slowest):.2f} at the slowest, {met}"
    if limited:
        text += f"; a lone head that no order could bring there is left out: {', '.join(limited)}"
    return text + ".\n"


def error_of(kind: str, n: int) -> float:
    layer = Attention(heads=1, queries=n, keys=n, head_dim=DIMS)
    q, k, v = operands(kind, n, DIMS)
    q = q[:, :MOST_ROWS]
    golden = attention(layer, q, k, v).o
    real = reference.attention(
        q * layer.q_scale,
        k * layer.k_scale,
        v * layer.v_scale,
        np.ones((q.shape[1], n), bool),
        softmax_scale=DIMS**-0.5,
    )
    return float(np.abs(golden - real / layer.v_scale).max())


def line(points: dict[int, list[Measured]]) -> tuple[float, float, float]:
    """Slope and start of a line through all masks of a hundred tiles or more; their distance."""
    held = [(each.tiles, each.cycles) for found in points.values() for each in found]
    tiles, cycles = np.array([point for point in held if point[0] >= 100], float).T
    slope, start = np.polyfit(tiles, cycles, 1)
    return slope, start, np.abs(cycles - slope * tiles - start).max()


def draw(points: dict[int, list[Measured]], path: Path) -> None:
    """Cycles against tiles, on linear and on logarithmic axes."""
    from matplotlib import pyplot

    pyplot.rc("axes.spines", top=False, right=False)
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    figure.suptitle("cycles against non-empty tiles, on every mask of the suite")
    slope, start, _ = line(points)
    for plot, scale in zip(axes, ("linear", "log"), strict=True):
        for (heads, found), colour in zip(points.items(), ("tab:blue", "tab:orange"), strict=True):
            shown = [each for each in found if each.tiles]
            name = f"{heads} head{'s' if heads > 1 else ''}"
            xs = [each.tiles for each in shown]
            plot.plot(xs, [each.cycles for each in shown], "o", color=colour, label=name, ms=5)
            if scale == "log":
                bounds = [each.bound for each in shown]
                plot.plot(xs, bounds, "_", color=colour, ms=12, label=f"bound, {name}")
        ends = np.array([1, max(each.tiles for found in points.values() for each in found)])
        label = f"{slope:.2f} cycles a tile"
        if scale == "linear":
            plot.plot(ends, slope * ends + start, "-", color="black", lw=0.8, label=label)
            plot.locator_params(nbins=4)
        else:
            plot.plot(ends, DIMS * ends, ":", color="black", lw=0.8, label="64 cycles a tile")
        plot.set(xscale=scale, yscale=scale, xlabel="non-empty tiles of all heads", ylabel="cycles")
        plot.grid(alpha=0.3)
        plot.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention.md"))
    parser.add_argument("--picture", type=Path, default=Path("docs/attention_cycles.png"))
    arguments = parser.parse_args()
    points: dict[int, list[Measured]] = {heads: [] for heads in HEADS}
    text = CYCLES + "".join(row_of(name, points) for name in SUITE)
    text += share_rows(points)
    slope, start, off = line(points)
    text += (
        f"\nCycles against tiles lie on a straight line, {slope:.2f} a tile and {start:.0f} "
        f"besides; none is farther from it than {off:.0f} cycles.\n\n"
        f"![Cycles against non-empty tiles](../{arguments.picture.name})\n"
    )
    draw(points, arguments.picture)
    text += NINTH + ninth_rows()
    text += ERRORS.format(
        lengths=" | ".join(f"N = {n}" for n in LENGTHS), rules="|".join("---" for _ in LENGTHS)
    )
    for kind in KINDS:
        errors = (f"{error_of(kind, n):.3f}" for n in LENGTHS)
        text += f"| {kind} | " + " | ".join(errors) + " |\n"
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
