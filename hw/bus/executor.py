"""Acts on the requests of a link, each once, and writes their answers."""

from enum import Enum
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.link_config import LinkConfig
from hw.bus.register_file import AccessSignature
from hw.lib.credit import Push, PushSignature
from hw.prim.ram import RamRead, RamReadSignature
from spec.link import (
    ADDRESS_BYTES,
    COUNT_BYTES,
    CRC_BYTES,
    HEAD_BYTES,
    LENGTH_OF,
    NONCE_BYTES,
    REGISTER_BYTES,
    Kind,
    Status,
)

__all__ = ["Executor", "core_members"]

ARGUMENT_BYTES = {
    Kind.READ: ADDRESS_BYTES,
    Kind.WRITE: REGISTER_BYTES + ADDRESS_BYTES,
    Kind.SEND: 1,
    Kind.RECEIVE: COUNT_BYTES + 1,
}
"""Fetched before a request is acted on."""


SHORT_BITS = max(LENGTH_OF.values()).bit_length()
"""Of the length of any request but SEND."""


class Then(Enum):
    """Where FETCH and LOAD go on to."""

    LOOK = 0
    ACT = 1
    FEED = 2
    NONCE = 3
    BODY = 4
    SAY = 5
    MORE = 6
    TAIL = 7
    FINISH = 8


class From(Enum):
    """What is loaded into `word`, the lowest byte lowest."""

    CORE = 0
    HEAD = 1
    COUNT = 2
    REGISTER = 3
    IDENTITY = 4


def core_members(config: LinkConfig) -> dict[str, wiring.Member]:
    """The register access port, and the streams to and from the core."""
    members: dict[str, wiring.Member] = {"registers": Out(AccessSignature(config.address_bits))}
    for k, width in enumerate(config.send_widths):
        members[f"o_core_{k}"] = Out(stream.Signature(width))
    for k, width in enumerate(config.receive_widths):
        members[f"i_core_{k}"] = In(stream.Signature(width))
    return members


class Executor(wiring.Component):
    """One request at a time: read it from its memory, act on it, answer it.

    Contract, once `received` says that a sound request lies in the memory (docs/link.md):

    - IDENTIFY opens a session, and its seq is the last one.
    - A request whose seq is the last one is not acted on: its answer, which lies encoded in the
      answer's memory, is sent again.
    - A request whose seq is the one after is acted on, and its seq is the last one from before
      anything is done.
    - Any other closes the session: nothing more is acted on before the next IDENTIFY.

    Waiting for streams of the core ends after `config.patience_cycles` in all; registers answer by
    the contract of their port. A word is offered to the core if and only if it is counted in the
    answer, and taken from the core if and only if it is in the answer.

    *Members*
    received, length
        A request of so many bytes lies in the memory that `read` reads. Only while not `busy`.
    busy
        A request is acted on or answered.
    read
        The request's memory, which does not change while `busy`.
    crc_clear, crc_byte, crc_busy, crc_register
        A `hw.bus.crc.Crc32`, which is the executor's while `busy`; it is left cleared.
    clear, finish, encode, encoded
        A `hw.bus.cobs.CobsEncoder` into the answer's memory; `encoded` is its count.
    send, sending
        Start and busy of a `hw.bus.frames.FrameSender` of the answer's memory.
    registers
        The register access port.
    o_core_<k>, i_core_<k>
        Streams to and from the core, also in the lists `to_core` and `from_core`.

    `ongoing`, after elaboration, and the registers are for proofs to refer to.
    """

    received: Signal
    length: Signal
    busy: Signal
    read: RamRead
    crc_clear: Signal
    crc_byte: Push
    crc_busy: Signal
    crc_register: Signal
    clear: Signal
    finish: Signal
    encode: stream.Interface
    encoded: Signal
    send: Signal
    sending: Signal
    registers: Any

    def __init__(self, config: LinkConfig):
        self.config = config
        length = range(config.buffer_bytes + 1)
        super().__init__(
            {
                "received": In(1),
                "length": In(length),
                "busy": Out(1),
                "read": Out(RamReadSignature(config.ram)),
                "crc_clear": Out(1),
                "crc_byte": Out(PushSignature(8)),
                "crc_busy": In(1),
                "crc_register": In(32),
                "clear": Out(1),
                "finish": Out(1),
                "encode": Out(stream.Signature(8)),
                "encoded": In(length),
                "send": Out(1),
                "sending": In(1),
                **core_members(config),
            }
        )
        self.to_core = [getattr(self, f"o_core_{k}") for k in range(len(config.send_widths))]
        self.from_core = [getattr(self, f"i_core_{k}") for k in range(len(config.receive_widths))]
        self.session = Signal()
        self.last = Signal(8)
        self.kind = Signal(4)
        self.status = Signal(4)
        self.at = Signal(length)
        self.end = Signal(length)
        self.word = Signal(8 * config.word_bytes, reset_less=True)
        self.left = Signal(range(config.word_bytes + 1))
        # States that change `word`, offer it or replace it, each from a register of its own: what
        # they drive is as wide as a word.
        self.shifts = Signal()
        self.loads = Signal()
        self.feed = Signal()
        self.taking = Signal()
        self.source: Any = Signal(From)
        self.waited = Signal(range(config.ram.latency + 1))
        self.then = Signal(Then)
        self.which = Signal(range(max(2, len(self.to_core), len(self.from_core))))
        self.count = Signal(8 * COUNT_BYTES)
        # Waited so far, from below; its highest bit says that it is over.
        self.patience = Signal((config.patience_cycles - 1).bit_length() + 1)
        # Steps of these two, a cycle before.
        self.counts = Signal()
        self.waits = Signal()
        self.byte = Signal(8, reset_less=True)
        # In EMIT.
        self.emits = Signal()
        # Of the stream that `which` says.
        self.room = Signal()
        self.fed = Signal()
        self.offered = Signal()
        self.taken = Signal()
        # Comparisons, a cycle late: whoever looks comes later than what changes them.
        self.following = Signal(8)
        self.repeats = Signal()
        self.follows = Signal()
        self.is_last = Signal()
        self.at_end = Signal()
        self.no_room = Signal()
        self.no_more = Signal()
        self.enough = Signal()
        self.said = Signal(8)
        self.all_said = Signal()
        self.ends = Signal()

    def elaborate(self, platform: object) -> Module:
        """Fetch, decide, act, answer; whatever has several bytes passes through `word`."""
        m = Module()
        self._join_core(m)
        self._choose_source(m)
        self._pass_through_word(m)
        m.d.comb += [
            self.read.address.eq(self.at),
            self.encode.valid.eq(self.emits),
            self.crc_byte.valid.eq(self.emits & self.encode.ready),
        ]
        # The CRC leaves through its own register: a byte like its lowest shifts it down by one.
        m.d.comb += [
            self.crc_byte.payload.eq(self.byte),
            self.encode.payload.eq(self.byte ^ self.ends.replicate(8)),
        ]
        said = Array(Const(each, 8) for each in self.config.identity)
        which_said = self.count[: len(said).bit_length()]
        m.d.sync += [
            self.following.eq(self.last + 1),
            self.repeats.eq(self.word[-16:-8] == self.last),
            self.follows.eq(self.word[-16:-8] == self.following),
            self.is_last.eq(self.left == 1),
            self.at_end.eq(self.at == self.end),
            self.no_room.eq(self.encoded > self.config.most_encoded),
            self.no_more.eq(self.count.all()),
            self.enough.eq(self.no_more | self.no_room),
            self.said.eq(said[which_said]),
            self.all_said.eq(which_said == len(said)),
        ]
        m.d.sync += [
            *(each.eq(0) for each in (self.shifts, self.loads, self.feed, self.taking)),
            self.counts.eq(0),
            self.waits.eq(0),
            self.count.eq(self.count + self.counts),
            self.patience.eq(self.patience + self.waits),
        ]
        with m.FSM() as fsm:
            self.ongoing = fsm.ongoing
            self._fetch(m)
            self._decide(m)
            self._act(m)
            self._ask_registers(m)
            self._feed_core(m)
            self._answer(m)
            self._identify(m)
            self._drain_core(m)
            self._end(m)
        return m

    def _join_core(self, m: Module) -> None:
        """A register before each stream to the core holds what is offered; none from the core.

        Whether the stream that `which` says has room, or a word, is known a cycle late: both stay
        so until the executor itself feeds or takes one, and that takes it longer.
        """
        m.d.comb += [
            self.fed.eq(self.feed & self.room),
            self.taken.eq(self.taking & ~self._stops & self.offered),
        ]
        m.d.sync += [self.room.eq(0), self.offered.eq(0)]
        for k, o in enumerate(self.to_core):
            valid = Signal(name=f"valid_{k}")
            payload = Signal(self.config.send_widths[k], reset_less=True, name=f"payload_{k}")
            m.d.comb += [o.valid.eq(valid), o.payload.eq(payload)]
            with m.If(o.ready):
                m.d.sync += valid.eq(0)
            # Follows the word until it has to hold it: its enable is a register, not a state.
            with m.If(~valid):
                m.d.sync += payload.eq(self.word[-8 * self.config.send_bytes[k] :])
            with m.If(self.which == k):
                m.d.sync += self.room.eq(~valid)
                with m.If(self.fed):
                    m.d.sync += valid.eq(1)
        for k, i in enumerate(self.from_core):
            with m.If(self.which == k):
                m.d.sync += self.offered.eq(i.valid)
                m.d.comb += i.ready.eq(self.taken)

    def _through(self, m: Module, state: str, count: Value | int, then: Then) -> None:
        """Go to FETCH or LOAD for `count` bytes, and from there to `then`."""
        m.d.sync += [self.left.eq(count), self.then.eq(then), self.waited.eq(0)]
        m.next = state

    def _go_on(self, m: Module, *states: Then) -> None:
        with m.Switch(self.then):
            for state in states:
                with m.Case(state):
                    m.next = state.name

    @property
    def _stops(self) -> Value:
        """Whether no word is taken any more."""
        return self.enough | self.patience[-1]

    def _choose_source(self, m: Module) -> None:
        """What the next state that loads `word` takes: `then` says from afar which that is."""
        with m.Switch(self.then):
            with m.Case(Then.LOOK, Then.ACT, Then.FEED):
                m.d.sync += self.source.eq(From.HEAD)
            with m.Case(Then.BODY):
                # READ is 0b0010 and SEND 0b0100; of the others nothing is sent from there.
                m.d.sync += self.source.eq(Mux(self.kind[2], From.COUNT, From.REGISTER))
            with m.Case(Then.SAY):
                m.d.sync += self.source.eq(From.IDENTITY)
            with m.Case(Then.MORE):
                m.d.sync += self.source.eq(From.CORE)

    def _pass_through_word(self, m: Module) -> None:
        """What `word` becomes; of its bits above those of a source nothing is expected then."""
        widest = max([REGISTER_BYTES, *self.config.receive_bytes])
        offered = Array([Value.cast(i.payload) for i in self.from_core] or [Const(0)])
        # What is not the core's is there for longer than a cycle before it is loaded.
        own = Signal(8 * REGISTER_BYTES, reset_less=True)
        with m.Switch(self.source):
            with m.Case(From.HEAD):
                m.d.sync += own.eq(Cat(self.last, self.kind, self.status))
            with m.Case(From.IDENTITY):
                m.d.sync += own.eq(self.said)
            with m.Case(From.COUNT):
                m.d.sync += own.eq(self.count)
            with m.Case(From.REGISTER):
                m.d.sync += own.eq(self.registers.response.payload.data)
        loaded = Signal(8 * widest, name="loaded")
        m.d.comb += loaded.eq(offered[self.which])
        with m.If(self.source != From.CORE):
            m.d.comb += loaded[: len(own)].eq(own)
        with m.If(self.shifts):
            m.d.sync += self.word.eq(Cat(self.word[8:], self.read.data))
        with m.Elif(self.loads):
            m.d.sync += self.word[: len(loaded)].eq(loaded)

    def _fetch(self, m: Module) -> None:
        """FETCH and CATCH: the next `left` bytes of the request become the highest of `word`."""
        with m.State("IDLE"):
            m.d.sync += [self.at.eq(0), self.end.eq(self.length - CRC_BYTES)]
            with m.If(self.received):
                m.d.sync += self.busy.eq(1)
                self._through(m, "FETCH", HEAD_BYTES, Then.LOOK)
        with m.State("FETCH"):
            m.d.sync += self.waited.eq(self.waited + 1)
            with m.If(self.waited == self.config.ram.latency - 1):
                m.d.sync += self.shifts.eq(1)
                m.next = "CATCH"
            with m.If((self.then == Then.FEED) & self.at_end & (self.waited == 1)):
                # The request ends within a word.
                m.d.sync += [self.status.eq(Status.BAD_REQUEST), self.shifts.eq(0)]
                m.next = "ANSWER"
        with m.State("CATCH"):
            m.d.sync += [
                self.left.eq(self.left - 1),
                self.waited.eq(0),
                self.at.eq(self.at + 1),
                self.feed.eq(self.is_last & (self.then == Then.FEED)),
            ]
            m.next = "FETCH"
            with m.If(self.is_last):
                self._go_on(m, Then.LOOK, Then.ACT, Then.FEED, Then.NONCE)

    def _decide(self, m: Module) -> None:
        """LOOK at the head; DECIDE whether to act, to repeat, or to refuse."""
        seq, kind = self.word[-16:-8], self.word[-8:]
        short = ~self.end[SHORT_BITS:].any()
        fits = {
            each: short & (self.end[:SHORT_BITS] == length - CRC_BYTES)
            for each, length in LENGTH_OF.items()
        }
        fits[Kind.SEND] = self.end > HEAD_BYTES
        asks = {each: Signal(name=f"asks_{each.name.lower()}") for each in fits}
        with m.State("LOOK"):
            m.d.sync += [asks[each].eq((kind == each) & fits[each]) for each in fits]
            m.next = "DECIDE"
        with m.State("DECIDE"):
            m.d.sync += [
                # Without a session it only waits there for the head of the answer.
                self.last.eq(seq),
                self.kind.eq(kind),
                self.status.eq(Status.OK),
                self.count.eq(0),
                self.patience.eq((1 << len(self.patience) - 1) - self.config.patience_cycles),
            ]
            with m.If(asks[Kind.IDENTIFY]):
                m.d.sync += self.session.eq(1)
                m.next = "ANSWER"
            with m.Elif(self.session & self.repeats):
                m.next = "SEND"
            with m.Elif(self.session & self.follows):
                m.d.sync += self.status.eq(Status.BAD_REQUEST)
                m.next = "ANSWER"
                for each, count in ARGUMENT_BYTES.items():
                    with m.If(asks[each]):
                        m.d.sync += self.status.eq(Status.OK)
                        self._through(m, "FETCH", count, Then.ACT)
            with m.Else():
                m.d.sync += [self.session.eq(0), self.status.eq(Status.NO_SESSION)]
                m.next = "ANSWER"

    def _act(self, m: Module) -> None:
        """ACT: look at the arguments, the last of which is in the highest byte; DO it, or not."""
        stream = self.word[-8:]
        beyond = self.word[-8 * ADDRESS_BYTES :][self.config.address_bits :]
        is_beyond, none_to, none_from = (
            Signal(name=name) for name in ("is_beyond", "none_to", "none_from")
        )
        with m.State("ACT"):
            m.d.sync += [
                self.which.eq(stream),
                is_beyond.eq(beyond.any() if len(beyond) else 0),
                none_to.eq(stream >= len(self.to_core)),
                none_from.eq(stream >= len(self.from_core)),
            ]
            with m.If(self.kind == Kind.RECEIVE):
                # Counts up to all ones.
                m.d.sync += self.count.eq(~self.word[-8 * (COUNT_BYTES + 1) : -8])
            m.next = "DO"
        with m.State("DO"):
            m.next = "ANSWER"
            with m.Switch(self.kind):
                with m.Case(Kind.READ, Kind.WRITE):
                    with m.If(is_beyond):
                        m.d.sync += self.status.eq(Status.REFUSED)
                    with m.Else():
                        m.next = "ASK"
                with m.Case(Kind.SEND):
                    with m.If(none_to):
                        m.d.sync += self.status.eq(Status.BAD_REQUEST)
                    with m.Else():
                        m.next = "NEXT"
                with m.Case(Kind.RECEIVE), m.If(none_from):
                    m.d.sync += self.status.eq(Status.BAD_REQUEST)

    def _ask_registers(self, m: Module) -> None:
        """ASK, and HEAR; what was read waits in the port until it is sent."""
        request, response = self.registers.request, self.registers.response
        address, both = 8 * ADDRESS_BYTES, 8 * (ADDRESS_BYTES + REGISTER_BYTES)
        m.d.comb += [
            request.payload.address.eq(self.word[-address:]),
            request.payload.data.eq(self.word[-both:-address]),
            request.payload.strobe.eq(~0),
            request.payload.write.eq(self.kind == Kind.WRITE),
        ]
        with m.State("ASK"):
            m.d.comb += request.valid.eq(1)
            with m.If(request.ready):
                m.next = "HEAR"
        with m.State("HEAR"):
            m.d.comb += response.ready.eq((self.kind == Kind.WRITE) | response.payload.error)
            with m.If(response.valid):
                with m.If(response.payload.error):
                    m.d.sync += self.status.eq(Status.REFUSED)
                m.next = "ANSWER"

    def _feed_core(self, m: Module) -> None:
        """FEED a word to the register before its stream, once that is free; then the NEXT."""
        sizes = Array([Const(each) for each in self.config.send_bytes] or [Const(1)])
        with m.State("NEXT"):
            with m.If(self.at_end):
                m.next = "ANSWER"
            with m.Else():
                self._through(m, "FETCH", sizes[self.which], Then.FEED)
        with m.State("FEED"):
            with m.If(self.fed):
                m.d.sync += self.counts.eq(1)
                m.next = "NEXT"
            with m.Elif(self.patience[-1]):
                m.next = "ANSWER"
            with m.Else():
                m.d.sync += [self.waits.eq(1), self.feed.eq(1)]

    def _answer(self, m: Module) -> None:
        """ANSWER with a HEAD; the BODY follows if all went well.

        LOAD, EMIT and SHIFT: the `left` lowest bytes of `word` go into the answer, or the CRC.
        """
        with m.State("ANSWER"):
            m.d.comb += [self.clear.eq(1), self.crc_clear.eq(1)]
            m.d.sync += [self.ends.eq(0), self.loads.eq(1)]
            m.next = "HEAD"
        with m.State("HEAD"):
            self._through(m, "LOAD", HEAD_BYTES, Then.BODY)
        with m.State("LOAD"):
            m.d.sync += self.byte.eq(Mux(self.ends, self.crc_register[:8], self.word[:8]))
            with m.If(~self.crc_busy):
                m.d.sync += self.emits.eq(1)
                m.next = "EMIT"
        with m.State("EMIT"), m.If(self.encode.ready):
            m.d.sync += [self.emits.eq(0), self.shifts.eq(1)]
            m.next = "SHIFT"
        with m.State("SHIFT"):
            m.d.sync += [
                self.left.eq(self.left - 1),
                self.loads.eq(self.is_last & ((self.then == Then.BODY) | (self.then == Then.SAY))),
            ]
            m.next = "LOAD"
            with m.If(self.is_last):
                self._go_on(m, Then.BODY, Then.SAY, Then.MORE, Then.TAIL, Then.FINISH)
        with m.State("BODY"):
            m.next = "TAIL"
            with m.If(self.status == Status.OK), m.Switch(self.kind):
                with m.Case(Kind.IDENTIFY):
                    # What follows the nonce is fetched too, until the nonce is lowest.
                    self._through(m, "FETCH", self.config.word_bytes, Then.NONCE)
                with m.Case(Kind.READ):
                    m.d.comb += self.registers.response.ready.eq(1)
                    self._through(m, "LOAD", REGISTER_BYTES, Then.TAIL)
                with m.Case(Kind.SEND):
                    self._through(m, "LOAD", COUNT_BYTES, Then.TAIL)
                with m.Case(Kind.RECEIVE):
                    m.d.sync += self.then.eq(Then.MORE)
                    m.next = "MORE"

    def _identify(self, m: Module) -> None:
        """Give back the NONCE, then SAY the identity."""
        with m.State("NONCE"):
            self._through(m, "LOAD", NONCE_BYTES, Then.SAY)
        with m.State("SAY"):
            with m.If(self.all_said):
                m.next = "TAIL"
            with m.Else():
                m.d.sync += self.counts.eq(1)
                self._through(m, "LOAD", 1, Then.SAY)

    def _drain_core(self, m: Module) -> None:
        """TAKE words from the core, as long as MORE are asked for, are there and have room."""
        sizes = Array([Const(each) for each in self.config.receive_bytes] or [Const(1)])
        with m.State("MORE"):
            m.d.sync += [self.loads.eq(1), self.taking.eq(1)]
            m.next = "TAKE"
        with m.State("TAKE"):
            with m.If(self._stops):
                m.next = "TAIL"
            with m.Elif(self.taken):
                m.d.sync += self.counts.eq(1)
                self._through(m, "LOAD", sizes[self.which], Then.MORE)
            with m.Else():
                m.d.sync += [self.waits.eq(1), self.loads.eq(1), self.taking.eq(1)]

    def _end(self, m: Module) -> None:
        """TAIL: the CRC. FINISH the answer, SEND it, WAIT until it is sent."""
        with m.State("TAIL"):
            m.d.sync += self.ends.eq(1)
            self._through(m, "LOAD", CRC_BYTES, Then.FINISH)
        with m.State("FINISH"):
            m.d.comb += self.finish.eq(1)
            m.next = "SEND"
        with m.State("SEND"):
            m.d.comb += self.send.eq(1)
            m.next = "WAIT"
        with m.State("WAIT"):
            m.d.comb += self.crc_clear.eq(1)
            with m.If(~self.sending):
                m.d.sync += self.busy.eq(0)
                m.next = "IDLE"
