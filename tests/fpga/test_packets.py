"""Rows as words of the link: a word bit by bit, and rows of every kind there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga.host.packets import Stream
from fpga.link import Incompatible
from spec import SpecError


def stream(**facts):
    given = {
        "lanes": 4, "element_bits": 12, "element_bytes": 2, "signed": True, "ragged": True,
        "user_bits": 4, "index": 0, "name": "i", "to_core": True, **facts,
    }  # fmt: skip
    return Stream(**given)


def test_a_word_bit_by_bit():
    made = stream()
    assert made.word_bytes == 8 + 2
    words = made.pack(np.array([[1, -2, 3, 2047, -2048]]), np.array([[0b1010, 0b0001]]))
    data = [1, 0, 0xFE, 0xFF, 3, 0, 0xFF, 7]
    assert words[:8] == bytes(data)
    assert int.from_bytes(words[8:10], "little") == 0xFF | 0b1010 << 8 | 0 << 12
    assert words[10:18] == bytes([0, 0xF8, 0, 0, 0, 0, 0, 0])
    assert int.from_bytes(words[18:20], "little") == 0b11 | 0b0001 << 8 | 1 << 12


@st.composite
def cases(draw):
    size = draw(st.sampled_from((1, 2, 4)))
    signed = draw(st.booleans())
    ragged = draw(st.booleans())
    made = stream(
        lanes=draw(st.sampled_from((1, 2, 3, 16))),
        element_bytes=size,
        element_bits=draw(st.integers(1 + signed, 8 * size)),
        signed=signed,
        ragged=ragged,
        user_bits=draw(st.integers(0, 9)),
    )
    transfers = draw(st.integers(1, 4))
    elements = transfers * made.lanes - (draw(st.integers(0, made.lanes - 1)) if ragged else 0)
    return made, draw(st.integers(1, 5)), elements, draw(st.integers(0, 99))


@given(cases())
def test_rows_come_back(case):
    made, rows, elements, seed = case
    rng = np.random.default_rng(seed)
    low, high = made._bounds
    values = rng.integers(low, high, (rows, elements), endpoint=True)
    user = rng.integers(0, 1 << made.user_bits, (rows, made.transfers(elements)))
    words = made.pack(values, user)
    assert len(words) == rows * made.transfers(elements) * made.word_bytes
    back = made.unpack(words, elements)
    np.testing.assert_array_equal(back.elements, values)
    np.testing.assert_array_equal(back.user, user)


def test_what_does_not_fit_is_refused():
    with pytest.raises(SpecError, match="stream i: an element must be from -2048 to 2047"):
        stream().pack(np.array([[2048]]))
    with pytest.raises(SpecError, match="a multiple of 4 elements, got 5; nearest is 8"):
        stream(ragged=False).pack(np.zeros((1, 5)))


def test_words_that_are_no_such_rows_are_refused():
    words = stream().pack(np.zeros((2, 8)))
    for wrong in (words[10:], words[:20] + words[:20][::-1]):
        with pytest.raises(Incompatible, match="a row from the board ends out of place"):
            stream().unpack(wrong, 8)
    with pytest.raises(Incompatible, match="a row from the board is not 7 long"):
        stream().unpack(words, 7)
