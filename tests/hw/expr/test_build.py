import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Fragment, Module, signed, unsigned
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.expr.build import ExprConfig, ExprUnit
from hw.expr.lower import Lowered
from sim.golden.expr import evaluate
from spec.expr import lookup, maximum, select, symbolic_class, variable
from spec.scores import alibi, softcap
from tests.support.expressions import GRANULES, graphs, masks, positions, vectors


def simulate(config, values):
    """Outputs of an `ExprUnit` given `values`, one set a cycle, `latency` cycles later."""
    unit = ExprUnit(config)
    count = len(next(iter(values.values()), [0]))
    found = {name: [] for name in config.outputs}

    async def bench(ctx):
        for cycle in range(count + config.latency):
            for name, column in values.items():
                ctx.set(getattr(unit, name), column[min(cycle, count - 1)])
            if cycle >= config.latency:
                for name, column in found.items():
                    column.append(ctx.get(getattr(unit, name)))
            await ctx.tick()

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.unit = Fragment.get(unit, None)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def check(config, seed, count=24):
    values = vectors(config.inputs, count, seed)
    arrays = {name: np.array(column) for name, column in values.items()}
    for name, column in simulate(config, values).items():
        expected = np.broadcast_to(evaluate(config.outputs[name], arrays), len(column))
        assert column == expected.astype(np.int64).tolist(), name


@given(graphs(), st.integers(0, 99))
def test_gates_are_the_golden_model(graph, seed):
    check(ExprConfig(roots=graph), seed)


# Reciprocals double the width, and the golden model takes 62 bits.
@given(graphs(most=24, widest=24), st.integers(0, 99))
def test_simpler_nodes_compute_the_same(graph, seed):
    lowered = Lowered(dict(graph))
    inputs = ExprConfig(roots=graph).inputs
    values = {name: np.array(column) for name, column in vectors(inputs, 200, seed).items()}
    for name, root in lowered.roots.items():
        assert (evaluate(root, values) == evaluate(graph[name], values)).all()
    for node, (low, high) in lowered.bounds.items():
        each = evaluate(node, values)
        assert low <= each.min() and each.max() <= high


@given(masks(positions()), st.integers(0, 99))
def test_a_symbolic_class_in_gates(mask, seed):
    ends = {
        name: (variable(f"{name}_low", *node.bounds), variable(f"{name}_high", *node.bounds))
        for name, node in positions().items()
    }
    some, not_all = symbolic_class(mask, ends, GRANULES)
    check(ExprConfig(roots={"some": some, "not_all": not_all}), seed)


@pytest.mark.parametrize("divisor", [3, 7, 31, 33, 40, 48, 100, 1000])
def test_quotients_and_remainders_by_any_constant(divisor):
    q, k = variable("q", 0, 1023), variable("k", 0, 1023)
    roots = {"o_div": (q - k) // divisor, "o_mod": (q - k) % divisor, "o_high": q % divisor}
    distance = np.arange(-1023, 1024)
    values = {"q": np.maximum(distance, 0), "k": np.maximum(-distance, 0)}
    lowered = Lowered(dict(roots))
    for name, root in lowered.roots.items():
        assert (evaluate(root, values) == evaluate(roots[name], values)).all()
    check(ExprConfig(roots=roots), divisor)


def test_a_score_and_its_latency():
    s = variable("s", -(1 << 15), (1 << 15) - 1, 8)
    h, q, k = variable("h", 0, 7), variable("q", 0, 1023), variable("k", 0, 1023)
    config = ExprConfig(expr=softcap(s, 30.0) + alibi(h, q, k))
    check(config, 1, count=200)
    assert config.interval == 1


def test_wide_products_are_of_narrow_cells():
    s, t = variable("s", -(1 << 33), 1 << 33), variable("t", -(1 << 22), 1 << 20)
    check(ExprConfig(roots={"o": s * t, "constant": t * 0x2B5A31}), 1, count=100)


def test_block_memories():
    q, k = variable("q", 0, 500), variable("k", 0, 500)
    values = [index * 40503 % 60000 - 30000 for index in range(700)]
    check(ExprConfig(expr=lookup(values, q - k, offset=-350)), 1, count=100)


def test_shared_nodes_are_built_once():
    q, k = variable("q", 0, 1023), variable("k", 0, 1023)
    roots = {"a": (q * k) > 7, "b": (q * k) - 1}
    unit = ExprUnit(ExprConfig(roots=roots))
    fragment = Fragment.get(unit, None)
    assert len(fragment.subfragments) == 1


@pytest.mark.parametrize(
    ("make", "latency"),
    [
        (lambda q, k: q, 0),
        (lambda q, k: q << 3, 0),
        (lambda q, k: q + k, 1),
        (lambda q, k: q - k < 0, 1),
        (lambda q, k: (q + k) + (q - k), 2),
        (lambda q, k: (q >= k) & (q - k < 64), 2),
        (lambda q, k: q * k, 2),
        (lambda q, k: select(q < k, q, k), 1),
        (lambda q, k: maximum(q, k) + 1, 2),
    ],
)
def test_latency(make, latency):
    config = ExprConfig(expr=make(variable("q", 0, 1023), variable("k", 0, 1023)))
    assert config.latency == latency
    check(config, 3)


def test_shapes_are_exact():
    config = ExprConfig(expr=variable("q", 0, 7) - variable("k", 0, 8))
    assert [config.shape(name) for name in ("q", "k", "o")] == [
        unsigned(3),
        unsigned(4),
        signed(4),
    ]


def test_a_constant_has_no_input():
    q = variable("q", 0, 7)
    assert simulate(ExprConfig(roots={"a": q - q + 3, "b": q < 9}), {}) == {"a": [3], "b": [1]}


def test_rejections():
    q = variable("q", 0, 7)
    with pytest.raises(ValueError, match="ExprConfig takes either expr or roots"):
        ExprConfig()
    with pytest.raises(ValueError, match="roots must name at least one expression"):
        ExprConfig(roots={})
    with pytest.raises(ValueError, match="an output cannot be called 'q'; inputs are q"):
        ExprConfig(roots={"q": q + 1})
