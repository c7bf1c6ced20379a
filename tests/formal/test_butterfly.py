"""Proofs of the count of a ring's places, on which loader, sequencer and storer rely; and that
loader and storer keep to the rules of streams, and let no one wait for ever.
"""

from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, signed

from hw.butterfly import loader, ring, storer
from hw.butterfly.jobs import by_size
from hw.butterfly.loader import Loader
from hw.butterfly.ring import RingCount
from hw.butterfly.storer import Storer
from hw.butterfly.timing import ButterflyTiming
from tests.support.abstract import fifo_state
from tests.support.butterfly import CONFIGS
from tests.support.formal import ProofFailed, StreamRules, free_ports, prove, prove_stream_rules
from tests.support.inside import mutant, opened

pytestmark = pytest.mark.formal

MOST = 5


def ring_state(m: Module, dut: RingCount, claim=Assert) -> tuple[Signal, Signal, Signal]:
    """Count places beside the unit, and assert what its counters mean; `claim` is what users do.

    Places taken; the capacity that counts; and whether there was a restart.
    """
    most = dut.most
    taken, capacity, started = Signal(range(most + 2)), Signal(range(most + 1)), Signal()
    before, spare = Signal(range(most + 2)), Signal(most + 1)
    late, places = Signal(signed(3)), Signal(range(most + 1))
    m.d.sync += [taken.eq(taken + dut.take - dut.free), before.eq(taken)]
    m.d.comb += [
        spare.eq(1 << (capacity - before)[: most.bit_length()]),
        late.eq(dut.took - dut.freed),
    ]
    for number in range(most + 1):
        with m.If(dut.capacity == 1 << number):
            m.d.comb += places.eq(number)
    with m.If(dut.restart):
        m.d.sync += [capacity.eq(places), started.eq(1)]
    m.d.comb += [
        claim(~dut.take | ~dut.full & ~dut.restart, "takes a place that is free"),
        claim(~dut.free | (taken > 0), "gives back what was taken"),
        claim(~dut.restart | (taken == 0) & (places >= 1), "restarts at rest"),
        Assert(dut.full == (~started | (taken == capacity)), "full says that no place is free"),
        Assert(~dut.empty | (before == 0), "empty says that none was taken a cycle ago"),
        Assert(dut.empty | (before > 0), "and only then"),
        Assert(taken <= capacity, "never more than there are"),
        Assert(capacity <= most, "as was claimed"),
        # What the induction must know of the counters.
        Assert(dut.used + 1 == before, "used is a cycle late"),
        Assert(~started | (dut.spare == spare), "one bit for the places that were free"),
        Assert(started | (dut.spare == 1) & (taken == 0) & (capacity == 0), "full at first"),
        Assert(late == taken - before, "what is counted next"),
    ]
    return taken, capacity, started


def harness(dut, *, cover=False):
    """A user that keeps the contract; places are counted beside the unit."""
    m = Module()
    m.submodules.dut = dut
    _, capacity, started = ring_state(m, dut, Assume)
    if cover:
        m.d.comb += Cover(dut.full & started & (capacity == MOST), "all places taken")
    return m


def test_full_and_empty_are_what_was_taken_and_given_back():
    dut = RingCount(MOST)
    prove(harness(dut), name="butterfly_ring", depth=2, ports=free_ports(dut))


def test_a_full_ring_is_reached():
    dut = RingCount(MOST)
    ports = free_ports(dut)
    prove(harness(dut, cover=True), name="butterfly_ring_full", depth=12, ports=ports, mode="cover")


def test_a_wrong_count_is_noticed():
    wrong = mutant(ring.RingCount, "Mux(less, self.spare[2]", "Mux(less, self.spare[1]")
    dut = wrong(MOST)
    with pytest.raises(ProofFailed):
        prove(harness(dut), name="butterfly_ring_wrong", depth=6, ports=free_ports(dut), mode="bmc")


# --- streams ---


def timing_of(name: str) -> ButterflyTiming:
    return ButterflyTiming(CONFIGS[name])


def storer_state(m: Module, dut: Storer) -> list[Signal]:
    """What the storer's queue holds, and which of its pipeline's places have words for it."""
    module, state = opened(dut)
    valids = [state[f"store_valid_{k}"] for k in range(1, dut.timing.store_read + 1)]
    # The first is counted by the queue in this very cycle.
    fifo_state(m, module.submodules.queue, sum(valids[1:], Const(0)))  # type: ignore[arg-type]
    return valids


@pytest.mark.parametrize("name", ["bpmm_smallest", "fft_lanes"])
def test_storer_keeps_the_rules_of_streams(name):
    dut = Storer(timing_of(name))
    prove_stream_rules(
        dut, name=f"butterfly_storer_rules_{name}", also=lambda m: storer_state(m, dut)
    )


def test_storer_delivers_within_its_latency():
    dut = Storer(timing_of("bpmm_smallest"))
    most = dut.timing.store_latency
    m = Module()
    m.submodules.dut = dut
    storer_state(m, dut)
    # A vector waits, the output accepts, and nothing comes: not for long.
    waited = Signal(range(most + 3))
    with m.If(dut.i.valid & dut.o.ready & ~dut.o.valid):
        m.d.sync += waited.eq(waited + 1)
    with m.Else():
        m.d.sync += waited.eq(0)
    m.d.comb += [
        Assert(waited <= most, "a transfer comes in time"),
        Assert((dut.i.valid & dut.i.ready) == dut.stored, "a vector is left when its place is"),
    ]
    prove(m, name="butterfly_storer_waits", ports=free_ports(dut), depth=most + 3)


def test_a_storer_that_keeps_no_room_is_noticed():
    wrong = mutant(storer.Storer, "queue.take.eq(ask)", "queue.take.eq(0)")
    dut = wrong(timing_of("bpmm_smallest"))
    with pytest.raises(ProofFailed):
        prove_stream_rules(
            dut,
            name="butterfly_storer_wrong",
            depth=dut.timing.store_read + 2,
            mode="bmc",
            also=lambda m: storer_state(m, dut),
        )


SETTING_UP = 3
"""Cycles from a job's transfer to its first place, if there is one: resize, restart, place."""


def loader_harness(dut: Loader) -> Module:
    """Jobs and words by the rules, and a core that frees only what was loaded."""
    module, state = opened(dut)
    places: RingCount = module.submodules.places  # type: ignore[assignment]
    fsm: Any = module._generated["load"]  # type: ignore[attr-defined]
    states = [fsm.ongoing(name) for name in ("TAKE", "RESIZE", "RESTART", "PLACE", "LOAD")]
    takes_job, resizes, restarts, at_place, loads = states
    m = Module()
    m.submodules.dut = dut
    m.submodules.rules_job = StreamRules(dut.i_job, Assume)
    m.submodules.rules = StreamRules(dut.i, Assume)
    timing, config, job = dut.timing, dut.timing.config, dut.i_job.payload
    taken, _, _ = ring_state(m, places)
    ends, ready, vectors, transfers = (
        state[name] for name in ("ends", "ready", "vectors", "transfers")
    )
    accept = dut.i_job.valid & dut.i_job.ready
    # Vectors that are loaded and in use; those of the job that are still to be loaded.
    loaded, due = Signal(range(timing.most_vectors + 2)), Signal(17)
    m.d.sync += loaded.eq(loaded + ends - dut.consumed)
    with m.If(accept):
        m.d.sync += due.eq(job.vectors)
    with m.Elif(ends):
        m.d.sync += due.eq(due - 1)
    blocked = at_place & places.full | resizes & state["resized"] & ~places.empty
    idle = Signal(range(SETTING_UP + 2))
    m.d.sync += idle.eq(0)
    with m.If(~ready & ~takes_job & ~blocked):
        m.d.sync += idle.eq(idle + 1)
    # Figures of the size are a cycle late, and no one looks before.
    started, size, before = Signal(), state["log2_points"], Signal.like(state["log2_points"])
    m.d.sync += [started.eq(1), before.eq(size)]
    log2_stream = config.stream_words.bit_length() - 1
    figures = (
        ("again", lambda n: (1 << n - log2_stream) - 2),
        ("capacity", lambda n: 1 << timing.batch_vectors(n)),
    )
    m.d.comb += [
        Assume(~dut.consumed | (loaded > 0), "frees what was loaded"),
        Assume(
            (job.log2_points >= config.sizes.start) & (job.log2_points < config.sizes.stop),
            "a size that there is",
        ),
        Assume(job.vectors >= 1, "a vector at least"),
        Assert(dut.i_job.ready == (takes_job & dut.job_grant), "a job is taken at once"),
        Assert(dut.i.ready == loads, "words of a vector that has a place are taken at once"),
        Assert(idle <= SETTING_UP, "nothing but a full ring, or another size, delays a vector"),
        Assert(~takes_job | (due == 0), "a job ends with its last vector"),
        Assert(takes_job | (due > 0), "and not before"),
        # What the induction must know.
        Assert(Cat(states).any(), "in one of its states"),
        Assert(idle <= Mux(loads, 3, Mux(at_place, 2, restarts)), "and there not for long"),
        Assert(taken + places.take - places.free == loaded + loads, "each place has its vector"),
        Assert(~places.take | loads & ~transfers[-1], "a place is counted before a vector ends"),
        Assert(~loads | (vectors + 2 - places.take == due), "vectors that are left"),
        Assert(~at_place | (vectors + 1 == due), "the same, before the next one"),
        Assert(~resizes | (state["asked"] == due), "all of them"),
        Assert(~started | resizes | (size == before), "sizes change with jobs"),
        Assert(~started | ~resizes | state["resized"] | (size == before), "or not even then"),
        Assert(~loads | (transfers <= state["again"]), "counts down"),
        *(
            Assert(~started | (state[name] == by_size(config, before, what)), f"{name} by size")
            for name, what in figures
        ),
        Assert(
            takes_job | (size >= config.sizes.start) & (size < config.sizes.stop),
            "of a size that there is",
        ),
    ]
    return m


@pytest.mark.parametrize("name", ["fft_lanes", "all_1"])
def test_loader_lets_no_one_wait_and_takes_what_a_job_says(name):
    dut = Loader(timing_of(name))
    m = loader_harness(dut)
    prove(m, name=f"butterfly_loader_{name}", ports=free_ports(dut), depth=3)


def test_a_loader_that_ends_a_job_early_is_noticed():
    wrong = mutant(loader.Loader, "with m.If(vectors[-1]):", "with m.If(~vectors[-1]):")
    dut = wrong(timing_of("fft_lanes"))
    m = loader_harness(dut)
    with pytest.raises(ProofFailed):
        prove(m, name="butterfly_loader_wrong", ports=free_ports(dut), depth=12, mode="bmc")
