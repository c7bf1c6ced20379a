"""The mask suite through emitted Verilog, a mask a head: golden bits in exactly as many cycles."""

import numpy as np
import pytest

from gen.design import Design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from sim.golden.masks import tiles_of_dense
from spec import Attention, Mask
from tests.support.attention import random_operands
from tests.support.masks import SUITE, mask_case

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

SIDES = {"rows": 4, "columns": 4, "value_columns": 4}
TREES = ("tree", "tree_prefix")
SQUARE = [mask_case(name, 64) for name in SUITE if name not in TREES]
CASES = {
    "square": SQUARE[::2],
    "more_square": SQUARE[1::2],
    **{name: [mask_case(name, 256)] for name in TREES},
}
"""Masks of one shape together."""


def generated(cases):
    """One mask in gates that is each case's own in its head."""
    choice = None
    for head, case in enumerate(cases):
        this = Mask(lambda b, h, q, k, head=head: h == head) & case.mask
        choice = this if choice is None else choice | this
    return choice


def run(cases, loaded, masks, folder):
    """Every case as a head of one core: (trace, golden outputs, predicted cycles)."""
    queries, keys = cases[0].queries, cases[0].keys
    layer = Attention(
        heads=len(cases), queries=queries, keys=keys, head_dim=8, masks=masks,
        mask=generated(cases) if "generator" in masks else None,
    )  # fmt: skip
    design = Design.of("suite", layer, partial_tiles=256, compact=True, **SIDES)
    q, k, v = random_operands(design.config, queries, keys)
    write_design(design, folder / "verilog", target=Target.PORTABLE)
    verilog = folder / "verilog" / "suite.v"
    trace = simulate(design.config, verilog, q, k, v, loaded, top="suite", folder=folder)
    golden = attention(layer, q, k, v, np.stack([case.dense for case in cases]))
    return trace, golden, head_cycles(design.config, queries, keys, loaded)


@pytest.mark.parametrize("source", ["bitmap", "columns"])
@pytest.mark.parametrize("shape", CASES)
def test_every_mask_of_the_suite_gives_golden_bits_in_the_models_cycles(shape, source, tmp_path):
    bitmap = source == "bitmap"
    cases = [case for case in CASES[shape] if bitmap or case.columns is not None]
    loaded = [case.bitmap(4, 4) if bitmap else case.columns for case in cases]
    trace, golden, cycles = run(cases, loaded, (source,), tmp_path)
    for head, case in enumerate(cases):
        np.testing.assert_array_equal(trace.o[head], golden.o[head], err_msg=case.name)
        np.testing.assert_array_equal(trace.empty[head], golden.empty[head], err_msg=case.name)
    assert trace.cycles["o"] == cycles.delivered
    # The cycles follow from the model's tiles one by one, and those are the non-empty ones.
    wanted = [tiles_of_dense(case.dense, case.grid(4, 4)) for case in cases]
    assert cycles.tiles == sum(map(len, wanted))


def test_every_generator_of_the_suite_gives_golden_bits_in_the_models_cycles(tmp_path):
    """Each head has a mask of its own, all of them in the gates of one generator."""
    cases = [case for case in SQUARE if case.mask is not None]
    assert len(cases) > 6
    trace, golden, cycles = run(cases, [None], ("generator",), tmp_path)
    for head, case in enumerate(cases):
        np.testing.assert_array_equal(trace.o[head], golden.o[head], err_msg=case.name)
        np.testing.assert_array_equal(trace.empty[head], golden.empty[head], err_msg=case.name)
    assert trace.cycles["o"] == cycles.delivered
    assert cycles.tiles == sum(len(tiles_of_dense(each.dense, each.grid(4, 4))) for each in cases)
