"""Write ``docs/registers.md``: the registers of every kind of design, from the maps themselves.

Run from the repository's root:  python -m scripts.registers
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gen.design import INTERFACE_VERSION, load_design
from gen.registers.markdown import table
from hw.bus.attention_registers import attention_registers
from hw.bus.butterfly_registers import butterfly_registers
from hw.bus.registers import Identity
from hw.bus.softmax import softmax_registers
from spec.registers import Register, RegisterMap

FILE = Path("docs/registers.md")

EXAMPLES = {
    "softmax": ("softmax_exact", softmax_registers),
    "attention": ("attention_any_mask", attention_registers),
    "butterfly": ("butterfly_1024", butterfly_registers),
}
"""Kind -> the preset whose registers stand for the kind, one that has them all; and its map."""

TEXT = """\
# Registers and streams on AXI

Made by `python -m scripts.registers` from the maps that the gates are made from; a test holds it
to them. `python -m gen.verilog NAME --bus axi` puts the map of a design beside its Verilog: as
`registers.h` for C, as `registers.rdl` in SystemRDL, and in `manifest.json`, from which
`spec.registers.RegisterMap.read` makes it again in Python, without any gateware.

Registers are words of 32 bits, reached through AXI4-Lite (`s_axi`) at byte addresses of 12 bits. A
write must be of a whole word. What cannot be done is not done at all, and answered with SLVERR: a
read or write where there is no register, a write to one that is read only, of a part of a word, of
a value that a setting does not take, or to a setting while a run goes on.

## How a run goes

1. Read `identity`, `interface` and `digest_0` to `digest_7`, and compare the digest with the
   manifest's: another one is another design.
2. Write the settings. They keep their values, so that only what changes need be written.
3. Where a mask is loaded: write `load` to `control`, send the mask, wait until `busy` falls. A
   mask stays until another is loaded.
4. Write `start` to `control`. Send the rows, receive the rows, in whichever order suits; what is
   sent before the start waits. `busy` falls when the last transfer has been accepted.
5. Read `error`. If it is 0, all is well, and the counters say how long it took: if every stream
   keeps up, exactly as long as the cycle model says, and 4 cycles to begin and to end.

Data are rows on AXI4-Stream: elements of 1, 2 or 4 bytes, the first in the lowest, TLAST with a
row's last transfer. TKEEP keeps all bytes, except that a row of a length that is no multiple of
the lanes keeps only its elements in its last transfer. The manifest's section `axi` says for each
stream what a row is. The settings say how many there are: the gates count, and check.

## When something is wrong

Each cause has a bit in `error`, which stays until 1 is written to it; `error_stream` says on which
stream a row was malformed. A wrong access or a start out of turn does nothing else. A malformed
row, a run in which nothing moves for `timeout` cycles, or `abort`, makes the run *fail*:

- What is missing is made up by zeros, so the core always comes to its end, and `busy` falls. What
  was taken up to and with the malformed transfer counts as it came, and outputs that depend on no
  more than that are right.
- What the sender still sends is taken and dropped, until `busy` has fallen and the cause has been
  cleared; `failed` in `status` says so. Let the sender stop, then clear: the next transfer after
  that begins a row.
- All rows that were to come out do come out. After `timeout` and `abort`, though, they are
  dropped, as there may be nobody to take them; a row that is cut short by this is ended by one
  element of zero with TLAST, and what was on offer stays on offer, as AXI4-Stream demands.

Then the next run is as any other; nothing needs a reset.
"""


NOTE = """\
As of `{preset}`. A setting of which a design has but one value is left out, and those after it move
up.
"""


def document() -> str:
    """The text of the file."""
    maps = {kind: _map(*example) for kind, example in EXAMPLES.items()}
    first, *others = maps.values()
    shared = [each for each in first if all(_has(other, each) for other in others)]
    names = {register.name for register in shared}
    parts = [TEXT, "## Registers of every design\n", table(shared)]
    for kind, (preset, _) in EXAMPLES.items():
        own = [register for register in maps[kind] if register.name not in names]
        parts += [f"## Further registers: {kind}\n", NOTE.format(preset=preset), table(own)]
    return "\n".join(parts)


def _map(preset: str, registers_of: Callable[[Any, Identity], RegisterMap]) -> RegisterMap:
    design = load_design(preset)
    identity = Identity(interface_version=INTERFACE_VERSION, digest=design.digest)
    return registers_of(design.config, identity)


def _has(registers: RegisterMap, register: Register) -> bool:
    """Whether a map has this register, whatever a constant's value is."""

    def form(each: Register) -> tuple[str, int, list[str]]:
        return each.name, each.offset, [field.name for field in each.fields]

    return form(register) in map(form, registers)


def main() -> None:
    FILE.write_text(document())


if __name__ == "__main__":
    main()
