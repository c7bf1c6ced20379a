"""A map of registers as tables in Markdown."""

from collections.abc import Iterable, Iterator

from spec.registers import Access, Register

__all__ = ["table"]

WORDS = {
    Access.CONSTANT: "read",
    Access.STATUS: "read",
    Access.SETTING: "read, write",
    Access.STICKY: "read; 1 clears",
    Access.COMMAND: "write",
}


def table(registers: Iterable[Register]) -> str:
    """A row a field; a register's offset, name and access stand in its first row."""
    lines = ["| offset | register | access | bits | field | meaning |", "|---|---|---|---|---|---|"]
    for register in registers:
        lines += _rows(register)
    return "\n".join(lines) + "\n"


def _rows(register: Register) -> Iterator[str]:
    first = f"| `{register.offset:#05x}` | `{register.name}` | {WORDS[register.access]} "
    for field in register.fields:
        high = field.low + field.width - 1
        bits = str(field.low) if field.width == 1 else f"{high}:{field.low}"
        meaning = field.meaning
        if field.choices:
            named = ", ".join(f"{value} {name}" for name, value in field.choices.items())
            meaning += f": {named}"
        yield f"{first}| {bits} | `{field.name}` | {meaning} |"
        first = "| | | "
