"""The loader: every word of every vector at its bank and line, once, in either order."""

import random

import pytest

from hw.butterfly.geometry import bank_of, line_of
from hw.butterfly.loader import Loader
from hw.butterfly.timing import LOAD_LATENCY, ButterflyTiming
from spec.butterfly import reversed_bits
from tests.support.butterfly import CONFIGS, inputs, random_job
from tests.support.payload import decode, encode
from tests.support.react import Offers, react


def load(timing, jobs, seed):
    """Every port in every cycle; a vector's place is given back some time after it was told."""
    config, rng = timing.config, random.Random(seed)
    streams = inputs(config, jobs)
    job_offers = Offers("i_job", [encode(each, config.job_shape) for each in streams["i_job"]])
    offers = Offers(
        "i",
        [encode(each, config.i_shape) for each in streams["i"]],
        lambda: rng.random() < 0.2,
    )
    held = 0

    def inputs_of(trace):
        nonlocal held
        held += trace[-1]["o_vector__valid"] if trace else 0
        consumed = held > 0 and rng.random() < 0.05
        held -= consumed
        return {
            **job_offers.inputs(trace),
            **offers.inputs(trace),
            "job_grant": int(rng.random() < 0.5),
            "consumed": int(consumed),
        }

    vectors = sum(job.vectors for job in jobs)
    return react(Loader(timing), 60 * vectors + 4 * len(offers.payloads) + 100, inputs_of)


def writes_of(timing, trace):
    """(bank, line, word) of every write, in order, and its cycle."""
    config = timing.config
    width = config.unit.word_shape.size
    for cycle, row in enumerate(trace):
        for bank in range(config.banks):
            if row["enable"] >> bank & 1:
                lines = timing.ring.ram.address_width
                line = row["line"] >> lines * (bank // config.units) & (1 << lines) - 1
                word = row["data"] >> bank * width & (1 << width) - 1
                yield cycle, bank, line, decode(word, config.unit.word_shape)


def expected_writes(timing, jobs):
    """For every transfer, the set of (bank, line, word)."""
    config, p = timing.config, timing.config.log2_units
    at, points = 0, 0
    for job in jobs:
        stages = job.points.bit_length() - 1
        at, points = (at, points) if points == job.points else (0, job.points)
        for vector in range(job.vectors):
            for start in range(0, job.points, config.stream_words):
                written = set()
                for k in range(start, start + config.stream_words):
                    increasing = job.transform == "bpmm" and job.order == "increasing"
                    index = at + (reversed_bits(k, stages) if increasing else k)
                    lane, half = bank_of(index, p)
                    re, im = int(job.re[vector, k]), int(job.im[vector, k])
                    if job.transform == "inverse":
                        re, im = im, re
                    if job.transform == "bpmm":
                        im = 0
                    word = (re, im)[: config.unit.parts]
                    written.add((half * config.units + lane, line_of(index, p), word))
                yield written
            at = (at + job.points) % timing.batch_words


@pytest.mark.parametrize("name", ["fft_lanes", "bpmm_increasing", "all_1", "all_2", "all_8"])
def test_every_word_has_its_place(name):
    config = CONFIGS[name]
    timing = ButterflyTiming(config)
    least, most = 1 << config.min_stages, config.butterfly.points
    plan = [(most, 3), (least, 4), (least, 2), (most, 3)]
    jobs = [random_job(config, points, vectors, seed=k) for k, (points, vectors) in enumerate(plan)]
    trace = load(timing, jobs, seed=1)
    taken = [cycle for cycle, row in enumerate(trace) if row["i__valid"] and row["i__ready"]]
    written: dict[int, set] = {}
    for cycle, bank, line, word in writes_of(timing, trace):
        written.setdefault(cycle, set()).add((bank, line, tuple(word)))
    assert sorted(written) == [cycle + LOAD_LATENCY for cycle in taken]
    want = list(expected_writes(timing, jobs))
    assert [written[cycle] for cycle in sorted(written)] == want
    told = [row["o_vector__payload"] for row in trace if row["o_vector__valid"]]
    half = 1 << config.butterfly.data_bits - 2
    flags = []
    for job in jobs:
        loud = (job.re >= half) | (job.re < -half)
        if job.transform != "bpmm":
            loud |= (job.im >= half) | (job.im < -half)
        flags += loud.any(axis=1).astype(int).tolist()
    assert told == flags
    assert set(flags) == {0, 1}


def test_no_place_is_written_before_it_is_free():
    config = CONFIGS["fft_lanes"]
    timing = ButterflyTiming(config)
    trace = load(timing, [random_job(config, 8, 60, seed=2)], seed=3)
    taken, inside, most = 0, 0, 0
    for row in trace:
        if row["i__valid"] and row["i__ready"]:
            inside += taken % 2 == 0
            taken += 1
        most = max(most, inside)
        inside -= row["consumed"]
    assert taken == 120
    assert most == timing.batch_vectors(3)
