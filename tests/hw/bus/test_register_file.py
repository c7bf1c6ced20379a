"""The register file: what is read, what is written, what is refused, and when."""

import random
from typing import Any

import pytest
from amaranth.hdl import Value

from hw.bus.register_file import RegisterFile
from tests.support.registers import Ask, asked, every_access

IDENTITY, CONTROL, STATUS, ERROR, JOB, WHOLE = 0x0, 0x8, 0xC, 0x10, 0x14, 0xFFC
NOTHING = 0x4


def demo() -> Any:
    return RegisterFile(every_access())


def words(requests, **more):
    answers = asked(demo(), requests, **more)
    assert all(each.offered - each.accepted == RegisterFile.LATENCY for each in answers)
    return [(each.data, each.error) for each in answers]


def write(address, data, strobe=0b1111):
    return Ask(address, True, data, strobe)


def test_registers_read_as_after_reset():
    addresses = [IDENTITY, CONTROL, STATUS, ERROR, JOB, WHOLE]
    values = [0xC0DE0001, 0, 0, 0, 7, 1 << 31]
    assert words([Ask(each) for each in addresses]) == [(value, 0) for value in values]


@pytest.mark.parametrize("address", [NOTHING, 0x18, 0x15, 0xFF8])
def test_no_register_is_read_as_an_error(address):
    assert words([Ask(address)]) == [(0, 1)]


@pytest.mark.parametrize("word", [3, 20, 20 | 2 << 8, 7 | 1 << 8])
def test_a_setting_keeps_what_is_written(word):
    assert words([write(JOB, word), Ask(JOB)]) == [(0, 0), (word, 0)]


WRONG = [
    (write(NOTHING, 5), "unknown"),
    (write(IDENTITY, 5), "unknown"),
    (write(STATUS, 0), "unknown"),
    (write(JOB, 9, 0b0111), "unknown"),
    (write(JOB, 9, 0), "unknown"),
    (write(CONTROL, 1, 0b0001), "unknown"),
    (write(JOB, 2), "value"),
    (write(JOB, 21), "value"),
    (write(JOB, 7 | 3 << 8), "value"),
    (write(JOB, 7 | 1 << 5), "value"),
    (write(JOB, 7 | 1 << 31), "value"),
]


@pytest.mark.parametrize(("request_", "why"), WRONG)
def test_a_wrong_write_changes_nothing_and_says_why(request_, why):
    file, seen = demo(), []

    def look(ctx, cycle):
        refused = {name: ctx.get(file.refused[name]) for name in ("unknown", "value", "locked")}
        seen.append([name for name, bit in refused.items() if bit])
        assert not ctx.get(Value.cast(file.control))

    answers = asked(file, [request_, Ask(JOB), Ask(WHOLE), Ask(ERROR)], each_cycle=look)
    assert [(each.data, each.error) for each in answers] == [(0, 1), (7, 0), (1 << 31, 0), (0, 0)]
    assert [names for names in seen if names] == [[why]]


def test_locked_settings_keep_their_values_and_commands_do_not_care():
    file, reasons, commands = demo(), [], []

    def look(ctx, cycle):
        ctx.set(file.locked, 1)
        reasons.append(ctx.get(file.refused.locked))
        commands.append(ctx.get(Value.cast(file.control)))

    requests = [write(JOB, 9), Ask(JOB), write(CONTROL, 9), write(ERROR, 1)]
    answers = asked(file, requests, each_cycle=look)
    assert [(each.data, each.error) for each in answers] == [(0, 1), (7, 0), (0, 0), (0, 0)]
    assert sum(reasons) == 1
    assert [each for each in commands if each] == [3]


def test_sticky_bits_stay_until_one_is_written_to_them():
    file = demo()

    def both_once(ctx, cycle):
        ctx.set(Value.cast(file.error), 0b11 if cycle == 0 else 0)

    requests = [Ask(ERROR), write(ERROR, 0), Ask(ERROR), write(ERROR, 1), Ask(ERROR)]
    answers = asked(file, requests, each_cycle=both_once)
    assert [each.data for each in answers] == [1 << 31 | 1, 0, 1 << 31 | 1, 0, 1 << 31]


def test_what_is_set_and_cleared_at_once_is_set():
    file = demo()

    def always(ctx, cycle):
        ctx.set(file.error.low, 1)

    answers = asked(file, [write(ERROR, 1), Ask(ERROR)], each_cycle=always)
    assert answers[1].data == 1


def test_status_is_what_the_gates_say_now():
    file = demo()

    def drive(ctx, cycle):
        ctx.set(file.status.busy, 1)
        ctx.set(file.status.count, 0xA5)

    (answer,) = asked(file, [Ask(STATUS)], each_cycle=drive)
    assert answer.data == 1 << 1 | 0xA5 << 4


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_any_requests_are_answered_as_a_dictionary_would(pause):
    rng = random.Random(3)
    addresses = [IDENTITY, NOTHING, STATUS, JOB, WHOLE, 0x7FC]
    held, expected, requests = {JOB: 7, WHOLE: 1 << 31}, [], []
    for _ in range(300):
        request = Ask(
            rng.choice(addresses),
            rng.random() < 0.5,
            rng.choice([rng.randrange(32), rng.randrange(32) | 1 << 8, rng.getrandbits(32)]),
            rng.choice([15, 15, 15, 7]),
        )
        requests.append(request)
        address, data = request.address, request.data
        if not request.write:
            known = {IDENTITY: 0xC0DE0001, STATUS: 0, **held}
            expected.append((known.get(address, 0), int(address not in known)))
            continue
        good = address == WHOLE or (
            address == JOB and 3 <= data & 31 <= 20 and data >> 8 <= 2 and not data >> 5 & 7
        )
        if good and request.strobe == 15:
            held[address] = data
        expected.append((0, int(not (good and request.strobe == 15))))
    assert words(requests, pause=pause, seed=5) == expected
