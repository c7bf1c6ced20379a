"""Butterfly cores of two layers on AXI, in Icarus against cocotbext-axi's peers, all pausing."""

from typing import Any

import pytest

from gen.design import load_design
from hw.butterfly.mixing import MixingConfig
from sim.bench.axi import Frame, Quiet, Receive, Send, Step, Wait
from sim.golden.mixing import mixing
from tests.support.axi import elements, frame
from tests.support.bus_session import OnBus, frames_of, words_of
from tests.support.butterfly import random_job
from tests.support.butterfly_on_bus import ButterflyOnBus
from tests.support.two_layer import random_blocks

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.axi")

CYCLES = 30_000
PLAN = [(16, 8, 3), (8, 16, 1), (8, 8, 2)]
"""Rows, columns and blocks of each run."""


class MixingOnBus(OnBus):
    """A small mixing core, its blocks as frames."""

    config: MixingConfig

    def run(self, blocks: Any) -> list[Step]:
        host = self.host
        count, rows, columns = blocks.shape
        return [
            host.write("rows", log2=rows.bit_length() - 1),
            host.write("columns", log2=columns.bit_length() - 1),
            host.write("blocks", count=count),
            host.write("control", start=1),
            Send("i", self.frames(blocks)),
            Receive("o", count),
            host.until("status", busy=0),
            host.read("error"),
        ]

    def frames(self, blocks: Any) -> list[Frame]:
        pairs = blocks.reshape(len(blocks), -1, 2, blocks.shape[2]).swapaxes(2, 3)
        return [frame(self.inputs["i"], block.reshape(-1)) for block in pairs]

    def told(self, row: dict[str, Any], shape: tuple[int, int]) -> tuple[list[Any], int, int]:
        (user,) = set(row["user"])
        bits = self.design.config.exponent_shape.width
        exponent = user & (1 << bits) - 1
        exponent -= (exponent >> bits - 1) << bits
        return elements(self.outputs["o"], row).reshape(shape).tolist(), exponent, user >> bits

    def wanted(self, block: Any) -> tuple[list[Any], int, int]:
        found = mixing(self.design.config.butterfly, block)
        fixed = self.design.config.butterfly.shifts is not None
        return found.y.tolist(), int(found.exponent), int(found.saturated) if fixed else 0


@pytest.mark.parametrize("shifts", [pytest.param("none", marks=pytest.mark.slow), "1"])
def test_blocks_are_mixed_as_the_golden_model_says_and_a_malformed_one_is_named(shifts, tmp_path):
    settings = ["points=16", "columns=16", "units=2", f"shifts={shifts}"]
    design = load_design("mixing_128x64", settings)
    built = MixingOnBus(design, tmp_path, cycles=CYCLES)
    jobs = random_blocks(design.config, PLAN)
    script = [step for job in jobs for step in built.run(job)]
    host, last = built.host, jobs[-1]
    long = Frame(data=[*built.frames(last)[0].data] * 2)
    script += [
        *(Send("i", [long]) if isinstance(step, Send) else step for step in built.run(last)),
        Quiet("i"),
        Wait(20),
        *host.clear("row_missing"),
        host.until("status", failed=0),
        *built.run(last),
    ]
    results = built.do(script, pause=0.2)
    frames = frames_of(results)
    assert words_of(script, results)[: len(jobs)] == [0] * len(jobs)
    for got, job in zip(frames, jobs, strict=False):
        shape = job.shape[1:]
        assert [built.told(row, shape) for row in got] == [built.wanted(b) for b in job]
    *_, bad, good = frames
    assert len(bad) == len(last)
    assert host.causes(words_of(script, results)[-2]) == {"row_missing"}
    assert [built.told(row, last.shape[1:]) for row in good] == [built.wanted(b) for b in last]
    assert words_of(script, results)[-1] == 0


def test_long_vectors_are_divided_as_the_golden_model_says(tmp_path):
    design = load_design("butterfly_8192", ["points=128", "units=2"])
    built = ButterflyOnBus(design, tmp_path)
    runs = [("fft", 128, 2), ("inverse", 64, 3), ("fft", 64, 1)]
    jobs = [
        random_job(design.config, points, vectors, transform=transform, seed=seed)
        for seed, (transform, points, vectors) in enumerate(runs)
    ]
    script = [
        step for job in jobs for step in (*built.start(job), *built.send(job), *built.receive(job))
    ]
    results = built.do(script, pause=0.2)
    assert words_of(script, results) == [0] * len(jobs)
    for frames, job in zip(frames_of(results), jobs, strict=True):
        assert [built.told(row) for row in frames] == built.wanted(job)
