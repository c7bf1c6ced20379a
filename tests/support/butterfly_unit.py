"""The equation of a butterfly unit, on integers."""

from typing import Any

from hw.butterfly.unit import UnitConfig
from spec.fixed import Rounding, round_shift, saturate

__all__ = ["unit_results"]


def unit_results(config: UnitConfig, given: dict[str, Any]) -> dict[str, Any]:
    """What a unit makes of {a, b, coefficient, shift, bpmm}: results, and whether any was cut."""
    a, b, c = given["a"], given["b"], given["coefficient"]
    down = config.frac + given["shift"] - 1
    if given["bpmm"]:
        totals = [[c[0] * a[0] + c[1] * b[0]], [c[2] * a[0] + c[3] * b[0]]]
    else:
        t = (c[0] * b[0] + c[1] * b[1], c[2] * b[1] + c[3] * b[0])
        base = [part << config.frac for part in a]
        totals = [[base[k] + sign * t[k] for k in range(2)] for sign in (1, -1)]
    exact = [[round_shift(total, down, Rounding.HALF_UP) for total in each] for each in totals]
    kept = [[saturate(value, config.word_bits, True) for value in each] for each in exact]
    return {"y": kept, "saturated": int(kept != exact)}
