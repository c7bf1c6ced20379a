"""Dividers of a board's PLL for a wanted clock: pure functions, all frequencies in Hz and exact.

Limits are those of the vendor's data sheets: ECP5 FPGA-DS-02012 (sysCLOCK PLL timing), iCE40
FPGA-DS-02008 and FPGA-DS-02029, and the usage guides FPGA-TN-02200 and FPGA-TN-02052. An output may
come of several sets of dividers; the one of the fastest phase detector is taken, then the one whose
oscillator is nearest to the middle of its range.
"""

import bisect
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from hw.prim.target import Target
from spec.errors import SpecError

__all__ = ["Clock", "Ecp5Pll", "Ice40Pll", "fastest_up_to", "mhz", "nearest_clock"]

MHZ = 1_000_000


@dataclass(frozen=True, kw_only=True)
class _Pll(ABC):
    """What the dividers of either family make of what comes in.

    Parameters
    ----------
    input_hz
        What comes in.
    """

    input_hz: int

    @property
    @abstractmethod
    def ratios(self) -> tuple[int, int, int]:
        """What divides the input, multiplies that in the oscillator, and divides the oscillator."""

    @property
    def detector_hz(self) -> Fraction:
        """What the phase detector compares."""
        return Fraction(self.input_hz, self.ratios[0])

    @property
    def oscillator_hz(self) -> Fraction:
        """Of the voltage-controlled oscillator."""
        return self.detector_hz * self.ratios[1]

    @property
    def output_hz(self) -> Fraction:
        """What comes out."""
        return self.oscillator_hz / self.ratios[2]


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll(_Pll):
    """Dividers of an EHXPLLL whose feedback is CLKOP.

    Parameters
    ----------
    input_divider, feedback_divider
        CLKI_DIV and CLKFB_DIV, 1 to 128.
    feedback_output
        CLKOP_DIV, 1 to 128: of the output that is fed back.
    output_divider
        Of the output that is used: that of CLKOP, or CLKOS_DIV if it is another number.
    """

    input_divider: int
    feedback_divider: int
    feedback_output: int
    output_divider: int

    @property
    def ratios(self) -> tuple[int, int, int]:
        """The oscillator turns as often as both dividers of the feedback say."""
        return self.input_divider, self.feedback_divider * self.feedback_output, self.output_divider


@dataclass(frozen=True, kw_only=True)
class Ice40Pll(_Pll):
    """Dividers of an SB_PLL40 with FEEDBACK_PATH = SIMPLE.

    Parameters
    ----------
    divr, divf, divq
        Out comes input_hz · (divf + 1) / (2 ** divq · (divr + 1)).
    """

    divr: int
    divf: int
    divq: int

    @property
    def ratios(self) -> tuple[int, int, int]:
        """As the cell counts them: from 0, and in powers of two."""
        return self.divr + 1, self.divf + 1, 2**self.divq

    @property
    def filter_range(self) -> int:
        """FILTER_RANGE, by the frequency at the phase detector."""
        limits = (17, 26, 44, 66, 101)
        return 1 + sum(self.detector_hz >= limit * MHZ for limit in limits)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A clock that a board can make.

    Parameters
    ----------
    exact_hz
        Its frequency.
    pll
        What makes it, or None if it is the oscillator itself.
    """

    exact_hz: Fraction
    pll: Ecp5Pll | Ice40Pll | None

    @property
    def hz(self) -> int:
        """Its frequency in whole Hz."""
        return round(self.exact_hz)


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """Ranges of a family's PLL, in Hz, the ends included."""

    cell: str
    detector: tuple[int, int]
    oscillator: tuple[int, int]
    output: tuple[int, int]


_LIMITS = {
    "ecp5": _Limits(
        cell="EHXPLLL",
        detector=(10 * MHZ, 400 * MHZ),
        oscillator=(400 * MHZ, 800 * MHZ),
        output=(3_125_000, 400 * MHZ),
    ),
    "ice40": _Limits(
        cell="SB_PLL40",
        detector=(10 * MHZ, 133 * MHZ),
        oscillator=(533 * MHZ, 1066 * MHZ),
        output=(16 * MHZ, 275 * MHZ),
    ),
}
MOST_DIVIDER = 128
MOST_DIVR, MOST_DIVF, MOST_DIVQ = 15, 127, 6


def nearest_clock(target: Target, oscillator_hz: int, wanted_hz: Fraction | int) -> Clock:
    """The clock nearest to a wanted one that a board of this oscillator can make.

    Raises
    ------
    SpecError
        The PLL makes no such frequency, not even nearly; says the nearest that it makes.
    """
    clocks, frequencies = _clocks(_family(target), oscillator_hz)
    place = bisect.bisect_left(frequencies, wanted_hz)
    nearest = min(frequencies[max(0, place - 1) : place + 1], key=lambda hz: abs(hz - wanted_hz))
    limits = _LIMITS[_family(target)]
    low, high = limits.output
    if not low <= wanted_hz <= high and nearest != wanted_hz:
        raise SpecError(
            f"a clock of {mhz(wanted_hz)} MHz cannot be made: the PLL ({limits.cell}) gives "
            f"{mhz(low)} to {mhz(high)} MHz, the oscillator {mhz(oscillator_hz)}; "
            f"nearest is {mhz(nearest)}"
        )
    return Clock(exact_hz=nearest, pll=clocks[nearest])


def fastest_up_to(target: Target, oscillator_hz: int, limit_hz: Fraction | int) -> Clock | None:
    """The fastest clock that a board can make and that is no faster than a limit, if any is."""
    clocks, frequencies = _clocks(_family(target), oscillator_hz)
    place = bisect.bisect_right(frequencies, limit_hz)
    if place == 0:
        return None
    return Clock(exact_hz=frequencies[place - 1], pll=clocks[frequencies[place - 1]])


def mhz(hz: Fraction | int | float) -> str:
    """A frequency in MHz with at most three places."""
    return f"{float(hz) / MHZ:.3f}".rstrip("0").rstrip(".")


def _family(target: Target) -> str:
    if target is Target.PORTABLE:
        raise ValueError("a portable target has no PLL")
    return "ecp5" if target is Target.ECP5 else "ice40"


@functools.cache
def _clocks(
    family: str, oscillator_hz: int
) -> tuple[dict[Fraction, Ecp5Pll | Ice40Pll | None], list[Fraction]]:
    """Every clock that can be made -> the best dividers for it; and the clocks in order."""
    limits = _LIMITS[family]
    middle = Fraction(sum(limits.oscillator), 2)
    found: dict[Fraction, tuple[tuple[Fraction, Fraction], Ecp5Pll | Ice40Pll]] = {}
    for pll in (_ecp5_plls if family == "ecp5" else _ice40_plls)(oscillator_hz, limits):
        merit = -pll.detector_hz, abs(pll.oscillator_hz - middle)
        hz = pll.output_hz
        if limits.output[0] <= hz <= limits.output[1] and (hz not in found or merit < found[hz][0]):
            found[hz] = merit, pll
    clocks = {**{hz: pll for hz, (_, pll) in found.items()}, Fraction(oscillator_hz): None}
    return clocks, sorted(clocks)


def _multiples(detector_hz: Fraction, limits: _Limits) -> range:
    """What the oscillator may be of the phase detector's frequency."""
    low, high = limits.oscillator
    return range(-(-low // detector_hz), high // detector_hz + 1)


def _ecp5_plls(input_hz: int, limits: _Limits) -> Iterator[Ecp5Pll]:
    for input_divider in range(1, MOST_DIVIDER + 1):
        detector_hz = Fraction(input_hz, input_divider)
        if not limits.detector[0] <= detector_hz <= limits.detector[1]:
            continue
        for multiple in _multiples(detector_hz, limits):
            for divider in range(1, MOST_DIVIDER + 1):
                # One output, fed back and used, where the numbers allow it.
                same = multiple % divider == 0
                yield Ecp5Pll(
                    input_hz=input_hz,
                    input_divider=input_divider,
                    feedback_divider=multiple // divider if same else 1,
                    feedback_output=divider if same else multiple,
                    output_divider=divider,
                )


def _ice40_plls(input_hz: int, limits: _Limits) -> Iterator[Ice40Pll]:
    for divr in range(MOST_DIVR + 1):
        detector_hz = Fraction(input_hz, divr + 1)
        if not limits.detector[0] <= detector_hz <= limits.detector[1]:
            continue
        for multiple in _multiples(detector_hz, limits):
            if multiple - 1 > MOST_DIVF:
                continue
            for divq in range(1, MOST_DIVQ + 1):
                yield Ice40Pll(input_hz=input_hz, divr=divr, divf=multiple - 1, divq=divq)
