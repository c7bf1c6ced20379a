"""A softmax on a bus: settings, rows, and what should come."""

from pathlib import Path
from typing import Any

from gen.design import Design
from sim.bench.axi import Frame, Step
from sim.golden.softmax import softmax
from tests.support.axi import elements, frame
from tests.support.bus_session import OnBus

__all__ = ["SoftmaxOnBus"]

CYCLES = 20_000
"""Bound of every step: nothing takes longer, whatever was wrong."""


class SoftmaxOnBus(OnBus):
    """A softmax, its rows as frames."""

    def __init__(self, design: Design, folder: Path, **more: Any):
        super().__init__(design, folder, cycles=CYCLES, **more)
        self.rows_in, self.rows_out = self.inputs["i"], self.outputs["o"]
        self.lanes = design.config.lanes

    def start(self, length: int, rows: int, mask: str = "none") -> list[Step]:
        host = self.host
        return [
            host.write("row_length", elements=length),
            host.write("rows", count=rows),
            host.write("mask", source=mask),
            host.write("control", start=1),
        ]

    def frame(self, scores: Any, visible: Any = None, pad: int = 0) -> Frame:
        user: list[int] = []
        if visible is not None:
            for start in range(0, len(visible), self.lanes):
                part = visible[start : start + self.lanes]
                user.append(sum(int(seen) << lane for lane, seen in enumerate(part)))
        return frame(self.rows_in, scores, user, pad)

    def expected(self, scores: Any, visible: Any) -> tuple[list[int], int]:
        """A row's probabilities, and whether it is empty."""
        golden = softmax(self.design.description.numerics, scores[None], visible[None])
        return golden.p[0].tolist(), int(golden.empty[0])

    def told(self, row: dict[str, Any]) -> tuple[list[int], int]:
        """The same of a frame that came."""
        assert len(set(row["user"])) == 1
        return elements(self.rows_out, row).tolist(), row["user"][0]
