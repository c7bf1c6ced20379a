"""A board in plain Python that speaks the link's protocol: a softmax behind registers.

It reads words bit by bit, on its own, so that a host that packs them wrongly is found out; and it
can be as wrong as a test wants it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpga.link.frames import content_of, frame_of
from gen.design import Design, load_design
from gen.manifest import manifest
from gen.uart import PORTS, uart_section, uart_top
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from sim.golden.softmax import softmax
from spec import Softmax
from spec.link import VERSION, Kind, Status
from spec.registers import Access, RegisterMap

__all__ = ["LINE", "PythonBoard", "write_manifest"]

LINE = LineConfig(clock_hz=12_000_000, baud=1_000_000, buffer_bytes=64)


def write_manifest(
    folder: Path, name: str, settings: Sequence[str] = (), line: LineConfig = LINE
) -> Design:
    """A folder with what a host reads of a design, and no Verilog."""
    design = load_design(name, settings)
    folder.mkdir(parents=True, exist_ok=True)
    section = {"uart": uart_section(design, uart_top(design, line))}
    told = manifest(
        design, PORTS, target=Target.PORTABLE, bus="uart", folder=folder, of_bus=section
    )
    (folder / "manifest.json").write_text(json.dumps(told))
    return design


class PythonBoard:
    """A board with the design of a folder.

    Parameters
    ----------
    folder
        With a manifest of one softmax.
    constants
        Register -> what it holds instead.
    deaf
        Its core takes nothing.
    spoil
        What becomes of a run's probabilities.
    causes
        Causes of errors that the first run ends with.
    """

    def __init__(
        self,
        folder: Path,
        *,
        constants: Mapping[str, int] | None = None,
        deaf: bool = False,
        spoil: Callable[[Any], Any] = lambda p: p,
        causes: Sequence[str] = (),
    ):
        told = json.loads((folder / "manifest.json").read_text())["uart"]
        (self.core,) = told["cores"]
        self.buffer_bytes = told["buffer_bytes"]
        self.map = RegisterMap.read(self.core["registers"])
        self.words = {register.offset: register.value for register in self.map}
        for name, value in (constants or {}).items():
            self.words[self.map[name].offset] = value
        self.deaf, self.spoil, self.causes = deaf, spoil, list(causes)
        self.came, self.last, self.answered = bytearray(), -1, b""
        self.busy, self.failed = False, False
        self.taken: list[int] = []
        self.offered = bytearray()
        self.runs = 0

    # --- the link ---

    def respond(self, data: bytes) -> bytes:
        """Answers to the requests that end in `data`."""
        self.came += data
        *frames, rest = bytes(self.came).split(b"\0")
        self.came = bytearray(rest)
        return b"".join(self._answer(frame) for frame in frames if frame)

    def _answer(self, frame: bytes) -> bytes:
        content = content_of(frame)
        if content is None:
            return b""
        seq, kind, fields = content[0], content[1], content[2:]
        if seq == self.last and kind != Kind.IDENTIFY:
            return self.answered
        self.last = seq
        status, body = self._act(kind, fields)
        self.answered = frame_of(bytes([seq, kind | status << 4]) + body)
        return self.answered

    def _act(self, kind: int, fields: bytes) -> tuple[int, bytes]:
        if kind == Kind.IDENTIFY:
            sizes = [self._size("i"), self._size("o")]
            size = self.buffer_bytes.to_bytes(2, "little")
            return Status.OK, fields + bytes([VERSION]) + size + bytes([1, 1, *sizes])
        if kind == Kind.READ:
            return self._read(int.from_bytes(fields, "little"))
        if kind == Kind.WRITE:
            value, address = (int.from_bytes(part, "little") for part in (fields[:4], fields[4:]))
            return (Status.OK if self._write(address, value) else Status.REFUSED), b""
        if kind == Kind.SEND:
            return Status.OK, self._take(fields[1:]).to_bytes(2, "little")
        most = int.from_bytes(fields[:2], "little") * self._size("o")
        most = min(most, (self.buffer_bytes - 16) // self._size("o") * self._size("o"))
        given = bytes(self.offered[:most])
        del self.offered[:most]
        return Status.OK, given

    def _size(self, stream: str) -> int:
        facts = self.core["streams"][stream]
        data = facts["lanes"] * facts["element_bytes"]
        return (8 * data + data + facts["user_bits"] + 1 + 7) // 8

    # --- the registers ---

    def _read(self, address: int) -> tuple[int, bytes]:
        if address not in self.words:
            return Status.REFUSED, b""
        value = self.words[address]
        if address == self.map["status"].offset:
            if self.busy and self._complete() and not self.offered:
                self.busy = False
            value = int(self.busy) | self.failed << 1
        return Status.OK, value.to_bytes(4, "little")

    def _write(self, address: int, value: int) -> bool:
        names = {register.offset: register for register in self.map}
        register = names.get(address)
        if register is None or not register.access.writable:
            return self._fault("unknown_register")
        match register.access:
            case Access.SETTING:
                if self.busy:
                    return self._fault("locked")
                for field in register.fields:
                    if not field.least <= (value & field.mask) >> field.low <= field.top:
                        return self._fault("value")
                self.words[address] = value
            case Access.STICKY:
                self.words[address] &= ~value
                self.failed &= bool(self.words[self.map["error"].offset])
            case _:
                self._command(register.unpack(value))
        return True

    def _fault(self, cause: str) -> bool:
        self.words[self.map["error"].offset] |= self.map["error"].field(cause).mask
        return False

    def _command(self, bits: Mapping[str, int]) -> None:
        if bits["abort"] and self.busy:
            self.busy, self.failed, self.taken = False, True, []
            self._fault("aborted")
        if bits["start"] and not self.busy and not self.failed:
            self.busy, self.taken = True, []
            self.runs += 1

    # --- the core ---

    def _setting(self, name: str, field: str) -> int:
        register = self.map[name]
        return register.unpack(self.words[register.offset])[field]

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Rows, elements and transfers of a row of this run."""
        length, lanes = self._setting("row_length", "elements"), self.core["streams"]["i"]["lanes"]
        return self._setting("rows", "count"), length, -(-length // lanes)

    def _complete(self) -> bool:
        rows, _, transfers = self._shape
        return len(self.taken) >= rows * transfers

    def _take(self, data: bytes) -> int:
        size = self._size("i")
        if self.failed:
            return len(data) // size
        if self.deaf or not self.busy:
            return 0
        for start in range(0, len(data), size):
            self.taken.append(int.from_bytes(data[start : start + size], "little"))
        if self._complete():
            self._compute()
        return len(data) // size

    def _compute(self) -> None:
        rows, length, transfers = self._shape
        facts = self.core["streams"]["i"]
        lanes, size = facts["lanes"], facts["element_bytes"]
        scores = np.zeros((rows, length), np.int64)
        seen = np.ones((rows, length), bool)
        by_user = self._setting("mask", "source")
        for number, word in enumerate(self.taken):
            row, transfer = divmod(number, transfers)
            keep = word >> 8 * size * lanes & (1 << size * lanes) - 1
            user = word >> 9 * size * lanes & (1 << lanes) - 1
            last = word >> 9 * size * lanes + lanes
            assert last == (transfer == transfers - 1), "a row's end"
            for lane in range(lanes):
                at = transfer * lanes + lane
                kept = keep >> size * lane & (1 << size) - 1
                assert kept == ((1 << size) - 1 if at < length else 0), "kept bytes"
                if at < length:
                    value = word >> 8 * size * lane & (1 << 8 * size) - 1
                    scores[row, at] = value - (value >> 8 * size - 1 << 8 * size)
                    seen[row, at] = not by_user or user >> lane & 1
        p, empty = softmax(Softmax(**self.core["description"]).numerics, scores, seen)
        self._give(self.spoil(p), empty)
        for cause in self.causes:
            self._fault(cause)
        self.causes = []

    def _give(self, p: Any, empty: Any) -> None:
        rows, length, transfers = self._shape
        facts = self.core["streams"]["o"]
        lanes, size = facts["lanes"], facts["element_bytes"]
        for row in range(rows):
            for transfer in range(transfers):
                word = 0
                for lane in range(lanes):
                    at = transfer * lanes + lane
                    if at < length:
                        word |= int(p[row, at]) << 8 * size * lane
                        word |= ((1 << size) - 1) << 8 * size * lanes + size * lane
                word |= int(empty[row]) << 9 * size * lanes
                word |= (transfer == transfers - 1) << 9 * size * lanes + 1
                self.offered += word.to_bytes(self._size("o"), "little")
        cycles = self.map["cycles"].offset
        self.words[cycles] = 1000 * rows
