"""The registers of an attention core. Plain Python, but for the configuration."""

from hw.attention.config import AttentionConfig
from hw.bus.registers import Identity, constant, setting, system_map
from spec.attention import MASK_SOURCES
from spec.registers import Field, Register, RegisterMap

__all__ = ["attention_registers"]

TABLES = {"columns": ("columns",), "bitmap": ("bitmap", "tokens")}
"""Mask source -> the streams that load it."""


def attention_registers(config: AttentionConfig, identity: Identity) -> RegisterMap:
    """The registers of an attention core; settings without a choice are left out."""
    layer = config.layer
    return system_map(
        "attention",
        identity,
        capabilities=[
            constant("max_queries", layer.queries, "queries of a head, at most"),
            constant("max_keys", layer.keys, "keys of a head, at most"),
            constant("all_heads", layer.heads, "query heads"),
            constant("kv_heads", layer.heads // layer.groups, "heads of keys and values"),
            constant("head_dim", layer.head_dim, "dimensions of a query and of a key"),
            constant("value_dim", layer.columns, "dimensions of a value"),
            constant("block_rows", config.rows, "queries of a row block, a transfer of q"),
            constant("tile_keys", config.columns, "keys of a tile, a transfer of k"),
            constant("value_lanes", config.value_columns, "values of a transfer of v and of o"),
            constant("output_bits", layer.output_bits, "bits of an output"),
            constant(
                "mask_sources",
                sum(1 << MASK_SOURCES.index(source) for source in layer.masks),
                "where a mask may come from: bit 0 generator, bit 1 columns, bit 2 bitmap",
            ),
        ],
        settings=_settings(config),
        inputs=["q", "k", "v"],
        outputs=["o"],
        tables=[name for source in layer.masks for name in TABLES.get(source, ())],
    )


def _settings(config: AttentionConfig) -> list[Register]:
    layer = config.layer
    found = [
        setting("queries", "length", _count("count", 0, layer.queries, "queries of every head")),
        setting("keys", "length", _count("count", 0, layer.keys, "keys of every head")),
        setting(
            "heads",
            "heads of the run",
            Field(
                name="first",
                low=0,
                width=max(1, (layer.heads - 1).bit_length()),
                meaning="index of the first query head; after the last comes the first",
                most=layer.heads - 1,
            ),
            _count("count", 16, layer.heads, "query heads"),
        ),
    ]
    if layer.batches > 1:
        index = Field(
            name="index",
            low=0,
            width=(layer.batches - 1).bit_length(),
            meaning="batch index, where the score or the mask asks for it",
            most=layer.batches - 1,
        )
        found.append(setting("batch", "batch of the run", index))
    if layer.masks != ("generator",):
        found.append(_mask(config))
    if "bitmap" in layer.masks:
        tiles = Field(
            name="count",
            low=0,
            width=config.partial_tiles.bit_length(),
            meaning="tiles that the bitmap to be loaded shows in part",
            most=config.partial_tiles,
        )
        found.append(setting("token_tiles", "size of the mask to be loaded", tiles))
    return found


def _count(name: str, low: int, most: int, meaning: str) -> Field:
    """A number from 1 to `most`, which it is after reset."""
    return Field(
        name=name,
        low=low,
        width=most.bit_length(),
        meaning=meaning,
        value=most,
        least=1,
        most=most,
    )


def _mask(config: AttentionConfig) -> Register:
    masks = config.layer.masks
    fields = [
        Field(
            name="source",
            low=0,
            width=max(1, (len(masks) - 1).bit_length()),
            meaning="where runs take their mask from, and which one a load fills",
            most=len(masks) - 1,
            choices={name: number for number, name in enumerate(masks)},
        )
    ]
    if "columns" in masks:
        meaning = "with columns: and causal"
        fields.append(Field(name="causal", low=8, width=1, meaning=meaning))
    return setting("mask", "the mask", *fields)
