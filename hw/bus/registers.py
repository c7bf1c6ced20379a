"""The registers that every design has: who it is, how it is run, how it fares. Plain Python.

A kind of design adds what it can (capabilities) and what a run is told (settings); the offsets of
what all have are the same everywhere.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spec.registers import IDENTITY_WORD, KINDS, Access, Field, Register, RegisterMap

__all__ = ["CAUSES", "FATAL", "FAULTS", "KINDS", "Identity", "constant", "setting", "system_map"]

DIGEST_WORDS = 8
CAPABILITIES, CONTROL, SETTINGS, COUNTERS = 0x030, 0x080, 0x090, 0x0C0
"""Offsets at which groups of registers begin."""

TIMEOUT_CYCLES = 1 << 28
"""Of the watchdog after reset: two seconds or so."""

CAUSES = {
    "unknown_register": "a write to no register, to one that is read only, or of less than a word",
    "value": "a write of a value that the setting does not take; it keeps the one before",
    "locked": "a write to a setting while a run or a load was going; it keeps the one before",
    "start_busy": "start while a run or a load was going; that goes on",
    "start_error": "start or load while a cause from row_early on was set; nothing was begun",
    "load_busy": "load while a run or another load was going; nothing was loaded",
    "mask_missing": "start with a mask source that was not loaded; nothing was begun",
    "row_early": "TLAST before a row's last transfer",
    "row_missing": "no TLAST with a row's last transfer",
    "row_short": "TKEEP of a row's last transfer keeps fewer elements than the row has",
    "row_long": "TKEEP of a row's last transfer keeps more elements than the row has",
    "keep": "TKEEP leaves out an element within a row, or a part of an element",
    "timeout": "no transfer on any stream for the cycles that timeout says, in a run",
    "aborted": "abort was written in a run",
}
"""Bits of the register error, from bit 0 up."""

FAULTS = ("row_early", "row_missing", "row_short", "row_long", "keep")
"""Causes that come from a stream of data; the register error_stream says from which."""

FATAL = ("row_early", "row_missing", "row_short", "row_long", "keep", "timeout", "aborted")
"""Causes that end a run's use of its inputs: zeros take their place up to the end of the run."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """By which a host knows a design.

    Parameters
    ----------
    interface_version
        Of ports, streams and registers.
    digest
        SHA-256 over all that decides behaviour, 64 hexadecimal digits.
    """

    interface_version: int
    digest: str

    @property
    def words(self) -> list[int]:
        """The digest as registers hold it: the first eight digits in the first."""
        return [int(self.digest[8 * k : 8 * k + 8], 16) for k in range(DIGEST_WORDS)]


def constant(name: str, value: int, meaning: str) -> Register:
    """A capability: a number that never changes. It is given its offset by `system_map`."""
    field = Field(name="value", low=0, width=32, meaning=meaning, value=value)
    return Register(name=name, offset=0, access=Access.CONSTANT, meaning=meaning, fields=(field,))


def setting(name: str, meaning: str, *fields: Field) -> Register:
    """What a run is told. It is given its offset by `system_map`."""
    return Register(name=name, offset=0, access=Access.SETTING, meaning=meaning, fields=fields)


def system_map(
    kind: str,
    identity: Identity,
    *,
    capabilities: Sequence[Register],
    settings: Sequence[Register],
    inputs: Sequence[str],
    outputs: Sequence[str],
    tables: Sequence[str] = (),
) -> RegisterMap:
    """The registers of a design.

    Parameters
    ----------
    kind
        One of `KINDS`.
    identity
        By which a host knows it.
    capabilities, settings
        What is the kind's own, made by `constant` and `setting`.
    inputs, outputs, tables
        Names of the streams of data, and of those that load a table between runs.
    """
    digest = [
        constant(f"digest_{k}", word, f"digits {8 * k} to {8 * k + 7} of the design's digest")
        for k, word in enumerate(identity.words)
    ]
    counters = [
        _status("cycles", "cycles of the last run, or of this one so far; stays at its largest"),
        *(
            _status(f"stalls_{name}", f"of these, {name} was wanted and not there")
            for name in inputs
        ),
        *(
            _status(f"stalls_{name}", f"of these, {name} was there and not taken")
            for name in outputs
        ),
    ]
    return RegisterMap(
        name=kind,
        registers=(
            *_placed(
                0,
                [
                    constant(
                        "identity", IDENTITY_WORD, "the letters CHRY, the first in the highest byte"
                    ),
                    constant("interface", identity.interface_version, "version of the interface"),
                    constant("kind", KINDS[kind], "1 softmax, 2 attention, 3 butterfly"),
                ],
            ),
            *_placed(0x010, digest),
            *_placed(CAPABILITIES, capabilities),
            *_placed(
                CONTROL,
                [
                    _control(bool(tables)),
                    _status_register(),
                    _error(),
                    _error_stream([*inputs, *tables]),
                ],
            ),
            *_placed(SETTINGS, [_timeout(), *settings]),
            *_placed(COUNTERS, counters),
        ),
    )


def _placed(offset: int, registers: Sequence[Register]) -> list[Register]:
    return [dataclasses.replace(each, offset=offset + 4 * k) for k, each in enumerate(registers)]


def _bits(meanings: Mapping[str, str]) -> tuple[Field, ...]:
    return tuple(
        Field(name=name, low=k, width=1, meaning=meaning)
        for k, (name, meaning) in enumerate(meanings.items())
    )


def _control(loads: bool) -> Register:
    bits = {
        "start": "begin a run with the settings as they are",
        "abort": "end the run: zeros for what is missing, and what comes out is dropped",
    }
    if loads:
        bits["load"] = "begin to load the mask of the source that the setting mask names"
    return Register(
        name="control", offset=0, access=Access.COMMAND, meaning="commands", fields=_bits(bits)
    )


def _status_register() -> Register:
    bits = {
        "busy": "a run is going, from start to the last transfer out; or a load",
        "failed": "inputs are taken and dropped, from a cause from row_early on until that is "
        "cleared and no run is going",
    }
    return Register(
        name="status", offset=0, access=Access.STATUS, meaning="what goes on", fields=_bits(bits)
    )


def _error() -> Register:
    return Register(
        name="error",
        offset=0,
        access=Access.STICKY,
        meaning="causes of errors; each stays until 1 is written to it",
        fields=_bits(CAUSES),
    )


def _error_stream(inputs: Sequence[str]) -> Register:
    bits = {name: f"a fault on {name}" for name in inputs}
    return Register(
        name="error_stream",
        offset=0,
        access=Access.STICKY,
        meaning="where row_early to keep happened; cleared like error",
        fields=_bits(bits),
    )


def _timeout() -> Register:
    field = Field(
        name="cycles",
        low=0,
        width=32,
        meaning="cycles of a run without a transfer on any stream that end it; 0: never",
        value=TIMEOUT_CYCLES,
    )
    return setting("timeout", "the watchdog", field)


def _status(name: str, meaning: str) -> Register:
    field = Field(name="value", low=0, width=32, meaning=meaning)
    return Register(name=name, offset=0, access=Access.STATUS, meaning=meaning, fields=(field,))
