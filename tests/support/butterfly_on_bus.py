"""A small butterfly core on a bus: settings, vectors, matrices, and what should come."""

from pathlib import Path
from typing import Any

import numpy as np

from gen.design import Design
from hw.butterfly.divided import DividedConfig
from sim.bench.axi import Frame, Receive, Send, Step
from sim.golden import butterfly as golden
from sim.golden.division import divided
from spec.butterfly import block_numbers
from tests.support.axi import elements, frame
from tests.support.bus_session import OnBus
from tests.support.butterfly import Job

__all__ = ["ButterflyOnBus"]

CYCLES = 30_000


class ButterflyOnBus(OnBus):
    """A small core, and jobs for it."""

    def __init__(self, design: Design, folder: Path, **more: Any):
        super().__init__(design, folder, cycles=CYCLES, **more)
        self.config = design.config

    def start(self, job: Job) -> list[Step]:
        host, butterfly = self.host, self.config.butterfly
        script = [
            host.write("points", log2=job.points.bit_length() - 1),
            host.write("vectors", count=job.vectors),
        ]
        if len(butterfly.transforms) > 1:
            script.append(host.write("transform", which=job.transform))
        if len(butterfly.orders) > 1:
            script.append(host.write("order", which=job.order))
        return [*script, host.write("control", start=1)]

    def vectors(self, job: Job) -> list[Frame]:
        parts = [getattr(job, part) for part in self.config.parts]
        words = np.stack(parts, axis=-1).reshape(job.vectors, -1)
        return [frame(self.inputs["i"], row) for row in words]

    def weights(self, job: Job) -> list[Frame]:
        assert job.weights is not None
        factors = [
            factor[block_numbers(job.points, job.order, stage)].reshape(-1)
            for stage, factor in enumerate(job.weights)
        ]
        return [frame(self.inputs["weights"], factor) for factor in factors]

    def send(self, job: Job) -> list[Step]:
        matrix = [] if job.weights is None else [Send("weights", self.weights(job))]
        return [*matrix, Send("i", self.vectors(job))]

    def receive(self, job: Job) -> list[Step]:
        return [
            Receive("o", job.vectors),
            self.host.until("status", busy=0),
            self.host.read("error"),
        ]

    def wanted(self, job: Job) -> list[tuple[list[int], int, int]]:
        butterfly = self.config.butterfly
        if job.weights is not None:
            done = golden.bpmm(butterfly, job.re, job.weights, job.order)
            re, im = done.y, np.zeros_like(done.y)
        else:
            divides = isinstance(self.config, DividedConfig)
            transform = divided if divides else golden.fft
            done = transform(butterfly, job.re, job.im, inverse=job.transform == "inverse")
            re, im = done.re, done.im
        parts = [re, im][: len(self.config.parts)]
        words = np.stack(parts, axis=-1).reshape(job.vectors, -1)
        return [
            (row.tolist(), int(exponent), int(saturated))
            for row, exponent, saturated in zip(words, done.exponent, done.saturated, strict=True)
        ]

    def told(self, row: dict[str, Any]) -> tuple[list[int], int, int]:
        (user,) = set(row["user"])
        bits = self.config.exponent_shape.width
        exponent = user & (1 << bits) - 1
        exponent -= (exponent >> bits - 1) << bits
        return elements(self.outputs["o"], row).tolist(), exponent, user >> bits
