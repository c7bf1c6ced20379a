"""Words and frames for `sim.bench.axi`, by the names of registers and by arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.bus.axi_stream import RowsConfig
from sim.bench.axi import Frame, Poll, Read, Write
from spec.registers import RegisterMap

__all__ = ["Host", "elements", "frame"]


class Host:
    """Accesses by name."""

    def __init__(self, registers: RegisterMap):
        self.registers = registers

    def write(self, name: str, **fields: int | str) -> Write:
        """Write a register, the fields that are not named as after reset."""
        register = self.registers[name]
        return Write(register.offset, register.pack(**fields))

    def read(self, name: str) -> Read:
        """Read a register."""
        return Read(self.registers[name].offset)

    def until(self, name: str, **fields: int) -> Poll:
        """Wait until the fields are so."""
        register = self.registers[name]
        mask = sum(register.field(each).mask for each in fields)
        value = sum(number << register.field(each).low for each, number in fields.items())
        return Poll(register.offset, mask, value)

    def clear(self, *causes: str) -> list[Write]:
        """Clear causes of errors, and where they were."""
        error, where = self.registers["error"], self.registers["error_stream"]
        return [
            Write(error.offset, sum(error.field(cause).mask for cause in causes)),
            Write(where.offset, sum(field.mask for field in where.fields)),
        ]

    def causes(self, word: int) -> set[str]:
        """Names of the bits that are set in the register error."""
        return {name for name, bit in self.registers["error"].unpack(word).items() if bit}


def frame(
    config: RowsConfig, values: NDArray[np.integer], user: Sequence[int] = (), pad: int = 0
) -> Frame:
    """A row as a frame; `pad` further elements of zero at its end."""
    size = config.element_bytes
    padded = [*map(int, values), *[0] * pad]
    data = [
        byte for value in padded for byte in (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    ]
    return Frame(data=data, user=tuple(user))


def elements(config: RowsConfig, told: dict[str, Any]) -> NDArray[np.int64]:
    """The elements of a frame that came, kept ones alone; a part of one is no element."""
    size = config.element_bytes
    data = np.array(told["data"], np.uint8).reshape(-1, size)
    keep = np.array(told["keep"], bool).reshape(-1, size)
    assert (keep.all(axis=1) == keep.any(axis=1)).all(), "part of an element"
    kept = keep.all(axis=1)
    assert not data[~kept].any(), "elements that are not kept are 0"
    words = [int.from_bytes(row.tobytes(), "little", signed=False) for row in data[kept]]
    found = np.array(words, np.int64)
    if config.element.signed:
        found -= (found >> 8 * size - 1) << 8 * size
    return found
