"""What a map of registers is: said once, for the gates, the host, the C header and the documents.

A `RegisterMap` is plain data. `told` gives it as JSON, as a manifest holds it, and
`RegisterMap.read` makes it again from there: a host needs the manifest, this file and nothing else.
"""

import dataclasses
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spec.errors import SpecError, check_choice, check_range

__all__ = [
    "ADDRESS_BITS",
    "IDENTITY_WORD",
    "INTERFACE_VERSION",
    "KINDS",
    "WORD_BITS",
    "Access",
    "Field",
    "Register",
    "RegisterMap",
]

ADDRESS_BITS = 12
"""Of a byte address: 4 KiB of registers, the least that an AXI interconnect gives out."""

WORD_BITS = 32
"""Of a register."""

INTERFACE_VERSION = 1
"""Raised whenever the meaning or the order of a port, stream or register changes."""

IDENTITY_WORD = 0x43485259
"""``CHRY`` in ASCII, in the register identity of every design."""

KINDS = {"softmax": 1, "attention": 2, "butterfly": 3}
"""Kind of a design -> its number in the register kind."""


class Access(enum.Enum):
    """How software and gates share a register."""

    CONSTANT = "constant"
    """Read only, the same for ever."""
    STATUS = "status"
    """Read only, what the gates say now."""
    SETTING = "setting"
    """Read and written by software alone."""
    STICKY = "sticky"
    """Set by the gates; a bit is cleared by writing 1 to it."""
    COMMAND = "command"
    """Writing 1 to a bit does it once; reads as 0."""

    @property
    def writable(self) -> bool:
        """Whether a write does anything."""
        return self in (Access.SETTING, Access.STICKY, Access.COMMAND)


@dataclass(frozen=True, kw_only=True)
class Field:
    """Some adjacent bits of a register.

    Parameters
    ----------
    name
        Unique in its register; a lower-case identifier.
    low, width
        Lowest bit, and how many.
    meaning
        One line.
    value
        Of a constant, and of anything else after reset.
    least, most
        Of a setting, what may be written; `most` is the largest of `width` bits if it is None.
    choices
        Values that have names.
    """

    name: str
    low: int
    width: int
    meaning: str
    value: int = 0
    least: int = 0
    most: int | None = None
    choices: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name(f"field {self.name!r}", self.name)
        where = f"field {self.name}"
        check_range(f"{where}: low", self.low, 0, WORD_BITS - 1)
        check_range(f"{where}: width", self.width, 1, WORD_BITS - self.low)
        check_range(f"{where}: most", self.top, 0, (1 << self.width) - 1)
        check_range(f"{where}: least", self.least, 0, self.top)
        check_range(f"{where}: value", self.value, self.least, self.top)
        for choice, number in self.choices.items():
            check_range(f"{where}: {choice}", number, self.least, self.top)

    @property
    def top(self) -> int:
        """The largest value that may be written."""
        return (1 << self.width) - 1 if self.most is None else self.most

    @property
    def mask(self) -> int:
        """Its bits in the register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True, kw_only=True)
class Register:
    """A word of 32 bits.

    Parameters
    ----------
    name
        Unique in its map; a lower-case identifier.
    offset
        Byte address, a multiple of 4.
    access
        Of all its fields.
    meaning
        One line.
    fields
        From the lowest up, at least one, without overlap.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        _check_name(f"register {self.name!r}", self.name)
        where = f"register {self.name}"
        check_range(f"{where}: offset", self.offset, 0, (1 << ADDRESS_BITS) - 4)
        if self.offset % 4:
            near = self.offset // 4 * 4
            raise SpecError(
                f"{where}: offset must be a multiple of 4, got {self.offset}; nearest is {near}"
            )
        if not self.fields:
            raise SpecError(f"{where}: at least one field is needed, got none")
        free = 0
        for field in self.fields:
            if field.low < free:
                raise SpecError(
                    f"{where}: fields must not overlap and must go up: {field.name} begins at bit "
                    f"{field.low}; the nearest that is free is {free}"
                )
            free = field.low + field.width
        _check_unique(where, [field.name for field in self.fields])

    @property
    def value(self) -> int:
        """The word after reset."""
        return sum(field.value << field.low for field in self.fields)

    def field(self, name: str) -> Field:
        """A field by its name."""
        names = {field.name: field for field in self.fields}
        return names[check_choice(f"field of {self.name}", name, names)]

    def pack(self, **values: int | str) -> int:
        """The word with these fields, by number or by a choice's name; the others as after reset.

        Raises
        ------
        SpecError
            There is no such field, or the value is none that it takes.
        """
        word = self.value
        for name, given in values.items():
            field = self.field(name)
            where = f"{self.name}.{name}"
            if isinstance(given, str):
                number = field.choices[check_choice(where, given, field.choices)]
            else:
                number = check_range(where, given, field.least, field.top)
            word = word & ~field.mask | number << field.low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The fields of a word."""
        return {field.name: (word & field.mask) >> field.low for field in self.fields}


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """All registers of a design, in order of their offsets.

    Parameters
    ----------
    name
        Of the design's kind, as `registers.h` prefixes it.
    registers
        At least one, in order of offsets, without overlap.
    """

    name: str
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        _check_name(f"map {self.name!r}", self.name)
        _check_unique("registers", [register.name for register in self.registers])
        before = -4
        for register in self.registers:
            if register.offset <= before:
                raise SpecError(
                    f"register {register.name}: offsets must go up, got {register.offset:#x} after "
                    f"{before:#x}; nearest is {before + 4:#x}"
                )
            before = register.offset

    def __iter__(self) -> Iterator[Register]:
        return iter(self.registers)

    def __getitem__(self, name: str) -> Register:
        names = {register.name: register for register in self.registers}
        return names[check_choice("register", name, names)]

    def of(self, *accesses: Access) -> tuple[Register, ...]:
        """The registers of some accesses."""
        return tuple(register for register in self.registers if register.access in accesses)

    def told(self) -> dict[str, Any]:
        """The map as JSON."""
        return {
            "name": self.name,
            "registers": [
                {**dataclasses.asdict(register), "access": register.access.value}
                for register in self.registers
            ],
        }

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "RegisterMap":
        """The map that was told."""
        registers = [
            Register(
                **{
                    **each,
                    "access": Access(each["access"]),
                    "fields": tuple(Field(**field) for field in each["fields"]),
                }
            )
            for each in told["registers"]
        ]
        return cls(name=told["name"], registers=tuple(registers))


def _check_name(where: str, name: str) -> None:
    if not (name.isidentifier() and name == name.lower() and not name.startswith("_")):
        raise SpecError(f"{where}: a name is a lower-case identifier such as row_length")


def _check_unique(where: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{where}: names must differ, got {name} {names.count(name)} times")
