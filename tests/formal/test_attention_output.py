"""Proofs of the output memory: the rules of streams, and words that leave once and in order."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value

from hw.attention import output
from hw.attention.output import Output, OutputConfig
from tests.support.abstract import OneWordRam, fifo_state
from tests.support.formal import ProofFailed, free_ports, prove, prove_stream_rules
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

BOUND = 10
"""Cycles of the bounded check: both slots are written and read. Simulation uses them again."""


def config_of(*, compact: bool) -> OutputConfig:
    return OutputConfig(
        rows=1, groups=1, lanes=1, output_bits=1, blocks=2, row_blocks=3, compact=compact
    )


@pytest.fixture
def one_word_ram(monkeypatch):
    monkeypatch.setattr(output, "Ram", OneWordRam)


@pytest.mark.parametrize("compact", [True, False])
def test_output_keeps_the_rules_of_streams(compact, one_word_ram):
    dut = Output(config_of(compact=compact))
    module, state = opened(dut)

    def queue_state(m: Module) -> None:
        flying = sum(state[f"send_valid_{k}"] for k in range(1, dut.config.send_latency + 1))
        fifo_state(m, module.submodules.queue, flying)  # type: ignore[arg-type]

    prove_stream_rules(
        dut, name=f"output_rules_{'compact' if compact else 'dense'}", also=queue_state
    )


def contract(dut: Output) -> tuple[Module, list[Any]]:
    """A neighbour that keeps its obligations; then any one word of any row block is followed.

    All row blocks have all their rows, so that the number of a word tells when it must leave.
    """
    config = dut.config
    module, _ = opened(dut)
    ram: OneWordRam = module.submodules.words
    i: Any = dut.i
    block: Any = dut.i_block
    o: Any = dut.o
    m = Module()
    m.submodules.dut = dut
    words = config.rows * config.groups

    # Descriptors: taken when there is room, and pushed then or later.
    owed, begun = Signal(2), Signal(2)
    with_data = block.valid & block.payload.data
    without = block.valid & ~block.payload.data
    m.d.sync += owed.eq(owed + dut.take - with_data)
    m.d.comb += [
        Assume(~dut.take | dut.room, "takes only what there is room for"),
        Assume(~with_data | dut.take | (owed > 0), "describes only what it took"),
        Assume(~without | (dut.room & ~dut.take), "needs room without data"),
        Assume(block.payload.data | (block.payload.skips > 0), "speaks of a row block"),
        Assume(block.payload.skips <= 1, "skips few"),
        Assume(block.payload.rows == config.rows - 1, "has all rows"),
        Assume(~block.payload.refused, "refuses none"),
    ]
    # Words: all of a row block, in order, once it is begun.
    at = Signal(range(words + 1))
    ends = at == words - 1
    block_in, word_out = Signal(4), Signal(5)
    m.d.sync += begun.eq(begun + dut.take - (i.valid & ends))
    m.d.comb += [
        Assume(~i.valid | dut.take | (begun > 0), "sends words of what it began"),
        Assume(i.payload.row == at // config.groups, "row by row"),
        Assume(i.payload.group == at % config.groups, "group by group"),
        Assume(i.payload.end == ends, "all of them"),
    ]
    with m.If(i.valid):
        m.d.sync += at.eq(Mux(ends, 0, at + 1))
        m.d.sync += block_in.eq(block_in + ends)

    # The followed word, which is any: what was written is what leaves, in its turn.
    chosen, chosen_word = Signal(2), Signal(range(words + 1))
    before, started = Signal.like(chosen), Signal()
    word_before = Signal.like(chosen_word)
    value, written = Signal(config.word_bits), Signal()
    m.d.sync += [before.eq(chosen), word_before.eq(chosen_word), started.eq(1)]
    m.d.comb += Assume(
        ~started | ((chosen == before) & (chosen_word == word_before)), "one for ever"
    )
    m.d.comb += Assume(chosen_word < words, "a word of a row block")
    with m.If(i.valid & (block_in == chosen) & (at == chosen_word)):
        m.d.sync += [value.eq(i.payload.value), written.eq(1)]
        m.d.comb += Assume(ram.spot == ram.write.address, "where it is written")
    leaves = o.valid & o.ready & ~o.payload.skip
    m.d.sync += word_out.eq(word_out + leaves)
    due = leaves & (word_out == chosen * words + chosen_word)
    m.d.comb += [
        Assert(~leaves | (word_out < block_in * words + words), "leaves only what came"),
        Assert(~due | written, "the followed word came before it leaves"),
        Assert(~due | (Value.cast(o.payload.value) == value), "and leaves unchanged"),
        Assert(
            ~ram.write.enable | dut.take | (dut.spare + 1 < config.blocks),
            "writes only into slots in use",
        ),
        Cover(due & (chosen == 1), "the second slot is read"),
    ]
    return m, [*free_ports(dut), chosen, chosen_word, ram.spot, ram.free]


def test_every_word_leaves_once_and_in_its_turn(one_word_ram):
    # Bounded: an induction would have to know where each word of each slot is meanwhile.
    m, ports = contract(Output(config_of(compact=True)))
    prove(m, name="output_contract", ports=ports, depth=BOUND, mode="bmc")


def test_both_slots_are_read_within_the_bound(one_word_ram):
    m, ports = contract(Output(config_of(compact=True)))
    prove(m, name="output_cover", ports=ports, depth=BOUND, mode="cover")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_slot.eq(_next(read_slot, config.blocks))", "read_slot.eq(read_slot)"),
        ("up=done, down=taken", "up=begun | done, down=taken"),
    ],
)
def test_an_output_with_a_fault_is_found(right, wrong, one_word_ram):
    m, ports = contract(mutant(Output, right, wrong)(config_of(compact=True)))
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="wrong_output", ports=ports, depth=BOUND, mode="bmc")
