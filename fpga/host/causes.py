"""What the causes of errors in a core's registers mean to whoever ran it, and what helps."""

from spec.registers import Register

__all__ = ["HELP", "causes_in_words"]

AGAIN = "run it again; if it comes back, the program that speaks to the board is at fault"
HELP = {
    "unknown_register": "the folder is not that of the bitstream: flash it again",
    "value": "the folder is not that of the bitstream: flash it again",
    "locked": "let one program speak to the board at a time",
    "start_busy": "let one program speak to the board at a time",
    "start_error": AGAIN,
    "load_busy": "let one program speak to the board at a time",
    "mask_missing": "load a mask first: give the array mask",
    "row_early": AGAIN,
    "row_missing": AGAIN,
    "row_short": AGAIN,
    "row_long": AGAIN,
    "keep": AGAIN,
    "timeout": "the host was silent for too long in a run: run it again, on a machine less busy",
    "aborted": AGAIN,
}
"""Cause -> what to do."""

OF_ROWS = ("row_early", "row_missing", "row_short", "row_long", "keep")
"""Causes of which the register error_stream says where they happened."""


def causes_in_words(error: Register, where: Register, word: int, streams: int) -> str:
    """The causes that are set in the register error, with what to do about each.

    Parameters
    ----------
    error, where
        The registers error and error_stream.
    word, streams
        What was read of them.
    """
    on = ", ".join(_set(where, streams))
    found = []
    for name in _set(error, word):
        place = f" on {on}" if on and name in OF_ROWS else ""
        found.append(f"{name}{place} ({error.field(name).meaning}): {HELP.get(name, AGAIN)}")
    return "; ".join(found)


def _set(register: Register, word: int) -> list[str]:
    return [name for name, bit in register.unpack(word).items() if bit]
