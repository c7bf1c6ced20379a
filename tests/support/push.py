"""Drive a unit of one push in and one push out, and say in which cycle what came.

assert pushed(unit, {3: x}, cycles=20) == {3 + unit.config.latency: y}
"""

from collections.abc import Mapping
from typing import Any

from amaranth.lib import wiring

from tests.support.netlist import run_amaranth
from tests.support.payload import decode, encode

__all__ = ["pushed"]


def pushed(unit: wiring.Component, pushes: Mapping[int, Any], *, cycles: int = 0) -> dict[int, Any]:
    """Push each payload at `i` in its cycle; what is pushed at `o` by its cycle.

    It goes on for `cycles` after the last one. Between pushes the payload is all ones.
    """
    i: Any = unit.signature.members["i"].signature.members["payload"].shape
    o: Any = unit.signature.members["o"].signature.members["payload"].shape
    junk = (1 << i.size) - 1
    stimulus = [
        {"i__valid": int(cycle in pushes), "i__payload": junk}
        for cycle in range(max(pushes, default=0) + 1 + cycles)
    ]
    for cycle, payload in pushes.items():
        stimulus[cycle]["i__payload"] = encode(payload, i)
    trace = run_amaranth(unit, stimulus)
    return {
        cycle: decode(row["o__payload"] or 0, o)
        for cycle, row in enumerate(trace)
        if row["o__valid"]
    }
