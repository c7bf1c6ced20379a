"""An attention core that is run from registers: heads of queries, keys and values to outputs."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream
from amaranth.lib.data import StructLayout

from hw.attention.config import AttentionConfig
from hw.attention.core import AttentionCore
from hw.bus.attention_registers import attention_registers
from hw.bus.axi_stream import RowsConfig
from hw.bus.registers import Identity
from hw.bus.system import System, none_active
from spec.tiles import GROUP

__all__ = ["AttentionSystem"]


class AttentionSystem(System):
    """An `AttentionCore` between streams of rows, run from registers.

    Contract: the bits are the core's. A run takes `heads.count` query heads from `heads.first` on,
    after the last the first again, all with the same lengths and the same mask source. Keys and
    values come once for every run of heads that share them. A mask is loaded between runs and stays
    until another is.

    *Timing*: the core's; the adapters add a cycle on either side, and a set of keys and values
    begins to be taken when the one before has been.

    *Members*
    access, busy, error
        As of every `System`.
    q, k, v
        Rows of int8: a row block's queries, a key tile's keys, a key's values.
    columns, bitmap, tokens
        Rows of a mask, where the layer has such a source.
    o
        Rows of outputs, one a query; `user`: {empty, refused, skip}.
    """

    q: stream.Interface
    k: stream.Interface
    v: stream.Interface
    o: stream.Interface

    def __init__(self, config: AttentionConfig, identity: Identity):
        self.config = config
        super().__init__(
            attention_registers(config, identity),
            inputs=_inputs(config),
            outputs={"o": _output(config)},
            tables=_tables(config),
            words=_words(config),
        )

    def elaborate(self, platform: object) -> Module:
        """Join control, adapters, core, and what issues its jobs."""
        m = Module()
        control, rows = self.join(m)
        m.submodules.core = core = AttentionCore(self.config)
        for name in self.inputs:
            operand = getattr(core, f"i_{name}")
            word = rows[name].o
            m.d.comb += [
                operand.valid.eq(word.valid),
                word.ready.eq(operand.ready),
                operand.payload.data.eq(word.payload.data),
                operand.payload.last.eq(word.payload.set_last),
            ]
        out, o = rows["o"].i, core.o
        m.d.comb += [
            out.valid.eq(o.valid),
            o.ready.eq(out.ready),
            out.payload.data.eq(o.payload.value),
            out.payload.kept.eq((1 << self.config.value_columns) - 1),
            out.payload.user.eq(Cat(o.payload.empty, o.payload.refused, o.payload.skip)),
            out.payload.row_last.eq(o.payload.row_end),
            out.payload.set_last.eq(o.payload.last),
        ]
        self._plan(m, control, rows)
        issuing = self._issue(m, control, rows, core)
        m.d.comb += control.idle.eq(none_active(rows.values()) & ~issuing)
        if self.tables:
            self._load(m, control, rows, core)
        return m

    def _plan(self, m: Module, control: Any, rows: dict[str, Any]) -> None:
        """What the lengths make of each stream. Settings are still from before begin to the end."""
        config, layer = self.config, self.config.layer
        queries = Signal(range(layer.queries))
        keys = Signal(range(layer.keys))
        heads = Signal(range(self.inputs["q"].sets))
        m.d.sync += [
            queries.eq(control.queries.count - 1),
            keys.eq(control.keys.count - 1),
            heads.eq(control.heads.count - 1),
        ]
        log2_rows, log2_columns = (config.rows - 1).bit_length(), (config.columns - 1).bit_length()
        blocks, tiles = queries >> log2_rows, keys >> log2_columns
        q, k, v, o = (rows[name] for name in "qkvo")
        m.d.comb += [
            q.plan.transfers.eq(layer.head_dim - 1),
            q.plan.rows.eq(blocks),
            q.plan.sets.eq(heads),
            q.begin.eq(control.begin),
            k.plan.transfers.eq(layer.head_dim - 1),
            k.plan.rows.eq(tiles),
            v.plan.transfers.eq(config.groups - 1),
            v.plan.rows.eq(Cat(Const(config.columns - 1, log2_columns), tiles)),
            o.sets.eq(heads),
            o.begin.eq(control.begin),
        ]
        if "columns" in rows:
            m.d.comb += rows["columns"].plan.rows.eq(keys)
        if "bitmap" in rows:
            tokens = Signal.like(control.token_tiles.count)
            some = Signal()
            m.d.sync += [
                tokens.eq(control.token_tiles.count - some),
                some.eq(control.token_tiles.count.any()),
            ]
            m.d.comb += [
                rows["bitmap"].plan.transfers.eq(tiles >> (GROUP - 1).bit_length()),
                rows["bitmap"].plan.rows.eq(blocks),
                rows["tokens"].plan.transfers.eq(Mux(some, config.rows - 1, 0)),
                rows["tokens"].plan.rows.eq(tokens),
            ]

    def _issue(self, m: Module, control: Any, rows: dict[str, Any], core: AttentionCore) -> Signal:
        """A job for every head of the run; keys and values begin with the first that uses them."""
        layer, job = self.config.layer, core.i_job
        fields: dict[str, Value] = {
            "queries": control.queries.count,
            "keys": control.keys.count,
            **({"batch": control.batch.index} if layer.batches > 1 else {}),
            **self._mask(control),
        }
        issuing = Signal()
        needs = Signal()
        head = Signal(range(layer.heads))
        left = Signal(range(self.inputs["q"].sets))
        # A head is the last to use its keys and values if it is its group's last, or the run's.
        final = Array(Const(h % layer.groups == layer.groups - 1) for h in range(layer.heads))[head]
        keep = ~final & (left != 0)
        sets_free = ~rows["k"].active & ~rows["v"].active
        m.d.comb += [
            job.valid.eq(issuing & ~needs),
            job.payload.head.eq(head),
            job.payload.keep.eq(keep),
            *(job.payload[name].eq(value) for name, value in fields.items()),
            *(rows[name].begin.eq(issuing & needs & sets_free) for name in "kv"),
        ]
        with m.If(issuing & needs & sets_free):
            m.d.sync += needs.eq(0)
        with m.If(job.valid & job.ready):
            m.d.sync += [
                head.eq(Mux(head == layer.heads - 1, 0, head + 1)),
                left.eq(left - 1),
                needs.eq(~keep),
                issuing.eq(left != 0),
            ]
        with m.If(control.begin):
            m.d.sync += [
                issuing.eq(1),
                needs.eq(1),
                head.eq(control.heads.first),
                left.eq(rows["q"].plan.sets),
            ]
        return issuing

    def _mask(self, control: Any) -> dict[str, Value]:
        """The job's fields about its mask, where there is a choice."""
        found: dict[str, Value] = {}
        if len(self.config.layer.masks) > 1:
            found["source"] = control.mask.source
        if "columns" in self.config.layer.masks:
            found["causal"] = control.mask.causal
        return found

    def _load(self, m: Module, control: Any, rows: dict[str, Any], core: AttentionCore) -> None:
        """Words of a mask between runs, and which sources have one."""
        masks = self.config.layer.masks
        loaded = Signal(
            len(masks), init=sum(1 << k for k, s in enumerate(masks) if s == "generator")
        )
        source = control.mask.source if len(masks) > 1 else Const(0, 1)
        m.d.comb += control.startable.eq(loaded.bit_select(source, 1))
        streams = {"columns": ("columns",), "bitmap": ("bitmap", "tokens")}
        for k, name in enumerate(masks):
            for table in streams.get(name, ()):
                begin = control.begin_load & (source == k)
                m.d.comb += rows[table].begin.eq(begin)
                m.d.sync += loaded[k].eq(loaded[k] | begin)
        for table in self.tables:
            word, into = rows[table].o, getattr(core, f"i_{table}")
            names = [name for name in into.payload.shape().members if name != "last"]
            m.d.comb += [
                into.valid.eq(word.valid),
                word.ready.eq(into.ready),
                into.payload.last.eq(word.payload.set_last),
                *(into.payload[field].eq(word.payload.data[k]) for k, field in enumerate(names)),
            ]


def _inputs(config: AttentionConfig) -> dict[str, RowsConfig]:
    layer, byte = config.layer, signed(8)
    keys = config.key_tiles * config.columns
    return {
        "q": RowsConfig(
            lanes=config.rows,
            element=byte,
            transfers=layer.head_dim,
            rows=config.row_blocks,
            sets=layer.heads,
        ),
        "k": RowsConfig(
            lanes=config.columns,
            element=byte,
            transfers=layer.head_dim,
            rows=config.key_tiles,
            sets=1,
        ),
        "v": RowsConfig(
            lanes=config.value_columns, element=byte, transfers=config.groups, rows=keys, sets=1
        ),
    }


def _output(config: AttentionConfig) -> RowsConfig:
    return RowsConfig(
        lanes=config.value_columns,
        element=signed(config.layer.output_bits),
        transfers=config.groups,
        rows=config.layer.queries,
        sets=config.layer.heads,
        user=3,
    )


def _tables(config: AttentionConfig) -> dict[str, RowsConfig]:
    layer, found = config.layer, {}
    bound = StructLayout({"bound": range(layer.queries + 1)}).size
    if "columns" in layer.masks:
        found["columns"] = RowsConfig(
            lanes=4, element=unsigned(bound), transfers=1, rows=layer.keys, sets=1
        )
    if "bitmap" in layer.masks:
        groups = -(-config.key_tiles // GROUP)
        found["bitmap"] = RowsConfig(
            lanes=2, element=unsigned(GROUP), transfers=groups, rows=config.row_blocks, sets=1
        )
        found["tokens"] = RowsConfig(
            lanes=1,
            element=unsigned(config.columns),
            transfers=config.rows,
            rows=config.partial_tiles,
            sets=1,
        )
    return found


def _words(config: AttentionConfig) -> dict[str, str]:
    rows, columns, lanes, dims = (
        config.rows, config.columns, config.value_columns, config.layer.head_dim
    )  # fmt: skip
    beyond = "beyond the last are 0"
    return {
        "q": f"each head, each block of {rows} queries, a row: {dims} transfers, a dimension of "
        f"the block's queries each; queries {beyond}",
        "k": f"each head that shares none of the one before, each tile of {columns} keys, a row: "
        f"{dims} transfers, a dimension of the tile's keys each; keys {beyond}",
        "v": f"with its keys, each key to the end of its tile, a row: {config.groups} transfers of "
        f"{lanes} values; keys {beyond}",
        "columns": "each key, a row: two ranges [start, end) of queries that do not see it, in "
        "order, (0, 0) where there is none",
        "bitmap": f"each block of {rows} queries, a row: a transfer for 16 key tiles: 16 bits of "
        "those that are visible, then 16 of those that are visible in part",
        "tokens": f"each tile that is visible in part, by blocks of queries, then by keys, a row: "
        f"{rows} transfers of {columns} bits, a query each; one transfer if there is no such tile",
        "o": f"each head, each query, a row: {config.groups} transfers of {lanes} values; TUSER "
        "bit 0: the query saw no key; bit 1: refused, more tiles than the core holds; bit 2: "
        f"{rows} queries that saw no key in one transfer",
    }
