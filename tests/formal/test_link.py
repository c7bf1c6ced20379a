"""Proofs about the link: the line, the framing, the CRC, and that nothing is acted on twice."""

import zlib
from functools import reduce

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value

from hw.bus import cobs
from hw.bus.cobs import CobsDecoder, CobsEncoder, CobsEncoderConfig
from hw.bus.crc import Crc32, Crc32Config
from hw.bus.executor import Executor, Then
from hw.bus.frames import FrameSender
from hw.bus.link import LinkConfig
from hw.bus.uart import UartConfig, UartReceiver, UartTransmitter
from hw.prim.ram import RamConfig
from spec.link import CRC_BYTES, LENGTH_OF, Kind, Status
from tests.support.formal import ProofFailed, StreamRules, free_ports, prove, prove_stream_rules
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal


def zlib_register(byte: int) -> int:
    """zlib's register after a byte, from a register of 0."""
    return zlib.crc32(bytes([byte]), 0xFFFFFFFF) ^ 0xFFFFFFFF


def test_zlib_is_linear():
    """So that eight of its entries say what any byte does."""
    for byte in range(256):
        columns = [zlib_register(1 << k) for k in range(8) if byte >> k & 1]
        assert zlib_register(byte) == reduce(int.__xor__, columns, 0)


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 8])
def test_the_register_is_zlibs_after_any_bytes(step):
    m = Module()
    m.submodules.dut = dut = Crc32(Crc32Config(bits_per_cycle=step))
    register = Signal(32, init=0xFFFFFFFF)
    index = register[:8] ^ dut.i.payload
    columns = [Mux(index[k], Const(zlib_register(1 << k), 32), 0) for k in range(8)]
    with m.If(dut.clear):
        m.d.sync += register.eq(0xFFFFFFFF)
    with m.Elif(dut.i.valid):
        m.d.sync += register.eq(reduce(lambda a, b: a ^ b, columns, register >> 8))
    m.d.comb += [
        Assume(~(dut.i.valid & dut.busy), "bytes come at the interval"),
        Assert(dut.busy | (dut.register == register), "as zlib's"),
    ]
    prove(m, name=f"crc_{step}", ports=free_ports(dut), depth=dut.config.interval + 2)


MOST_BYTES = 5


def round_trip(m: Module) -> list[Signal]:
    """Any message through the encoder into a memory, and from there into the decoder."""
    size = 2 * MOST_BYTES + 2
    m.submodules.encoder = encoder = CobsEncoder(CobsEncoderConfig(depth=size))
    m.submodules.decoder = decoder = CobsDecoder()
    memory = Array(Signal(8, name=f"memory_{k}") for k in range(size))
    message = Array(Signal(8, name=f"message_{k}") for k in range(MOST_BYTES))
    length = Signal(range(MOST_BYTES + 1))
    told, given, read_at = Signal(4), Signal(4), Signal(5)
    begun, finished, reading, over = Signal(), Signal(), Signal(), Signal()
    m.d.sync += begun.eq(1)
    free, free_length = [Signal(8, name=f"free_{k}") for k in range(MOST_BYTES)], Signal(4)
    with m.If(~begun):
        m.d.sync += [length.eq(free_length), *(message[k].eq(each) for k, each in enumerate(free))]
        m.d.comb += Assume(free_length <= MOST_BYTES, "such a message")
    m.d.comb += [
        encoder.clear.eq(~begun),
        encoder.i.valid.eq(begun & (told != length)),
        encoder.i.payload.eq(message[told]),
        encoder.finish.eq(begun & ~finished & (told == length)),
    ]
    m.d.sync += told.eq(told + (encoder.i.valid & encoder.i.ready))
    with m.If(encoder.write.enable):
        m.d.sync += memory[encoder.write.address].eq(encoder.write.data)
        m.d.comb += Assert(encoder.write.data != 0, "no zero within a frame")
        m.d.comb += Assert(encoder.write.address < size, "within the memory")
    m.d.sync += [finished.eq(finished | encoder.finish), reading.eq(finished)]
    with m.If(reading & ~over):
        m.d.comb += [
            decoder.i.valid.eq(1),
            decoder.i.payload.eq(Mux(read_at == encoder.count, 0, memory[read_at])),
            Assert(decoder.end == (read_at == encoder.count), "ends at the zero, and only there"),
        ]
        m.d.sync += read_at.eq(read_at + 1)
        with m.If(decoder.o.valid):
            m.d.sync += given.eq(given + 1)
            m.d.comb += Assert(given < length, "no more than was told")
            m.d.comb += Assert(decoder.o.payload == message[given], "as it was told")
        with m.If(decoder.end):
            m.d.sync += over.eq(1)
            m.d.comb += Assert(decoder.good & (given == length), "all of it")
    full = (length == MOST_BYTES) & (encoder.count == MOST_BYTES + 3)
    m.d.comb += Cover(over & full, "two full blocks and a third")
    return [*free, free_length]


@pytest.mark.parametrize("mode", ["bmc", "cover"])
def test_what_is_encoded_is_decoded(mode, monkeypatch):
    """Bounded by the message; with blocks of two bytes, so that several full ones fit."""
    monkeypatch.setattr(cobs, "RUN_BYTES", 2)
    m = Module()
    ports = round_trip(m)
    # Clear; the bytes, and a cycle for each full block; finish, and its write; the frame, its zero,
    # and after it.
    depth = 1 + MOST_BYTES + 2 + 2 + MOST_BYTES + 3 + 2
    prove(m, name=f"cobs_round_trip_{mode}", ports=ports, depth=depth, mode=mode)


def test_a_zero_leaves_the_decoder_as_it_began():
    m = Module()
    m.submodules.dut = dut = CobsDecoder()
    ended = Signal()
    m.d.sync += ended.eq(dut.i.valid & (dut.i.payload == 0))
    state = Cat(dut.left, dut.owes_zero, dut.begun)
    m.d.comb += [
        Assert(~ended | (state == 0), "nothing is left of what came before"),
        Assert(dut.end == (dut.i.valid & (dut.i.payload == 0)), "every zero ends a frame"),
    ]
    # Also from states that nothing leads to.
    prove(m, name="cobs_zero", ports=free_ports(dut), depth=1)


def displaced(ratio: int, most: int) -> tuple[Module, list[Signal]]:
    """A byte whose every edge is up to `most` clocks from its place; what is heard."""
    m = Module()
    config = UartConfig(clock_hz=ratio * 1_000_000, baud=1_000_000)
    m.submodules.dut = dut = UartReceiver(config)
    byte, late, free = Signal(8), Signal(10), Signal(8)
    moves = [Signal(range(2 * most + 1), name=f"move_{k}") for k in range(9)]
    time, idle = Signal(range(16 * ratio)), 4 + ratio
    m.d.sync += time.eq(Mux(time == 16 * ratio - 1, time, time + 1))
    free_moves = [Signal(range(2 * most + 1), name=f"free_{k}") for k in range(9)]
    with m.If(time == 0):
        m.d.sync += byte.eq(free)
        m.d.sync += [move.eq(each) for move, each in zip(moves, free_moves, strict=True)]
        m.d.comb += [Assume(each <= 2 * most, "so far at most") for each in free_moves]
    # The start bit's edge is where it is; the others are moved.
    m.d.comb += late[0].eq(time >= idle)
    for k, move in enumerate(moves, start=1):
        m.d.comb += late[k].eq(time + most >= idle + k * ratio + move)
    levels = Cat(1, 0, byte, 1)
    passed = reduce(lambda a, b: a + b, late, Const(0))
    m.d.comb += dut.line.eq(levels.bit_select(passed, 1))
    heard = Signal()
    m.d.sync += heard.eq(heard | dut.o.valid)
    m.d.comb += [
        Assert(~dut.o.valid | ((dut.o.payload == byte) & ~heard), "heard as it was sent, once"),
        Assert(~dut.lost, "nothing lost"),
        Assert(heard | (time < idle + 10 * ratio + 4), "heard in time"),
    ]
    return m, [free, *free_moves]


def test_edges_within_the_tolerance_do_not_matter():
    """At four clocks a bit, the fewest: an edge may be a clock off, which is r/2 - 1."""
    m, ports = displaced(4, 1)
    prove(m, name="uart_displaced", ports=ports, depth=4 + 4 + 40 + 8, mode="bmc")


def test_edges_beyond_the_tolerance_do():
    m, ports = displaced(4, 2)
    with pytest.raises(ProofFailed, match="assertion fails"):
        prove(m, name="uart_too_far", ports=ports, depth=4 + 4 + 40 + 8, mode="bmc")


@pytest.mark.slow
def test_what_is_sent_is_heard_once():
    """Any byte, after any pause within the bound, at four clocks a bit."""
    m = Module()
    config = UartConfig(clock_hz=4_000_000, baud=1_000_000)
    m.submodules.sender = sender = UartTransmitter(config)
    m.submodules.receiver = receiver = UartReceiver(config)
    offer, byte, sent = Signal(), Signal(8), Signal(8)
    told, heard = Signal(), Signal()
    m.d.comb += [
        receiver.line.eq(sender.line),
        sender.i.valid.eq(offer & ~told),
        sender.i.payload.eq(byte),
        Assert(~receiver.lost, "nothing lost"),
    ]
    with m.If(sender.i.valid & sender.i.ready):
        m.d.sync += [sent.eq(byte), told.eq(1)]
    with m.If(receiver.o.valid):
        m.d.sync += heard.eq(1)
        m.d.comb += Assert(told & ~heard & (receiver.o.payload == sent), "as it was sent, once")
    late = Signal(range(64))
    m.d.sync += late.eq(Mux(told & ~late.all(), late + 1, late))
    m.d.comb += Assert(heard | (late <= config.byte_cycles + 6), "heard in time")
    prove(m, name="uart_loop", ports=[offer, byte], depth=50, mode="bmc")


def _any_of(dut: Executor, *states: str) -> Value:
    return Cat(dut.ongoing(state) for state in states).any()


def once(dut: Executor) -> tuple[Module, list[Signal]]:
    """Claims that no request is acted on twice, whatever comes, in whatever order."""
    m = Module()
    m.submodules.dut, _ = opened(dut)
    seq, kind = dut.word[-16:-8], dut.word[-8:]
    request = dut.registers.request
    wrote = request.valid & request.ready & request.payload.write
    acts = wrote | dut.fed | dut.taken

    # What an observer of requests and actions knows, by the protocol alone.
    open_, newest = Signal(), Signal(8)
    may_act, may_write = Signal(), Signal()
    deciding = dut.ongoing("DECIDE")
    fits = dut.end == LENGTH_OF[Kind.IDENTIFY] - CRC_BYTES
    with m.If(deciding):
        m.d.sync += [may_act.eq(0), may_write.eq(0)]
        with m.If((kind == Kind.IDENTIFY) & fits):
            m.d.sync += [open_.eq(1), newest.eq(seq)]
        with m.Elif(open_ & (seq == (newest + 1)[:8])):
            m.d.sync += [newest.eq(seq), may_act.eq(1), may_write.eq(1)]
        with m.Elif(~(open_ & (seq == newest))):
            m.d.sync += open_.eq(0)
    with m.Elif(wrote):
        m.d.sync += may_write.eq(0)
    m.d.comb += [
        Assume(~(dut.received & dut.busy), "a request at a time"),
        Assert(~acts | may_act, "acts on the session's next request only"),
        Assert(~wrote | may_write, "writes once for a request"),
        # Where the executor is meanwhile.
        Assert((dut.session == open_) & (~open_ | (dut.last == newest)), "remembers"),
    ]
    ongoing = {state: dut.ongoing(state) for state in ("ACT", "DO", "ASK", "HEAR")}
    fetching = dut.ongoing("FETCH") | dut.ongoing("CATCH")
    emitting = dut.ongoing("LOAD") | dut.ongoing("EMIT") | dut.ongoing("SHIFT")
    acting = ongoing["ACT"] | ongoing["DO"] | ongoing["ASK"]
    acting |= dut.ongoing("NEXT") | dut.ongoing("FEED")
    acting |= fetching & ((dut.then == Then.ACT) | (dut.then == Then.FEED))
    before = ongoing["ACT"] | ongoing["DO"] | ongoing["ASK"] | (fetching & (dut.then == Then.ACT))
    taking = dut.ongoing("TAKE") | dut.ongoing("MORE") | (emitting & (dut.then == Then.MORE))
    answering = dut.ongoing("ANSWER") | dut.ongoing("HEAD") | dut.ongoing("BODY")
    answering |= emitting & (dut.then == Then.BODY)
    receives = (dut.kind == Kind.RECEIVE) & (dut.status == Status.OK)
    m.d.comb += [
        Assert(~acting | may_act, "acting"),
        Assert(~before | may_write, "before a write"),
        Assert(~taking | may_act, "taking"),
        Assert(~(answering & receives) | may_act, "answering"),
        Assert(~(ongoing["HEAR"] & receives) | may_act, "hearing"),
        # Registers that tell the state.
        Assert(dut.feed == dut.ongoing("FEED"), "feeds in FEED"),
        Assert(dut.taking == dut.ongoing("TAKE"), "takes in TAKE"),
        Assert(dut.shifts == (dut.ongoing("CATCH") | dut.ongoing("SHIFT")), "shifts there"),
        Assert(dut.loads == _any_of(dut, "HEAD", "BODY", "SAY", "TAKE"), "loads there"),
    ]
    return m, free_ports(dut)


def test_what_is_on_its_way_to_the_line_is_held():
    """A memory that answers two cycles later gives the same for the same address."""
    dut = FrameSender(RamConfig(width=8, depth=64))
    opened(dut)

    def surroundings(m: Module) -> None:
        address_1, address_2, address_3 = (Signal(6, name=f"address_{k}") for k in (1, 2, 3))
        data_1, count_1 = Signal(8), Signal(7)
        m.d.sync += [
            address_1.eq(dut.read.address),
            address_2.eq(address_1),
            address_3.eq(address_2),
            data_1.eq(dut.read.data),
            count_1.eq(dut.count),
        ]
        m.d.comb += [
            Assume((address_2 != address_3) | (dut.read.data == data_1), "reads what is there"),
            Assume(~dut.busy | (dut.count == count_1), "the count stays"),
            Assume(~dut.busy | ~dut.start, "starts when it is idle"),
            Assert(dut.ongoing("READ") | (dut.waited == 0), "waits for each anew"),
        ]

    prove_stream_rules(dut, name="link_sender", depth=5, also=surroundings)


CONFIG = LinkConfig(send_widths=(8,), receive_widths=(8,), buffer_bytes=64, patience_cycles=3)


def test_no_request_is_acted_on_twice():
    dut = Executor(CONFIG)
    m, ports = once(dut)
    # What is fed is offered next, and is the word's highest byte then.
    fed, highest = Signal(), Signal(8)
    offered = dut.to_core[0]
    m.d.sync += [fed.eq(dut.fed), highest.eq(dut.word[-8:])]
    m.d.comb += [
        Assert(~dut.fed | ~offered.valid, "feeds where there is room"),
        Assert(~fed | (offered.valid & (offered.payload == highest)), "offers what was fed"),
    ]
    # And what it asks of registers and offers to the core it does not take back.
    for name, port in (("ask", dut.registers.request), ("feed", dut.to_core[0])):
        m.submodules[name] = StreamRules(port, Assert)
    prove(m, name="link_once", ports=ports, depth=3)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("self.session & self.repeats", "Const(0)"),
        ("self.session & self.follows", "self.session"),
        ("self.last.eq(seq),", ""),
    ],
)
def test_the_claims_do_not_hold_of_an_executor_that_forgets(right, wrong):
    """The induction alone says so; on the line, tests/hw/bus/test_link_faults.py does."""
    m, ports = once(mutant(Executor, right, wrong)(CONFIG))
    with pytest.raises(ProofFailed, match="induction does not close"):
        prove(m, name="link_twice", ports=ports, depth=3)
