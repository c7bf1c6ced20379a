"""A butterfly core at the other end of the link."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpga.host.kinds.kind import Amount, CoreKind, Job
from fpga.link import Incompatible
from sim.arrays import butterfly as of
from sim.arrays.butterfly import Multiplied, Part, Transformed, Vectors
from spec.butterfly import block_numbers
from spec.errors import SpecError

__all__ = ["ButterflyHost"]

MULTIPLIERS = 4
"""Real multiplications of a 2 x 2 block, and of a complex one."""


class ButterflyHost(CoreKind):
    """``x``, or ``x_re`` and ``x_im``, (vectors, points) integers; ``weights`` for a product."""

    names = of.NAMES

    @property
    def _description(self) -> Any:
        return self.core.description

    def _check_points(self, where: str, points: int) -> int:
        least = self.core.constant("min_points")
        points = self._description.check_points(where, points)
        if points < least:
            raise SpecError(f"{where} must be at least {least}, got {points}; nearest is {least}")
        return points

    def read(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> Vectors:
        """Vectors and weights."""
        return of.read(path, arrays, self._description, self._check_points)

    def jobs(self, work: Vectors) -> list[Job]:
        """One, or one for each matrix of a layer."""
        return [self._job(work, part) for part in work.parts()]

    def _job(self, work: Vectors, part: Part) -> Job:
        streams, (vectors, points) = self.core.streams, part.re.shape
        parts = [part.re, part.im][: self.core.constant("parts")]
        words = np.stack(parts, axis=-1).reshape(vectors, -1)
        sends = {"i": streams["i"].pack(words)}
        if part.weights is not None:
            factors = [
                factor[block_numbers(points, work.order, stage)].reshape(-1)
                for stage, factor in enumerate(part.weights)
            ]
            sends["weights"] = streams["weights"].pack(np.stack(factors))
        return Job(
            settings=self.settings(
                points={"log2": points.bit_length() - 1},
                vectors={"count": vectors},
                transform={"which": work.transform},
                order={"which": work.order},
            ),
            sends=sends,
            receives={"o": vectors * streams["o"].transfers(words.shape[1])},
        )

    def result(
        self, work: Vectors, came: list[Mapping[str, bytes]], cycles: int
    ) -> Transformed | Multiplied:
        """Words, exponents, and what did not fit."""
        points = work.parts()[0].re.shape[1]
        each = [self._told(words["o"], points) for words in came]
        if work.weights is None:
            return of.transformed(*each[0], cycles)
        y, _, exponent, saturated = zip(*each, strict=True)
        return of.multiplied(self._description, y, exponent, saturated, cycles)

    def _told(self, words: bytes, points: int) -> tuple[Any, Any, Any, Any]:
        """Real and imaginary parts, exponents and flags of vectors."""
        parts, bits = self.core.constant("parts"), self.core.constant("exponent_bits")
        found = self.core.streams["o"].unpack(words, points * parts)
        if (found.user != found.user[:, :1]).any():
            raise Incompatible("stream o: the transfers of a vector differ in what they say of it")
        user = found.user[:, 0]
        exponent = user & (1 << bits) - 1
        exponent -= exponent >> bits - 1 << bits
        values = found.elements.reshape(len(user), points, parts)
        im = values[..., 1] if parts == 2 else np.zeros_like(values[..., 0])
        return values[..., 0], im, exponent, (user >> bits).astype(bool)

    def golden(self, work: Vectors, cycles: int) -> Transformed | Multiplied:
        """The same by the golden model."""
        return of.golden(self._description, work, cycles)

    def amount(self, work: Vectors, result: Any) -> Amount:
        """Four multiplications a butterfly."""
        each = [part.re.shape for part in work.parts()]
        butterflies = sum(rows * points // 2 * (points.bit_length() - 1) for rows, points in each)
        return Amount(MULTIPLIERS * butterflies, "MAC")

    def summary(self, work: Vectors, result: Any) -> dict[str, Any]:
        """Sizes, cycles, and vectors that were saturated."""
        return of.summary(work, result)

    def lines(self, summary: Mapping[str, Any]) -> tuple[str, list[str]]:
        """The same for a reader."""
        return of.lines(summary)
