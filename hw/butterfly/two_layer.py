"""The core of two layers: blocks that pass the butterfly core twice, turned round in between."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.butterfly.back_reader import BackReader
from hw.butterfly.block_store import BlockStore
from hw.butterfly.core import ButterflyCore
from hw.butterfly.divided import DividedConfig
from hw.butterfly.figures import blocks_of, figures_shape, look_up
from hw.butterfly.front import Front
from hw.butterfly.middle_reader import MiddleReader
from hw.butterfly.mixing import MixingConfig
from hw.butterfly.vector_reader import VectorReader
from hw.lib.stream import Fifo, FifoConfig

__all__ = ["TwoLayerCore"]

UNDER_WAY = 8
"""Layers that were given to the core and have not left it: at most 2 first and 2 second ones."""


class TwoLayerCore(wiring.Component):
    """Mixing of real blocks, or FFTs of long vectors and their inverse, in two layers.

    Mixing: Y = Re(FFT_N(FFT_D(X))) of blocks X (N, D), with half of the plain method's butterflies.
    Division: vectors of L·V points as V vectors of L points in either layer.

    Contract: the bits are those of ``sim.golden.mixing`` and ``sim.golden.division``. A job's
    blocks, or vectors, leave in the order in which they came, words in natural order. The first
    layer of a block comes before the second of the one before: within a job, a block is done only
    when the next one was given. The next job's blocks are taken when those of the one before have
    left the last scratchpad. A job's fields must be what `MixingConfig.check_block` or
    `DividedConfig.check_points` allows, with at least one block. Nothing is checked here.

    *Timing*: ``sim.cycle.two_layer`` gives the cycle of every transfer.

    *Members*
    i_job
        Stream of {log2_rows, log2_columns, blocks}, or {log2_points, vectors, inverse}; `inverse`
        where there is a choice.
    i
        Stream of {re, im}, S words. Mixing: of row 2a in `re`, of row 2a + 1 in `im`, pair of rows
        after pair.
    o
        Stream of {re, im, exponent, last, saturated}: the result is (re + i·im) · 2^exponent, with
        one exponent for a block. No `im` of mixing; `saturated` only with fixed shifts.

    *Source*: docs/butterfly.md, "Two layers", "Multi-layer division", "Real-input mixing".
    """

    i_job: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: MixingConfig | DividedConfig):
        self.config = config
        super().__init__(
            {
                "i_job": In(stream.Signature(config.job_shape)),
                "i": In(stream.Signature(config.i_shape)),
                "o": Out(stream.Signature(config.o_shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join the core, both scratchpads and their readers."""
        m = Module()
        config = self.config
        m.submodules.core = core = ButterflyCore(config.core)
        m.submodules.order = order = Fifo(FifoConfig(shape=1, depth=UNDER_WAY))
        m.submodules.middle = middle = BlockStore(config, config.middle)
        m.submodules.back = back = BlockStore(config, config.back)
        m.submodules.middle_reader = middle_reader = MiddleReader(config)
        if isinstance(config, MixingConfig):
            back_reader = BackReader(config)
        else:
            back_reader = VectorReader(config)
        m.submodules.back_reader = back_reader
        shape: Any = Signal(figures_shape(config), name="block", reset_less=True)

        # What leaves the core goes to the scratchpad of its layer.
        second = order.o.payload
        vector_ends = core.o.valid & core.o.payload.last
        m.d.comb += [
            core.o.ready.eq(1),
            order.o.ready.eq(Mux(second, back.ends, middle.ends)),
        ]
        for side, own, count in (
            (middle, ~second, shape.last_first),
            (back, second, shape.last_second),
        ):
            m.d.comb += [
                side.write.eq(core.o.valid & own),
                side.vector_ends.eq(vector_ends & own),
                Value.cast(side.words).eq(Value.cast(core.o.payload)),
                side.last_vector.eq(count),
            ]
        for side, reader in ((middle, middle_reader), (back, back_reader)):
            m.d.comb += [
                side.read_group.eq(reader.read_group),
                side.read_word.eq(reader.read_word),
                side.done.eq(reader.done),
                Value.cast(reader.read_data).eq(Value.cast(side.read_data)),
                Value.cast(reader.down).eq(Value.cast(side.down)),
            ]
        m.d.comb += [
            middle_reader.last_word.eq(shape.middle_last_word),
            middle_reader.last_group.eq(shape.middle_last_group),
            middle_reader.paired.eq(shape.paired),
            middle_reader.partner.eq(shape.partner),
            middle_reader.top.eq(shape.top),
            back_reader.last_word.eq(shape.back_last_word),
            back_reader.last_group.eq(shape.back_last_group),
        ]
        self._control(m, core, order, middle, back, middle_reader, back_reader, shape)
        connect(m, back_reader.o, flipped(self.o))
        return m

    def _control(
        self,
        m: Module,
        core: ButterflyCore,
        order: Fifo,
        middle: BlockStore,
        back: BlockStore,
        middle_reader: MiddleReader,
        back_reader: BackReader | VectorReader,
        shape: Any,
    ) -> None:
        """Give the core layer after layer: first of block b + 1, then second of block b."""
        config, job = self.config, self.i_job.payload
        count = signed(len(blocks_of(job)) + 1)
        # One less than are left; their signs say "none".
        firsts, seconds, to_store = (
            Signal(count, name=name, init=-1) for name in ("firsts", "seconds", "to_store")
        )
        ahead = Signal(range(3))
        layer = Signal()
        feeding = Signal()
        transfers = Signal(signed(len(shape.last_transfer) + 1), reset_less=True)
        of_second = middle_reader.o
        may = Signal()
        if isinstance(config, DividedConfig):
            front = self._front(m, config, shape, back_reader)
            of_first: Any = front.o
            m.d.comb += [
                front.start.eq(middle.reserve),
                core.i_job.payload.start.eq(layer & shape.skip),
                core.i_job.payload.turn.eq(Mux(layer, shape.turn, 0)),
            ]
            first_there = front.full
        else:
            of_first, first_there = self.i, Const(1, 1)
        m.d.comb += [
            core.i_job.payload.log2_points.eq(Mux(layer, shape.stages_second, shape.stages_first)),
            core.i_job.payload.vectors.eq(Mux(layer, shape.last_second, shape.last_first) + 1),
            order.i.payload.eq(layer),
            core.i.valid.eq(feeding & Mux(layer, of_second.valid, of_first.valid)),
            core.i.payload.eq(Mux(layer, of_second.payload, of_first.payload)),
            of_first.ready.eq(feeding & ~layer & core.i.ready),
            of_second.ready.eq(feeding & layer & core.i.ready),
            may.eq(Mux(layer, middle.full & back.free, middle.free & first_there)),
        ]
        with m.FSM(name="blocks"):
            with m.State("TAKE"):
                m.d.comb += self.i_job.ready.eq(to_store[-1])
                m.d.sync += ahead.eq(0)
                with m.If(self.i_job.valid & self.i_job.ready):
                    m.d.sync += [
                        look_up(config, shape, job),
                        *(left.eq(blocks_of(job) - 1) for left in (firsts, seconds, to_store)),
                    ]
                    m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += layer.eq(firsts[-1] | ahead[1])
                with m.If(seconds[-1]):
                    m.next = "TAKE"
                with m.Else():
                    m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.comb += [core.i_job.valid.eq(1), order.i.valid.eq(core.i_job.ready)]
                m.d.sync += transfers.eq(shape.last_transfer - 1)
                with m.If(core.i_job.ready):
                    m.next = "WAIT"
            with m.State("WAIT"), m.If(may):
                m.d.comb += [
                    middle.reserve.eq(~layer),
                    middle_reader.start.eq(layer),
                    back.reserve.eq(layer),
                ]
                with m.If(layer):
                    m.d.sync += [seconds.eq(seconds - 1), ahead.eq(ahead - 1)]
                with m.Else():
                    m.d.sync += [firsts.eq(firsts - 1), ahead.eq(ahead + 1)]
                m.next = "FEED"
            with m.State("FEED"):
                m.d.comb += feeding.eq(1)
                with m.If(core.i.valid & core.i.ready):
                    m.d.sync += transfers.eq(transfers - 1)
                    with m.If(transfers[-1]):
                        m.next = "NEXT"
        m.d.comb += [middle.start.eq(middle_reader.start), back.start.eq(back_reader.start)]

        # What has come back is stored as soon as it is whole. What holds for its first layer waits
        # with its buffer.
        exponent = Signal(config.exponent_shape, reset_less=True)
        flag = Signal(reset_less=True)
        firsts_told: Any = Signal(
            ArrayLayout(
                StructLayout({"exponent": config.exponent_shape, "saturated": 1}),
                2,
            ),
            reset_less=True,
        )
        given = Signal()
        stored = Signal()
        start = self._start_of(shape)
        m.d.comb += [
            back_reader.start.eq(back.full & ~back_reader.busy),
            back_reader.exponent.eq(exponent),
            back_reader.saturated.eq(flag),
        ]
        with m.If(middle_reader.start):
            m.d.sync += [
                firsts_told[given].exponent.eq(middle.common + start),
                firsts_told[given].saturated.eq(middle.saturated),
                given.eq(given + 1),
            ]
        with m.If(back_reader.start):
            m.d.sync += [
                exponent.eq(firsts_told[stored].exponent + back.common),
                flag.eq(firsts_told[stored].saturated | back.saturated),
                stored.eq(stored + 1),
            ]
        with m.If(back_reader.done):
            m.d.sync += to_store.eq(to_store - 1)

    def _front(self, m: Module, config: DividedConfig, shape: Any, back_reader: Any) -> Front:
        """What turns a vector round before its first layer."""
        m.submodules.front = front = Front(config)
        m.d.comb += [
            front.begin.eq(self.i_job.valid & self.i_job.ready),
            front.blocks.eq(blocks_of(self.i_job.payload) - 1),
            front.last_word.eq(shape.front_last_word),
            front.last_group.eq(shape.front_last_group),
            front.exchange.eq(shape.inverse),
            back_reader.exchange.eq(shape.inverse),
        ]
        connect(m, flipped(self.i), front.i)
        return front

    def _start_of(self, shape: Any) -> Value:
        """The exponent with which a block begins: that of 1/N for an inverse."""
        if not isinstance(self.config, DividedConfig) or not self.config.inverse:
            return Const(0, 1)
        return Mux(shape.inverse, -shape.log2_points, 0)
