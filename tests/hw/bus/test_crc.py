"""The CRC in gates against zlib's."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.bus.crc import Crc32, Crc32Config
from spec.errors import SpecError
from spec.link import CRC_RESIDUE
from tests.support.netlist import run_amaranth

STEPS = (1, 2, 4, 8)


def registers(config, messages, gaps=()):
    """The register after each message, which comes at the interval plus `gaps`, after a clear."""
    stimulus, ends = [], []
    gaps = iter(gaps)
    for message in messages:
        stimulus.append({"clear": 1, "i__valid": 0})
        for byte in message:
            stimulus.append({"clear": 0, "i__valid": 1, "i__payload": byte})
            wait = config.interval - 1 + next(gaps, 0)
            stimulus += [{"clear": 0, "i__valid": 0, "i__payload": 0}] * wait
        stimulus.append({"clear": 0, "i__valid": 0})
        ends.append(len(stimulus) - 1)
    trace = run_amaranth(Crc32(config), stimulus)
    return [trace[end]["register"] for end in ends]


@pytest.mark.parametrize("step", STEPS)
def test_every_byte_and_long_messages(step):
    source = random.Random(step)
    messages = [bytes([byte]) for byte in range(256)]
    messages += [source.randbytes(length) for length in (0, 2, 3, 100, 700)]
    expected = [zlib.crc32(message) ^ 0xFFFFFFFF for message in messages]
    assert registers(Crc32Config(bits_per_cycle=step), messages) == expected


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6), st.lists(st.integers(0, 3)))
def test_any_messages_at_any_pace(messages, gaps):
    expected = [zlib.crc32(message) ^ 0xFFFFFFFF for message in messages]
    assert registers(Crc32Config(bits_per_cycle=4), messages, gaps) == expected


def test_a_message_and_its_own_crc_leave_the_residue():
    messages = [b"", b"\0", b"attention", bytes(40)]
    whole = [message + zlib.crc32(message).to_bytes(4, "little") for message in messages]
    assert set(registers(Crc32Config(), whole)) == {CRC_RESIDUE}


def test_a_clear_ends_what_is_under_way():
    stimulus = [
        {"i__valid": 1, "i__payload": 0xA5},
        {"i__valid": 0, "clear": 1},
        {"clear": 0},
        {},
        {},
    ]
    trace = run_amaranth(Crc32(Crc32Config(bits_per_cycle=1)), stimulus)
    assert [cycle["busy"] for cycle in trace] == [0, 1, 0, 0, 0]
    assert trace[-1]["register"] == 0xFFFFFFFF


@pytest.mark.parametrize("step", STEPS)
def test_busy_until_the_register_has_the_byte(step):
    config = Crc32Config(bits_per_cycle=step)
    assert config.latency == config.interval == 8 // step + 1
    trace = run_amaranth(Crc32(config), [{"i__valid": 1, "i__payload": 7}] + [{"i__valid": 0}] * 9)
    done = [cycle["register"] == zlib.crc32(b"\7") ^ 0xFFFFFFFF for cycle in trace]
    assert done == [cycle >= config.latency for cycle in range(10)]
    assert [cycle["busy"] for cycle in trace] == [0 < c < config.interval for c in range(10)]


def test_what_is_rejected():
    with pytest.raises(SpecError, match="must be one of 1, 2, 4, 8, got 3; nearest is 2"):
        Crc32Config(bits_per_cycle=3)
