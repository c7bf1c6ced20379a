"""Between the score array and the score ring: scale, the user's score, and the mask."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.attention.config import AttentionConfig
from hw.attention.score_array import ScoreArrayConfig
from hw.attention.score_scale import ScoreScale, ScoreScaleConfig
from hw.expr.build import ExprConfig, ExprUnit
from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature
from hw.lib.pipe import Pipe, delay

__all__ = ["ScoreAlu", "ScoreAluConfig"]


class ScoreAluConfig:
    """Formats and latencies of a `ScoreAlu`.

    Parameters
    ----------
    attention
        The core.
    array
        The score array whose sums it takes.
    tile_shape
        What is told of each tile when it starts.
    start_latency
        Cycles from a tile's start to its first word.
    tokens
        What the loaded masks are asked, and their latency; None without any.
    """

    def __init__(
        self,
        attention: AttentionConfig,
        array: ScoreArrayConfig,
        tile_shape: StructLayout,
        start_latency: int,
        tokens: tuple[StructLayout, int] | None,
    ):
        self.attention = attention
        self.array = array
        self.tile_shape = tile_shape
        self.start_latency = start_latency
        self.token_shape, self.token_latency = tokens or (StructLayout({}), 0)
        layer = attention.layer
        self.scale = ScoreScaleConfig(
            product_bits=array.sum_bits,
            scale=layer.score_scale,
            low=layer.score_min,
            high=layer.score_max,
            score_bits=layer.score_bits,
        )
        self.score = _unit_config(layer.score_expr)
        self.mask = _unit_config(layer.mask_expr if "generator" in layer.masks else None)

    @property
    def tiles_in_flight(self) -> int:
        """Tiles between their start and their last word, at most."""
        cycles = self.start_latency + self.array.words + 1
        return 2 + cycles // self.array.tile_interval

    @property
    def score_latency(self) -> int:
        """Cycles from a registered word to its score, apart from the mask."""
        return self.scale.latency + (self.score.latency if self.score else 0)

    @property
    def mask_latency(self) -> int:
        """Cycles from a registered word to its visibility: the slowest mask, and a choice."""
        return max(self.mask.latency if self.mask else 0, self.token_latency, 1) + 1

    @property
    def latency(self) -> int:
        """Cycles from a word to its codes: a register, scores beside visibility, and a choice."""
        return 1 + max(self.score_latency, self.mask_latency) + 1

    @property
    def o_shape(self) -> StructLayout:
        """A word of score codes, and what ends and begins with it."""
        return StructLayout(
            {
                "score": ArrayLayout(signed(self.attention.layer.score_bits), self.array.lanes),
                "row_end": 1,
                "end": 1,
                "first": 1,
                "last": 1,
            }
        )


def _unit_config(expr) -> ExprConfig | None:
    return None if expr is None else ExprConfig(expr=expr)


class ScoreAlu(wiring.Component):
    """code = visible ? saturate(score(scale(q·k))) : the lowest code.

    Contract: words come out in the order in which they came, one for one. Nothing stalls. A tile
    that is not partial is visible throughout. `i_tile` comes `start_latency` cycles before a tile's
    first word.

    *Timing*: `config.latency` cycles from a word to its codes.

    *Members*
    i_tile
        Push of what is known of a tile.
    i
        Push of {score, row, end}: exact products.
    o
        Push of {score, row_end, end, first, last}.
    token, token_visible
        A word of a tile for the loaded masks, and `token_latency` cycles later what is visible.
    job_done
        The last word of a head that has tiles went by: its mask is needed no more.
    """

    i_tile: Push
    i: Push
    o: Push
    token: Any
    token_visible: Signal
    job_done: Signal

    def __init__(self, config: ScoreAluConfig):
        self.config = config
        super().__init__(
            {
                "i_tile": In(PushSignature(config.tile_shape)),
                "i": In(PushSignature(config.array.o_shape)),
                "o": Out(PushSignature(config.o_shape)),
                "token": Out(config.token_shape),
                "token_visible": In(config.array.lanes),
                "job_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Join a word with its tile and indices, then score and mask side by side."""
        m = Module()
        config, tile_words = self.config, self.config.attention.tile
        lanes = range(config.array.lanes)
        depth = max(2, config.tiles_in_flight)
        m.submodules.tiles = tiles = CreditFifo(
            CreditFifoConfig(shape=config.tile_shape, depth=depth)
        )
        tile, word = tiles.o.payload, self.i.payload
        m.d.comb += [
            tiles.i.valid.eq(self.i_tile.valid),
            tiles.take.eq(self.i_tile.valid),
            tiles.i.payload.eq(self.i_tile.payload),
            tiles.o.ready.eq(self.i.valid & word.end),
        ]
        m.d.comb += self.job_done.eq(self.i.valid & word.end & tile.end)
        place = Signal(range(tile_words.row_words))
        row_end = Signal()
        m.d.comb += row_end.eq(place == tile_words.row_words - 1)
        with m.If(self.i.valid):
            m.d.sync += place.eq(Mux(row_end, 0, place + 1))

        row_bits = (config.attention.rows - 1).bit_length()
        word_bits = tile_words.log2_row_words
        query = Cat(word.row[:row_bits], tile.row_block)
        first_key = Cat(place[:word_bits], tile.key_tile)
        with Pipe(
            m,
            "alu",
            latency=config.latency,
            valid=self.i.valid,
            product=word.score,
            q=query,
            first_key=first_key,
            row=word.row,
            place=place,
            row_end=row_end,
            end=word.end,
            tile=tile,
        ) as p:
            flags = ("row_end", "end")
            p.stage("join", keep=("product", "q", "first_key", "row", "place", "tile", *flags))
            visible = self._visible(m, p)
            scores = self._scores(m, p)
            kept = {"first": p.tile.first, "last": p.tile.last}
            p.through(0, **kept, keep=flags)
            p.through(
                config.latency - 2,
                **{f"score{lane}": scores[lane] for lane in lanes},
                visible=visible,
                keep=(*flags, "first", "last"),
            )
            lowest = config.attention.layer.score_format.min
            codes = {
                f"code{lane}": Mux(p.visible[lane], getattr(p, f"score{lane}"), lowest)
                for lane in lanes
            }
            p.stage("hide", **codes, keep=(*flags, "first", "last"))
            out = self.o.payload
            m.d.comb += [
                self.o.valid.eq(p.valid),
                *(getattr(out, flag).eq(getattr(p, flag)) for flag in (*flags, "first", "last")),
                *(out.score[lane].eq(getattr(p, f"code{lane}")) for lane in lanes),
            ]
        return m

    def _indices(self, p: Pipe, lane: int) -> dict[str, Value]:
        """The expressions' variables for a lane of the registered word."""
        head = p.tile.head
        key = Cat(Const(lane, self.config.attention.tile.log2_lanes), p.first_key)
        offset = head.keys - head.queries
        return {"b": head.batch, "h": head.head, "q": p.q, "k": key, "offset": offset}

    def _scores(self, m: Module, p: Pipe) -> list[Value]:
        """Scores of the registered word, ready where the mask is."""
        config = self.config
        late = config.latency - 2 - config.score_latency
        scores = []
        for lane in range(config.array.lanes):
            m.submodules[f"scale_{lane}"] = scale = ScoreScale(config.scale)
            m.d.comb += scale.product.eq(p.product[lane])
            score: Value = scale.score
            if config.score is not None:
                m.submodules[f"score_{lane}"] = unit = ExprUnit(config.score)
                given = {
                    name: delay(m, f"score_{lane}_{name}", value, config.scale.latency)
                    for name, value in self._indices(p, lane).items()
                    if name in config.score.inputs
                }
                _feed(m, unit, config.score, given | {"s": scale.score})
                score = getattr(unit, "o")  # noqa: B009 (an ExprUnit's ports are those of its config)
            scores.append(delay(m, f"score_{lane}", score, late))
        return scores

    def _visible(self, m: Module, p: Pipe) -> Value:
        """What of the registered word is visible, ready where the scores are."""
        config, layer = self.config, self.config.attention.layer
        keys = p.tile.head.keys
        made = config.mask_latency - 1
        exists, generated = [], []
        for lane in range(config.array.lanes):
            given = self._indices(p, lane)
            exists.append((given["k"] - keys)[-1])
            if config.mask is not None:
                m.submodules[f"mask_{lane}"] = unit = ExprUnit(config.mask)
                _feed(m, unit, config.mask, given)
                seen = getattr(unit, "o")  # noqa: B009
                generated.append(delay(m, f"mask_{lane}", seen, made - config.mask.latency))
        existing = Signal(len(exists), reset_less=True)
        m.d.sync += existing.eq(Cat(exists))
        # A core without a mask of its own has nothing to hide but keys that do not exist.
        masks = {"generator": Cat(generated) if generated else ~Const(0, len(exists))}
        if config.token_latency:
            given = {
                "row_block": p.tile.row_block,
                "key_tile": p.tile.key_tile,
                "row": p.row,
                "word": p.place,
                "token_tile": p.tile.token_tile,
                "offset": p.tile.head.keys - p.tile.head.queries,
                "causal": p.tile.head.causal,
                "source": p.tile.head.source,
            }
            m.d.comb += [self.token[name].eq(given[name]) for name in config.token_shape.members]
            late = made - config.token_latency
            loaded = delay(m, "token", self.token_visible, late)
            masks |= {"columns": loaded, "bitmap": loaded}
        source = delay(m, "source", p.tile.head.source, made)
        chosen = Signal(len(exists))
        with m.Switch(source):
            for number, name in enumerate(layer.masks):
                with m.Case(number):
                    m.d.comb += chosen.eq(masks[name])
        whole = ~delay(m, "partial", p.tile.partial, made)
        visible = Signal(len(exists), reset_less=True)
        there = delay(m, "existing", existing, made - 1)
        m.d.sync += visible.eq(Mux(whole, ~0, chosen & there))
        return delay(m, "visible", visible, config.latency - 2 - config.mask_latency)


def _feed(m: Module, unit: ExprUnit, config: ExprConfig, given: Mapping[str, Value]) -> None:
    for name in config.inputs:
        m.d.comb += getattr(unit, name).eq(given[name])
