"""How a long vector is divided into two layers of shorter ones."""

from typing import NamedTuple

__all__ = ["LEAST_DIVIDED", "Division", "division"]

LEAST_DIVIDED = 64
"""Fewest points of a vector that may be divided: into vectors of 8."""


class Division(NamedTuple):
    """N = L·V points as two layers, each of V vectors of L points.

    The first transforms vector i of V, the words i, i + V, i + 2V, …, in all its stages. Word w of
    the second layer's vector r is word r + V·(w mod 2^start) of the first one's vector w >> start;
    its stages begin at `start`, with factors W_{2^(s+1)}^(k + r/V). Its result w is X[r + V·w].
    """

    stages: int
    """Of the first layer, log2 L."""
    log2_vectors: int
    """log2 V."""

    @property
    def start(self) -> int:
        """The second layer's first stage: 1 where N is no square, so that L is the same."""
        return self.stages - self.log2_vectors


def division(points: int) -> Division:
    """The division of a vector: L = V, or 2V."""
    stages = points.bit_length() - 1
    return Division((stages + 1) // 2, stages // 2)
