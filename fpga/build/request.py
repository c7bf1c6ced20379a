"""What is to be built: a design, a board, and what a user says of its clock and line."""

import math
from dataclasses import dataclass
from fractions import Fraction

from fpga.boards import Facts, facts_of
from fpga.build.board_top import BoardTop, BoardTopConfig
from fpga.build.pll import MHZ, Clock, fastest_up_to, mhz, nearest_clock
from gen.boards import Board
from gen.design import Design
from gen.plan.rates import BUFFER_BYTES, baud_of, clock_of
from gen.uart import uart_top
from hw.bus.uart_top import LineConfig
from spec.errors import SpecError, check_range

__all__ = ["MOST_SEEDS", "Request", "clock_mhz_of"]

MOST_SEEDS = 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be built.

    Parameters
    ----------
    design
        The cores.
    board
        Where it is to run.
    clock
        The clock it is to run at.
    line
        The serial line, at that clock.
    seeds
        How many times it is placed and routed.
    """

    design: Design
    board: Board
    clock: Clock
    line: LineConfig
    seeds: int = 1

    @classmethod
    def of(
        cls,
        design: Design,
        board: Board,
        *,
        clock_mhz: Fraction | None = None,
        baud: int | None = None,
        buffer_bytes: int | None = None,
        seeds: int = 1,
    ) -> "Request":
        """Choose what is not said.

        Raises
        ------
        SpecError
            The clock cannot be made, or not that rate of it.
        """
        facts = facts_of(board)
        clock = _clock(design, board, facts, clock_mhz)
        buffer = buffer_bytes if buffer_bytes is not None else BUFFER_BYTES[facts.device.target]
        chosen = baud if baud is not None else baud_of(board, clock.hz)
        try:
            line = LineConfig(clock_hz=clock.hz, baud=chosen, buffer_bytes=buffer)
        except SpecError as error:
            said = {"--baud": baud, "--buffer": buffer_bytes}
            given = [f"{option} {value}" for option, value in said.items() if value is not None]
            raise SpecError(f"{' '.join(given)} at {mhz(clock.hz)} MHz: {error}") from None
        check_range("--seeds", seeds, 1, MOST_SEEDS)
        return cls(design=design, board=board, clock=clock, line=line, seeds=seeds)

    @property
    def facts(self) -> Facts:
        """Those of the board."""
        return facts_of(self.board)

    def top(self) -> BoardTop:
        """The design on its board, to be elaborated once."""
        config = BoardTopConfig(facts=self.facts, clock=self.clock, pll_cell=self.board.pll)
        return BoardTop(config, uart_top(self.design, self.line))


def _clock(design: Design, board: Board, facts: Facts, asked: Fraction | None) -> Clock:
    """The nearest to what is asked for; else the fastest that is no faster than planned."""
    target, oscillator_hz = facts.device.target, facts.oscillator_hz
    if asked is None:
        kinds = [core.kind.name for core in design.cores.values()]
        planned_hz = Fraction(str(clock_of(board.chip, kinds).mhz)) * MHZ
        made = fastest_up_to(target, oscillator_hz, planned_hz)
        return made or nearest_clock(target, oscillator_hz, planned_hz)
    try:
        return nearest_clock(target, oscillator_hz, asked * MHZ)
    except SpecError as error:
        raise SpecError(f"--clock {mhz(asked * MHZ)} --board {board.name}: {error}") from None


def clock_mhz_of(text: str) -> Fraction:
    """The clock of ``--clock MHZ``: a decimal or a fraction, whether or not it can be made."""
    try:
        parts = [float(part) for part in text.split("/")]
        if all(map(math.isfinite, parts)):
            # As a fraction 1e-999999999 would be more digits than there is memory.
            return Fraction(text) if parts[0] else Fraction(0)
    except (ValueError, ZeroDivisionError):
        pass
    raise SpecError(f"--clock {text}: is no number of MHz; name one such as 48 or 62.5")
