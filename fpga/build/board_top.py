"""A design with what a board adds: clock, reset, pins. The one place with a PLL's cells."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.cdc import AsyncFFSynchronizer
from amaranth.lib.wiring import In, Out

from fpga.boards import Facts
from fpga.build.pll import Clock, Ecp5Pll, Ice40Pll, mhz
from hw.prim.target import Target, target_of

__all__ = ["DESIGN", "BoardTop", "BoardTopConfig", "ResetBridge"]

DESIGN = "design"
"""Name of the design within the top, so the first part of its cells' names."""

SETTLE_SECONDS = 20e-6
"""Block memories of iCE40 give zeros for some microseconds after they were configured; Amaranth
waits 15."""


@dataclass(frozen=True, kw_only=True)
class BoardTopConfig:
    """Configuration of a `BoardTop`.

    Parameters
    ----------
    facts
        The board's.
    clock
        The design's clock.
    pll_cell
        What makes it, where it is not the oscillator.
    """

    facts: Facts
    clock: Clock
    pll_cell: str

    @property
    def settle_cycles(self) -> int:
        """For how long reset is held after the clock is stable."""
        return round(SETTLE_SECONDS * self.clock.exact_hz)


class ResetBridge(wiring.Component):
    """A reset that ends in step with the clock, when all is settled.

    Contract: `reset` is high from power-up, and again from at most two clocks after `hold` rose,
    until `settle_cycles` clocks after `hold` was last high and two to three more for the crossing.
    It is a register. A low of `hold` is seen whatever its length.

    *Members*: ``hold``, which needs no relation to the clock; ``reset``.
    """

    hold: Signal
    reset: Signal

    def __init__(self, settle_cycles: int):
        self.settle_cycles = settle_cycles
        super().__init__({"hold": In(1), "reset": Out(1, init=1)})  # pyright: ignore

    def elaborate(self, platform: object) -> Module:
        """Cross into the clock's domain, then count."""
        m = Module()
        held = Signal()
        m.submodules.cross = AsyncFFSynchronizer(self.hold, held)
        # Without reset: the domain's own is what is being made here.
        left = Signal(range(self.settle_cycles + 1), init=self.settle_cycles, reset_less=True)
        reset = Signal(init=1, reset_less=True)
        m.d.comb += self.reset.eq(reset)
        m.d.sync += reset.eq(held | (left != 0))
        with m.If(held):
            m.d.sync += left.eq(self.settle_cycles)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m


class BoardTop(wiring.Component):
    """A design on a board: nothing but pins remains.

    The design runs on one clock, in reset until the PLL has locked, the memories are there and the
    button is let go. Clock and reset are on global nets: as an ordinary net of thousands of loads
    the router fails at the reset on ECP5.

    *Members*
    oscillator
        The board's clock.
    receive, transmit
        The serial line; the design synchronises it.
    busy, error
        Lights, already as the board has them: low is on where they are inverted.
    button
        Reset, as the board has it; only where it has one.
    """

    oscillator: Signal
    receive: Signal
    transmit: Signal
    busy: Signal
    error: Signal

    def __init__(self, config: BoardTopConfig, design: Any):
        self.config, self.design = config, design
        members = {
            "oscillator": In(1),
            "receive": In(1),
            "transmit": Out(1),
            "busy": Out(1),
            "error": Out(1),
        }
        super().__init__({**members, **({"button": In(1)} if config.facts.reset else {})})

    def elaborate(self, platform: object) -> Module:
        """Make the clock, bridge the reset, join design and pins."""
        m = Module()
        facts, ecp5 = self.config.facts, target_of(platform) is Target.ECP5
        domain: Any = ClockDomain("sync")
        m.domains.sync = domain
        locked = _add_clock(m, self.config, self.oscillator, domain.clk)
        m.submodules.bridge = bridge = ResetBridge(self.config.settle_cycles)
        pressed = Signal()
        if facts.reset:
            m.d.comb += pressed.eq(self.button ^ facts.reset.inverted)  # type: ignore[attr-defined]
        m.d.comb += bridge.hold.eq(~locked | pressed)
        m.submodules.reset = (
            Instance("DCCA", i_CLKI=bridge.reset, i_CE=Const(1), o_CLKO=domain.rst)
            if ecp5
            else Instance(
                "SB_GB",
                i_USER_SIGNAL_TO_GLOBAL_BUFFER=bridge.reset,
                o_GLOBAL_BUFFER_OUTPUT=domain.rst,
            )
        )

        m.submodules[DESIGN] = design = self.design
        m.d.comb += [
            design.receive.eq(self.receive),
            self.transmit.eq(design.transmit),
            self.busy.eq(design.busy ^ facts.busy.inverted),
            self.error.eq(design.error ^ facts.error.inverted),
        ]
        return m


def _add_clock(m: Module, config: BoardTopConfig, oscillator: Value, clock: Signal) -> Value:
    """Make the clock; give whether it is stable."""
    pll = config.clock.pll
    if pll is None:
        m.d.comb += clock.eq(oscillator)
        return Const(1)
    locked = Signal()
    if isinstance(pll, Ecp5Pll):
        m.submodules.pll = _ehxplll(pll, oscillator, clock, locked)
    else:
        m.submodules.pll = _sb_pll40(config.pll_cell, pll, oscillator, clock, locked)
    return locked


def _ehxplll(pll: Ecp5Pll, oscillator: Value, clock: Signal, locked: Signal) -> Instance:
    """CLKOP goes back; the clock is CLKOP too, or CLKOS where it needs a divider of its own."""
    constants = {
        "PLLRST_ENA": "DISABLED",
        "INTFB_WAKE": "DISABLED",
        "STDBY_ENABLE": "DISABLED",
        "DPHASE_SOURCE": "DISABLED",
        "OUTDIVIDER_MUXA": "DIVA",
        "OUTDIVIDER_MUXB": "DIVB",
        "OUTDIVIDER_MUXC": "DIVC",
        "OUTDIVIDER_MUXD": "DIVD",
        "FEEDBK_PATH": "CLKOP",
        "CLKI_DIV": pll.input_divider,
        "CLKFB_DIV": pll.feedback_divider,
        "CLKOP_ENABLE": "ENABLED",
        "CLKOP_DIV": pll.feedback_output,
        "CLKOP_CPHASE": pll.feedback_output - 1,
        "CLKOP_FPHASE": 0,
    }
    # Charge pump and filter, as the open tools set them for every frequency.
    attributes: dict[str, str] = {
        "ICP_CURRENT": "12",
        "LPF_RESISTOR": "8",
        "MFG_ENABLE_FILTEROPAMP": "1",
        "MFG_GMCREF_SEL": "2",
        "FREQUENCY_PIN_CLKI": mhz(pll.input_hz),
        "FREQUENCY_PIN_CLKOP": mhz(pll.oscillator_hz / pll.feedback_output),
    }
    outputs: dict[str, Signal] = {"o_CLKOP": clock, "o_LOCK": locked}
    feedback = clock
    if pll.output_divider != pll.feedback_output:
        feedback = Signal()
        outputs |= {"o_CLKOP": feedback, "o_CLKOS": clock}
        attributes["FREQUENCY_PIN_CLKOS"] = mhz(pll.output_hz)
        constants |= {
            "CLKOS_ENABLE": "ENABLED",
            "CLKOS_DIV": pll.output_divider,
            "CLKOS_CPHASE": pll.output_divider - 1,
            "CLKOS_FPHASE": 0,
        }
    ties = {name: Const(0) for name in ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PLLWAKESYNC")}
    ties |= {name: Const(1) for name in ("PHASEDIR", "PHASESTEP", "PHASELOADREG")}
    return Instance(
        "EHXPLLL",
        **{f"p_{name}": value for name, value in constants.items()},
        **{f"a_{name}": value for name, value in attributes.items()},
        **{f"i_{name}": value for name, value in ties.items()},
        i_CLKI=oscillator,
        i_CLKFB=feedback,
        **outputs,
    )


def _sb_pll40(
    cell: str, pll: Ice40Pll, oscillator: Value, clock: Signal, locked: Signal
) -> Instance:
    source = {"SB_PLL40_PAD": "i_PACKAGEPIN", "SB_PLL40_CORE": "i_REFERENCECLK"}[cell]
    return Instance(
        cell,
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=Const(pll.divr, 4),
        p_DIVF=Const(pll.divf, 7),
        p_DIVQ=Const(pll.divq, 3),
        p_FILTER_RANGE=Const(pll.filter_range, 3),
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
        **{source: oscillator},
    )
