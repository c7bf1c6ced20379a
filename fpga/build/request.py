"""What is to be built: a design, a board, and what a user says of its clock and line."""

from dataclasses import dataclass
from fractions import Fraction

from fpga.boards import Facts, facts_of
from fpga.build.board_top import BoardTop, BoardTopConfig
from fpga.build.pll import MHZ, Clock, mhz, nearest_clock
from gen.boards import Board
from gen.design import Design
from gen.uart import uart_top
from hw.bus.uart_top import LineConfig
from hw.prim.target import Target
from spec.errors import SpecError, check_range

__all__ = ["MOST_SEEDS", "Request", "clock_mhz_of"]

BAUDS = (12_000_000, 6_000_000, 3_000_000, 2_000_000, 1_000_000)
"""Rates that the bridges of all boards give exactly, and that are tried in turn."""

CLOCKS_PER_BIT = 8
"""Of a rate that nobody asked for: a sender may be off by 3.9 % (docs/link.md)."""

BUFFER_BYTES = {Target.ECP5: 2048}
BUFFER_BYTES_ELSE = 512
"""A block RAM of the family."""

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
        wanted = clock_mhz if clock_mhz is not None else _clock_mhz(design, board)
        try:
            clock = nearest_clock(facts.device.target, facts.oscillator_hz, wanted * MHZ)
        except SpecError as error:
            raise SpecError(f"--clock {mhz(wanted * MHZ)} --board {board.name}: {error}") from None
        rates = [rate for rate in BAUDS if rate <= min(board.baud, clock.hz // CLOCKS_PER_BIT)]
        default = BUFFER_BYTES.get(facts.device.target, BUFFER_BYTES_ELSE)
        buffer = buffer_bytes if buffer_bytes is not None else default
        chosen = baud if baud is not None else rates[0] if rates else clock.hz // CLOCKS_PER_BIT
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


def _clock_mhz(design: Design, board: Board) -> Fraction:
    """The clock of a build that names none: that of the slowest of its cores."""
    clocks = board.clock_mhz
    kinds = [core.kind.name for core in design.cores.values()]
    return Fraction(min(clocks.get(kind, clocks["other"]) for kind in kinds))


def clock_mhz_of(text: str) -> Fraction:
    """The clock of ``--clock MHZ``."""
    try:
        clock = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise SpecError(f"--clock {text}: is no number of MHz") from None
    if clock <= 0:
        raise SpecError(f"--clock {text}: must be more than 0 MHz")
    return clock
