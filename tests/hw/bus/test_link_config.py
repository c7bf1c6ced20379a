"""Sizes of a link: what follows from them, and what is refused."""

import pytest

from gen.emit import emit_rtlil
from hw.bus.link import Link, LinkConfig
from hw.bus.link_config import least_buffer_bytes
from hw.prim.target import Target
from spec.errors import SpecError
from spec.link import FEWEST_BUFFER_BYTES, MOST_BUFFER_BYTES, RUN_BYTES


def test_words_are_whole_bytes():
    config = LinkConfig(send_widths=(1, 8, 9, 64), receive_widths=(16, 17), buffer_bytes=256)
    assert config.send_bytes == (1, 1, 2, 8)
    assert config.receive_bytes == (2, 3)
    assert config.send_words == (249, 249, 124, 31)
    assert config.identity == (1, 0, 1, 4, 2, 1, 1, 2, 8, 2, 3)
    assert (config.word_bytes, LinkConfig().word_bytes) == (8, 6)


@pytest.mark.parametrize("size", [64, 65, 254, 255, 256, 300, 511, 1000])
def test_the_widest_word_fits_both_buffers(size):
    with pytest.raises(SpecError) as error:
        LinkConfig(send_widths=(1 << 20,), buffer_bytes=size)
    widest = int(str(error.value).split("nearest is ")[1])
    config = LinkConfig(send_widths=(widest,), receive_widths=(widest,), buffer_bytes=size)
    assert config.send_words[0] >= 1
    # An answer of a head has been begun: a code and two bytes.
    assert config.most_encoded >= 3
    content = 2 + config.receive_bytes[0] + 4
    assert content + -(-content // RUN_BYTES) <= size
    assert 2 + 4 + len(config.identity) + 4 + 1 <= size


@pytest.mark.parametrize("size", [1, 40, 54, 55, 56, 73, 252, 253, 254, 600])
def test_the_least_buffer_takes_the_word_and_one_byte_less_does_not(size):
    least = least_buffer_bytes(size)
    assert LinkConfig(receive_widths=(8 * size,), buffer_bytes=least).receive_bytes == (size,)
    with pytest.raises(SpecError):
        LinkConfig(receive_widths=(8 * size,), buffer_bytes=least - 1)


def test_maps_are_told_apart_by_as_many_bits_as_it_takes():
    bits = [LinkConfig(maps=maps).address_bits for maps in (1, 2, 3, 4, 5, 16)]
    assert bits == [12, 13, 14, 14, 15, 16]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"buffer_bytes": 63}, f"buffer_bytes must be from {FEWEST_BUFFER_BYTES}"),
        ({"buffer_bytes": 1 << 16}, f"nearest is {MOST_BUFFER_BYTES}"),
        ({"maps": 0}, "maps must be from 1 to 16"),
        ({"maps": 17}, "maps must be from 1 to 16, got 17; nearest is 16"),
        ({"patience_cycles": 0}, "patience_cycles must be from 1 to"),
        ({"send_widths": (8, 0)}, r"send_widths\[1\] must be from 1 to"),
        ({"receive_widths": (8.0,)}, r"receive_widths\[0\] must be an integer"),
        ({"send_widths": (8,) * 17}, "send_widths names 17 streams, at most 16 fit"),
    ],
)
def test_what_is_rejected(fields, message):
    with pytest.raises(SpecError, match=message):
        LinkConfig(**fields)


@pytest.mark.parametrize(
    "streams", ({}, {"send_widths": (8,)}, {"receive_widths": (8,)}), ids=("none", "to", "from")
)
def test_a_link_may_have_streams_one_way_only_or_none(streams):
    assert emit_rtlil(Link(LinkConfig(**streams)), Target.PORTABLE)
