"""Payloads of streams as plain Python: ints, lists for array layouts, dicts for structs."""

import operator
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Const, Shape, Value
from amaranth.lib import data

__all__ = ["decode", "encode"]


def encode(value: Any, shape: Any, name: str = "payload") -> int:
    """Bits of `value` as an unsigned int; a value that does not fit is a `ValueError`."""
    if isinstance(shape, data.Layout):
        return _encode_fields(value, shape, name)
    if not isinstance(shape, Shape | int | range):
        return Const.cast(Value.cast(shape.const(value))).value & _mask(Shape.cast(shape).width)
    plain = Shape.cast(shape)
    number = operator.index(value)
    low, high = _bounds(plain)
    if not low <= number <= high:
        raise ValueError(f"{name} is {low} to {high}, got {number}")
    return number & _mask(plain.width)


def decode(bits: int, shape: Any) -> Any:
    """The value whose bits, read as an unsigned int of the shape's width, are `bits`."""
    if isinstance(shape, data.ArrayLayout):
        return [_field(bits, shape[index]) for index in range(shape.length)]
    if isinstance(shape, data.Layout):
        return {key: _field(bits, place) for key, place in shape}
    plain = Shape.cast(shape)
    bits &= _mask(plain.width)
    number = bits - (1 << plain.width) if plain.signed and bits >> (plain.width - 1) else bits
    return number if isinstance(shape, Shape | int | range) else shape.from_bits(number)


def _encode_fields(value: Any, layout: data.Layout, name: str) -> int:
    given = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
    places: dict[Any, data.Field] = {key: place for key, place in layout}
    if isinstance(layout, data.UnionLayout):
        places = {key: place for key, place in places.items() if key in given}
    if set(given) != set(places):
        raise ValueError(f"{name} has {list(places)}, got {list(given)}")
    bits = 0
    for key, place in places.items():
        bits |= encode(given[key], place.shape, f"{name}.{key}") << place.offset
    return bits


def _field(bits: int, place: data.Field) -> Any:
    return decode(bits >> place.offset & _mask(place.width), place.shape)


def _bounds(shape: Shape) -> tuple[int, int]:
    if shape.signed:
        return -(1 << shape.width - 1), (1 << shape.width - 1) - 1
    return 0, _mask(shape.width)


def _mask(width: int) -> int:
    return (1 << width) - 1
