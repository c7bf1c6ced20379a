"""A mixing core that is run from registers: real blocks in, the real parts of their FFT out."""

from amaranth.hdl import Array, Const, Module, Signal, signed
from amaranth.lib import stream

from hw.bus.axi_stream import RowsConfig
from hw.bus.butterfly import join_words
from hw.bus.registers import Identity, constant, setting, system_map
from hw.bus.system import System, none_active, offer_job
from hw.butterfly.config import VECTORS_BITS
from hw.butterfly.mixing import MixingConfig
from hw.butterfly.two_layer import TwoLayerCore
from spec.butterfly import TRANSFORMS
from spec.registers import Field, RegisterMap

__all__ = ["MAX_BLOCKS", "MixingSystem", "mixing_registers"]

MAX_BLOCKS = (1 << VECTORS_BITS) - 1
"""Blocks of a run, at most: those of a job."""


def mixing_registers(config: MixingConfig, identity: Identity) -> RegisterMap:
    """The registers of a mixing core."""
    butterfly, least = config.butterfly, config.core.min_stages

    def side(name: str, log2: int) -> Field:
        return Field(
            name="log2",
            low=0,
            width=log2.bit_length(),
            meaning=f"log2 of the {name} of every block",
            value=log2,
            least=least,
            most=log2,
        )

    count = Field(
        name="count",
        low=0,
        width=VECTORS_BITS,
        meaning="blocks of the run",
        value=1,
        least=1,
        most=MAX_BLOCKS,
    )
    return system_map(
        "butterfly",
        identity,
        capabilities=[
            constant("max_rows", butterfly.block[0], "rows of the largest block"),
            constant("max_columns", butterfly.block[1], "columns of the largest block"),
            constant("min_side", 1 << least, "rows, and columns, of the smallest"),
            constant("max_blocks", MAX_BLOCKS, "blocks of a run, at most"),
            constant("units", config.units, "butterfly units"),
            constant("stream_words", config.stream_words, "words of a row in a transfer"),
            constant("data_bits", butterfly.data_bits, "bits of a word"),
            constant("exponent_bits", config.exponent_shape.width, "bits of an exponent"),
            constant(
                "transforms",
                1 << TRANSFORMS.index("mixing"),
                ", ".join(f"bit {k} {name}" for k, name in enumerate(TRANSFORMS)),
            ),
        ],
        settings=[
            setting("rows", "rows of every block", side("rows", config.log2_rows)),
            setting("columns", "columns of every block", side("columns", config.log2_columns)),
            setting("blocks", "blocks of the run", count),
        ],
        inputs=["i"],
        outputs=["o"],
    )


class MixingSystem(System):
    """A `TwoLayerCore` of real blocks between streams of rows, run from registers.

    Contract: the bits are the core's. A run takes `blocks.count` blocks of one shape, and gives as
    many. On the bus a block is a row.

    *Timing*: the core's; the adapters add a cycle on either side.

    *Members*
    access, busy, error
        As of every `System`.
    i
        Words of two rows of the block in turn, pair of rows after pair.
    o
        Words, row after row; `user`: the block's exponent, and above it `saturated` if there is
        one.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: MixingConfig, identity: Identity):
        self.config = config
        words, element = config.stream_words, signed(config.butterfly.data_bits)
        rows, columns = config.butterfly.block
        exponent_bits = config.exponent_shape.width
        self.saturates = "saturated" in config.o_shape.members
        super().__init__(
            mixing_registers(config, identity),
            inputs={
                "i": RowsConfig(
                    lanes=2 * words,
                    element=element,
                    transfers=rows * columns // (2 * words),
                    rows=MAX_BLOCKS,
                    sets=1,
                )
            },
            outputs={
                "o": RowsConfig(
                    lanes=words,
                    element=element,
                    transfers=rows * columns // words,
                    rows=1,
                    sets=MAX_BLOCKS,
                    user=exponent_bits + self.saturates,
                )
            },
            words={
                "i": f"each block, a row: each pair of its rows 2a and 2a + 1: {words} words of "
                "each a transfer, in order: of row 2a, of row 2a + 1 in turn",
                "o": f"each block, a row: each of its rows: {words} words a transfer, in order; "
                f"the result is the word times 2^exponent, which is the low {exponent_bits} bits "
                f"of TUSER, signed{'; the bit above says saturated' if self.saturates else ''}",
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Join control, adapters and core, and give the core its job."""
        m = Module()
        config = self.config
        control, rows = self.join(m)
        m.submodules.core = core = TwoLayerCore(config)
        transfers = Signal(range(self.inputs["i"].transfers))
        blocks = Signal(range(MAX_BLOCKS))
        # Settings stay as they are from before a run's begin to its end.
        most = config.log2_rows + config.log2_columns
        log2_size = Signal(range(most + 1))
        ones = Array(Const((1 << n) - 1, most) for n in range(most + 1))
        m.d.sync += [
            log2_size.eq(control.rows.log2 + control.columns.log2),
            transfers.eq(ones[log2_size] >> config.log2_stream + 1),
            blocks.eq(control.blocks.count - 1),
        ]
        job, asks = core.i_job, offer_job(m, control.begin, core.i_job)
        m.d.comb += [
            job.payload.log2_rows.eq(control.rows.log2),
            job.payload.log2_columns.eq(control.columns.log2),
            job.payload.blocks.eq(control.blocks.count),
            rows["i"].plan.transfers.eq(transfers),
            rows["i"].plan.rows.eq(blocks),
            rows["i"].begin.eq(control.begin),
            rows["o"].sets.eq(blocks),
            rows["o"].begin.eq(control.begin),
            control.idle.eq(none_active(rows.values()) & ~asks),
        ]
        # Of two real rows the core makes one complex vector.
        join_words(m, rows, core, into=("re", "im"), out_of=("re",), saturates=self.saturates)
        return m
