"""Jobs of the butterfly core: random data, what the streams carry, and what golden has for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.divided import DividedConfig
from sim.bench.butterfly import ButterflyJob
from sim.cycle.butterfly import JobSize
from sim.golden import butterfly as golden
from sim.golden.division import transform
from spec import Butterfly
from spec.butterfly import block_numbers

__all__ = ["CONFIGS", "Job", "expected", "golden_of", "inputs", "random_job", "sizes"]


def _config(transforms: Any, points: int, units: int, stream_words: int = 1, **fields: Any):
    sets = fields.pop("weight_sets", 1)
    butterfly = Butterfly(transforms, points=points, **fields)
    return ButterflyConfig(
        butterfly=butterfly, units=units, stream_words=stream_words, weight_sets=sets
    )


BOTH = ("decreasing", "increasing")
CONFIGS = {
    "fft_smallest": _config("fft", 8, 1),
    "fft_lanes": _config("fft", 8, 4, 4),
    "inverse_odd": _config("inverse", 32, 2, 2, data_bits=11, coefficient_bits=13),
    "bpmm_smallest": _config("bpmm", 8, 1, data_bits=8, coefficient_bits=8),
    "bpmm_increasing": _config("bpmm", 32, 4, 2, orders="increasing"),
    "bpmm_sets": _config("bpmm", 32, 4, 2, orders=BOTH, weight_sets=2),
    "all_1": _config(("fft", "inverse", "bpmm"), 16, 1, orders=BOTH),
    "all_2": _config(("fft", "inverse", "bpmm"), 32, 2, 1, orders=BOTH, data_bits=14),
    "all_4": _config(("fft", "inverse", "bpmm"), 64, 4, 2, orders=BOTH),
    "all_8": _config(("fft", "inverse", "bpmm"), 64, 8, 2, orders=BOTH),
    "wide_8": _config(("fft", "bpmm"), 32, 8, 4),
    "shifts_4": _config(("fft", "bpmm"), 32, 4, 2, shifts=(1, 0, 1, 2, 0)),
    "shifts_1": _config(("fft", "inverse"), 16, 1, shifts=0),
}
"""Name -> configuration: the smallest, every number of units, every transform and scaling."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Vectors of one kind."""

    transform: str
    re: NDArray[np.int64]
    im: NDArray[np.int64]
    weights: NDArray[np.int64] | None = None
    order: str = "decreasing"
    keep: bool = False
    fresh: bool = field(default=True)
    """Whether its matrix is sent: the one before did not keep it."""

    @property
    def points(self) -> int:
        return self.re.shape[1]

    @property
    def vectors(self) -> int:
        return len(self.re)


def random_job(
    config: ButterflyConfig | DividedConfig,
    points: int,
    vectors: int,
    *,
    transform: str | None = None,
    order: str | None = None,
    seed: int = 1,
    **fields: Any,
) -> Job:
    """White noise, each vector as loud as chance has it."""
    butterfly, rng = config.butterfly, np.random.default_rng(seed)
    transform = transform or butterfly.transforms[seed % len(butterfly.transforms)]
    order = order or butterfly.orders[seed // 3 % len(butterfly.orders)]
    most = butterfly.data_max
    quiet = rng.integers(0, butterfly.data_bits, (vectors, 1))
    quiet[rng.random((vectors, 1)) < 0.5] = 0
    re, im = rng.integers(-most - 1, most, (2, vectors, points), endpoint=True) >> quiet
    weights = None
    if transform == "bpmm":
        shape = (points.bit_length() - 1, points // 2, 2, 2)
        weights = rng.integers(-butterfly.weight_max, butterfly.weight_max, shape, endpoint=True)
    return Job(transform=transform, re=re, im=im, weights=weights, order=order, **fields)


def sizes(jobs: Sequence[Job]) -> list[JobSize]:
    """What of the jobs decides their cycles."""
    return [
        JobSize(
            points=job.points,
            vectors=job.vectors,
            bpmm=job.transform == "bpmm",
            keep=job.keep,
        )
        for job in jobs
    ]


def inputs(config: ButterflyConfig | DividedConfig, jobs: Sequence[Job]) -> dict[str, list[Any]]:
    """Payloads of every input stream."""
    streams: dict[str, list[Any]] = {"i_job": [], "i": []}
    if config.bpmm:
        streams["i_weights"] = []
    fields = config.job_shape.members
    for job in jobs:
        bpmm = job.transform == "bpmm"
        told = {
            "log2_points": job.points.bit_length() - 1,
            "vectors": job.vectors,
            "bpmm": int(bpmm),
            "inverse": int(job.transform == "inverse"),
            "increasing": int(bpmm and job.order == "increasing"),
            "keep": int(job.keep),
        }
        streams["i_job"].append({name: told[name] for name in fields})
        streams["i"] += _words(config, job)
        if job.weights is not None and job.fresh:
            streams["i_weights"] += _lines(config, job.weights, job.order)
    return streams


def _words(config: ButterflyConfig | DividedConfig, job: Job) -> list[Any]:
    parts = [part.reshape(-1, config.stream_words).tolist() for part in (job.re, job.im)]
    return [
        dict(zip(config.parts, transfer, strict=False)) for transfer in zip(*parts, strict=True)
    ]


def _lines(
    config: ButterflyConfig | DividedConfig, weights: NDArray[np.int64], order: str
) -> list[Any]:
    points = 2 * weights.shape[1]
    used = [
        weights[stage][block_numbers(points, order, stage)].reshape(-1, 4 * config.units)
        for stage in range(len(weights))
    ]
    lines = np.concatenate(used).tolist()
    return [{"weight": line, "last": int(k == len(lines) - 1)} for k, line in enumerate(lines)]


def expected(config: ButterflyConfig | DividedConfig, jobs: Sequence[Job]) -> list[Any]:
    """Payloads of the output stream."""
    out: list[Any] = []
    for job in jobs:
        re, im, exponent, saturated = golden_of(config, job)
        for vector in range(job.vectors):
            words = [part[vector].reshape(-1, config.stream_words).tolist() for part in (re, im)]
            transfers = list(zip(*words, strict=True))
            for k, transfer in enumerate(transfers):
                told = {
                    **dict(zip(config.parts, transfer, strict=False)),
                    "exponent": int(exponent[vector]),
                    "last": int(k == len(transfers) - 1),
                }
                if config.butterfly.shifts is not None:
                    told["saturated"] = int(saturated[vector])
                out.append(told)
    return out


def golden_of(
    config: ButterflyConfig | DividedConfig, job: Job | ButterflyJob
) -> tuple[Any, Any, Any, Any]:
    """Real and imaginary parts, exponents and saturation flags, vector by vector."""
    if job.weights is not None:
        product = golden.bpmm(config.butterfly, job.re, job.weights, job.order)
        return product.y, np.zeros_like(product.y), product.exponent, product.saturated
    inverse = job.transform == "inverse"
    spectrum = transform(config.butterfly, job.re, job.im, inverse=inverse)
    return spectrum.re, spectrum.im, spectrum.exponent, spectrum.saturated
