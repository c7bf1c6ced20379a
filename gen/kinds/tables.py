"""What a manifest says about the tables that are emitted."""

from collections.abc import Iterable
from typing import Any

from spec.softmax import Table, table_bytes

__all__ = ["listed"]


def listed(tables: Iterable[tuple[Table, int]]) -> dict[str, Any]:
    """Bytes of the tables, each with its number of copies: of one copy each, and of all."""
    held = list(tables)
    return {
        "bytes": sum(table_bytes((table,)) for table, _ in held),
        "bytes_of_all_copies": sum(table_bytes((table,)) * copies for table, copies in held),
        "each": [
            {
                "name": table.name,
                "entries": len(table),
                "width": table.width,
                "bytes": table_bytes((table,)),
                "copies": copies,
            }
            for table, copies in held
        ],
    }
