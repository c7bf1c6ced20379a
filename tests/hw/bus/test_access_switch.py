"""One access port in front of several: whose answer comes, and what nobody has."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from hw.bus.access_switch import AccessSwitch
from hw.bus.register_file import AccessSignature, RegisterFile
from tests.support.registers import Ask, asked, every_access

JOB, WHOLE, IDENTITY, NOTHING = 0x14, 0xFFC, 0x0, 0x4


class Files(wiring.Component):
    """Register files behind a switch."""

    access: Any

    def __init__(self, count: int):
        self.switch = AccessSwitch(count)
        self.files = [RegisterFile(every_access()) for _ in range(count)]
        super().__init__({"access": In(AccessSignature(self.switch.address_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.switch = self.switch
        connect(m, flipped(self.access), self.switch.access)
        for k, (file, port) in enumerate(zip(self.files, self.switch.ports, strict=True)):
            m.submodules[f"file_{k}"] = file
            connect(m, port, file.access)
        return m


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_each_map_keeps_what_was_written_to_it_alone(count, pause):
    rng = random.Random(count)
    held = [{JOB: 7, WHOLE: 1 << 31} for _ in range(count)]
    requests, expected = [], []
    top = 1 << AccessSwitch(count).address_bits - 12
    for _ in range(60):
        core, offset = rng.randrange(top), rng.choice([JOB, WHOLE, IDENTITY, NOTHING])
        write, word = rng.random() < 0.5, rng.randrange(3, 20)
        requests.append(Ask(core << 12 | offset, write, word))
        if core >= count or offset == NOTHING or (write and offset == IDENTITY):
            expected.append((0, 1))
        elif write:
            held[core][offset] = word
            expected.append((0, 0))
        else:
            expected.append((held[core].get(offset, 0xC0DE0001), 0))
    answers = asked(Files(count), requests, pause=pause)
    assert [(each.data, each.error) for each in answers] == expected
    delays = {
        (each.error == 1 and ask.address >> 12 >= count): each.offered - each.accepted
        for ask, each in zip(requests, answers, strict=True)
    }
    assert delays.pop(False) == RegisterFile.LATENCY + 2
    assert set(delays.values()) <= {2}
