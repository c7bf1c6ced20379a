"""Reordering of tokens that brings a scattered mask near its diagonal, so that fewer tiles are
visible. Attention does not care for the order of its keys, and rows go back to where they were.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from sim.golden.masks import Bools, check_dense, classes_of_dense
from spec.errors import SpecError
from spec.tiles import TileGrid

__all__ = ["Reordering", "reorder"]


@dataclass(frozen=True)
class Reordering:
    """New place t holds what was token ``order[t]``."""

    order: NDArray[np.intp]

    def apply(self, tokens: NDArray, axis: int = -2) -> NDArray:
        """Queries, keys or values in the new order, along their axis of tokens."""
        return np.take(tokens, self.order, axis)

    def undo(self, tokens: NDArray, axis: int = -2) -> NDArray:
        """Outputs back in the old order."""
        return np.take(tokens, np.argsort(self.order), axis)

    def apply_mask(self, dense: Bools) -> Bools:
        """A mask in the new order of both its queries and its keys."""
        return dense[np.ix_(self.order, self.order)]

    def tiles(self, dense: Bools, grid: TileGrid) -> tuple[int, int]:
        """Visible tiles of a mask before and after."""
        after = self.apply_mask(dense)
        counts = [np.count_nonzero(classes_of_dense(each, grid)) for each in (dense, after)]
        return int(counts[0]), int(counts[1])


def reorder(dense: Bools) -> Reordering:
    """The reverse Cuthill-McKee order of a square mask, of which either direction counts.

    A mask that has an order already, such as a causal one, may lose by it: compare `tiles`.

    Raises
    ------
    SpecError
        The mask is not square: its queries and keys are no common tokens.
    """
    queries, keys = check_dense(dense).shape
    if queries != keys:
        raise SpecError(
            f"a mask to reorder must be square, got {queries} queries and {keys} keys; "
            "load it in the order it has"
        )
    graph = csr_array((dense | dense.T).astype(np.int8))
    order = reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)
    return Reordering(np.asarray(order, np.intp))
