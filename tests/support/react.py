"""Drive a unit by a function that sees what came out: for units whose inputs answer outputs."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from tests.support.netlist import ports_of

__all__ = ["Offers", "react"]

Row = Mapping[str, int]


def react(
    component: wiring.Component, cycles: int, inputs_of: Callable[[list[dict[str, int]]], Row]
) -> list[dict[str, int]]:
    """Every port in every cycle; `inputs_of` gives a cycle's inputs from the cycles before it.

    Ports are called as Amaranth's Verilog back end calls them; an input that is not given keeps
    its value.
    """
    signals = {
        "__".join(map(str, path)): Value.cast(value)
        for path, _, value in component.signature.flatten(component)
    }
    inputs = {port.name for port in ports_of(component) if port.is_input}
    trace: list[dict[str, int]] = []

    async def bench(ctx: Any) -> None:
        for _ in range(cycles):
            for name, value in inputs_of(trace).items():
                assert name in inputs, name
                ctx.set(signals[name], value)
            trace.append({name: ctx.get(signal) for name, signal in signals.items()})
            await ctx.tick()

    simulator = Simulator(component)  # pyright: ignore[reportArgumentType]
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return trace


class Offers:
    """Payloads offered to an input stream one after the other, each until it is accepted.

    Parameters
    ----------
    port
        Name of the stream.
    payloads
        Bits of each.
    pause
        Asked before each offer whether to wait a cycle.
    """

    def __init__(self, port: str, payloads: list[int], pause: Callable[[], bool] = lambda: False):
        self.port, self.payloads, self.pause = port, payloads, pause
        self.at, self.offered = 0, False

    def inputs(self, trace: list[dict[str, int]]) -> dict[str, int]:
        """The stream's inputs of the coming cycle."""
        if trace and self.offered and trace[-1][f"{self.port}__ready"]:
            self.at, self.offered = self.at + 1, False
        if not self.offered and self.at < len(self.payloads):
            self.offered = not self.pause()
        if not self.offered:
            return {f"{self.port}__valid": 0}
        return {f"{self.port}__valid": 1, f"{self.port}__payload": self.payloads[self.at]}
