"""Drive any unit through its streams, so that a test can be an equation.

    assert run(Exp(config), {"i": x}, cycles_budget=100).outputs["o"] == golden.exp(numerics, x)

`run` finds the unit's streams by their names, `i...` and `o...`, offers the payloads, inserts the
stalls it is told to, stops at a budget of cycles, and records when every transfer happened. It also
checks the rules of streams in every cycle.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from amaranth.hdl import ClockDomain, Fragment, Module, Value
from amaranth.lib import stream, wiring
from amaranth.sim import Simulator

from tests.support.payload import decode, encode

__all__ = [
    "BudgetExceeded",
    "RandomStalls",
    "Run",
    "Stalls",
    "StreamRuleBroken",
    "intervals",
    "latency",
    "run",
    "streams",
]


class BudgetExceeded(AssertionError):  # noqa: N818 (says what happened)
    """The unit did not deliver what was expected within the budget of cycles."""


class StreamRuleBroken(AssertionError):  # noqa: N818 (says what happened)
    """An output stream withdrew or changed an offer, or looked at ready before making one."""


@dataclass(frozen=True, kw_only=True)
class RandomStalls:
    """Stall in every cycle with the same `probability`, reproducibly from `seed` and stream."""

    probability: float
    seed: int = 0

    def cycles(self, name: str) -> Iterator[bool]:
        """One decision per cycle, different for every stream `name`."""
        source = random.Random(f"{self.seed}/{name}")
        while True:
            yield source.random() < self.probability


# True at a cycle's place stalls that cycle; after the end of a list nothing stalls.
Stalls = Sequence[bool] | RandomStalls | None


@dataclass(kw_only=True)
class Run:
    """What came out of a unit, and when.

    Attributes
    ----------
    outputs
        Payloads of every output stream, in order: int, list (array layouts), dict (structs).
    cycles
        For every stream, input or output, the cycle of each of its transfers.
    total
        Cycles simulated.
    """

    outputs: dict[str, list[Any]] = field(default_factory=dict)
    cycles: dict[str, list[int]] = field(default_factory=dict)
    total: int = 0

    @property
    def o(self) -> list[Any]:
        """Payloads of the only output stream."""
        (payloads,) = self.outputs.values()
        return payloads


def run(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[Any]],
    *,
    cycles_budget: int,
    stalls: Stalls | Mapping[str, Stalls] = None,
    expect: int | Mapping[str, int] | None = None,
    settle_cycles: int = 4,
    pins: Mapping[str, int] | None = None,
    platform: Any = None,
) -> Run:
    """Drive `component` until everything went in and the expected number came out.

    Parameters
    ----------
    component
        Any component with stream members called i... and o..., also in arrays ("o[0]").
    inputs
        Payloads for every input stream: ints, or lists and dicts for array and struct layouts.
    cycles_budget
        Cycles after which the run fails with `BudgetExceeded`.
    stalls
        When not to offer an input and not to accept an output: one pattern for every stream, or
        one each by name. An offer once made is held whatever the pattern says.
    expect
        Number of payloads from every output, or by name; as many as the longest input if left out.
    settle_cycles
        Cycles to go on for at the end, accepting everything: what arrives then is recorded too,
        so that a transfer doubled or invented is seen.
    pins
        Constant values for members that are no streams.
    platform
        Passed to `elaborate`.
    """
    ports = streams(component)
    drivers = {name: port for name, port in ports.items() if name.startswith("i")}
    sinks = {name: port for name, port in ports.items() if name.startswith("o")}
    if set(inputs) != set(drivers):
        raise ValueError(f"inputs are {sorted(drivers)}, got payloads for {sorted(inputs)}")
    longest = max((len(each) for each in inputs.values()), default=0)
    expected = _by_name(expect if expect is not None else longest, sinks, "expect")
    patterns = _by_name(stalls, ports, "stalls")

    result = Run(outputs={name: [] for name in sinks}, cycles={name: [] for name in ports})
    sources = [
        _Source(name, port, inputs[name], _cycles(patterns.get(name), name), result)
        for name, port in drivers.items()
    ]
    drains = [
        _Drain(name, port, expected.get(name, 0), _cycles(patterns.get(name), name), result)
        for name, port in sinks.items()
    ]

    async def bench(ctx: Any) -> None:
        for name, value in (pins or {}).items():
            ctx.set(getattr(component, name), value)
        remaining = settle_cycles
        while remaining:
            ended = all(end.done for end in (*sources, *drains))
            remaining -= ended
            if not ended and result.total == cycles_budget:
                raise BudgetExceeded(_shortfall(cycles_budget, sources, drains))
            for source in sources:
                source.drive(ctx)
            for drain in drains:
                drain.look(ctx)
            for drain in drains:
                drain.drive(ctx, ended)
            for end in (*sources, *drains):
                end.sample(ctx, result.total)
            await ctx.tick()
            result.total += 1

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.dut = Fragment.get(component, platform)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result


def streams(component: wiring.Component) -> dict[str, stream.Interface]:
    """Every stream member of `component` by name, those in arrays as "name[index]"."""
    found: dict[str, stream.Interface] = {}

    def visit(name: str, member: Any) -> None:
        if isinstance(member, wiring.FlippedInterface):
            member = wiring.flipped(member)
        if isinstance(member, stream.Interface):
            found[name] = member
        elif isinstance(member, list | tuple):
            for index, each in enumerate(member):
                visit(f"{name}[{index}]", each)

    for name in component.signature.members:
        visit(name, getattr(component, name))
    return found


def latency(result: Run, i: str = "i", o: str = "o") -> int:
    """Cycles from every transfer of `i` to the same of `o`, which must all be equal."""
    each = {out - into for into, out in zip(result.cycles[i], result.cycles[o], strict=True)}
    if len(each) != 1:
        raise AssertionError(f"latency from {i} to {o} is not one number: {sorted(each)}")
    return each.pop()


def intervals(result: Run, name: str = "i") -> list[int]:
    """Cycles between each transfer of a stream and the next."""
    return [later - earlier for earlier, later in pairwise(result.cycles[name])]


class _Source:
    """Offers payloads to an input stream."""

    def __init__(
        self, name: str, port: stream.Interface, payloads: Sequence[Any], stalls: Any, result: Run
    ):
        if port.signature.always_valid:
            raise ValueError(f"{name} is always valid, and cannot be driven by a list")
        self.name, self.port, self.stalls = name, port, stalls
        shape = port.signature.members["payload"].shape
        self.bits = [encode(each, shape, name) for each in payloads]
        self.cycles = result.cycles[name]
        self.offered = False

    @property
    def done(self) -> bool:
        return len(self.cycles) == len(self.bits)

    @property
    def progress(self) -> str:
        return f"{self.name} accepted {len(self.cycles)} of {len(self.bits)}"

    def drive(self, ctx: Any) -> None:
        stall = next(self.stalls)
        if not self.offered and not self.done and not stall:
            self.offered = True
            ctx.set(Value.cast(self.port.payload), self.bits[len(self.cycles)])
        ctx.set(self.port.valid, self.offered)

    def sample(self, ctx: Any, cycle: int) -> None:
        if self.offered and ctx.get(self.port.ready):
            self.cycles.append(cycle)
            self.offered = False


class _Drain:
    """Accepts payloads from an output stream, and holds the stream to its rules."""

    def __init__(self, name: str, port: stream.Interface, expect: int, stalls: Any, result: Run):
        self.name, self.port, self.expect, self.stalls = name, port, expect, stalls
        self.shape = port.signature.members["payload"].shape
        self.payloads, self.cycles = result.outputs[name], result.cycles[name]
        self.refused: int | None = None
        self.ready = False
        self.valid_before = False

    @property
    def done(self) -> bool:
        return len(self.cycles) >= self.expect

    @property
    def progress(self) -> str:
        return f"{self.name} delivered {len(self.cycles)} of {self.expect}"

    def look(self, ctx: Any) -> None:
        self.valid_before = bool(ctx.get(self.port.valid))

    def drive(self, ctx: Any, ended: bool) -> None:
        stall = next(self.stalls)
        self.ready = ended or not stall
        if not self.port.signature.always_ready:
            ctx.set(self.port.ready, self.ready)

    def sample(self, ctx: Any, cycle: int) -> None:
        valid, bits = bool(ctx.get(self.port.valid)), ctx.get(Value.cast(self.port.payload))
        if valid != self.valid_before:
            raise StreamRuleBroken(f"{self.name}: valid depends on ready, in cycle {cycle}")
        if self.refused is not None and not valid:
            raise StreamRuleBroken(f"{self.name}: valid withdrawn in cycle {cycle}")
        if self.refused is not None and bits != self.refused:
            raise StreamRuleBroken(
                f"{self.name}: payload changed before it was accepted, in cycle {cycle}: "
                f"{decode(self.refused, self.shape)} became {decode(bits, self.shape)}"
            )
        accepted = valid and (self.ready or self.port.signature.always_ready)
        self.refused = bits if valid and not accepted else None
        if accepted:
            self.payloads.append(decode(bits, self.shape))
            self.cycles.append(cycle)


def _by_name(given: Any, ports: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """Spread a setting for all over the streams, or check the names of one for each."""
    if not isinstance(given, Mapping):
        return dict.fromkeys(ports, given)
    if unknown := sorted(set(given) - set(ports)):
        raise ValueError(f"{what} names {unknown[0]!r}, which is none of {sorted(ports)}")
    return given


def _cycles(stalls: Stalls, name: str) -> Iterator[bool]:
    if isinstance(stalls, RandomStalls):
        return stalls.cycles(name)
    return _then_never(stalls or ())


def _then_never(stalls: Sequence[bool]) -> Iterator[bool]:
    yield from stalls
    while True:
        yield False


def _shortfall(budget: int, sources: list[_Source], drains: list[_Drain]) -> str:
    counts = ", ".join(end.progress for end in (*sources, *drains))
    return f"after {budget} cycles {counts}"
