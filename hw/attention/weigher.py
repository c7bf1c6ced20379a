"""From scores to weights, and from a row's weights to what its outputs are scaled by."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.row_ops import RowUnits, constant_factor, row_units_of
from hw.attention.tile import TileWords
from hw.lib.arith import reduce_level
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from spec.rows import ExactRow, RowNumerics

__all__ = ["Weigher", "WeigherConfig", "weight_word_shape"]


def weight_word_shape(tile: TileWords, weight: Shape) -> StructLayout:
    """A word of weights: of which row, what ends with it, and its tile's place in the row block."""
    flags = {"row_end": 1, "end": 1, "first": 1, "last": 1}
    return StructLayout(
        {"weight": ArrayLayout(weight, tile.lanes), "row": range(tile.rows), **flags}
    )


@dataclass(frozen=True, kw_only=True)
class WeigherConfig:
    """What is weighed, and how.

    Parameters
    ----------
    tile
        The words of a tile.
    operation
        The row operation.
    tiles
        Most tiles of a row block.
    """

    tile: TileWords
    operation: RowNumerics
    tiles: int

    @property
    def units(self) -> RowUnits:
        """What the operation is made of."""
        return row_units_of(self.operation)

    @property
    def weight_latency(self) -> int:
        """Cycles from a word to its weights: away from the memory, distance, element."""
        return 2 + self.units.element_latency

    @property
    def factor_latency(self) -> int:
        """Cycles from a row's last word to its factor: weights, lanes, segment, row, factor."""
        return self.weight_latency + self.tile.log2_lanes + 2 + self.units.factor_latency

    @property
    def o_weight_shape(self) -> StructLayout:
        """A word of weights."""
        return weight_word_shape(self.tile, self.units.weight)

    @property
    def o_factor_shape(self) -> StructLayout:
        """What is known of a row at last."""
        return self.units.row

    @property
    def o_block_shape(self) -> StructLayout:
        """Tiles of a row block."""
        return StructLayout({"tiles": range(self.tiles + 1)})


class Weigher(wiring.Component):
    """w of every score; and F of S = Σ w, for every row of a row block.

    Contract: words come as `hw.attention.block_ring.BlockRing` issues them, with gaps or without.
    Every word leaves as one word of weights; every row block gives each row's factor once, in the
    order of rows. Masked scores weigh 0. The sum is exact, over all tiles. ``empty`` tells a row
    all of whose scores are masked; its factor is not defined. A row block that began must end.

    *Timing*: weights `weight_latency` cycles after their word, a row's factor `factor_latency`
    cycles after its last word in the row block's last tile; interval one cycle, never a stall.

    *Members*
    i
        Push of {word: {score}, row: {row_max}, row_index, row_end, end, first, last}; no `row`
        where the operation needs no maximum.
    o_weight
        Push of {weight, row, row_end, end, first, last}.
    o_factor
        Push of {mantissa, exponent, empty}; of {factor, empty} before a division.
    o_block
        Before a division: push of {tiles}, a row block's, with the last row's factor.
    """

    i: Push
    o_weight: Push
    o_factor: Push
    o_block: Push

    def __init__(self, config: WeigherConfig, input_shape: StructLayout):
        self.config = config
        ports = {
            "i": In(PushSignature(input_shape)),
            "o_weight": Out(PushSignature(config.o_weight_shape)),
            "o_factor": Out(PushSignature(config.o_factor_shape)),
        }
        if config.operation.divides_first:
            ports["o_block"] = Out(PushSignature(config.o_block_shape))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Weigh each lane; sum lanes, segment and row; find the factor."""
        m = Module()
        config, operation, units = self.config, self.config.operation, self.config.units
        lanes = range(config.tile.lanes)
        elements = [units.element() for _ in lanes]
        for lane, element in enumerate(elements):
            m.submodules[f"element{lane}"] = element

        flags = ("row_end", "end", "first", "last")
        with Pipe(
            m, "weigh", latency=config.factor_latency, valid=self.i.valid, word=self.i.payload
        ) as p:
            # A large memory lies scattered over the chip: its words need a cycle to come here.
            p.stage("read", keep=("word",))
            word = p.word
            p.through(0, row=word.row_index, **{flag: getattr(word, flag) for flag in flags})
            scores = [word.word.score[lane] for lane in lanes]
            lowest = Const(operation.context.score.min, scores[0].shape())
            visible = Cat(score != lowest for score in scores)
            operands = scores
            if operation.needs_max:
                width = len(scores[0])
                operands = [(word.row.row_max - score)[:width] for score in scores]
            named = {f"operand{lane}": operand for lane, operand in enumerate(operands)}
            p.stage("look", visible=visible, **named, keep=("row", *flags))
            for lane, element in enumerate(elements):
                port = element.distance if operation.needs_max else element.score
                m.d.comb += [
                    port.eq(getattr(p, f"operand{lane}")),
                    element.visible.eq(p.visible[lane]),
                ]
            p.through(0, seen=p.visible.any(), keep=("row", *flags))
            p.through(units.element_latency, keep=("row", "seen", *flags))
            o = self.o_weight.payload
            m.d.comb += [
                self.o_weight.valid.eq(p.valid),
                Cat(o.row, o.row_end, o.end, o.first, o.last).eq(
                    Cat(p.row, p.row_end, p.end, p.first, p.last)
                ),
                *(o.weight[lane].eq(element.weight) for lane, element in enumerate(elements)),
            ]

            addends = {f"sum{lane}": element.addend for lane, element in enumerate(elements)}
            p.through(0, **addends, keep=("seen", *flags))
            for level in range(config.tile.log2_lanes):
                before = [getattr(p, f"sum{lane}") for lane in range(config.tile.lanes >> level)]
                sums = enumerate(reduce_level(before, lambda a, b: a + b))
                named = {f"sum{pair}": each for pair, each in sums}
                p.stage("lanes", **named, keep=("seen", *flags))
            self._sum_rows(m, p)
            self._finish(m, p)
        return m

    def _sum_rows(self, m: Module, p: Pipe) -> None:
        """Two stages: ``total`` and ``seen`` of the row so far, where a segment ends."""
        config, units = self.config, self.config.units
        wide = units.addend_bits and units.addend_bits + config.tile.columns.bit_length() - 1
        segment = Signal(wide, reset_less=True)
        seen = Signal(reset_less=True)
        begins: Value = Const(1, 1)
        if config.tile.row_words > 1:
            begins = Signal(init=1, name="begins")
            with m.If(p.valid):
                m.d.sync += begins.eq(p.row_end)
        with m.If(p.valid):
            m.d.sync += [
                segment.eq(Mux(begins, 0, segment) + p.sum0),
                seen.eq((~begins & seen) | p.seen),
            ]
        p.through(1, segment=segment, seen=seen, keep=("row_end", "end", "last"))

        # The rows' sums so far go round; one that is complete goes on as 0.
        total = Signal(units.sum_bits)
        seen_so_far = Signal()
        done = Signal()
        state: Value = Cat(Mux(done, 0, total), ~done & seen_so_far)
        ends = p.valid & p.row_end
        for place in range(config.tile.rows - 1):
            older = Signal(len(state), name=f"row_{place}")
            with m.If(ends):
                m.d.sync += older.eq(state)
            state = older
        with m.If(ends):
            m.d.sync += [
                total.eq(state[:-1] + p.segment),
                seen_so_far.eq(state[-1] | p.seen),
                done.eq(p.last),
            ]
        p.through(1, total=total, empty=~seen_so_far, keep=("row_end", "end", "last"))

    def _finish(self, m: Module, p: Pipe) -> None:
        """From ``total`` to the factor, and what is said of the row block with it."""
        config, units = self.config, self.config.units
        p.through(0, known=p.row_end & p.last, keep=("total", "empty", "end", "last"))
        if units.factor is None:
            assert not isinstance(config.operation, ExactRow)
            factor: Value = constant_factor(config.operation)
        else:
            m.submodules.factor = unit = units.factor()
            m.d.comb += unit.total.eq(p.total)
            factor = unit.factor
        p.through(units.factor_latency, keep=("known", "empty", "end", "last"))
        m.d.comb += [
            self.o_factor.valid.eq(p.valid & p.known),
            self.o_factor.payload.eq(Cat(factor, p.empty)),
        ]
        if config.operation.divides_first:
            tiles = Signal(range(config.tiles + 1), init=1)
            with m.If(p.valid & p.end):
                m.d.sync += tiles.eq(Mux(p.last, 1, tiles + 1))
            m.d.comb += [
                self.o_block.valid.eq(p.valid & p.end & p.last),
                self.o_block.payload.tiles.eq(tiles),
            ]
