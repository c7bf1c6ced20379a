"""A map of registers in SystemRDL 2.0, for the tools that read it: documents, test benches.

No gates are made from it; those are `hw.bus.register_file`.
"""

from collections.abc import Iterator

from spec.registers import Access, Field, Register, RegisterMap

__all__ = ["systemrdl"]

PROPERTIES = {
    Access.CONSTANT: ("sw = r", "hw = na"),
    Access.STATUS: ("sw = r", "hw = w"),
    Access.SETTING: ("sw = rw", "hw = r"),
    Access.STICKY: ("sw = rw", "hw = r", "hwset", "onwrite = woclr"),
    Access.COMMAND: ("sw = w", "hw = r", "singlepulse"),
}


def systemrdl(registers: RegisterMap) -> str:
    """An ``addrmap`` of 32-bit registers at the same offsets, with the same fields and resets."""
    lines = [f"addrmap {registers.name} {{"]
    lines += [
        f"    name = {_quoted(f'Chrysalis {registers.name}')};",
        "    default regwidth = 32;",
        "    default accesswidth = 32;",
    ]
    for register in registers:
        lines += ["", *_register(register)]
    return "\n".join([*lines, "};"]) + "\n"


def _register(register: Register) -> Iterator[str]:
    enums = {field.name: f"{register.name}_{field.name}" for field in register.fields}
    for field in register.fields:
        if field.choices:
            values = " ".join(f"{name} = {value};" for name, value in field.choices.items())
            yield f"    enum {enums[field.name]} {{ {values} }};"
    yield "    reg {"
    yield f"        desc = {_quoted(register.meaning)};"
    for field in register.fields:
        properties = list(PROPERTIES[register.access])
        if field.choices:
            properties.append(f"encode = {enums[field.name]}")
        meaning = _quoted(_told(register, field))
        yield f"        field {{ {'; '.join(properties)}; desc = {meaning}; }}"
        place = f"[{field.low + field.width - 1}:{field.low}]"
        reset = "" if register.access is Access.STATUS else f" = {field.value:#x}"
        yield f"            {field.name}{place}{reset};"
    yield f"    }} {register.name} @ {register.offset:#05x};"


def _told(register: Register, field: Field) -> str:
    if register.access is not Access.SETTING:
        return field.meaning
    return f"{field.meaning}; from {field.least} to {field.top}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
