"""COBS in gates against the package that the host uses."""

import random

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from hw.bus.cobs import CobsDecoder, CobsEncoder, CobsEncoderConfig
from tests.support.netlist import run_amaranth
from tests.support.react import Offers, react

DEPTH = 1100


def encoded(messages, pause=lambda: False):
    """Each message as the encoder leaves it in its memory."""
    dut = CobsEncoder(CobsEncoderConfig(depth=DEPTH))
    results, memory = [], {}
    state = {"message": iter(messages), "offers": None, "step": "clear"}

    def inputs(trace):
        if trace and trace[-1]["write__enable"]:
            memory[trace[-1]["write__address"]] = trace[-1]["write__data"]
        if state["step"] == "read":
            results.append(bytes(memory[at] for at in range(trace[-1]["count"])))
            memory.clear()
            state["step"] = "clear"
        if state["step"] == "clear":
            message = next(state["message"], None)
            state["step"] = "end" if message is None else "offer"
            state["offers"] = Offers("i", list(message or b""), pause)
            return {"clear": 1, "finish": 0, "i__valid": 0}
        if state["step"] == "offer":
            drives = state["offers"].inputs(trace)
            if drives["i__valid"] or state["offers"].at < len(state["offers"].payloads):
                return {"clear": 0, **drives}
            state["step"] = "finish"
            return {"clear": 0, "i__valid": 0, "finish": 1}
        if state["step"] == "finish":
            state["step"] = "read"
        return {"clear": 0, "finish": 0, "i__valid": 0}

    react(dut, sum(2 * len(each) + 7 for each in messages) + 4, inputs)
    assert len(results) == len(messages)
    return results


def decoded(line):
    """What the decoder makes of bytes: (good, frame) at each zero."""
    trace = run_amaranth(
        CobsDecoder(), [{"i__valid": 1, "i__payload": byte} for byte in line] or [{}]
    )
    frames, frame = [], b""
    for cycle in trace:
        assert not (cycle["o__valid"] and cycle["end"])
        if cycle["o__valid"]:
            frame += bytes([cycle["o__payload"] or 0])
        if cycle["end"]:
            frames.append((bool(cycle["good"]), frame))
            frame = b""
    return frames


def reference(frame):
    """What the package makes of a frame, None for a wrong one; nothing at all counts as wrong."""
    try:
        return cobs.decode(frame) if frame else None
    except cobs.DecodeError:
        return None


RUNS = [
    b"",
    b"\0",
    b"\0\0\0",
    b"a",
    b"a\0",
    b"\0a",
    *(bytes([1]) * length for length in (253, 254, 255, 508, 509)),
    *(bytes([1]) * length + b"\0" for length in (253, 254, 255)),
    *(bytes([1]) * length + b"\0" + bytes([2]) * 254 for length in (253, 254, 255)),
]


def test_the_encoder_writes_what_the_package_would():
    source = random.Random(3)
    assert encoded(RUNS) == [cobs.encode(each) for each in RUNS]
    assert encoded(RUNS, lambda: source.random() < 0.3) == [cobs.encode(each) for each in RUNS]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_the_encoder_on_anything(messages):
    assert encoded(messages) == [cobs.encode(each) for each in messages]


def test_a_full_block_takes_a_cycle_more():
    dut = CobsEncoder(CobsEncoderConfig(depth=DEPTH))
    offers = Offers("i", [1] * 300)
    trace = react(dut, 320, lambda seen: offers.inputs(seen) | {"clear": int(not seen)})
    assert [cycle["i__ready"] for cycle in trace].count(0) == 1


def test_the_decoder_gives_back_every_message():
    line = b"".join(cobs.encode(each) + b"\0" for each in RUNS)
    assert decoded(line) == [(True, each) for each in RUNS]


@given(st.lists(st.binary(max_size=12).map(lambda each: each.replace(b"\0", b"\3")), max_size=6))
def test_the_decoder_tells_right_from_wrong_frames(frames):
    line = b"".join(each + b"\0" for each in frames)
    got = decoded(line)
    assert [frame if good else None for good, frame in got] == [reference(each) for each in frames]


@pytest.mark.parametrize("before", [b"\xff", b"\x05ab", b"\x01", b"\2a", bytes([255]) * 300])
def test_a_zero_makes_good_whatever_came_before(before):
    assert decoded(before + b"\0" + cobs.encode(b"x\0y") + b"\0")[-1] == (True, b"x\0y")
