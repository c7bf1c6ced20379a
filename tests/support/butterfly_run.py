"""A butterfly core of either kind, run against what it is to give and when."""

from tests.support.bench import RandomStalls, run

STALLS = {
    "starved": {"i": RandomStalls(probability=0.6, seed=1)},
    "blocked": {"o": RandomStalls(probability=0.7, seed=2)},
    "all": RandomStalls(probability=0.3, seed=3),
}


def run_core(core, inputs, want, *, stalls, budget):
    """The run, whose outputs are those wanted."""
    got = run(core, inputs, stalls=stalls, expect=len(want), cycles_budget=budget)
    assert got.outputs["o"] == want
    return got


def check_streams(got, model, streams):
    """Every transfer of every stream happens in the very cycle that the model has for it."""
    for stream, field in streams.items():
        assert got.cycles[stream] == getattr(model, field), stream
