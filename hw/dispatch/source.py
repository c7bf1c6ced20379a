"""What every mask source answers: one question a cycle from each level of the scan."""

from dataclasses import dataclass
from typing import Any

from amaranth.lib.wiring import In, Out

from hw.dispatch.coarse import coarse_answer_shape
from hw.dispatch.config import DispatchConfig
from hw.dispatch.fine import FINE_ANSWER

__all__ = ["SourceLatency", "source_members"]


@dataclass(frozen=True, kw_only=True)
class SourceLatency:
    """Cycles from a question to its answer.

    Parameters
    ----------
    coarse, fine
        Of either level.
    """

    coarse: int
    fine: int


def source_members(config: DispatchConfig) -> dict[str, Any]:
    """Members of a mask source.

    *Members*
    coarse, fine
        Questions, `DispatchConfig.query_shape`, one a cycle; both are asked about existing queries
        and keys of one row block.
    coarse_answer
        {may, hint} of a group, the latency later; `may` is low only if the mask is surely false.
    fine_answer
        {may_be_true, may_be_false} of a tile.
    """
    return {
        "coarse": In(config.query_shape),
        "coarse_answer": Out(coarse_answer_shape(config)),
        "fine": In(config.query_shape),
        "fine_answer": Out(FINE_ANSWER),
    }
