"""The datapath: whole vectors through all stages, from the input memory to the output memory."""

import random
from typing import Any

import pytest

from hw.butterfly.datapath import Datapath
from hw.butterfly.geometry import bank_of, line_of
from hw.butterfly.timing import ButterflyTiming
from spec.butterfly import insertion, pairs, written_indices
from tests.support.butterfly import CONFIGS
from tests.support.butterfly_unit import unit_results
from tests.support.netlist import run_amaranth
from tests.support.payload import decode, encode

VECTORS = 2
FIRST = 2
"""Place of the first vector: not the memory's first, to see that places are kept."""
SETTLED = 5
"""Cycles from the size of vectors to the figures that are looked up from it."""

Words = list[list[int]]


class Script:
    """Inputs by cycle, for a core's datapath and vectors of one size."""

    def __init__(self, name: str, stages: int, *, bpmm: bool):
        self.config = CONFIGS[name]
        self.timing = ButterflyTiming(self.config)
        self.stages, self.points, self.bpmm = stages, 1 << stages, bpmm
        self.own = self.timing.vector_cycles(stages)
        self.rng = random.Random(f"{name} {stages} {bpmm}")
        self.rows: list[dict[str, int]] = []

    def at(self, cycle: int, **given: int) -> None:
        while len(self.rows) <= cycle:
            self.rows.append({"log2_points": self.stages, "i__valid": 0, "load_enable": 0})
        self.rows[cycle] |= given

    def load(self, vectors: list[Words]) -> int:
        """Words one by one; the cycle after the last."""
        config, bits = self.config, self.timing.ring.ram.address_width
        cycle = SETTLED
        for number, words in enumerate(vectors):
            for index, word in enumerate(words):
                place = (FIRST + number) * self.points + index
                lane, half = bank_of(place, config.log2_units)
                bank = half * config.units + lane
                width = config.unit.word_shape.size
                self.at(
                    cycle,
                    load_enable=1 << bank,
                    load_line=line_of(place, config.log2_units) << bits * half,
                    load_data=encode(word, config.unit.word_shape) << width * bank,
                )
                cycle += 1
        return cycle

    def step(self, cycle: int, stage: int, vector: int, k: int) -> dict[str, Any]:
        """Issue one, with random factors; what its units are given."""
        config, timing, rng = self.config, self.timing, self.rng
        one = 1 << config.unit.frac
        factors = [[rng.randint(-one, one) for _ in range(4)] for _ in range(config.units)]
        shift = rng.choice([2, 3])
        ring = (FIRST + vector) * self.own + k
        step = {
            "input": ring,
            "middle": vector * self.own + k,
            "output": ring,
            "region": stage & 1,
            "stage": stage,
            "first_stage": int(stage == 0),
            "last_stage": int(stage == self.stages - 1),
            "first_step": int(k == 0),
            "last_step": int(k == self.own - 1),
            "bpmm": int(self.bpmm),
            "inverse": 0,
            "rotate": int(self.bpmm),
            "weight": 0,
        }
        self.at(cycle, i__valid=1, i__payload=encode(step, timing.step_shape))
        size = config.block_shape.size
        self.at(
            cycle + timing.words,
            shift=shift,
            coefficient=sum(
                encode(each, config.block_shape) << size * unit for unit, each in enumerate(factors)
            ),
        )
        return {"factors": factors, "shift": shift}


def stage_of(script: Script, words: Words, given: list[dict[str, Any]], stage: int) -> Words:
    """A stage of a vector on integers; no result may be cut."""
    config, units = script.config, script.config.units
    position = insertion("bpmm", "decreasing", stage) if script.bpmm else stage
    result: Words = [[] for _ in words]
    for item, (read, written) in enumerate(
        zip(pairs(script.points), written_indices(script.points, position), strict=True)
    ):
        step = given[item // units]
        found = unit_results(
            config.unit,
            {
                "a": words[read[0]],
                "b": words[read[1]],
                "coefficient": step["factors"][item % units],
                "shift": step["shift"],
                "bpmm": script.bpmm,
            },
        )
        assert not found["saturated"]
        for index, word in zip(written, found["y"], strict=True):
            result[index] = word
    return result


@pytest.mark.parametrize(
    ("name", "stages", "bpmm"),
    [
        ("fft_smallest", 3, False),
        ("bpmm_sets", 4, True),
        ("all_2", 5, False),
        ("all_2", 3, True),
        ("all_8", 5, False),
        ("all_8", 4, True),
        ("shifts_4", 5, True),
    ],
)
def test_vectors_pass_all_stages(name, stages, bpmm):
    script = Script(name, stages, bpmm=bpmm)
    config, timing = script.config, script.timing
    most = 1 << config.unit.word_bits - 3
    vectors: list[Words] = [
        [
            [script.rng.randrange(-most, most) for _ in range(config.unit.parts)]
            for _ in range(script.points)
        ]
        for _ in range(VECTORS)
    ]
    cycle = script.load(vectors)
    want = vectors
    for stage in range(stages):
        start = cycle
        results = []
        for vector in range(VECTORS):
            given = [script.step(cycle + k, stage, vector, k) for k in range(script.own)]
            results.append(stage_of(script, want[vector], given, stage))
            cycle += script.own
        want = results
        # As close as it may be.
        cycle = max(cycle, start + script.own - 1 + timing.step_distance)
    cycle += timing.write
    lines = list(range(FIRST * script.own, (FIRST + VECTORS) * script.own))
    for k, line in enumerate(lines):
        script.at(cycle + k, store_line=line)
    script.at(cycle + len(lines) + timing.ring.latency)
    trace = run_amaranth(Datapath(timing), script.rows)
    width, parts = config.unit.word_shape.size, len(want[0][0])
    for vector in range(VECTORS):
        for index, word in enumerate(want[vector]):
            place = (FIRST + vector) * script.points + index
            lane, half = bank_of(place, config.log2_units)
            at = lines.index(line_of(place, config.log2_units))
            data = trace[cycle + at + timing.ring.latency]["store_data"] or 0
            bits = data >> width * (half * config.units + lane) & (1 << width) - 1
            assert decode(bits, config.unit.word_shape)[:parts] == word
