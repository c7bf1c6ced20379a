"""What a folder says of the design in it, as far as a host must know: no gateware is loaded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fpga.host.packets import Stream
from spec.errors import SpecError
from spec.registers import INTERFACE_VERSION, RegisterMap
from spec.told import Description, read_description

__all__ = ["CoreFacts", "DesignFacts", "read_manifest"]

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class CoreFacts:
    """A core behind the link.

    Parameters
    ----------
    name, kind, digest
        By which it is known.
    base
        Byte address of its registers on the link.
    registers
        Its registers.
    streams
        Its streams, by name.
    configuration
        How it is built.
    told
        What it computes, as plain data.
    """

    name: str
    kind: str
    digest: str
    base: int
    registers: RegisterMap
    streams: Mapping[str, Stream]
    configuration: Mapping[str, Any]
    told: Mapping[str, Any]

    @cached_property
    def description(self) -> Description:
        """What it computes."""
        return read_description(self.kind, self.told)

    def constant(self, name: str) -> int:
        """A register that never changes."""
        return self.registers[name].value


@dataclass(frozen=True, kw_only=True)
class DesignFacts:
    """A design with its link.

    Parameters
    ----------
    folder
        Where it was read.
    name
        Of the design.
    interface_version
        Of registers and streams.
    target
        Whose cells its Verilog has.
    clock_hz, baud, buffer_bytes
        Of the board's clock, line and buffers.
    cores
        By name.
    """

    folder: Path
    name: str
    interface_version: int
    target: str
    clock_hz: int
    baud: int
    buffer_bytes: int
    cores: Mapping[str, CoreFacts]

    def core(self, name: str | None) -> CoreFacts:
        """The core of that name, or the only one.

        Raises
        ------
        SpecError
            There is none, or there are several.
        """
        names = ", ".join(self.cores)
        if name is None:
            if len(self.cores) > 1:
                raise SpecError(f"{self.folder}: there are several cores: name one of {names}")
            return next(iter(self.cores.values()))
        if name not in self.cores:
            raise SpecError(f"{self.folder}: there is no core {name!r}; there is {names}")
        return self.cores[name]

    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bytes of a word of every stream to the cores, and from them, in order."""
        streams = [stream for core in self.cores.values() for stream in core.streams.values()]
        to_core, from_core = (
            tuple(
                each.word_bytes
                for each in sorted(streams, key=lambda stream: stream.index)
                if each.to_core == side
            )
            for side in (True, False)
        )
        return to_core, from_core


def read_manifest(folder: Path) -> DesignFacts:
    """What a folder of `gen.verilog` or `fpga.build` says.

    Raises
    ------
    SpecError
        There is no such folder, it is none of ours, its design is not made for the link, or it is
        of another version.
    """
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = told["interface_version"]
    except FileNotFoundError:
        what = f"there is no {MANIFEST} in it" if folder.is_dir() else "there is no such folder"
        raise SpecError(f"{folder}: {what}; name one that gen.verilog or fpga.build made") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise SpecError(f"{path}: is no manifest of ours; build the folder again") from None
    if version != INTERFACE_VERSION:
        raise SpecError(
            f"{folder}: was built for interface version {version}, this host has "
            f"{INTERFACE_VERSION}: build and flash it again with this release"
        )
    if "uart" not in told:
        raise SpecError(
            f"{folder}: the design has no serial link (bus {told.get('bus')}); build one with "
            f"python -m gen.verilog {told.get('name')} --bus uart, or with python -m fpga.build"
        )
    try:
        return _design(folder, told)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise SpecError(f"{path}: {error}; build the folder again") from None
        raise SpecError(f"{path}: says too little ({error!r}); build the folder again") from None


def _design(folder: Path, told: Mapping[str, Any]) -> DesignFacts:
    line = told["uart"]
    cores = [_core(each) for each in line["cores"]]
    return DesignFacts(
        folder=folder,
        name=told["name"],
        interface_version=told["interface_version"],
        target=told["target"],
        clock_hz=line["clock_hz"],
        baud=line["baud"],
        buffer_bytes=line["buffer_bytes"],
        cores={core.name: core for core in cores},
    )


def _core(told: Mapping[str, Any]) -> CoreFacts:
    return CoreFacts(
        name=told["name"],
        kind=told["kind"],
        digest=told["digest"],
        base=told["base"],
        registers=RegisterMap.read(told["registers"]),
        streams={name: Stream.read(name, each) for name, each in told["streams"].items()},
        configuration=told["configuration"],
        told=told["description"],
    )
