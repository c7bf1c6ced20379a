"""Rows of elements as words of the link, and back: {data, keep, user, last}, low bits first.

A word is a transfer of a stream of rows, in whole bytes: the elements of its lanes, of 1, 2 or 4
bytes each; a bit for each of these bytes, whether it is kept; what goes with the transfer; and
whether it is a row's last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpga.link import Incompatible
from spec.errors import SpecError

__all__ = ["Rows", "Stream"]

Integers = NDArray[np.int64]


class Rows(NamedTuple):
    """Rows that came from a core."""

    elements: Integers
    """(rows, elements)."""
    user: Integers
    """(rows, transfers)."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream of rows, as a manifest tells it.

    Parameters
    ----------
    name
        As the manifest calls it.
    index
        Among the link's streams of its direction.
    lanes
        Elements of a transfer, the first in the lowest bytes.
    element_bits, element_bytes, signed
        Of an element, and of its place in a transfer.
    ragged
        Whether a row's last transfer may keep fewer elements than there are lanes.
    user_bits
        Bits that go with each transfer.
    to_core
        Its direction.
    """

    name: str
    index: int
    lanes: int
    element_bits: int
    element_bytes: int
    signed: bool
    ragged: bool
    user_bits: int
    to_core: bool

    @classmethod
    def read(cls, name: str, told: Mapping[str, Any]) -> "Stream":
        """The stream that a manifest tells."""
        fields = ("index", "lanes", "element_bits", "element_bytes", "signed", "ragged")
        return cls(
            name=name,
            to_core=told["side"] == "to_core",
            user_bits=told["user_bits"],
            **{field: told[field] for field in fields},
        )

    @property
    def data_bytes(self) -> int:
        """Bytes of a transfer's elements."""
        return self.lanes * self.element_bytes

    @property
    def word_bytes(self) -> int:
        """Bytes of a word on the link."""
        return self.data_bytes + (self.data_bytes + self.user_bits + 1 + 7) // 8

    def transfers(self, elements: int) -> int:
        """Of a row of so many elements."""
        return -(-elements // self.lanes)

    def pack(self, rows: NDArray[Any], user: NDArray[Any] | None = None) -> bytes:
        """The words of rows, one row after the other.

        Parameters
        ----------
        rows
            (rows, elements) integers or truth values.
        user
            (rows, transfers), 0 if it is None.

        Raises
        ------
        SpecError
            An element does not fit, or the rows are no whole transfers and the stream has no
            shorter ones.
        """
        values = np.asarray(rows).astype(np.int64)
        count, elements = values.shape
        low, high = self._bounds
        if values.size and (values.min() < low or values.max() > high):
            raise SpecError(f"stream {self.name}: an element must be from {low} to {high}")
        if elements % self.lanes and not self.ragged:
            raise SpecError(
                f"stream {self.name}: a row must be a multiple of {self.lanes} elements, got "
                f"{elements}; nearest is {self.transfers(elements) * self.lanes}"
            )
        transfers, size = self.transfers(elements), self.element_bytes
        short = transfers * self.lanes - elements
        placed = np.pad(values, ((0, 0), (0, short))).astype(self._place)
        data = placed.view(np.uint8).reshape(count, transfers, self.data_bytes)
        marks = np.zeros((count, transfers, self.data_bytes + self.user_bits + 1), np.uint8)
        marks[..., : self.data_bytes] = 1
        marks[:, -1, self.data_bytes - short * size : self.data_bytes] = 0
        marks[:, -1, -1] = 1
        if user is not None:
            bits = np.asarray(user).astype(np.int64)[..., None] >> np.arange(self.user_bits) & 1
            marks[..., self.data_bytes : -1] = bits
        packed = np.packbits(marks, axis=2, bitorder="little")
        return np.concatenate([data, packed], axis=2).tobytes()

    def unpack(self, words: bytes, elements: int) -> Rows:
        """Rows of so many elements each.

        Raises
        ------
        Incompatible
            A word is not where it would be in such rows.
        """
        transfers, size = self.transfers(elements), self.data_bytes
        data, keep, user, last = self.fields(words)
        short = (transfers * self.lanes - elements) * self.element_bytes
        wanted = np.ones((transfers, size), bool)
        wanted[-1, size - short :] = False
        ends = np.zeros(transfers, bool)
        ends[-1] = True
        shape = (-1, transfers)
        if len(last) % transfers or (last.reshape(shape) != ends).any():
            raise Incompatible(f"stream {self.name}: a row from the board ends out of place")
        if (keep.reshape(*shape, size) != wanted).any():
            raise Incompatible(f"stream {self.name}: a row from the board is not {elements} long")
        rows = data.reshape(-1, transfers * self.lanes)[:, :elements]
        return Rows(rows, user.reshape(shape))

    def fields(
        self, words: bytes
    ) -> tuple[Integers, NDArray[np.bool_], Integers, NDArray[np.bool_]]:
        """Elements (words, lanes), kept bytes (words, bytes), user (words,) and last (words,)."""
        raw = np.frombuffer(words, np.uint8).reshape(-1, self.word_bytes)
        data = np.ascontiguousarray(raw[:, : self.data_bytes]).view(self._place)
        marks = np.unpackbits(raw[:, self.data_bytes :], axis=1, bitorder="little")
        bits = marks[:, self.data_bytes : self.data_bytes + self.user_bits].astype(np.int64)
        user = (bits << np.arange(self.user_bits)).sum(axis=1)
        last = marks[:, self.data_bytes + self.user_bits].astype(bool)
        return data.astype(np.int64), marks[:, : self.data_bytes].astype(bool), user, last

    @property
    def _place(self) -> str:
        """NumPy's name of an element's place."""
        return f"<{'i' if self.signed else 'u'}{self.element_bytes}"

    @property
    def _bounds(self) -> tuple[int, int]:
        bits = self.element_bits
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)
