"""A distance from the row maximum, rounded to the steps of an exponential table."""

from amaranth.hdl import Mux

from hw.lib.arith import greater, times
from hw.lib.pipe import Pipe

__all__ = ["distance_in_steps"]


def distance_in_steps(p: Pipe, *, per_unit: int, frac: int, last: int) -> None:
    """Add three stages to `p`: ``step = min(round(distance per_unit / 2^frac), last)``.

    Rounds half up. `p` holds ``distance`` (unsigned) and ``visible``; afterwards ``step`` and
    ``visible``.

    Parameters
    ----------
    per_unit
        Table steps in a distance of 1.0.
    frac
        Fraction bits of the distance.
    last
        The table's last index.
    """
    p.stage("scale", scaled=times(p.distance, per_unit), keep=("visible",))
    p.stage("round", step=(p.scaled + (1 << frac >> 1)) >> frac, keep=("visible",))
    clipped = Mux(greater(p.step, last), last, p.step)[: last.bit_length()]
    p.stage("clip", step=clipped, keep=("visible",))
