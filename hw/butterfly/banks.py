"""2P memories side by side, read and written at one line for each half."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from hw.prim.ram import Ram, RamConfig

__all__ = ["Banks", "BanksConfig"]


@dataclass(frozen=True, kw_only=True)
class BanksConfig:
    """Size of a memory of banks.

    Parameters
    ----------
    units
        Lanes, P; there are two banks a lane.
    width
        Bits of a word.
    lines
        Words of a bank.
    """

    units: int
    width: int
    lines: int

    @property
    def ram(self) -> RamConfig:
        """One bank."""
        return RamConfig(width=self.width, depth=self.lines)

    @property
    def latency(self) -> int:
        """Cycles from a line to its words."""
        return self.ram.latency

    @property
    def interval(self) -> int:
        """Cycles between lines."""
        return 1


class Banks(wiring.Component):
    """Bank half·P + lane holds the words of that lane and half.

    Contract: that of `hw.prim.ram.Ram` for each bank. All banks of a half share a line; a write
    goes to the banks that are enabled.

    *Timing*: latency `config.latency`, interval 1.

    *Members*
    read_line, write_line
        For each half, a line.
    enable
        For each bank, whether it is written.
    write_data, read_data
        A word for each bank.
    """

    read_line: Any
    write_line: Any
    enable: Signal
    write_data: Any
    read_data: Any

    def __init__(self, config: BanksConfig):
        self.config = config
        banks = 2 * config.units
        lines = ArrayLayout(config.ram.address_width, 2)
        words = ArrayLayout(config.width, banks)
        super().__init__(
            {
                "read_line": In(lines),
                "write_line": In(lines),
                "enable": In(banks),
                "write_data": In(words),
                "read_data": Out(words),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the banks."""
        m = Module()
        units = self.config.units
        for bank in range(2 * units):
            m.submodules[f"bank{bank}"] = ram = Ram(self.config.ram)
            m.d.comb += [
                ram.read.address.eq(self.read_line[bank // units]),
                ram.write.address.eq(self.write_line[bank // units]),
                ram.write.enable.eq(self.enable[bank]),
                ram.write.data.eq(self.write_data[bank]),
                self.read_data[bank].eq(ram.read.data),
            ]
        return m
