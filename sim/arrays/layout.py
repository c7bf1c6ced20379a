"""Queries, keys and values in the order in which an attention core takes them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_dimension", "by_key"]


def _padded(array: NDArray[np.int8], step: int) -> NDArray[np.uint8]:
    """(sets, tokens, dimensions) with zeros up to a multiple of `step` tokens, as bytes."""
    more = -array.shape[1] % step
    return np.ascontiguousarray(np.pad(array, ((0, 0), (0, more), (0, 0)))).view(np.uint8)


def by_dimension(array: NDArray[np.int8], lanes: int) -> NDArray[np.uint8]:
    """Words of `lanes` tokens, dimension after dimension, block after block."""
    tokens = _padded(array, lanes)
    sets, count, dims = tokens.shape
    blocks = tokens.reshape(sets, count // lanes, lanes, dims).transpose(0, 1, 3, 2)
    return blocks.reshape(sets, -1, lanes)


def by_key(array: NDArray[np.int8], columns: int, lanes: int) -> NDArray[np.uint8]:
    """Words of `lanes` dimensions, group after group, key after key to the end of a tile."""
    tokens = _padded(array, columns)
    return tokens.reshape(len(tokens), -1, lanes)
