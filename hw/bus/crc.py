"""CRC-32 of a sequence of bytes, zlib's, a few bits a cycle."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.lib.credit import Push, PushSignature
from spec.errors import check_choice
from spec.link import CRC_POLYNOMIAL, CRC_START

__all__ = ["Crc32", "Crc32Config"]

BYTE_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Crc32Config:
    """Configuration of a `Crc32`.

    Parameters
    ----------
    bits_per_cycle
        Bits taken in a cycle: 1, 2, 4 or 8. More need more gates: about 35 LUT4 for 1 or 2, 60 for
        4, 100 for 8.
    """

    bits_per_cycle: int = 4

    def __post_init__(self) -> None:
        check_choice("Crc32Config.bits_per_cycle", self.bits_per_cycle, (1, 2, 4, 8))

    @property
    def steps(self) -> int:
        """Cycles that a byte takes."""
        return BYTE_BITS // self.bits_per_cycle

    @property
    def interval(self) -> int:
        """Cycles between bytes: a byte is first put into a register."""
        return self.steps + 1

    @property
    def latency(self) -> int:
        """Cycles from a byte to a register that has it."""
        return self.interval


class Crc32(wiring.Component):
    """register = the CRC-32 of the bytes since `clear`, before zlib's final complement.

    Contract: bytes come at least `config.interval` cycles apart: not while `busy`, which says that
    the last one is not yet in the register. `clear` starts anew, whatever is
    under way, and a byte in the same cycle is not taken. After a message and its own CRC, low
    byte first, `register` is `spec.link.CRC_RESIDUE`.

    *Timing*: latency and interval 8 / bits_per_cycle + 1.

    *Members*: ``clear``; ``i`` a Push of a byte; ``busy``; ``register``, 32 bits.
    """

    clear: Signal
    i: Push
    busy: Signal
    register: Signal

    def __init__(self, config: Crc32Config):
        self.config = config
        super().__init__(
            {
                "clear": In(1),
                "i": In(PushSignature(8)),
                "busy": Out(1),
                "register": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Keep a byte, and take it from its low end."""
        m = Module()
        step = self.config.bits_per_cycle
        crc = Signal(32, init=CRC_START)
        rest = Signal(BYTE_BITS, reset_less=True)
        # A bit for each step to come, so that the lowest says whether there is one.
        left = Signal(self.config.steps)
        m.d.comb += [self.register.eq(crc), self.busy.eq(left[0])]
        m.d.sync += [
            rest.eq(Mux(self.i.valid, self.i.payload, rest >> step)),
            left.eq(Mux(self.i.valid, ~0, left >> 1)),
        ]
        with m.If(left[0]):
            m.d.sync += crc.eq(_after(crc, rest[:step]))
        with m.If(self.clear):
            m.d.sync += [crc.eq(CRC_START), left.eq(0)]
        return m


def _after(crc: Value, bits: Value) -> Value:
    """The register after `bits`, the lowest first."""
    taps = [place for place in range(32) if CRC_POLYNOMIAL >> place & 1]
    now = list(crc)
    for bit in bits:
        out = now[0] ^ bit
        now = [*now[1:], Const(0, 1)]
        for place in taps:
            now[place] = now[place] ^ out
    return Cat(*now)
