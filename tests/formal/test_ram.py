"""Proof that a memory keeps the promise which its users' proofs replace it by."""

import pytest
from amaranth.hdl import Assert, Module, Signal

from hw.prim.ram import Ram, RamConfig
from tests.support.abstract import delayed
from tests.support.formal import ProofFailed, free_ports, prove
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

CONFIG = RamConfig(width=3, depth=5)
LATE = RamConfig(width=3, depth=5, write_registers=2)


def contract(dut: Ram, place: int):
    """What was written to `place` is read from it, unless it is written in the same cycle.

    A memory with registers before it is proved from its cells' side: what its port was told so
    many cycles before is what they are told.
    """
    m = Module()
    m.submodules.dut = dut
    write, cells = dut.write, dut
    while cells.config.write_registers:
        told = write.enable, write.address, write.data
        cells = opened(cells)[0].submodules.late
        write = cells.write
        valid = delayed(m, told[0], 1)
        m.d.comb += [
            Assert(write.enable == valid, "writes a cycle later"),
            Assert(~valid | (write.address == delayed(m, told[1], 1)), "to the same place"),
            Assert(~valid | (write.data == delayed(m, told[2], 1)), "the same word"),
        ]
    inner, state = opened(cells)
    peek = inner.submodules.storage.read_port(domain="comb")
    known, word = Signal(), Signal(CONFIG.width)
    writes = write.enable & (write.address == place)
    with m.If(writes):
        m.d.sync += [known.eq(1), word.eq(write.data)]
    defined = known & (dut.read.address == place) & ~writes
    first = delayed(m, defined, 1), delayed(m, word, 1)
    last = delayed(m, defined, CONFIG.latency), delayed(m, word, CONFIG.latency)
    m.d.comb += [
        peek.addr.eq(place),
        Assert(~known | (peek.data == word), "the word is stored"),
        Assert(~first[0] | (state["data_1"] == first[1]), "the word is on its way"),
        Assert(~last[0] | (dut.read.data == last[1]), "the word is read, its latency later"),
    ]
    return m, free_ports(dut)


@pytest.mark.parametrize("config", [CONFIG, LATE], ids=["at once", "two cycles late"])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_word_is_read_as_it_was_written(place, config):
    m, ports = contract(Ram(config), place)
    prove(m, name=f"ram_{place}_{config.write_registers}", ports=ports, depth=2)


def test_a_memory_that_writes_elsewhere_is_caught():
    wrong = mutant(Ram, "write_port.addr.eq(self.write.address)", "write_port.addr.eq(0)")
    m, ports = contract(wrong(CONFIG), 2)
    with pytest.raises(ProofFailed):
        prove(m, name="ram_wrong", ports=ports, depth=2)
