"""A butterfly core on AXI, in Icarus against cocotbext-axi's peers, all channels pausing."""

import pytest

from gen.design import load_design
from hw.bus.system import OVERHEAD_CYCLES
from sim.bench.axi import Frame, Quiet, Receive, Send, Step, Wait
from sim.cycle.butterfly import butterfly_cycles
from tests.support.bus_session import frames_of, words_of
from tests.support.butterfly import Job, random_job, sizes
from tests.support.butterfly_on_bus import ButterflyOnBus

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.axi")

DESIGNS = {
    "butterfly_1024": ["points=32", "orders=decreasing,increasing"],
    "butterfly_ice40": ["points=16", "shifts=1,0,1,1"],
}


SLOW = pytest.mark.slow


@pytest.fixture(
    scope="module", params=["butterfly_1024", pytest.param("butterfly_ice40", marks=SLOW)]
)
def built(request, tmp_path_factory):
    design = load_design(request.param, DESIGNS[request.param])
    return ButterflyOnBus(design, tmp_path_factory.mktemp(design.name))


def jobs_of(built: ButterflyOnBus) -> list[Job]:
    """Each transform and order, sizes from the largest down."""
    butterfly, largest = built.config.butterfly, built.config.butterfly.points
    kinds = [
        (transform, order)
        for transform in butterfly.transforms
        for order in (butterfly.orders if transform == "bpmm" else ("decreasing",))
    ]
    return [
        random_job(built.config, points, vectors, transform=transform, order=order, seed=seed)
        for seed, (transform, order) in enumerate(kinds)
        for points, vectors in ((largest, 3), (8, 2))
    ]


@pytest.mark.parametrize("pause", [pytest.param(0.0, marks=SLOW), 0.3])
def test_runs_give_what_the_golden_model_says(built, pause):
    jobs = jobs_of(built)
    script: list[Step] = []
    for job in jobs:
        script += [*built.start(job), *built.send(job), *built.receive(job)]
    results = built.do(script, pause=pause)
    assert words_of(script, results) == [0] * len(jobs)
    for frames, job in zip(frames_of(results), jobs, strict=True):
        assert [built.told(row) for row in frames] == built.wanted(job)


def test_cycles_of_a_run_are_those_of_the_model(built):
    """Counted from the job, which goes first."""
    jobs = [job for job in jobs_of(built) if job.order == "decreasing"]
    script: list[Step] = []
    for job in jobs:
        script += [*built.send(job), Wait(5), *built.start(job), *built.receive(job)]
        script.append(built.host.read("cycles"))
    words = words_of(script, built.do(script, pause=0.0))
    for cycles, job in zip(words[1::2], jobs, strict=True):
        expected = butterfly_cycles(built.config, sizes([job]))
        assert cycles == expected.delivered[-1] - expected.jobs[0] + OVERHEAD_CYCLES, job


@pytest.mark.slow
def test_whatever_is_wrong_with_a_run_the_next_is_right(built):
    """Malformed vectors and matrices, a vector too few, no matrix at all."""
    host, jobs = built.host, jobs_of(built)
    plain, product = jobs[0], jobs[-2]
    size = len(built.vectors(plain)[0].data)
    step = built.inputs["i"].lanes * built.inputs["i"].element_bytes
    whole = built.vectors(plain)[0].data
    bad: list[tuple[Job, str, Frame | None, str]] = [
        (plain, "i", Frame(data=whole[: size - step]), "row_early"),
        (plain, "i", Frame(data=[*whole, *whole]), "row_missing"),
        (plain, "i", Frame(data=whole, keep=[0, *[1] * (size - 1)]), "keep"),
        (plain, "i", Frame(data=whole[: -built.inputs["i"].element_bytes]), "row_short"),
        (product, "weights", Frame(data=[*built.weights(product)[0].data] * 2), "row_missing"),
        (plain, "i", None, "timeout"),
        (product, "weights", None, "timeout"),
    ]
    script: list[Step] = [host.write("timeout", cycles=3000)]
    for job, stream, row, cause in bad:
        sends = {step.stream: [*step.frames] for step in built.send(job) if isinstance(step, Send)}
        del sends[stream][0]
        if row is not None:
            sends[stream].insert(0, row)
        script += [*built.start(job), *(Send(each, frames) for each, frames in sends.items())]
        if cause != "timeout":
            script.append(Receive("o", job.vectors))
        script += [
            host.until("status", busy=0),
            host.read("error"),
            host.read("error_stream"),
            *(Quiet(each) for each in built.inputs),
            Wait(20),
            *host.clear(cause),
            host.until("status", failed=0),
            *built.start(product),
            *built.send(product),
            *built.receive(product),
        ]
    results = built.do(script, pause=0.1)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    for job, stream, _, cause in bad:
        assert host.causes(next(reads)) == {cause}
        where = 0 if cause == "timeout" else host.registers["error_stream"].field(stream).mask
        assert next(reads) == where
        if cause != "timeout":
            assert len(next(frames)) == job.vectors
        got = next(frames)
        # What an aborted run had still on offer ends before; the product's own vectors are last.
        assert [built.told(row) for row in got[-product.vectors :]] == built.wanted(product)
        assert next(reads) == 0
