"""``registers.h``: a map of registers for a program in C."""

from collections.abc import Iterator

from spec.registers import Access, Field, Register, RegisterMap

__all__ = ["c_header"]

PREFIX = "CHRYSALIS"


def c_header(registers: RegisterMap) -> str:
    """Offsets in bytes, masks and shifts of fields, limits of settings, values of constants.

    C99 and later, and C++; macros alone, so that it is of use in assembly too.
    """
    guard = f"{PREFIX}_{registers.name}_REGISTERS_H".upper()
    lines = [
        f"/* Registers of a {registers.name} design; made by Chrysalis, not to be edited. */",
        f"#ifndef {guard}",
        f"#define {guard}",
    ]
    for register in registers:
        lines += ["", *_register(f"{PREFIX}_{registers.name}_{register.name}".upper(), register)]
    return "\n".join([*lines, "", f"#endif /* {guard} */"]) + "\n"


def _register(name: str, register: Register) -> Iterator[str]:
    yield f"/* {register.meaning} ({register.access.value}) */"
    yield f"#define {name}_OFFSET {register.offset:#05x}u"
    for field in register.fields:
        yield from _field(f"{name}_{field.name}".upper(), register, field)


def _field(name: str, register: Register, field: Field) -> Iterator[str]:
    if field.meaning != register.meaning:
        yield f"/* {field.meaning} */"
    yield f"#define {name}_MASK {field.mask:#010x}u"
    yield f"#define {name}_SHIFT {field.low}"
    if register.access is Access.CONSTANT:
        yield f"#define {name} {field.value:#x}u"
    if register.access is Access.SETTING:
        yield f"#define {name}_LEAST {field.least:#x}u"
        yield f"#define {name}_MOST {field.top:#x}u"
        yield f"#define {name}_RESET {field.value:#x}u"
    for choice, value in field.choices.items():
        yield f"#define {name}_{choice.upper()} {value:#x}u"
