"""A softmax at the other end of the link."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpga.host.kinds.kind import Amount, CoreKind, Job
from sim.arrays import softmax as of
from sim.arrays.softmax import Result, Rows

__all__ = ["SoftmaxHost"]


class SoftmaxHost(CoreKind):
    """``scores`` (rows, length) integers, ``mask`` of the same shape."""

    names = of.NAMES

    def read(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Rows:
        """Scores and mask."""
        return of.read(path, arrays, self._description)

    def jobs(self, work: Rows) -> list[Job]:
        """One, but for more rows than a run takes."""
        most = self.core.constant("max_rows")
        return [
            self._job(work.scores[start : start + most], work.mask[start : start + most])
            for start in range(0, len(work.scores), most)
        ]

    def _job(self, scores: NDArray[Any], mask: NDArray[np.bool_]) -> Job:
        stream, (rows, length) = self.core.streams["i"], scores.shape
        transfers = stream.transfers(length)
        user = None
        if not mask.all():
            short = transfers * stream.lanes - length
            seen = np.pad(mask, ((0, 0), (0, short))).reshape(rows, transfers, stream.lanes)
            user = (seen.astype(np.int64) << np.arange(stream.lanes)).sum(axis=2)
        return Job(
            settings=self.settings(
                row_length={"elements": length},
                rows={"count": rows},
                mask={"source": "none" if user is None else "tuser"},
            ),
            sends={"i": stream.pack(scores, user)},
            receives={"o": rows * self.core.streams["o"].transfers(length)},
        )

    def result(self, work: Rows, came: list[Mapping[str, bytes]], cycles: int) -> Result:
        """Probabilities and empty rows."""
        length = work.scores.shape[1]
        found = [self.core.streams["o"].unpack(each["o"], length) for each in came]
        p = np.concatenate([each.elements for each in found])
        empty = np.concatenate([each.user[:, -1].astype(bool) for each in found])
        return Result(of.narrow(self._description, p), empty, cycles)

    @property
    def _description(self) -> Any:
        return self.core.description

    def golden(self, work: Rows, cycles: int) -> Result:
        """Probabilities by the golden model."""
        return of.golden(self._description, work, cycles)

    def amount(self, work: Rows, result: Result) -> Amount:
        """Rows."""
        return Amount(len(work.scores), "rows")

    def summary(self, work: Rows, result: Result) -> dict[str, Any]:
        """Rows, empty ones, and cycles."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)
