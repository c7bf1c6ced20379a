"""A softmax that is run from registers: rows of scores in, rows of probabilities out."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream

from hw.bus.axi_stream import RowsConfig
from hw.bus.registers import Identity, constant, setting, system_map
from hw.bus.system import System, none_active
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax
from spec.registers import Field, RegisterMap

__all__ = ["SoftmaxSystem", "softmax_registers"]

ROWS = 1 << 20
"""Rows of a run, at most."""


def softmax_registers(config: SoftmaxConfig, identity: Identity) -> RegisterMap:
    """The registers of a softmax."""
    n = config.numerics
    longest = n.max_length
    return system_map(
        "softmax",
        identity,
        capabilities=[
            constant("max_length", longest, "elements of the longest row"),
            constant("max_rows", ROWS, "rows of a run, at most"),
            constant("lanes", config.lanes, "elements of a transfer"),
            constant("score_bits", n.score_bits, "bits of a score"),
            constant("score_frac", n.score_frac, "of these, after the binary point"),
            constant("output_bits", n.output_bits, "bits of a probability; all ones is 1"),
        ],
        settings=[
            setting(
                "row_length",
                "length of every row",
                Field(
                    name="elements",
                    low=0,
                    width=longest.bit_length(),
                    meaning="elements of every row",
                    value=longest,
                    least=1,
                    most=longest,
                ),
            ),
            setting(
                "rows",
                "rows of the run",
                Field(
                    name="count",
                    low=0,
                    width=ROWS.bit_length(),
                    meaning="rows of the run",
                    value=1,
                    least=1,
                    most=ROWS,
                ),
            ),
            setting(
                "mask",
                "which elements are visible",
                Field(
                    name="source",
                    low=0,
                    width=1,
                    meaning="where it says which elements are visible",
                    choices={"none": 0, "tuser": 1},
                ),
            ),
        ],
        inputs=["i"],
        outputs=["o"],
    )


class SoftmaxSystem(System):
    """A `hw.softmax.core.Softmax` between streams of rows, run from registers.

    Contract: the bits are the core's. A run takes `rows` rows of `row_length` elements and gives as
    many; an input's transfer that is malformed is named, and turns into zeros what is left of it.

    *Timing*: the core's; the adapters add a cycle on either side.

    *Members*
    access, busy, error
        As of every `System`.
    i
        Stream of {data, keep, user, last}: scores; `user` has a bit for each lane, whether it is
        visible, if the mask's source is ``tuser``.
    o
        Stream of {data, keep, user, last}: probabilities; `user`: no element of the row is visible.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: SoftmaxConfig, identity: Identity):
        self.config = config
        rows_in = RowsConfig(
            lanes=config.lanes,
            element=config.score_shape,
            transfers=config.max_words,
            rows=ROWS,
            sets=1,
            user=config.lanes,
            ragged=True,
        )
        rows_out = RowsConfig(
            lanes=config.lanes,
            element=unsigned(config.numerics.output_bits),
            transfers=config.max_words,
            rows=1,
            sets=ROWS,
            user=1,
            ragged=True,
        )
        super().__init__(
            softmax_registers(config, identity),
            inputs={"i": rows_in},
            outputs={"o": rows_out},
            words={
                "i": "scores, row after row; TUSER has a bit for each lane, whether it is visible, "
                "and counts if the register mask says tuser",
                "o": "probabilities, row after row; TUSER: no element of the row is visible",
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Join control, adapters and core."""
        m = Module()
        config = self.config
        control, rows = self.join(m)
        rows_in, rows_out = rows["i"], rows["o"]
        m.submodules.core = core = Softmax(config)

        # Settings stay as they are from before a run's begin to its end.
        length = Signal(range(config.numerics.max_length))
        count = Signal(range(ROWS))
        tail = Signal(range(config.lanes))
        m.d.sync += [
            length.eq(control.row_length.elements - 1),
            count.eq(control.rows.count - 1),
        ]
        m.d.comb += [
            tail.eq(length[: config.log2_lanes]),
            rows_in.begin.eq(control.begin),
            rows_out.begin.eq(control.begin),
            control.idle.eq(none_active(rows.values())),
            rows_in.plan.transfers.eq(length >> config.log2_lanes),
            rows_in.plan.tail.eq(tail),
            rows_in.plan.rows.eq(count),
            rows_out.sets.eq(count),
        ]
        word, score = rows_in.o, core.i
        seen = Mux(control.mask.source, word.payload.user, (1 << config.lanes) - 1)
        m.d.comb += [
            score.valid.eq(word.valid),
            word.ready.eq(score.ready),
            score.payload.score.eq(word.payload.data),
            score.payload.visible.eq(word.payload.kept & seen),
            score.payload.last.eq(word.payload.row_last),
        ]
        done, p = rows_out.i, core.o
        there = Cat(tail >= lane for lane in range(config.lanes))
        m.d.comb += [
            done.valid.eq(p.valid),
            p.ready.eq(done.ready),
            done.payload.data.eq(p.payload.p),
            done.payload.kept.eq(Mux(p.payload.last, there, (1 << config.lanes) - 1)),
            done.payload.user.eq(p.payload.empty),
            done.payload.row_last.eq(p.payload.last),
            done.payload.set_last.eq(p.payload.last),
        ]
        return m
