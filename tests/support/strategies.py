"""What Hypothesis draws: payloads of a shape, and patterns of stalls."""

from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data
from hypothesis import strategies as st

__all__ = ["payload_lists", "payloads", "stalls"]


def payloads(shape: Any) -> st.SearchStrategy[Any]:
    """Values of `shape` as `bench.run` takes them, the extremes more often than chance."""
    if isinstance(shape, data.ArrayLayout):
        return st.lists(payloads(shape.elem_shape), min_size=shape.length, max_size=shape.length)
    if isinstance(shape, data.StructLayout):
        return st.fixed_dictionaries({key: payloads(place.shape) for key, place in shape})
    plain = Shape.cast(shape)
    low = -(1 << plain.width - 1) if plain.signed else 0
    high = low + (1 << plain.width) - 1
    corners = sorted({low, high, *(each for each in (-1, 0, 1) if low <= each <= high)})
    return st.integers(low, high) | st.sampled_from(corners)


def payload_lists(shape: Any, *, min_size: int = 0, max_size: int = 24) -> st.SearchStrategy[Any]:
    """What one input stream is offered."""
    return st.lists(payloads(shape), min_size=min_size, max_size=max_size)


def stalls(max_size: int = 48) -> st.SearchStrategy[list[bool]]:
    """One pattern of stalls: True at a cycle's place stalls it, later ones do not stall."""
    return st.lists(st.booleans(), max_size=max_size)
