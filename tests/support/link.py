"""A link with a core behind it, emitted and run in Icarus, as a port that the host can open.

The simulator is a process that takes bytes and gives bytes, so that the host's own program drives
the emitted gates; its time is the simulated one.
"""

import os
import random
import selectors
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fpga.link import Link as HostLink
from fpga.link import Patience
from gen.emit import emit_verilog
from hw.bus.link import LinkConfig
from hw.bus.register_file import request_shape
from hw.prim.target import Target
from sim.bench.runner import HANG_SECONDS
from tests.support.link_core import CONFIG, LinkedCore
from tests.support.netlist import cell_models

__all__ = ["LOST", "PAUSE", "Simulated", "SimulatedPort", "compile_bench"]

BENCH = """
`timescale 1ns/1ns
module bench;
    reg clk = 0, i_valid = 0, lost = 0, o_ready = 1, hesitate = 0;
    reg [7:0] i_payload = 0;
    wire o_valid, busy, wrote_valid, fed_valid;
    wire [7:0] o_payload;
    wire [%(request)d:0] wrote;
    wire [%(word)d:0] fed;
    integer command, cycles, k;
    link dut(.clk(clk), .rst(1'b0), .\\i__valid (i_valid), .\\i__payload (i_payload), .lost(lost),
        .\\o__valid (o_valid), .\\o__payload (o_payload), .\\o__ready (o_ready), .busy(busy),
        .\\wrote__valid (wrote_valid), .\\wrote__payload (wrote),
        .\\fed__valid (fed_valid), .\\fed__payload (fed));
    task tick;
        begin
            o_ready = !hesitate || ($random & 7) == 0;
            #5;
            if (o_valid && o_ready) $fwrite(32'h8000_0001, "o%%h ", o_payload);
            if (wrote_valid) $fwrite(32'h8000_0001, "w%%h ", wrote);
            if (fed_valid) $fwrite(32'h8000_0001, "f%%h ", fed);
            clk = 1;
            #5 clk = 0;
        end
    endtask
    initial begin
        command = $fgetc(32'h8000_0000);
        while (command >= 0) begin
            // A byte; a byte lost; a pause; a line that hesitates, or no longer; or go on until
            // the link is idle, and tell what happened.
            if (command == "b") begin
                i_valid = 1;
                i_payload = $fgetc(32'h8000_0000);
                tick;
                i_valid = 0;
                for (k = 1; k < %(interval)d; k = k + 1) tick;
            end else if (command == "l") begin
                lost = 1;
                tick;
                lost = 0;
            end else if (command == "p") begin
                command = $fgetc(32'h8000_0000);
                for (k = 0; k < command; k = k + 1) tick;
            end else if (command == "h") begin
                hesitate = !hesitate;
            end else begin
                cycles = 0;
                tick;
                while (busy && cycles < %(limit)d) begin
                    tick;
                    cycles = cycles + 1;
                end
                if (busy) $fwrite(32'h8000_0001, "hung ");
                $fwrite(32'h8000_0001, ".\\n");
                $fflush(32'h8000_0001);
            end
            command = $fgetc(32'h8000_0000);
        end
        $finish;
    end
endmodule
"""


def compile_bench(
    folder: Path, config: LinkConfig = CONFIG, target: Target = Target.PORTABLE
) -> Path:
    """Emit and compile; what `Simulated` runs."""
    design, bench, program = folder / "link.v", folder / "bench.v", folder / "bench.vvp"
    design.write_text(emit_verilog(LinkedCore(config), target, "link"))
    sizes = {
        "request": request_shape().size - 1,
        "word": config.send_widths[0] - 1,
        "interval": config.interval,
        # For each byte: fetched or made, and sent; a link that is busy for longer hangs.
        "limit": 10 * config.buffer_bytes + config.patience_cycles + 500,
    }
    bench.write_text(BENCH % sizes)
    subprocess.run(
        [
            *("iverilog", "-g2005", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "bench"),
            *("-o", str(program), str(bench), str(design), *map(str, cell_models(target))),
        ],
        check=True,
        timeout=HANG_SECONDS,
    )
    return program


BAUD = 1_000_000
STALL_S = 0.01

LOST = -1
"""In place of a byte to the board: the receiver lost it, and says so."""
PAUSE = 256
"""With a number of cycles up to 255 added, in place of a byte: a pause."""

Fault = Callable[[bytes], "bytes | list[int]"]


@dataclass
class Happened:
    """What a link did, in order: bytes it sent, registers it wrote, words it gave the core."""

    sent: list[int] = field(default_factory=list)
    wrote: list[tuple[int, int]] = field(default_factory=list)
    fed: list[int] = field(default_factory=list)


class Simulated:
    """The compiled bench, running.

    Parameters
    ----------
    program
        From `compile_bench`.
    """

    def __init__(self, program: Path):
        self.process = subprocess.Popen(
            ["vvp", "-n", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.stdout, selectors.EVENT_READ)

    def __enter__(self) -> "Simulated":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.stdin.close()
        self.stdout.close()
        self.ready.close()

    def hesitate(self) -> None:
        """From now on, or no longer, the line takes a byte from the link only now and then."""
        self.stdin.write(b"h")

    def run(self, data: "bytes | list[int]") -> Happened:
        """Feed bytes as fast as they may come, then go on until the link is idle."""
        for byte in data:
            if byte == LOST:
                self.stdin.write(b"l")
            elif byte >= PAUSE:
                self.stdin.write(bytes([ord("p"), byte - PAUSE]))
            else:
                self.stdin.write(bytes([ord("b"), byte]))
        self.stdin.write(b"r")
        self.stdin.flush()
        said = b""
        while not said.endswith(b".\n"):
            assert self.ready.select(HANG_SECONDS), "the simulator says nothing"
            more = os.read(self.stdout.fileno(), 1 << 16)
            assert more, f"the simulator ended: {said[-200:]!r}"
            said += more
        happened = Happened()
        for word in said.split()[:-1]:
            assert word != b"hung", "the link hangs"
            kind, bits = word[:1], int(word[1:], 16)
            if kind == b"o":
                happened.sent.append(bits)
            elif kind == b"f":
                happened.fed.append(bits)
            else:
                fields = request_shape().from_bits(bits)
                assert (fields.write, fields.strobe) == (1, 0xF)
                happened.wrote.append((fields.address, fields.data))
        return happened


class SimulatedPort:
    """A port for `fpga.link.Link`, whose other end is the simulated link.

    Attributes
    ----------
    to_board, from_board
        What the line does to the bytes of each direction: called with what a write or an answer
        consists of.
    wrote, fed
        Everything that was ever done to the core.
    now
        Seconds, for the host's clock.
    """

    def __init__(self, simulated: Simulated):
        self.simulated = simulated
        self.to_board: Fault = bytes
        self.from_board: Callable[[bytes], bytes] = bytes
        self.came = bytearray()
        self.wrote: list[tuple[int, int]] = []
        self.fed: list[int] = []
        self.writes = 0
        self.now = 0.0
        self._timeout: float | None = None

    @property
    def in_waiting(self) -> int:
        return len(self.came)

    @property
    def timeout(self) -> float | None:
        return self._timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def clock(self) -> float:
        return self.now

    def write(self, data: bytes, /) -> int:
        self.writes += 1
        happened = self.simulated.run(self.to_board(data))
        self.now += 10 * (len(data) + len(happened.sent)) / BAUD
        self.wrote += happened.wrote
        self.fed += happened.fed
        if happened.sent:
            self.came += self.from_board(bytes(happened.sent))
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        if not self.came:
            self.now += self._timeout or 0
        data = bytes(self.came[:size])
        del self.came[:size]
        return data

    def reset_input_buffer(self) -> None:
        self.came.clear()

    def close(self) -> None:
        pass

    def host(self, seed: int = 0, attempts: int = 6) -> HostLink:
        """A session of the host's own program."""
        source = random.Random(seed)
        return HostLink(
            lambda: self,
            baud=BAUD,
            patience=Patience(attempts=attempts, answer_s=0.1, stall_s=STALL_S),
            clock=self.clock,
            random_bytes=source.randbytes,
        )
