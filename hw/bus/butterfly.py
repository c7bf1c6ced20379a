"""A butterfly core that is run from registers: vectors in, their transforms out."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value, signed
from amaranth.lib import stream

from hw.bus.axi_stream import RowsConfig
from hw.bus.butterfly_registers import MAX_VECTORS, butterfly_registers
from hw.bus.registers import Identity
from hw.bus.system import System, none_active, offer_job
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from hw.butterfly.divided import DividedConfig
from hw.butterfly.two_layer import TwoLayerCore

__all__ = ["ButterflySystem", "join_words"]


class ButterflySystem(System):
    """A `ButterflyCore`, or a `TwoLayerCore` of long vectors, between streams of rows.

    Contract: the bits are the core's. Run from registers: a run takes `vectors.count` vectors of
    one size and kind, and for a product one matrix of its own, and gives as many vectors.

    *Timing*: the core's; the adapters add a cycle on either side.

    *Members*
    access, busy, error
        As of every `System`.
    i
        Rows of words in order, the real part of each before its imaginary part.
    weights
        If there are matrices: rows of blocks, a factor a row.
    o
        Rows of words; `user`: the vector's exponent, and above it `saturated` if there is one.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: ButterflyConfig | DividedConfig, identity: Identity):
        self.config = config
        parts = len(config.parts)
        words: dict[str, Any] = {
            "lanes": config.stream_words * parts,
            "element": signed(config.butterfly.data_bits),
            "transfers": config.butterfly.points // config.stream_words,
        }
        exponent_bits = config.exponent_shape.width
        self.saturates = "saturated" in config.o_shape.members
        inputs = {"i": RowsConfig(**words, rows=MAX_VECTORS, sets=1)}
        kinds = "re, im of each word in turn" if parts == 2 else "its words"
        told = {
            "i": f"each vector, a row: {config.stream_words} words a transfer, in order: {kinds}",
            "o": f"each vector, a row: {config.stream_words} words a transfer, in order: {kinds}; "
            f"the result is the word times 2^exponent, which is the low {exponent_bits} bits of "
            f"TUSER, signed{'; the bit above says saturated' if self.saturates else ''}",
        }
        if isinstance(config, ButterflyConfig) and config.bpmm:
            inputs["weights"] = RowsConfig(
                lanes=4 * config.units,
                element=signed(config.butterfly.coefficient_bits),
                transfers=config.butterfly.points // (2 * config.units),
                rows=config.stages,
                sets=1,
            )
            told["weights"] = (
                "for a product, each factor in the order in which it is applied, a row: "
                f"{config.units} blocks a transfer, w00, w01, w10, w11 of each, in the order of "
                "spec.butterfly.block_numbers"
            )
        super().__init__(
            butterfly_registers(config, identity),
            inputs=inputs,
            outputs={
                "o": RowsConfig(
                    **words, rows=1, sets=MAX_VECTORS, user=exponent_bits + self.saturates
                )
            },
            words=told,
        )

    def elaborate(self, platform: object) -> Module:
        """Join control, adapters and core, and give the core its job."""
        m = Module()
        config = self.config
        control, rows = self.join(m)
        if isinstance(config, ButterflyConfig):
            core = ButterflyCore(config)
        else:
            core = TwoLayerCore(config)
        m.submodules.core = core
        self._plan(m, control, rows)
        bpmm, inverse, increasing = self._mode(control)
        job, asks = core.i_job, offer_job(m, control.begin, core.i_job)
        fields = {
            "log2_points": control.points.log2,
            "vectors": control.vectors.count,
            "bpmm": bpmm,
            "inverse": inverse,
            "increasing": increasing,
            "keep": Const(0, 1),
        }
        m.d.comb += [
            *(job.payload[name].eq(fields[name]) for name in config.job_shape.members),
            rows["i"].begin.eq(control.begin),
            rows["o"].begin.eq(control.begin),
            control.idle.eq(none_active(rows.values()) & ~asks),
        ]
        parts = self.config.parts
        join_words(m, rows, core, into=parts, out_of=parts, saturates=self.saturates)
        if isinstance(core, ButterflyCore) and "weights" in rows:
            word, line = rows["weights"].o, core.i_weights
            m.d.comb += [
                rows["weights"].begin.eq(control.begin & bpmm),
                line.valid.eq(word.valid),
                word.ready.eq(line.ready),
                line.payload.weight.eq(word.payload.data),
                line.payload.last.eq(word.payload.set_last),
            ]
        return m

    def _plan(self, m: Module, control: Any, rows: dict[str, Any]) -> None:
        """What the size makes of each stream. Settings are still from before begin to the end."""
        config, most = self.config, self.config.butterfly.stages
        last = Signal(most)
        vectors = Signal(range(MAX_VECTORS))
        stages = Signal(range(most))
        m.d.sync += [
            last.eq(Array(Const((1 << n) - 1) for n in range(most + 1))[control.points.log2]),
            vectors.eq(control.vectors.count - 1),
            stages.eq(control.points.log2 - 1),
        ]
        log2_stream = config.stream_words.bit_length() - 1
        m.d.comb += [
            rows["i"].plan.transfers.eq(last >> log2_stream),
            rows["i"].plan.rows.eq(vectors),
            rows["o"].sets.eq(vectors),
        ]
        if isinstance(config, ButterflyConfig) and config.bpmm:
            m.d.comb += [
                rows["weights"].plan.transfers.eq(last >> config.log2_line),
                rows["weights"].plan.rows.eq(stages),
            ]

    def _mode(self, control: Any) -> tuple[Value, Value, Value]:
        """Whether the run is a product, an inverse transform, of increasing strides."""
        transforms = tuple(self.config.butterfly.transforms)
        orders = tuple(self.config.butterfly.orders)

        def chosen(name: str, names: tuple[str, ...], which: str) -> Value:
            if which not in names:
                return Const(0, 1)
            if len(names) == 1:
                return Const(1, 1)
            return getattr(control, name).which == names.index(which)

        bpmm = chosen("transform", transforms, "bpmm")
        inverse = chosen("transform", transforms, "inverse")
        return bpmm, inverse, bpmm & chosen("order", orders, "increasing")


def join_words(
    m: Module,
    rows: dict[str, Any],
    core: ButterflyCore | TwoLayerCore,
    *,
    into: Sequence[str],
    out_of: Sequence[str],
    saturates: bool,
) -> None:
    """Parts of words side by side on the bus, apart at the core: `into` it, and `out_of` it.

    `saturates`: whether the core tells that, above the exponent in `user`.
    """
    word, i = rows["i"].o, core.i
    out, o = rows["o"].i, core.o
    words = core.config.stream_words
    m.d.comb += [
        i.valid.eq(word.valid),
        word.ready.eq(i.ready),
        out.valid.eq(o.valid),
        o.ready.eq(out.ready),
        out.payload.kept.eq((1 << words * len(out_of)) - 1),
        out.payload.row_last.eq(o.payload.last),
        out.payload.set_last.eq(o.payload.last),
        out.payload.user.eq(Cat(o.payload.exponent, *([o.payload.saturated] if saturates else []))),
    ]
    for k in range(words):
        for number, part in enumerate(into):
            m.d.comb += i.payload[part][k].eq(word.payload.data[k * len(into) + number])
        for number, part in enumerate(out_of):
            m.d.comb += out.payload.data[k * len(out_of) + number].eq(o.payload[part][k])
