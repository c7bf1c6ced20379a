"""Memories: one interface, filled by plain Verilog or by a vendor's cells."""

from dataclasses import dataclass, replace

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.prim import ecp5, ice40
from hw.prim.cells import MEMORY_LATENCY, Accesses, table
from hw.prim.target import Target, target_of

LOGIC_ROM_BITS = 2048
"""A table of at most this many bits is logic rather than block memory, on every target."""


def _address_width(depth: int) -> int:
    return max(1, (depth - 1).bit_length())


def _check_positive(config: object, *fields: str) -> None:
    for field in fields:
        value = getattr(config, field)
        if type(value) is not int or value < 1:
            raise ValueError(
                f"{type(config).__name__}.{field} must be an integer of at least 1, not {value!r}"
            )


@dataclass(frozen=True, kw_only=True)
class RamConfig:
    """Size of a memory: of a `Ram` or of a `SinglePortRam`.

    Parameters
    ----------
    width
        Bits of a word, at least 1.
    depth
        Words, at least 1.
    exclusive
        Whether a user of a `Ram` never needs what is read in a cycle that writes. On iCE40
        UltraPlus such a memory may lie in single-port RAM, of which there is more.
    write_registers
        Ranks of registers on a `Ram`'s way from its write port to its cells, for a memory of so
        many cells that some lie far from the writer. Not with `exclusive`.
    """

    width: int
    depth: int
    exclusive: bool = False
    write_registers: int = 0

    def __post_init__(self) -> None:
        _check_positive(self, "width", "depth")
        ranks = self.write_registers
        if type(ranks) is not int or ranks < 0:
            raise ValueError(
                f"{type(self).__name__}.write_registers must be an integer of at least 0, "
                f"not {ranks!r}"
            )
        if type(self.exclusive) is not bool:
            raise ValueError(
                f"{type(self).__name__}.exclusive must be True or False, not {self.exclusive!r}"
            )
        if self.exclusive and ranks:
            raise ValueError(
                f"{type(self).__name__}.write_registers must be 0 with exclusive, not {ranks}"
            )

    @property
    def latency(self) -> int:
        """Cycles from a read address to its word: 2, the array and an output register."""
        return MEMORY_LATENCY

    @property
    def write_latency(self) -> int:
        """Cycles from a write to the first address that reads its word: 1 and the registers."""
        return 1 + self.write_registers

    @property
    def interval(self) -> int:
        """Cycles between two addresses: 1."""
        return 1

    @property
    def address_width(self) -> int:
        """Bits of an address, at least 1."""
        return _address_width(self.depth)


class RamWrite(wiring.PureInterface):
    """The signals of a `RamWriteSignature`."""

    enable: Signal
    address: Signal
    data: Signal


class RamWriteSignature(wiring.Signature):
    """What a writer drives: ``enable``, ``address`` and ``data``."""

    def __init__(self, config: RamConfig):
        super().__init__(
            {"enable": Out(1), "address": Out(config.address_width), "data": Out(config.width)}
        )

    def create(self, *, path=None, src_loc_at=0) -> RamWrite:
        """Make the signals."""
        return RamWrite(self, path=path, src_loc_at=1 + src_loc_at)


class RamRead(wiring.PureInterface):
    """The signals of a `RamReadSignature`."""

    address: Signal
    data: Signal


class RamReadSignature(wiring.Signature):
    """What a reader sees: it drives ``address`` and is given ``data`` the latency later."""

    def __init__(self, config: RamConfig):
        super().__init__({"address": Out(config.address_width), "data": In(config.width)})

    def create(self, *, path=None, src_loc_at=0) -> RamRead:
        """Make the signals."""
        return RamRead(self, path=path, src_loc_at=1 + src_loc_at)


class Ram(wiring.Component):
    """A memory with one write port and one read port, on one clock.

    Contract: a word written in a cycle is read by its address presented `write_latency` cycles
    later, or after that; without `write_registers`, in any later cycle. Not defined on any target,
    so that users must avoid them: reading an address that is written in the same cycle or was less
    than `write_latency` cycles before, reading a word that was never written, and addresses past
    the last word. A read whose result nobody uses may do any of these. If the memory is
    `exclusive`, a read in the cycle of any write is not defined either. Contents have no reset,
    the read port has no enable, and neither port ever stalls.

    On iCE40 UltraPlus an exclusive memory whose words fit one SB_SPRAM256KA, but not one block
    memory, is single-port RAM.

    *Timing*: latency 2, interval 1.

    *Members*: ``write`` a `RamWriteSignature`, ``read`` a `RamReadSignature`.
    """

    write: RamWrite
    read: RamRead

    def __init__(self, config: RamConfig):
        self.config = config
        super().__init__(
            {"write": In(RamWriteSignature(config)), "read": In(RamReadSignature(config))}
        )

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        if self.config.write_registers:
            return self._written_late()
        accesses = Accesses(
            enable=self.write.enable,
            write_address=self.write.address,
            write_data=self.write.data,
            read_address=self.read.address,
            read_data=self.read.data,
        )
        match target_of(platform):
            case Target.ECP5:
                return ecp5.memory(self.config.depth, accesses)
            case Target.ICE40 if self._fits_single_port:
                at = Mux(self.write.enable, self.write.address, self.read.address)
                single = replace(accesses, write_address=at, read_address=at)
                return ice40.single_port_memory(self.config.depth, single)
            case Target.ICE40 | Target.ICE40_HX:
                return ice40.memory(self.config.depth, accesses)
            case Target.PORTABLE:
                return self._portable()

    @property
    def _fits_single_port(self) -> bool:
        config, (depth, width) = self.config, ice40.SPRAM_ASPECTS[0]
        fits = config.exclusive and config.width <= width and config.depth <= depth
        return fits and config.width * config.depth > ice40.BLOCK_BITS

    def _written_late(self) -> Module:
        """A rank of registers before a memory with one rank less."""
        m = Module()
        ranks = self.config.write_registers - 1
        m.submodules.late = late = Ram(replace(self.config, write_registers=ranks))
        for name in ("enable", "address", "data"):
            told = getattr(self.write, name)
            kept = Signal.like(told, reset_less=name != "enable", name=f"write_{name}")
            m.d.sync += kept.eq(told)
            m.d.comb += getattr(late.write, name).eq(kept)
        m.d.comb += [
            late.read.address.eq(self.read.address),
            self.read.data.eq(late.read.data),
        ]
        return m

    def _portable(self) -> Module:
        m = Module()
        # The contract excludes collisions, so synthesis need not build logic that resolves them.
        # Yosys heeds `no_rw_check` where it merges a read port with the register after it, hence
        # the asynchronous port and `data_1`.
        m.submodules.storage = storage = Memory(
            shape=self.config.width,
            depth=max(2, self.config.depth),
            init=[],
            attrs={"no_rw_check": 1},  # type: ignore[arg-type]
        )
        write_port = storage.write_port()
        read_port = storage.read_port(domain="comb")
        data_1 = Signal(self.config.width, reset_less=True)
        data_2 = Signal(self.config.width, reset_less=True)
        m.d.comb += [
            write_port.en.eq(self.write.enable),
            write_port.addr.eq(self.write.address),
            write_port.data.eq(self.write.data),
            read_port.addr.eq(self.read.address),
        ]
        m.d.sync += [data_1.eq(read_port.data), data_2.eq(data_1)]
        m.d.comb += self.read.data.eq(data_2)
        return m


class SinglePort(wiring.PureInterface):
    """The signals of a `SinglePortSignature`."""

    enable_write: Signal
    address: Signal
    data_in: Signal
    data_out: Signal


class SinglePortSignature(wiring.Signature):
    """What the one user drives: ``enable_write``, ``address``, ``data_in``; and ``data_out``."""

    def __init__(self, config: RamConfig):
        super().__init__(
            {
                "enable_write": Out(1),
                "address": Out(config.address_width),
                "data_in": Out(config.width),
                "data_out": In(config.width),
            }
        )

    def create(self, *, path=None, src_loc_at=0) -> SinglePort:
        """Make the signals."""
        return SinglePort(self, path=path, src_loc_at=1 + src_loc_at)


class SinglePortRam(wiring.Component):
    """A memory whose one port reads or writes in a cycle: the large RAM of iCE40 UltraPlus.

    Contract: that of `Ram`, with one address: a cycle with ``enable_write`` writes, and what comes
    out for that cycle is not defined.

    On iCE40 UltraPlus the words lie in SB_SPRAM256KA cells (16384 × 16 bits each, four in a UP5K).
    Elsewhere this is a `Ram` whose two addresses are one.

    *Timing*: latency 2, interval 1.

    *Members*: ``port`` a `SinglePortSignature`.
    """

    port: SinglePort

    def __init__(self, config: RamConfig):
        self.config = config
        super().__init__({"port": In(SinglePortSignature(config))})

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        if target_of(platform) is Target.ICE40:
            accesses = Accesses(
                enable=self.port.enable_write,
                write_address=self.port.address,
                write_data=self.port.data_in,
                read_address=self.port.address,
                read_data=self.port.data_out,
            )
            return ice40.single_port_memory(self.config.depth, accesses)
        m = Module()
        m.submodules.ram = ram = Ram(self.config)
        m.d.comb += [
            ram.write.enable.eq(self.port.enable_write),
            ram.write.address.eq(self.port.address),
            ram.write.data.eq(self.port.data_in),
            ram.read.address.eq(self.port.address),
            self.port.data_out.eq(ram.read.data),
        ]
        return m


@dataclass(frozen=True, kw_only=True)
class RomConfig:
    """A constant table.

    Parameters
    ----------
    width
        Bits of a word, at least 1.
    entries
        The words, each from 0 to 2**width - 1; at least one.
    """

    width: int
    entries: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_positive(self, "width")
        if type(self.entries) is not tuple or not self.entries:
            raise ValueError(
                f"RomConfig.entries must be a tuple of at least one integer, not {self.entries!r}"
            )
        for index, entry in enumerate(self.entries):
            if type(entry) is not int or not 0 <= entry < 1 << self.width:
                raise ValueError(
                    f"RomConfig.entries[{index}] must be an integer from 0 to "
                    f"{(1 << self.width) - 1}, not {entry!r}"
                )

    @property
    def depth(self) -> int:
        """Words of the table."""
        return len(self.entries)

    @property
    def address_width(self) -> int:
        """Bits of an address, at least 1."""
        return _address_width(self.depth)

    @property
    def style(self) -> str:
        """``"logic"`` up to `LOGIC_ROM_BITS` bits, else ``"block"``; the same on every target."""
        return "logic" if self.width * self.depth <= LOGIC_ROM_BITS else "block"

    @property
    def latency(self) -> int:
        """Cycles from an address to its word: 1 as logic, 2 as block memory."""
        return 1 if self.style == "logic" else MEMORY_LATENCY

    @property
    def interval(self) -> int:
        """Cycles between two addresses: 1."""
        return 1


class Rom(wiring.Component):
    """data = entries[address].

    Contract: an address past the last entry is not defined. No enable, no reset, and it never
    stalls.

    *Timing*: latency `RomConfig.latency` (1 or 2, by size alone), interval 1.

    *Members*: ``address``, `RomConfig.address_width` bits; ``data``, `RomConfig.width` bits.
    """

    address: Signal
    data: Signal

    def __init__(self, config: RomConfig):
        self.config = config
        super().__init__({"address": In(config.address_width), "data": Out(config.width)})

    def elaborate(self, platform: object) -> Module:
        """Fill the interface with the cells of the platform's target."""
        words = table(self.config.entries, self.address, self.data)
        match self.config.style, target_of(platform):
            case "block", Target.ECP5:
                return ecp5.memory(self.config.depth, words)
            case "block", Target.ICE40 | Target.ICE40_HX:
                return ice40.memory(self.config.depth, words)
            case _:
                return self._portable()

    def _portable(self) -> Module:
        m = Module()
        m.submodules.words = words = Memory(
            shape=self.config.width,
            depth=max(2, self.config.depth),
            init=self.config.entries,
            attrs={"rom_style": self.config.style},
        )
        read_port = words.read_port(domain="comb")
        m.d.comb += read_port.addr.eq(self.address)
        data = read_port.data
        for stage in range(1, self.config.latency + 1):
            register = Signal(self.config.width, reset_less=True, name=f"data_{stage}")
            m.d.sync += register.eq(data)
            data = register
        m.d.comb += self.data.eq(data)
        return m
