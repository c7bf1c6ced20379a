"""The link in emitted Verilog, frame by frame: what is acted on, what is answered, what is not."""

import random

import pytest

from fpga.link.frames import content_of, frame_of
from spec.link import CRC_BYTES, Kind, Status
from tests.support.link import LOST, PAUSE, Simulated, compile_bench
from tests.support.link_core import CALLS, CONFIG, STORE, TOTAL

NONCE = b"abcd"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_bench(tmp_path_factory.mktemp("link"))


@pytest.fixture
def board(program):
    with Simulated(program) as simulated:
        yield simulated


def number(value, size):
    return value.to_bytes(size, "little")


def request(seq, kind, fields=b""):
    return frame_of(bytes([seq & 0xFF, kind]) + fields)


def identify(seq=0):
    return request(seq, Kind.IDENTIFY, NONCE)


def read(seq, address):
    return request(seq, Kind.READ, number(address, 2))


def write(seq, address, value):
    return request(seq, Kind.WRITE, number(value, 4) + number(address, 2))


def send(seq, stream, data):
    return request(seq, Kind.SEND, bytes([stream]) + data)


def receive(seq, stream, words):
    return request(seq, Kind.RECEIVE, number(words, 2) + bytes([stream]))


def answers(happened):
    """(seq, kind, status, body) of every answer; anything but answers is a failure."""
    sent = bytes(happened.sent)
    if not sent:
        return []
    assert sent[0] == sent[-1] == 0
    contents = [content_of(frame) for frame in sent.split(b"\0") if frame]
    assert None not in contents
    return [(each[0], each[1] & 15, each[1] >> 4, each[2:]) for each in contents if each]


def ask(board, frame):
    """The answer to a frame, and what it did."""
    happened = board.run(frame)
    (answer,) = answers(happened)
    return answer, happened


def test_it_says_what_it_is(board):
    (seq, kind, status, body), _ = ask(board, identify(7))
    assert (seq, kind, status) == (7, Kind.IDENTIFY, Status.OK)
    assert body == NONCE + bytes([1, 64, 0, 2, 2, 2, 1, 2, 3])
    assert body == NONCE + bytes(CONFIG.identity)


def test_registers_are_read_and_written(board):
    ask(board, identify())
    answer, happened = ask(board, write(1, STORE, 0x01020304))
    assert answer == (1, Kind.WRITE, Status.OK, b"")
    assert happened.wrote == [(STORE, 0x01020304)]
    answer, happened = ask(board, read(2, STORE))
    assert answer == (2, Kind.READ, Status.OK, b"\4\3\2\1")
    assert happened.wrote == []


def test_before_a_session_nothing_is_acted_on(board):
    for frame in (write(1, STORE, 5), read(1, STORE), send(0, 0, b"ab"), receive(5, 1, 1)):
        (_, _, status, body), happened = ask(board, frame)
        assert (status, body, happened.wrote, happened.fed) == (Status.NO_SESSION, b"", [], [])
    ask(board, identify())
    assert ask(board, receive(1, 1, 1))[0][3] == bytes(3)


def test_a_repeated_request_is_answered_and_not_acted_on(board):
    ask(board, identify())
    first, happened = ask(board, write(1, TOTAL, 5))
    assert happened.wrote == [(TOTAL, 5)]
    for frame in (write(1, TOTAL, 5), write(1, TOTAL, 6), read(1, TOTAL)):
        again, happened = ask(board, frame)
        assert (again, happened.wrote) == (first, [])
    assert ask(board, read(2, TOTAL))[0][3] == number(5, 4)
    assert ask(board, read(3, CALLS))[0][3] == number(1, 4)


def test_words_taken_from_the_core_are_given_again_not_taken_again(board):
    ask(board, identify())
    first, _ = ask(board, receive(1, 1, 3))
    assert first[3] == bytes([0, 0, 0, 1, 0, 0, 2, 0, 0])
    assert ask(board, receive(1, 1, 3))[0] == first
    assert ask(board, receive(2, 1, 1))[0][3] == bytes([3, 0, 0])


def test_words_given_to_the_core_are_not_given_again(board):
    ask(board, identify())
    first, happened = ask(board, send(1, 0, b"abcdef"))
    assert (first[3], happened.fed) == (number(3, 2), [0x6261, 0x6463, 0x6665])
    again, happened = ask(board, send(1, 0, b"abcdef"))
    assert (again, happened.fed) == (first, [])
    assert ask(board, receive(2, 0, 9))[0][3] == b"abcdef"


@pytest.mark.parametrize("step", [-1, 2, 128, 254])
def test_a_request_out_of_turn_closes_the_session(board, step):
    ask(board, identify(9))
    ask(board, write(10, STORE, 1))
    (seq, _, status, _), happened = ask(board, write(10 + step, STORE, 2))
    assert (seq, status, happened.wrote) == (10 + step & 0xFF, Status.NO_SESSION, [])
    for seq in (10, 11):
        (_, _, status, _), happened = ask(board, write(seq, STORE, 2))
        assert (status, happened.wrote) == (Status.NO_SESSION, [])
    ask(board, identify(3))
    assert ask(board, read(4, STORE))[0][3] == number(1, 4)


def test_sequence_numbers_go_round(board):
    ask(board, identify(254))
    for k in range(5):
        assert ask(board, write(255 + k, TOTAL, 1))[0][2] == Status.OK
    assert ask(board, read(260, CALLS))[0][3] == number(5, 4)


def test_an_identify_begins_anew_with_any_number(board):
    for seq in (5, 5, 4, 200):
        assert ask(board, identify(seq))[0][0] == seq
    assert ask(board, write(201, STORE, 1))[0][2] == Status.OK


BAD = {
    **{f"kind {kind:#x}": bytes([kind]) for kind in (0, 6, 15, 0x12, 0x82)},
    "a READ without an address": bytes([Kind.READ, 0]),
    "a READ too long": bytes([Kind.READ, 0, 0, 0]),
    "a WRITE too short": bytes([Kind.WRITE, 1, 2, 3, 4, 0]),
    "a WRITE too long": bytes([Kind.WRITE, 1, 2, 3, 4, 0, 0, 0]),
    "a SEND to nowhere": bytes([Kind.SEND]),
    "a SEND to no stream": bytes([Kind.SEND, 2, 1, 2]),
    "a SEND to a far stream": bytes([Kind.SEND, 0x80, 1, 2]),
    "a SEND of half a word": bytes([Kind.SEND, 0, 1]),
    "a RECEIVE too short": bytes([Kind.RECEIVE, 1, 0]),
    "a RECEIVE too long": bytes([Kind.RECEIVE, 1, 0, 1, 1]),
    "a RECEIVE from no stream": bytes([Kind.RECEIVE, 1, 0, 2]),
    "an IDENTIFY too short": bytes([Kind.IDENTIFY, 1, 2, 3]),
    "an IDENTIFY too long": bytes([Kind.IDENTIFY, 1, 2, 3, 4, 5]),
}


def test_bad_requests_are_answered_as_such_and_do_nothing(board):
    ask(board, identify(0))
    for seq, (name, content) in enumerate(BAD.items(), start=1):
        (got, _, status, body), happened = ask(board, frame_of(bytes([seq]) + content))
        assert (got, status, body) == (seq, Status.BAD_REQUEST, b""), name
        assert (happened.wrote, happened.fed) == ([], []), name
    assert ask(board, receive(len(BAD) + 1, 1, 1))[0][3] == bytes(3)


def test_whole_words_before_half_a_one_are_given(board):
    ask(board, identify())
    (_, _, status, _), happened = ask(board, send(1, 0, b"abcde"))
    assert (status, happened.fed) == (Status.BAD_REQUEST, [0x6261, 0x6463])


def test_registers_that_are_not_there_are_refused(board):
    ask(board, identify())
    frames = [read(1, 0x00C), write(2, 0x00C, 1), write(3, CALLS, 1)]
    frames += [write(4 + k, 0x1000 << k, 1) for k in range(4)]
    for frame in frames:
        (_, _, status, body), happened = ask(board, frame)
        assert (status, body) == (Status.REFUSED, b"")
        assert all(address in (0x00C, CALLS) for address, _ in happened.wrote)
    assert ask(board, read(8, STORE))[0][3] == bytes(4)


def test_a_core_that_takes_nothing_is_waited_for_and_no_longer(board):
    ask(board, identify())
    assert ask(board, send(1, 1, bytes(20)))[0][3] == number(1, 2)
    assert ask(board, send(2, 1, bytes(20)))[0][3] == number(0, 2)
    assert ask(board, write(3, STORE, 1))[0][2] == Status.OK


def test_a_core_that_gives_nothing_is_waited_for_and_no_longer(board):
    ask(board, identify())
    assert ask(board, receive(1, 0, 5))[0][2:] == (Status.OK, b"")
    ask(board, send(2, 0, b"ab"))
    assert ask(board, receive(3, 0, 5))[0][3] == b"ab"
    assert ask(board, receive(4, 1, 0))[0][3] == b""


def test_an_answer_fits_its_buffer_and_a_request_its_own(board):
    ask(board, identify())
    answer, happened = ask(board, receive(1, 1, 65535))
    words = len(answer[3]) // 3
    size = CONFIG.buffer_bytes
    # What is between its zeros fits the buffer; with another word and code it would not.
    assert len(happened.sent) - 2 <= size < len(happened.sent) - 2 + 3 + 1
    assert answer[3] == b"".join(number(n, 3) for n in range(words))
    most = CONFIG.send_words[0]
    assert 2 * most + 3 + CRC_BYTES <= size < 2 * most + 5 + CRC_BYTES
    assert ask(board, send(2, 0, bytes(range(2 * most))))[0][3] == number(24 + 1, 2)
    for extra in (1, 2, 100, 300):
        assert board.run(send(3, 0, bytes(size - 7 + extra))).sent == []
    assert ask(board, read(3, STORE))[0][2] == Status.OK


def test_a_corrupt_frame_is_not_answered(board):
    ask(board, identify())
    frame = write(1, STORE, 9)
    for at in range(1, len(frame) - 1):
        wrong = bytearray(frame)
        wrong[at] ^= 0x10
        happened = board.run(bytes(wrong))
        assert (happened.sent, happened.wrote) == ([], []), at
    for lost in range(1, len(frame) - 1):
        assert board.run([*frame[:lost], LOST, *frame[lost:]]).sent == []
    assert ask(board, frame)[1].wrote == [(STORE, 9)]


def test_what_comes_during_an_answer_is_dropped_whole(board):
    ask(board, identify())
    frames = write(1, TOTAL, 1) + write(1, TOTAL, 1) + write(2, TOTAL, 2)
    answer, happened = ask(board, frames)
    assert (answer[0], happened.wrote) == (1, [(TOTAL, 1)])
    # The rest of a frame whose beginning was dropped is no frame either.
    late = write(2, TOTAL, 2)
    happened = board.run(write(1, TOTAL, 1) + late[:5])
    assert len(answers(happened)) == 1
    assert board.run(late[5:]).sent == []
    assert ask(board, late)[1].wrote == [(TOTAL, 2)]


def test_copies_at_any_distance_are_answered_alike_and_acted_on_once(board):
    """So that they begin and end before, in and after every state of an answer under way."""
    source = random.Random(6)
    ask(board, identify(0))
    for seq in range(1, 60):
        frame, line = write(seq, TOTAL, seq), []
        for _ in range(6):
            line += [*frame, PAUSE + source.randrange(256), *[0] * source.randrange(3)]
        happened = board.run(line)
        assert happened.wrote == [(TOTAL, seq)]
        assert set(answers(happened)) == {(seq & 0xFF, Kind.WRITE, Status.OK, b"")}


def test_zeros_are_nothing_and_one_ends_a_frame(board):
    assert board.run(bytes(50)).sent == []
    ask(board, identify())
    frame = write(1, STORE, 3)
    assert board.run(frame[1:-1]).sent == []
    assert ask(board, b"\0")[1].wrote == [(STORE, 3)]
    assert ask(board, frame[1:])[1].wrote == []


def test_a_line_that_hesitates_changes_nothing(board):
    board.hesitate()
    ask(board, identify())
    assert ask(board, receive(1, 1, 7))[0][3] == b"".join(number(n, 3) for n in range(7))
    assert ask(board, write(2, TOTAL, 4))[1].wrote == [(TOTAL, 4)]
    assert ask(board, write(2, TOTAL, 4))[1].wrote == []
