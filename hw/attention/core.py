"""The attention core: from jobs, queries, keys and values to outputs."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out, connect

from hw.attention.block_ring import BlockRing
from hw.attention.config import AttentionConfig
from hw.attention.divide import Divide
from hw.attention.normalise import Normaliser
from hw.attention.output import Output
from hw.attention.row_max import TileRowMax
from hw.attention.score_alu import ScoreAlu
from hw.attention.score_array import ScoreArray
from hw.attention.score_sequencer import ScoreSequencer, head_shape
from hw.attention.timing import HEADS_WAITING, AttentionTiming
from hw.attention.value_array import ValueArray
from hw.attention.value_sequencer import ValueSequencer
from hw.attention.weigher import Weigher
from hw.attention.weight_tiles import WeightTiles
from hw.dispatch.core import Dispatcher
from hw.dispatch.tokens import TokenMask
from hw.lib.operand import Operand
from hw.lib.pipe import Pipe, delay
from hw.lib.ram_fifo import RamFifo
from hw.lib.stream import Fork, ForkConfig, SkidBuffer, SkidBufferConfig
from hw.prim.ram import Ram

__all__ = ["AttentionCore"]

LOADED_MASKS = ("i_columns", "i_bitmap", "i_tokens")


class AttentionCore(wiring.Component):
    """o = rows(score(q·k · scale)) v for head after head, touching no tile that the mask empties.

    Contract: the bits are those of ``sim.golden.attention.attention`` and depend on the layer and
    the data alone. Jobs, operands and outputs keep their order. Lengths are at most the layer's
    and at least 1. A row that sees no key is zero and `empty`; a row block with more visible tiles
    than the score ring holds is zero and `refused`.

    *Timing*: ``sim.cycle.attention`` gives the cycle of every tile, and of the last output.

    *Members*
    i_job
        Stream of {batch, head, queries, keys, source, keep}, one a query head. With `keep` the next
        job uses the same keys and values.
    i_q, i_k, i_v
        Streams of {data, last}, in the order in which they are used: for each row block and
        dimension R queries; for each key tile and dimension C keys; for each key and column group E
        values. `last` ends a head's set; a key tile is whole, missing keys being zero.
    i_columns, i_bitmap, i_tokens
        Streams that load a mask, where the layer has such a source; see ``spec.tiles``.
    o
        Stream of {value, empty, refused, skip, row_end, last}; see `hw.attention.output`.

    *Source*: the dataflow is ours, docs/attention.md; whole-row softmax instead of a running
    rescale follows arXiv 2111.10770, tile classes arXiv 2409.15097.
    """

    i_job: stream.Interface
    i_q: stream.Interface
    i_k: stream.Interface
    i_v: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig):
        self.config = config
        self.timing = timing = AttentionTiming(config)
        self.dispatcher = Dispatcher(timing.dispatch)
        self.loaded = [name for name in LOADED_MASKS if hasattr(self.dispatcher, name)]
        sides = {"i_q": config.rows, "i_k": config.columns, "i_v": config.value_columns}
        operands = {
            name: In(stream.Signature(StructLayout({"data": ArrayLayout(8, side), "last": 1})))
            for name, side in sides.items()
        }
        masks = {name: self.dispatcher.signature.members[name] for name in self.loaded}
        super().__init__(
            {
                "i_job": In(stream.Signature(head_shape(config))),
                **operands,
                **masks,
                "o": Out(stream.Signature(timing.output.o_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Make the parts, and join them in the order in which data pass."""
        m = Module()
        parts = _Parts(m, self.timing, self.dispatcher)
        self._accept(m, parts)
        _join_scores(m, self.timing, parts)
        _join_masks(m, self.timing, parts)
        weights, factors = _join_weights(m, self.timing, parts)
        _join_values(m, self.timing, parts, weights, factors)
        _join_output(m, self.timing, parts)
        connect(m, parts.output.o, wiring.flipped(self.o))
        return m

    def _accept(self, m: Module, parts: "_Parts") -> None:
        """Fork jobs to dispatcher and sequencer; load operands and masks."""
        shape = head_shape(self.config)
        m.submodules.jobs = jobs = Fork(ForkConfig(shape=shape, outputs=2))
        m.submodules.heads = heads = RamFifo(self.timing.heads)
        connect(m, wiring.flipped(self.i_job), jobs.i)
        connect(m, heads.o, parts.score_sequencer.i_head)
        job, head, wanted = jobs.o[0], jobs.o[1], self.dispatcher.i_job
        m.d.comb += [
            head.ready.eq(heads.room),
            heads.i.valid.eq(head.valid & head.ready),
            heads.i.payload.eq(head.payload),
        ]
        m.d.comb += [wanted.valid.eq(job.valid), job.ready.eq(wanted.ready)]
        for field in wanted.payload.shape().members:
            m.d.comb += wanted.payload[field].eq(job.payload[field])
        commands = self.dispatcher.o
        if self.timing.far:
            m.submodules.tiles = tiles = SkidBuffer(
                SkidBufferConfig(shape=commands.payload.shape())
            )
            connect(m, commands, tiles.i)
            commands = tiles.o
        connect(m, commands, parts.score_sequencer.i)
        for outer, operand in (
            (self.i_q, parts.query),
            (self.i_k, parts.key),
            (self.i_v, parts.value),
        ):
            m.d.comb += [
                operand.i.valid.eq(outer.valid),
                outer.ready.eq(operand.i.ready),
                operand.i.payload.data.eq(Cat(outer.payload.data)),
                operand.i.payload.last.eq(outer.payload.last),
            ]
        for name in self.loaded:
            connect(m, wiring.flipped(getattr(self, name)), getattr(self.dispatcher, name))


class _Parts:
    """The core's parts as submodules."""

    def __init__(self, m: Module, timing: AttentionTiming, dispatcher: Dispatcher):
        m.submodules.dispatcher = self.dispatcher = dispatcher
        m.submodules.query = self.query = Operand(timing.query)
        m.submodules.key = self.key = Operand(timing.key)
        m.submodules.value = self.value = Operand(timing.value)
        m.submodules.score_sequencer = self.score_sequencer = ScoreSequencer(
            timing.score_sequencer, dispatcher.o.payload.shape()
        )
        m.submodules.array = self.array = ScoreArray(timing.array)
        m.submodules.alu = self.alu = ScoreAlu(timing.alu)
        m.submodules.row_max = self.row_max = TileRowMax(timing.row_max)
        m.submodules.scores = self.scores = BlockRing(timing.scores)
        m.submodules.weigher = self.weigher = Weigher(timing.weigher, timing.scores.o_shape)
        m.submodules.weights = self.weights = WeightTiles(timing.weights)
        m.submodules.log = self.log = RamFifo(timing.log)
        m.submodules.value_sequencer = self.value_sequencer = ValueSequencer(timing.value_sequencer)
        m.submodules.values = self.values = ValueArray(timing.values)
        m.submodules.normaliser = self.normaliser = Normaliser(timing.normaliser)
        m.submodules.output = self.output = Output(timing.output)


def _join_scores(m: Module, timing: AttentionTiming, parts: _Parts) -> None:
    """Operands into the score array, products through the ALU into the score ring."""
    sequencer, read = parts.score_sequencer, parts.score_sequencer.o_read
    m.d.comb += [
        sequencer.query_full.eq(parts.query.full),
        sequencer.key_full.eq(parts.key.full),
        parts.query.address.eq(read.payload.query),
        parts.key.address.eq(read.payload.key),
        sequencer.room.eq(parts.scores.room),
        parts.scores.take.eq(sequencer.take),
        sequencer.log_room.eq(parts.log.room),
    ]
    m.d.sync += [
        parts.query.release.eq(sequencer.release_query),
        parts.key.release.eq(sequencer.release_key),
    ]
    with Pipe(
        m, "read", latency=timing.read_latency, valid=read.valid, last=read.payload.last
    ) as p:
        p.through(timing.read_latency, keep=("last",))
        late = timing.read_latency
        query = delay(m, "query", parts.query.data, late - timing.query.latency)
        key = delay(m, "key", parts.key.data, late - timing.key.latency)
        m.d.comb += [
            parts.array.i.valid.eq(p.valid),
            Cat(parts.array.i.payload.query).eq(query),
            Cat(parts.array.i.payload.key).eq(key),
            parts.array.i.payload.last.eq(p.last),
        ]
    connect(m, sequencer.o_tile, parts.alu.i_tile)
    connect(m, sequencer.o_log, parts.log.i)
    connect(m, parts.array.o, parts.alu.i)
    connect(m, parts.alu.o, parts.row_max.i)
    _join_ring(m, parts.row_max, parts.scores)


def _join_masks(m: Module, timing: AttentionTiming, parts: _Parts) -> None:
    """Loaded masks beside the score ALU, and the end of each head's use of them."""
    if not timing.dispatch.loadable:
        return
    m.submodules.tokens = tokens = TokenMask(timing.dispatch, timing.config.lanes)
    m.d.comb += [tokens.i.eq(parts.alu.token), parts.alu.token_visible.eq(tokens.o)]
    for name in ("load_columns", "load_tokens"):
        if hasattr(tokens, name):
            connect(m, getattr(parts.dispatcher, name), getattr(tokens, name))
    # Two heads may end in one cycle, one of them without a tile.
    owed = Signal(range(HEADS_WAITING + 2))
    done = parts.dispatcher.done
    ended = parts.alu.job_done + parts.score_sequencer.finish
    m.d.comb += done.eq(owed.any())
    m.d.sync += owed.eq(owed + ended - done)


def _join_ring(m: Module, source: Any, ring: BlockRing) -> None:
    """Words, row values and announcements into a ring."""
    connect(m, source.o_word, ring.i)
    connect(m, source.o_block, ring.i_block)
    if hasattr(ring, "i_row"):
        connect(m, source.o_row, ring.i_row)


def _join_weights(m: Module, timing: AttentionTiming, parts: _Parts) -> tuple[Any, Any]:
    """Scores through the weigher into weight tiles; give the pushes of weights and of factors."""
    connect(m, parts.scores.o, parts.weigher.i)
    last_ring, source = parts.scores, parts.weigher
    if timing.divide is not None and timing.undivided is not None:
        m.submodules.undivided = ring = BlockRing(timing.undivided)
        m.submodules.divide = divide = Divide(timing.divide, timing.undivided.o_shape)
        weigher, word = parts.weigher, parts.weigher.o_weight
        _join_room(m, timing, parts.scores, ring.room, ring.take)
        m.d.comb += [
            ring.i.valid.eq(word.valid),
            ring.i.payload.word.weight.eq(word.payload.weight),
            ring.i.payload.last.eq(word.payload.last),
        ]
        connect(m, weigher.o_factor, ring.i_row)
        connect(m, weigher.o_block, ring.i_block)
        connect(m, ring.o, divide.i)
        last_ring, source = ring, divide
    _join_room(m, timing, last_ring, parts.weights.room, parts.weights.start)
    m.d.comb += parts.weights.i.valid.eq(source.o_weight.valid)
    for field in ("weight", "row", "row_end", "end"):
        m.d.comb += getattr(parts.weights.i.payload, field).eq(
            getattr(source.o_weight.payload, field)
        )
    return source.o_weight, source.o_factor


def _join_room(
    m: Module, timing: AttentionTiming, ring: BlockRing, room: Signal, start: Signal
) -> None:
    """Let a ring start a tile where there is room for it, and take that room."""
    domain = m.d.sync if timing.hop else m.d.comb
    domain += [ring.advance.eq(room), start.eq(ring.start)]


def _join_values(
    m: Module, timing: AttentionTiming, parts: _Parts, weights: Any, factors: Any
) -> None:
    """Weights and values into the value array, its sums with their rows' factors onwards."""
    sequencer, read = parts.value_sequencer, parts.value_sequencer.o_read
    connect(m, parts.log.o, sequencer.i)
    m.d.comb += [
        sequencer.ready.eq(parts.weights.ready),
        parts.weights.take.eq(sequencer.take),
        parts.weights.free.eq(sequencer.free),
        sequencer.value_full.eq(parts.value.full),
        sequencer.room.eq(parts.output.room),
        parts.output.take.eq(sequencer.take_room),
        parts.weights.key.eq(read.payload.key),
        parts.value.address.eq(read.payload.value),
    ]
    m.d.sync += parts.value.release.eq(sequencer.release_value)
    late = timing.value_read_latency
    marks = ("last_key", "first_tile", "last_tile")
    with Pipe(
        m,
        "weigh_read",
        latency=late,
        valid=read.valid,
        **{mark: getattr(read.payload, mark) for mark in marks},
    ) as p:
        p.through(late, keep=marks)
        i = parts.values.i.payload
        weight = delay(m, "weight", parts.weights.weight, late - timing.weights.latency)
        value = delay(m, "value", parts.value.data, late - timing.value.latency)
        m.d.comb += [
            parts.values.i.valid.eq(p.valid),
            Cat(i.weight).eq(Cat(weight)),
            Cat(i.value).eq(value),
            *(getattr(i, mark).eq(getattr(p, mark)) for mark in marks),
        ]
    _join_factors(m, timing, parts, factors)


def _join_factors(m: Module, timing: AttentionTiming, parts: _Parts, factors: Any) -> None:
    """Keep the rows' factors until their sums come, and pass both to the normaliser."""
    m.submodules.factors = memory = Ram(timing.factors)
    depth, rows = timing.factors.depth, timing.config.rows
    write_at = Signal(range(depth))
    block = Signal(range(depth // rows))
    with m.If(factors.valid):
        m.d.sync += write_at.eq(Mux(write_at == depth - 1, 0, write_at + 1))
    sums = parts.values.o
    with m.If(sums.valid & sums.payload.end):
        m.d.sync += block.eq(Mux(block == depth // rows - 1, 0, block + 1))
    m.d.comb += [
        memory.write.enable.eq(factors.valid),
        memory.write.address.eq(write_at),
        memory.write.data.eq(Cat(factors.payload.as_value())),
        memory.read.address.eq(Cat(sums.payload.row[: (rows - 1).bit_length()], block)),
    ]
    out = parts.normaliser.i.payload
    factor = factors.payload.shape()(memory.read.data)
    with Pipe(m, "factor", latency=memory.config.latency, valid=sums.valid, sums=sums.payload) as p:
        p.through(memory.config.latency, keep=("sums",))
        m.d.comb += [
            parts.normaliser.i.valid.eq(p.valid),
            out.sum.eq(p.sums.sum),
            out.mantissa.eq(factor.mantissa),
            out.exponent.eq(factor.exponent),
            out.zero.eq(factor.empty),
            out.tag.row.eq(p.sums.row),
            out.tag.group.eq(p.sums.group),
            out.tag.empty.eq(factor.empty),
            out.tag.end.eq(p.sums.end),
        ]


def _join_output(m: Module, timing: AttentionTiming, parts: _Parts) -> None:
    """Normalised words and the description of row blocks into the output memory."""
    done, word = parts.normaliser.o, parts.output.i.payload
    m.d.comb += [
        parts.output.i.valid.eq(done.valid),
        word.value.eq(done.payload.value),
        *(
            getattr(word, field).eq(getattr(done.payload.tag, field))
            for field in ("row", "group", "empty", "end")
        ),
    ]
    block, described = parts.value_sequencer.o_block, parts.output.i_block
    m.d.comb += described.valid.eq(block.valid)
    for field in described.payload.shape().members:
        m.d.comb += described.payload[field].eq(block.payload[field])
