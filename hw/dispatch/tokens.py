"""Which keys of a partial tile each of its rows sees, from masks that were loaded."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hw.dispatch.banks import KeyBanks
from hw.dispatch.config import DispatchConfig, log2
from hw.dispatch.place import write_in_order
from hw.lib.arith import greater
from hw.lib.credit import Push, PushSignature
from hw.lib.pipe import Pipe
from hw.prim.ram import Ram, RamConfig

__all__ = ["TokenMask"]


class TokenMask(wiring.Component):
    """What row `row` of a tile sees of the `lanes` keys of word `word` of that row.

    Contract: with columns, a key is visible if neither of its ranges holds the query and, with
    `causal`, it is at most query + offset. With a bitmap, what the row of the tile's token word
    says, where `token_tile` is that of the tile's command. Asked about tiles that are partial only;
    keys that do not exist are the caller's to hide. Words past the last that there is room for are
    dropped; what was not loaded reads as it was before.

    *Timing*: `latency` cycles for either source, interval 1.

    *Members*
    load_columns, load_tokens
        Words as they are loaded, from the dispatcher; one for each source of the two there is.
    i
        {row_block, key_tile, row, word, token_tile, offset, causal, source}; word from 0 to
        columns / lanes - 1, offset, causal and source as in the job's context.
    o
        A bit for every lane.
    """

    load_columns: Push
    load_tokens: Push
    i: Any
    o: Signal

    def __init__(self, config: DispatchConfig, lanes: int):
        columns = config.sizes.columns
        if lanes < 1 or lanes & (lanes - 1) or lanes > columns:
            raise ValueError(
                f"TokenMask's lanes must be a power of two from 1 to columns = {columns}, "
                f"got {lanes}"
            )
        if not config.loadable:
            raise ValueError(f"TokenMask is for columns or bitmap, got {config.sources!r}")
        self.config = config
        self.lanes = lanes
        self.latency = self.latency_of(config)
        members: dict[str, Any] = {"i": In(self.question_of(config, lanes)), "o": Out(lanes)}
        if "columns" in config.sources:
            members["load_columns"] = In(PushSignature(config.column_word_shape))
        if "bitmap" in config.sources:
            members["load_tokens"] = In(PushSignature(config.token_word_shape))
        super().__init__(members)

    @staticmethod
    def question_of(config: DispatchConfig, lanes: int) -> StructLayout:
        """Shape of `i`."""
        return StructLayout(
            {
                "row_block": range(config.sizes.row_blocks),
                "key_tile": range(config.sizes.key_tiles),
                "row": range(config.sizes.rows),
                "word": range(config.sizes.columns // lanes),
                "token_tile": range(config.partial_tiles),
                **{name: config.context_shape.members[name] for name in TAKEN},
            }
        )

    @staticmethod
    def latency_of(config: DispatchConfig) -> int:
        """Read, compare, decide, and select where there is more than one source."""
        return RamConfig(width=1, depth=2).latency + 2 + (len(config.loadable) > 1)

    def elaborate(self, platform: object) -> Module:
        """Build what each source says, and choose."""
        m = Module()
        both = len(self.config.loadable) > 1
        with Pipe(m, "token", latency=self.latency, valid=0, ask=self.i) as p:
            seen: dict[str, Any] = {}
            if "columns" in self.config.sources:
                seen["columns"] = self._columns(m)
            if "bitmap" in self.config.sources:
                seen["bitmap"] = self._bitmap(m)
            if not both:
                (only,) = seen.values()
                p.through(self.latency, seen=only)
            else:
                is_bitmap = self.i.source == self.config.sources.index("bitmap")
                p.through(0, is_bitmap=is_bitmap)
                p.through(self.latency - 1, keep=("is_bitmap",), **seen)
                p.stage("select", seen=Mux(p.is_bitmap, p.bitmap, p.columns))
            m.d.comb += self.o.eq(p.seen)
        return m

    def _columns(self, m: Module) -> Any:
        """Compare the row's query with the bounds of the word's keys."""
        sizes = self.config.sizes
        m.submodules.banks = banks = KeyBanks(self.config, self.lanes)
        m.d.comb += [
            banks.load.valid.eq(self.load_columns.valid),
            banks.load.payload.eq(self.load_columns.payload),
            banks.address.eq(Cat(self.i.word, self.i.key_tile)),
        ]
        first = Cat(self.i.word, self.i.key_tile) << log2(self.lanes)
        with Pipe(
            m,
            "columns",
            latency=banks.latency + 2,
            valid=0,
            query=Cat(self.i.row, self.i.row_block)[: len(Signal(range(sizes.queries)))],
            edge=first - self.i.offset,
            causal=self.i.causal,
        ) as p:
            p.through(banks.latency, keep=("query", "edge", "causal"))
            begun, over, late = [], [], []
            for k in range(self.lanes):
                late.append(p.causal & greater(p.edge + k, p.query))
                for n in "01":
                    begun.append(~greater(banks.columns[k][f"start{n}"], p.query))
                    over.append(~greater(banks.columns[k][f"end{n}"], p.query))
            p.stage("compare", begun=Cat(begun), over=Cat(over), late=Cat(late))
            inside = p.begun & ~p.over
            p.stage("decide", seen=~(p.late | inside[::2] | inside[1::2]))
            return p.seen

    def _bitmap(self, m: Module) -> Any:
        """Read the row of the tile, and pick the word's bits."""
        sizes = self.config.sizes
        config = RamConfig(width=sizes.columns, depth=self.config.partial_tiles * sizes.rows)
        m.submodules.tokens = ram = Ram(config)
        word: Any = self.load_tokens.payload
        write_in_order(m, ram, self.load_tokens, word.bits)
        m.d.comb += ram.read.address.eq(Cat(self.i.row, self.i.token_tile))
        with Pipe(m, "bitmap", latency=config.latency + 2, valid=0, word=self.i.word) as p:
            p.through(config.latency, bits=ram.read.data, keep=("word",))
            p.stage("pick", seen=p.bits.word_select(p.word, self.lanes))
            p.stage("wait", keep=("seen",))
            return p.seen


TAKEN = ("offset", "causal", "source")
"""What a question takes over from the job's context."""
