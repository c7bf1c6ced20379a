"""What a manifest says of a stream of rows, whatever bus carries it."""

from typing import Any

from hw.bus.axi_stream import RowsConfig

__all__ = ["row_facts"]


def row_facts(config: RowsConfig, words: str) -> dict[str, Any]:
    """How a transfer looks, and in which order elements come."""
    return {
        "lanes": config.lanes,
        "element_bits": config.element.width,
        "element_bytes": config.element_bytes,
        "signed": config.element.signed,
        "ragged": config.ragged,
        "user_bits": config.user,
        "words": words,
    }
