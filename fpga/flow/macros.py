"""Where multipliers and block RAMs go: chosen on the netlist, before the router places the rest.

nextpnr's electrostatic placer lets them overlap and then gives each the nearest site that is free,
one after the other; with nine tenths of a chip taken the last of them end across it. What one
site gives here, another takes, so they are placed together and first.

A cell that is no macro is thought to be where its wires draw it: wires are springs, and in
equilibrium the energy of all of them is a quadratic form of the macros' places alone, the Schur
complement of the netlist's Laplacian. That is annealed, by moves to a free site or of two macros
into one another's.

Sources: K. M. Hall, "An r-dimensional quadratic placement algorithm", Management Science 17,
1970 (wires as springs); J. M. Kleinhans et al., "GORDIAN", IEEE TCAD 10, 1991 (cells that follow
others eliminated); S. Kirkpatrick et al., "Optimization by simulated annealing", Science 220, 1983.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import splu

__all__ = ["MacroKind", "Site", "anneal", "energy", "place_macros", "pull_of"]

FULL = 0.75
"""Share of a kind's sites from which on macros are placed. Where there is room the router does it
well, and better, as it knows how much room the cells between them take: wires alone draw a few
macros close together. With 16 of 28 multipliers taken a clock of 163 MHz became 142."""

MOST_ENDS = 64
"""Of a wire that draws its ends together; what goes further is a reset or an enable."""

LOOSE = 1e-6
"""Spring that holds each cell to the chip's corner, for those that hang on no macro."""

GRAIN = 2.0**-20
"""Of a pull, so that energies are exact and no processor's way to add up changes a placement."""

MOVES_PER_MACRO = 10_000
COLDEST = 1e-5
"""The last temperature, of the first, which is the mean change of energy by a move."""


class Site(NamedTuple):
    """A place for a macro: its column and row of tiles, and the router's name of it."""

    column: int
    row: int
    bel: str


@dataclass(frozen=True, kw_only=True)
class MacroKind:
    """Cells that share sites: their types, and every site of the chip."""

    cells: tuple[str, ...]
    sites: tuple[Site, ...]


def place_macros(netlist: Path, kinds: Sequence[MacroKind], seed: int, placed: Path) -> Path:
    """Write the netlist anew with a site for each macro; give the file to route.

    It is the first one where macros take less than `FULL` of the sites of each kind, or more than
    there are, which the router tells better.

    Parameters
    ----------
    netlist
        Of the cells of a device, as Yosys writes it.
    kinds
        The device's kinds of macros.
    seed
        What the annealing's randomness starts from.
    placed
        Where the placed netlist goes.
    """
    design = json.loads(netlist.read_text())
    cells = list(_flat(design["modules"]))
    groups = [[cell for cell in cells if cell.type in kind.cells] for kind in kinds]
    macros = list(itertools.chain(*groups))
    shares = [len(group) / len(kind.sites) for group, kind in zip(groups, kinds, strict=True)]
    if not FULL <= max(shares, default=0) <= 1:
        return netlist
    types = {macro.type for macro in macros}
    others = [cell for cell in cells if cell.type not in types]
    pull = pull_of([cell.wires for cell in (*macros, *others)], len(macros))
    sites = anneal(pull, list(map(len, groups)), [kind.sites for kind in kinds], seed)
    for macro, site in zip(macros, sites, strict=True):
        macro.attributes["BEL"] = site.bel
    placed.write_text(json.dumps(design))
    return placed


class _Cell(NamedTuple):
    type: str
    attributes: dict[str, str]
    wires: set[int]


def _flat(modules: Mapping[str, Any]) -> Iterator[_Cell]:
    """Every cell of the top module and of those in it, each of which is there once."""
    top = next(name for name, module in modules.items() if "top" in module["attributes"])
    own = {name for name, module in modules.items() if "blackbox" not in module["attributes"]}
    fresh = itertools.count()

    def inside(name: str, ports: Mapping[str, list[int | str]]) -> Iterator[_Cell]:
        module, wire_of = modules[name], defaultdict[int | str, int](lambda: next(fresh))
        for port, wires in ports.items():
            bits = module["ports"][port]["bits"]
            wire_of |= {bit: wire for bit, wire in zip(bits, wires, strict=True)}
        for cell in module["cells"].values():
            joined = {
                port: [wire_of[bit] if isinstance(bit, int) else bit for bit in bits]
                for port, bits in cell["connections"].items()
            }
            if cell["type"] in own:
                yield from inside(cell["type"], joined)
            else:
                wires = {bit for bits in joined.values() for bit in bits if isinstance(bit, int)}
                yield _Cell(cell["type"], cell["attributes"], wires)

    return inside(top, {})


# --- the springs ---


def pull_of(cells: Sequence[Collection[int]], macros: int) -> np.ndarray:
    """How strongly each pair of macros is drawn together, through all that lies between them.

    A wire of `n` ends is a spring of ``1 / (n - 1)`` between any two.

    Parameters
    ----------
    cells
        The wires that each cell is on; macros come first.
    macros
        How many they are.

    Returns
    -------
    A symmetric matrix `A`, macros × macros: with `x` their columns and `y` their rows, the wires'
    energy is ``x A x + y A y``.
    """
    wires: dict[int, list[int]] = defaultdict(list)
    for cell, its in enumerate(cells):
        for wire in its:
            wires[wire].append(cell)
    springs: list[tuple[int, int, float]] = []
    hubs = itertools.count(len(cells))
    for ends in wires.values():
        if len(ends) == 2:
            springs.append((ends[0], ends[1], 1))
        elif 2 < len(ends) <= MOST_ENDS:
            # A star of n such springs is, without its hub, as good as one for each pair.
            hub, strength = next(hubs), len(ends) / (len(ends) - 1)
            springs += [(cell, hub, strength) for cell in ends]
    size = next(hubs)
    starts, stops, strengths = np.array(springs, float).reshape(-1, 3).T
    joined = (starts.astype(int), stops.astype(int))
    half = sparse.coo_matrix((strengths, joined), shape=(size, size))
    between = (half + half.T).tocsr()
    drawn = np.asarray(between.sum(axis=1)).ravel() + LOOSE
    laplacian = (sparse.diags(drawn) - between).tocsc()
    across, inner = laplacian[macros:, :macros], laplacian[macros:, macros:]
    # Symmetric and diagonally dominant: nothing to pivot, and little fill-in.
    solver = splu(
        inner, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}
    )
    pull = laplacian[:macros, :macros].toarray() - across.T @ solver.solve(across.toarray())
    return np.rint((pull + pull.T) / (2 * GRAIN)) * GRAIN


# --- the sites ---


def energy(pull: np.ndarray, sites: Iterable[Site]) -> float:
    """Of the wires, with the macros on these sites."""
    places = np.array([(site.column, site.row) for site in sites], float)
    return float(np.einsum("ia,ij,ja", places, pull, places))


def anneal(
    pull: np.ndarray, counts: Sequence[int], sites: Sequence[Sequence[Site]], seed: int
) -> list[Site]:
    """Sites for macros, of little energy.

    Parameters
    ----------
    pull
        As `pull_of` gives it, the macros in order of their kinds.
    counts
        How many macros there are of each kind.
    sites
        Those of each kind, no fewer.
    seed
        What the randomness starts from.
    """
    random = np.random.default_rng(seed)
    board = _Board(pull, counts, sites, random)
    moves = board.moves(random, len(pull) * MOVES_PER_MACRO)
    hot = np.mean([abs(board.change(*move)) for move in moves[:1000]])
    temperatures = hot * COLDEST ** np.linspace(0, 1, len(moves))
    # A rise of r is taken with a probability of exp(-r / temperature).
    limits = temperatures * random.exponential(size=len(moves))
    for (macro, slot), limit in zip(moves, limits.tolist(), strict=True):
        if board.change(macro, slot) < limit:
            board.move(macro, slot)
    return board.taken()


class _Board:
    """Macros on slots, one for each site, and what a move would change.

    A macro moves to a slot of its kind; one that is there goes where the first came from.
    """

    def __init__(
        self,
        pull: np.ndarray,
        counts: Sequence[int],
        sites: Sequence[Sequence[Site]],
        random: np.random.Generator,
    ) -> None:
        self._sites = list(itertools.chain(*sites))
        self._places = np.array([(site.column, site.row) for site in self._sites], float)
        sizes = np.array([len(each) for each in sites])
        firsts = np.cumsum(sizes) - sizes
        self._first, self._size = np.repeat(firsts, counts), np.repeat(sizes, counts)
        self._at: list[int] = []
        for first, size, count in zip(firsts, sizes, counts, strict=True):
            self._at += (first + random.permutation(size)[:count]).tolist()
        self._on: list[int | None] = [None] * len(self._sites)
        for macro, slot in enumerate(self._at):
            self._on[slot] = macro
        self._pull, self._own = pull, np.diag(pull).tolist()
        # Half the slope of the energy along each macro's column and row.
        self._slope = (pull @ self._places[self._at]).T.copy()
        self._xy = self._places.tolist()

    def moves(self, random: np.random.Generator, count: int) -> list[tuple[int, int]]:
        """Macros and slots of their kinds, drawn at random."""
        macros = random.integers(len(self._at), size=count)
        slots = self._first[macros] + (random.random(count) * self._size[macros]).astype(int)
        return list(zip(macros.tolist(), slots.tolist(), strict=True))

    def change(self, macro: int, slot: int) -> float:
        """Of the energy, by a move."""
        (x, y), (to_x, to_y) = self._xy[self._at[macro]], self._xy[slot]
        dx, dy = to_x - x, to_y - y
        slope_x, slope_y = self._slope[:, macro].tolist()
        curve, other = self._own[macro], self._on[slot]
        if other is not None:
            other_x, other_y = self._slope[:, other].tolist()
            slope_x, slope_y = slope_x - other_x, slope_y - other_y
            curve += self._own[other] - 2 * self._pull[macro, other]
        return 2 * (dx * slope_x + dy * slope_y) + (dx * dx + dy * dy) * curve

    def move(self, macro: int, slot: int) -> None:
        """Do it."""
        left, other = self._at[macro], self._on[slot]
        drawn = self._pull[macro] if other is None else self._pull[macro] - self._pull[other]
        self._slope += np.outer(self._places[slot] - self._places[left], drawn)
        self._at[macro], self._on[slot], self._on[left] = slot, macro, other
        if other is not None:
            self._at[other] = left

    def taken(self) -> list[Site]:
        """Each macro's site."""
        return [self._sites[slot] for slot in self._at]
