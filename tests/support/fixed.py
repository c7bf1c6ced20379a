"""Run a unit of fixed latency, which has neither streams nor stalls: a value in, a value out.

assert delays(Square(config), per_cycle(i=x), per_cycle(o=x * x)) == [config.latency]
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsInt

from amaranth.lib import wiring

from tests.support.netlist import Trace, run_amaranth

__all__ = ["delays", "per_cycle", "run_fixed"]


def per_cycle(**columns: Iterable[SupportsInt]) -> list[dict[str, int]]:
    """Columns of values, all of one length, as what each cycle has."""
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, map(int, row), strict=True)) for row in rows]


def run_fixed(
    unit: wiring.Component, latency: int, inputs: Sequence[Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Present one of `inputs` in each cycle, and give what comes out `latency` cycles after it."""
    return _run(unit, inputs, latency)[latency:]


def delays(
    unit: wiring.Component,
    inputs: Sequence[Mapping[str, int]],
    outputs: Sequence[Mapping[str, int]],
    longest: int = 40,
) -> list[int]:
    """Every number of cycles, up to `longest`, after which exactly `outputs` come out, in a row.

    A unit of latency L that is right gives [L]; one that is wrong gives [].
    """
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs cannot have {len(outputs)} outputs")
    trace, wanted = _run(unit, inputs, longest), [dict(each) for each in outputs]
    return [late for late in range(longest + 1) if trace[late : late + len(wanted)] == wanted]


def _run(unit: wiring.Component, inputs: Sequence[Mapping[str, int]], longer: int) -> Trace:
    """Go on after the last of `inputs` with the first one."""
    return run_amaranth(unit, [*inputs, *[inputs[0]] * longer])
