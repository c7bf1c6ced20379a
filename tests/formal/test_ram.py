"""Proof that a memory keeps the promise which its users' proofs replace it by."""

import pytest
from amaranth.hdl import Assert, Module, Signal

from hw.prim.ram import Ram, RamConfig
from tests.support.abstract import delayed
from tests.support.formal import ProofFailed, free_ports, prove
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

CONFIG = RamConfig(width=3, depth=5)


def contract(dut: Ram, place: int):
    """What was written to `place` is read from it, unless it is written in the same cycle."""
    inner, state = opened(dut)
    peek = inner.submodules.storage.read_port(domain="comb")
    m = Module()
    m.submodules.dut = dut
    known, word = Signal(), Signal(CONFIG.width)
    writes = dut.write.enable & (dut.write.address == place)
    with m.If(writes):
        m.d.sync += [known.eq(1), word.eq(dut.write.data)]
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


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_word_is_read_as_it_was_written(place):
    m, ports = contract(Ram(CONFIG), place)
    prove(m, name=f"ram_{place}", ports=ports, depth=2)


def test_a_memory_that_writes_elsewhere_is_caught():
    wrong = mutant(Ram, "write_port.addr.eq(self.write.address)", "write_port.addr.eq(0)")
    m, ports = contract(wrong(CONFIG), 2)
    with pytest.raises(ProofFailed):
        prove(m, name="ram_wrong", ports=ports, depth=2)
