"""The count of a ring's places against a plain number."""

import random

from hw.butterfly.ring import RingCount
from tests.support.netlist import run_amaranth


def test_full_and_empty_follow_takes_and_frees():
    rng, most = random.Random(1), 5
    used, before, capacity, started = 0, 0, 0, False
    stimulus, expected = [], []
    for cycle in range(2000):
        full, empty = not started or used == capacity, used == 0
        restart = empty and (cycle == 3 or rng.random() < 0.1)
        given = rng.randint(1, most)
        take = not restart and not full and rng.random() < 0.6
        free = not restart and not empty and rng.random() < 0.5
        stimulus.append(
            {"capacity": 1 << given, "restart": restart, "take": int(take), "free": int(free)}
        )
        expected.append({"full": int(full), "empty": int(before == 0)})
        before = used
        used += take - free
        if restart:
            started, capacity = True, given
    assert {row["full"] for row in expected[100:]} == {0, 1}
    assert run_amaranth(RingCount(most), stimulus) == expected
