"""The sequencer: every step of every stage once and in order, far enough apart, and no bubble."""

import random

import pytest

from hw.butterfly.sequencer import Sequencer
from hw.butterfly.timing import ButterflyTiming
from tests.support.butterfly import CONFIGS, inputs, random_job
from tests.support.payload import decode, encode
from tests.support.react import Offers, react

PLAN = [("most", 5), ("least", 40), ("least", 3), ("most", 1), ("most", 2)]


def sequence(timing, jobs, *, eager, seed=1):
    """Steps by cycle: (cycle, step). Vectors are loaded early or late, stored soon or late."""
    config, rng = timing.config, random.Random(seed)
    offers = Offers("i", [encode(each, config.job_shape) for each in inputs(config, jobs)["i_job"]])
    sizes = [job.points for job in jobs for _ in range(job.vectors)]
    state = {"loaded": 0, "consumed": 0, "finished": 0, "stored": 0}

    def inputs_of(trace):
        if trace:
            state["consumed"] += trace[-1]["consumed"]
            step = decode(trace[-1]["o__payload"], timing.step_shape)
            if trace[-1]["o__valid"] and step["last_stage"] and step["last_step"]:
                state["finished"] += 1
        at = state["loaded"]
        fits = at < len(sizes) and (
            at - state["consumed"] < timing.batch_vectors(sizes[at].bit_length() - 1)
            if at and sizes[at - 1] == sizes[at]
            else at == state["consumed"]
        )
        load = fits and (eager or rng.random() < 0.05)
        store = state["stored"] < state["finished"] and (eager or rng.random() < 0.05)
        state["loaded"] += load
        state["stored"] += store
        return {
            **offers.inputs(trace),
            "loaded": int(load),
            "stored": int(store),
            "weights_full": 1,
        }

    cycles = sum(
        job.vectors * timing.vector_cycles(job.points.bit_length() - 1) * 14 + 300 for job in jobs
    )
    trace = react(Sequencer(timing), cycles if eager else 4 * cycles, inputs_of)
    assert state["stored"] == len(sizes)
    return [
        (cycle, decode(row["o__payload"], timing.step_shape))
        for cycle, row in enumerate(trace)
        if row["o__valid"]
    ]


def expected_steps(timing, jobs):
    """What identifies every step, in order; and of which batch, stage and vector it is."""
    inputs_at = outputs_at = points = 0
    lines = 1 << timing.log2_batch_lines
    for number, job in enumerate(jobs):
        stages = job.points.bit_length() - 1
        own, left = timing.vector_cycles(stages), job.vectors
        if points != job.points:
            inputs_at, outputs_at, points = 0, 0, job.points
        while left:
            batch = min(left, timing.batch_vectors(stages))
            left -= batch
            for stage in range(stages):
                for vector in range(batch):
                    for k in range(own):
                        first, last = stage == 0, stage == stages - 1
                        middle = vector * own + k
                        step = {
                            "middle": middle,
                            "region": stage & 1,
                            "stage": stage,
                            "first_stage": int(first),
                            "last_stage": int(last),
                            "first_step": int(k == 0),
                            "last_step": int(k == own - 1),
                            "bpmm": int(job.transform == "bpmm"),
                            "inverse": int(job.transform == "inverse"),
                            "rotate": int(job.transform == "bpmm" and job.order == "decreasing"),
                        }
                        if first:
                            step["input"] = (inputs_at + middle) % lines
                        if last:
                            step["output"] = (outputs_at + middle) % lines
                        if job.transform == "bpmm":
                            step["weight"] = stage * own + k
                        yield (number, left, stage, vector), step
            inputs_at += batch * own
            outputs_at += batch * own


def check(timing, jobs, steps):
    """The steps are the expected ones, and no stage of a vector follows too soon."""
    want = list(expected_steps(timing, jobs))
    assert len(steps) == len(want)
    last: dict[tuple, int] = {}
    first: dict[tuple, int] = {}
    for (cycle, step), (of, expected) in zip(steps, want, strict=True):
        assert {name: step[name] for name in expected} == expected
        last[of] = cycle
        first.setdefault(of, cycle)
    distances = [
        first[job, left, stage + 1, vector] - cycle
        for (job, left, stage, vector), cycle in last.items()
        if (job, left, stage + 1, vector) in first
    ]
    assert min(distances) >= timing.step_distance
    return distances


def jobs_of(config):
    sizes = {"least": 1 << config.min_stages, "most": config.butterfly.points}
    return [
        random_job(config, sizes[size], vectors, seed=k) for k, (size, vectors) in enumerate(PLAN)
    ]


@pytest.mark.parametrize("name", ["fft_smallest", "fft_lanes", "all_2", "all_4", "all_8"])
@pytest.mark.parametrize("eager", [True, False])
def test_every_step_once_in_order_and_far_enough_apart(name, eager):
    config = CONFIGS[name]
    timing = ButterflyTiming(config)
    jobs = jobs_of(config)
    distances = check(timing, jobs, sequence(timing, jobs, eager=eager))
    # A vector alone waits no longer than it must.
    assert min(distances) == timing.step_distance


@pytest.mark.parametrize("name", ["fft_lanes", "all_4"])
def test_full_batches_follow_each_other_without_a_bubble(name):
    config = CONFIGS[name]
    timing = ButterflyTiming(config)
    for stages in config.sizes:
        vectors = 3 * timing.batch_vectors(stages)
        jobs = [random_job(config, 1 << stages, vectors, transform="fft", seed=1)]
        steps = sequence(timing, jobs, eager=True)
        check(timing, jobs, steps)
        cycles = [cycle for cycle, _ in steps]
        assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))
