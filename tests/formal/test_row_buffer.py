"""Proofs of the row buffer: exactly once, in order, and no place written before it was read."""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Shape, Signal, Value

from hw.lib.credit import CreditFifo
from hw.softmax import row_buffer
from hw.softmax.row_buffer import GRANT_DELAY, RowBuffer, RowBufferConfig
from tests.support.abstract import OneWordRam, delayed, fifo_state
from tests.support.formal import Follow, ProofFailed, free_ports, prove
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

SMALL_BUFFERS = {
    "shortest": RowBufferConfig(word_shape=2, row_shape=2, max_words=1, fill_latency=1, rows=2),
    "small": RowBufferConfig(word_shape=2, row_shape=2, max_words=3, fill_latency=2, rows=2),
}


def row_buffer_contract(dut: RowBuffer) -> tuple[Module, list[Any]]:
    """Any neighbours that keep their obligations; then words and rows are followed to `issue`."""
    config, depth = dut.config, dut.config.depth_words
    module, state = opened(dut)
    rows: CreditFifo = module.submodules.rows
    ram: OneWordRam = module.submodules.words
    write, read = ram.write, ram.read
    i_word: Any = dut.i_word
    i_row: Any = dut.i_row
    grant: Any = dut.grant
    take: Any = dut.take
    issue: Any = dut.issue
    issue_last: Any = dut.issue_last
    m = Module()
    m.submodules.dut = dut

    # The neighbour in front: takes what is granted, pushes what it took, describes what it pushed.
    granted = delayed(m, grant, GRANT_DELAY)
    flying, undescribed = Signal(range(depth + 2)), Signal(range(depth + 2))
    rows_flying = Signal(range(config.depth_rows + 2))
    described_now = Mux(i_row.valid, i_row.payload.count + 2, 0)
    m.d.sync += [
        flying.eq(flying + take - i_word.valid),
        undescribed.eq(undescribed + i_word.valid - described_now),
        rows_flying.eq(rows_flying + dut.take_row - i_row.valid),
    ]
    m.d.comb += [
        Assume(~(take | dut.take_row) | granted, "takes only what is granted"),
        Assume(~i_word.valid | take | (flying > 0), "pushes only what was taken"),
        Assume(~i_row.valid | (i_row.payload.count >= -1), "a row has a word"),
        Assume(~i_row.valid | (i_row.payload.count + 2 <= config.max_words), "none is too long"),
        Assume(~i_row.valid | (described_now <= undescribed), "words are pushed before their row"),
        Assume(
            ~i_row.valid | dut.take_row | (rows_flying > 0), "describes only rows that it ended"
        ),
        Assert(rows.take == dut.take_row, "every row takes its place"),
        Assert(rows.i.valid == i_row.valid, "and comes to it"),
    ]
    queued = fifo_state(m, rows, rows_flying)

    # Words: counted, placed, and one of them followed.
    spare, write_at, read_at = state["spare"], state["write_at"], state["read_at"]
    count, row = state["count"], state["row"]
    active, first = Signal(), Signal()
    m.d.comb += active.eq(issue | ~rows.o.ready)
    m.d.comb += first.eq(state["now"][-2])  # of {valid, row, first, last}, before the latency
    m.submodules.words = words = Follow(config.word_shape, depth)
    chosen = Signal()

    def place(ahead: Value) -> Value:
        after = read_at + ahead
        return Mux(after >= depth, after - depth, after)

    described = Mux(active, count + 2, 0)
    for entry in range(config.depth_rows):
        peek = rows.storage.read_port(domain="comb")
        at = rows.read_at + entry
        waits = rows.stored >= entry
        held = Value.cast(peek.data)[: Shape.cast(config.count_shape).width].as_signed()
        legal = (held >= -1) & (held + 2 <= config.max_words)
        m.d.comb += peek.addr.eq(Mux(at >= config.depth_rows, at - config.depth_rows, at))
        m.d.comb += Assert(~waits | legal, "a waiting row's count is legal")
        described = described + Mux(waits, held + 2, 0)
    m.d.comb += [
        words.enter.eq(write.enable),
        words.enter_payload.eq(write.data),
        words.mark.eq(chosen & (write.address == ram.spot)),
        words.leave.eq(issue),
        words.leave_payload.eq(ram.now),
        Assert(write.enable == i_word.valid, "writes what is pushed"),
        Assert(~write.enable | (write.data == i_word.payload), "as it is"),
        Assert(read.address == read_at, "reads in order"),
        Assert(spare + 1 + GRANT_DELAY >= 0, "no place is given twice"),
        Assert(spare + 1 + GRANT_DELAY + flying + words.inside == depth, "spare counts the free"),
        Assert(undescribed + described == words.inside, "every word has its row"),
        Assert((write_at < depth) & (read_at < depth), "addresses in range"),
        Assert(place(words.inside) == write_at, "the addresses are what is inside apart"),
        Assert(~words.waiting | (place(words.ahead) == ram.spot), "the followed word's place"),
        Assert(~words.waiting | (ram.cell == words.payload), "the followed word is stored"),
        Assert(~issue | ~write.enable | (write.address != read.address), "no read meets a write"),
        Assert(~active | ((count >= -1) & (count + 2 <= config.max_words)), "words left"),
    ]

    # Rows: one of them followed, with the number of its words.
    issued = Signal(range(config.max_words + 1))
    m.submodules.rows = whole = Follow(
        Value.cast(rows.i.payload).shape().width, config.depth_rows + 1
    )
    with m.If(issue):
        m.d.sync += issued.eq(Mux(issue_last, 0, issued + 1))
    count_shape = Shape.cast(config.count_shape)
    length = Signal(count_shape)
    peek = rows.storage.read_port(domain="comb")
    at = rows.read_at + whole.ahead - active
    loaded = active & (whole.ahead == 0)
    waiting_count = whole.payload[: count_shape.width].as_signed()
    m.d.comb += [
        length.eq(issued - 1),
        whole.enter.eq(i_row.valid),
        whole.enter_payload.eq(Value.cast(i_row.payload)),
        whole.leave.eq(issue_last),
        whole.leave_payload.eq(Cat(length, row)),
        Assert(~issue | active, "issues only words of a row"),
        Assert(issue == (active & delayed(m, dut.advance, GRANT_DELAY)), "as soon as it may"),
        Assert(~issue_last | issue, "a row ends with a word"),
        Assert(~active | (issued + count + 2 <= config.max_words), "no more than the longest row"),
        Assert(~active | (first == (issued == 0)), "knows a row's first word"),
        Assert(active | (issued == 0), "starts at a row's first word"),
        Assert(whole.inside == queued + active, "a row waits or is loaded"),
        peek.addr.eq(Mux(at >= config.depth_rows, at - config.depth_rows, at)),
    ]
    with m.If(whole.waiting & loaded):
        m.d.comb += Assert(whole.payload[count_shape.width :] == row, "the followed row is loaded")
        m.d.comb += Assert(count + issued == waiting_count, "its words are left or issued")
    with m.Elif(whole.waiting):
        m.d.comb += Assert(Value.cast(peek.data) == whole.payload, "the followed row waits")

    # What is issued arrives, after exactly the latency.
    o: Any = dut.o
    late = [
        delayed(m, value, config.latency)
        for value in (issue, issue_last, issued == 0, row, ram.now)
    ]
    m.d.comb += [
        Assert(o.valid == late[0], "arrives after the latency"),
        Assert(~o.valid | (o.payload.last == late[1]), "last is the row's last"),
        Assert(~o.valid | (o.payload.first == late[2]), "first is the row's first"),
        Assert(~o.valid | (o.payload.row == late[3]), "beside its own row"),
        Assert(~o.valid | (o.payload.word == late[4]), "unchanged"),
        Cover(words.waiting & (words.ahead > 0) & issue & write.enable, "reads and writes at once"),
    ]
    return m, [*free_ports(dut), whole.mark, chosen, ram.spot, ram.free]


@pytest.fixture
def one_word_ram(monkeypatch):
    monkeypatch.setattr(row_buffer, "Ram", OneWordRam)


@pytest.mark.parametrize("size", SMALL_BUFFERS)
def test_row_buffer_carries_every_word_and_row_once_and_in_order(size, one_word_ram):
    m, ports = row_buffer_contract(RowBuffer(SMALL_BUFFERS[size]))
    depth = SMALL_BUFFERS[size].latency + 2
    prove(m, name=f"row_buffer_{size}", ports=ports, depth=depth)


def test_row_buffer_reads_and_writes_at_once(one_word_ram):
    m, ports = row_buffer_contract(RowBuffer(SMALL_BUFFERS["small"]))
    prove(m, name="row_buffer_cover", ports=ports, depth=8, mode="cover")


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("count.eq(count - 1)", "count.eq(count)", "left|issue|row"),
        ("up=self.issue,", "up=self.issue_last,", "spare counts"),
    ],
)
def test_a_row_buffer_with_a_fault_is_found(right, wrong, line, one_word_ram, monkeypatch):
    m, ports = row_buffer_contract(mutant(RowBuffer, right, wrong)(SMALL_BUFFERS["small"]))
    with pytest.raises(ProofFailed, match=f"assertion fails.*({line})"):
        prove(m, name="wrong_row_buffer", ports=ports, depth=14, mode="bmc")
