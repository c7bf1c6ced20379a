"""Ask a component through its register access port, and a small map to ask about."""

import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from amaranth.sim import Simulator

from spec.registers import Access, Field, Register, RegisterMap

__all__ = ["Ask", "Told", "asked", "every_access"]


class Ask(NamedTuple):
    """A request."""

    address: int
    write: bool = False
    data: int = 0
    strobe: int = 0b1111


class Told(NamedTuple):
    """A response, and the cycles of its request's transfer and of its first offer."""

    data: int
    error: int
    accepted: int
    offered: int


def asked(
    component: Any,
    requests: Iterable[Ask],
    *,
    each_cycle: Callable[[Any, int], None] = lambda ctx, cycle: None,
    pause: float = 0.0,
    seed: int = 1,
    cycles: int = 10_000,
) -> list[Told]:
    """Make every request in turn, and give the answers.

    Parameters
    ----------
    each_cycle
        Called in every cycle, after the port's inputs are set, to set and look at other members.
    pause
        Probability, each cycle, of not offering a request, and of not accepting a response.
    cycles
        Within which all must be answered.
    """
    rng, answers = random.Random(seed), []
    request, response = component.access.request, component.access.response

    async def bench(ctx: Any) -> None:
        left, pending, accepted, offered = list(requests)[::-1], None, 0, None
        for cycle in range(cycles):
            if pending is None and left and rng.random() >= pause:
                pending = left.pop()
                for name, value in pending._asdict().items():
                    ctx.set(request.payload[name], int(value))
            ctx.set(request.valid, pending is not None)
            accept = rng.random() >= pause
            ctx.set(response.ready, accept)
            each_cycle(ctx, cycle)
            if pending is not None and ctx.get(request.ready):
                pending, accepted = None, cycle
            if ctx.get(response.valid):
                offered = cycle if offered is None else offered
                if accept:
                    told = ctx.get(response.payload.data), ctx.get(response.payload.error)
                    answers.append(Told(*told, accepted, offered))
                    offered = None
            if not left and pending is None and not ctx.get(response.valid) and offered is None:
                settle = cycle - accepted > 8
                if settle:
                    return
            await ctx.tick()
        raise AssertionError(f"{len(answers)} answers in {cycles} cycles")

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return answers


def every_access() -> RegisterMap:
    """A register of every access, with gaps, limits and two fields of a setting."""

    def field(name: str, low: int, width: int, **more: Any) -> Field:
        return Field(name=name, low=low, width=width, meaning="something", **more)

    def register(name: str, offset: int, access: Access, *fields: Field) -> Register:
        return Register(name=name, offset=offset, access=access, meaning="a word", fields=fields)

    return RegisterMap(
        name="demo",
        registers=(
            register("identity", 0x0, Access.CONSTANT, field("value", 0, 32, value=0xC0DE0001)),
            register("control", 0x8, Access.COMMAND, field("go", 0, 1), field("end", 3, 1)),
            register("status", 0xC, Access.STATUS, field("busy", 1, 1), field("count", 4, 8)),
            register("error", 0x10, Access.STICKY, field("low", 0, 1), field("high", 31, 1)),
            register(
                "job",
                0x14,
                Access.SETTING,
                field("length", 0, 5, least=3, most=20, value=7),
                field("mode", 8, 2, most=2),
            ),
            register("whole", 0xFFC, Access.SETTING, field("value", 0, 32, value=1 << 31)),
        ),
    )
