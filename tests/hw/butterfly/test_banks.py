"""Banks: every word where it was written, each half at its own line, and only where enabled."""

import random

import pytest

from hw.butterfly.banks import Banks, BanksConfig
from tests.support.netlist import run_amaranth


@pytest.mark.parametrize("units", [1, 4])
def test_a_word_is_read_where_it_was_written(units):
    config = BanksConfig(units=units, width=5, lines=8)
    rng, banks, bits = random.Random(units), 2 * units, config.ram.address_width
    memory: dict[tuple[int, int], int] = {}
    stimulus, expected = [], []
    for cycle in range(600):
        read, write = ([rng.randrange(8) for _ in range(2)] for _ in range(2))
        # What is written in a cycle may not be read in it.
        enable = [
            int(rng.random() < 0.5 and read[bank // units] != write[bank // units])
            for bank in range(banks)
        ]
        if cycle < 8:
            # Every word at first, so that all are known.
            write, enable = [cycle, cycle], [1] * banks
            read = [(cycle + 1) % 8] * 2
        data = [rng.randrange(1 << 5) for _ in range(banks)]
        stimulus.append(
            {
                "read_line": read[0] | read[1] << bits,
                "write_line": write[0] | write[1] << bits,
                "enable": sum(one << bank for bank, one in enumerate(enable)),
                "write_data": sum(word << 5 * bank for bank, word in enumerate(data)),
            }
        )
        expected.append([memory.get((bank, read[bank // units])) for bank in range(banks)])
        for bank in range(banks):
            if enable[bank]:
                memory[bank, write[bank // units]] = data[bank]
    trace = run_amaranth(Banks(config), stimulus)
    late = config.latency
    for cycle in range(8, len(stimulus) - late):
        word = trace[cycle + late]["read_data"] or 0
        assert [word >> 5 * bank & 31 for bank in range(banks)] == expected[cycle]
