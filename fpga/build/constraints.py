"""Constraint files from a board's facts: where each pin of a `BoardTop` is, and the oscillator."""

from fpga.boards import Facts, Pin
from fpga.build.pll import mhz
from hw.prim.target import Target

__all__ = ["constraints", "constraints_suffix"]


def constraints_suffix(facts: Facts) -> str:
    """Of the file's name: ``lpf`` for ECP5, ``pcf`` for iCE40."""
    return "lpf" if facts.device.target is Target.ECP5 else "pcf"


def constraints(facts: Facts) -> str:
    """The text, for the router of the board's family."""
    pins = {
        "oscillator": facts.oscillator,
        "receive": facts.receive,
        "transmit": facts.transmit,
        "busy": facts.busy,
        "error": facts.error,
        **({"button": facts.reset} if facts.reset else {}),
    }
    lpf = constraints_suffix(facts) == "lpf"
    frequency = mhz(facts.oscillator_hz)
    clock = (
        f'FREQUENCY PORT "oscillator" {frequency} MHZ;'
        if lpf
        else f"set_frequency oscillator {frequency}"
    )
    lines = [line for name, pin in pins.items() for line in (_lpf if lpf else _pcf)(name, pin)]
    return "\n".join([*lines, clock]) + "\n"


def _lpf(name: str, pin: Pin) -> list[str]:
    told = " ".join(f"{key}={value}" for key, value in pin.attributes.items())
    located = f'LOCATE COMP "{name}" SITE "{pin.ball}";'
    return [located, f'IOBUF PORT "{name}" {told};'] if told else [located]


def _pcf(name: str, pin: Pin) -> list[str]:
    # The other attributes of amaranth-boards are parameters of a cell that the router makes itself.
    pullup = "-pullup yes " if pin.attributes.get("PULLUP") == "1" else ""
    return [f"set_io {pullup}{name} {pin.ball}"]
