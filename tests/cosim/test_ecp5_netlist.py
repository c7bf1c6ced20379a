"""What ships: netlists of ECP5 cores pass the benches of the emitted text, to the cycle."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fpga.flow import ECP5_85F
from gen.design import Design, load_design
from gen.ports import PlainPorts
from sim.bench import attention as attention_bench
from sim.bench import butterfly as butterfly_bench
from sim.bench import softmax as softmax_bench
from sim.bench.runner import BenchError
from sim.cycle.heads import head_cycles
from sim.cycle.softmax import softmax_cycles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from sim.golden.softmax import softmax
from spec.tiles import TileGrid
from tests.support.attention import random_operands
from tests.support.butterfly_cosim import agree, check_cycles, random_bench_job
from tests.support.gates import TOP, as_verilog, cell_types, netlist_of, with_wrong_luts
from tests.support.softmax import random_rows

pytestmark = [pytest.mark.cosim, pytest.mark.netlist]

CELLS = {"TRELLIS_FF", "LUT4", "CCU2C", "PFUMX", "TRELLIS_DPR16X4", "DP16KD", "MULT18X18D"}
"""Every one of these is in each netlist, and proved with it."""
STALLS = (0.0, 0.4)


class Built(NamedTuple):
    design: Design
    netlist: Path
    verilog: Path

    def folder(self, name: str) -> Path:
        return self.netlist.parent / name


def built(name: str, settings: list[str], folder: Path) -> Built:
    design = load_design(name, settings)
    netlist = netlist_of(PlainPorts(design.unit()), ECP5_85F, folder)
    assert cell_types(netlist) >= CELLS
    return Built(design, netlist, as_verilog(netlist, ECP5_85F))


# --- softmax ---

LENGTHS = [1, 2, 3, 64, 5, 1, 33, 4, 12]


@pytest.fixture(scope="module")
def of_softmax(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built("softmax_exact", [], tmp_path_factory.mktemp("softmax"))


def run_softmax(of: Built, verilog: Path, stall: float) -> tuple[bool, softmax_bench.SoftmaxTrace]:
    """Whether it is golden, and what came when."""
    rows = random_rows(of.design.config, LENGTHS, seed=3)
    trace = softmax_bench.simulate(
        of.design.config, verilog, [row[0] for row in rows], [row[1] for row in rows],
        top=TOP, folder=of.folder(f"{verilog.stem}_{stall}"), stall=stall,
    )  # fmt: skip
    golden = [softmax(of.design.description.numerics, s[None], seen[None]) for s, seen in rows]
    return all(
        np.array_equal(p, expected.p[0]) and empty == expected.empty[0]
        for p, empty, expected in zip(trace.p, trace.empty, golden, strict=True)
    ), trace


@pytest.mark.parametrize("stall", STALLS)
def test_a_softmax_has_golden_bits_and_the_models_cycles(of_softmax: Built, stall: float):
    golden, trace = run_softmax(of_softmax, of_softmax.verilog, stall)
    assert golden
    if stall == 0:
        cycles = softmax_cycles(of_softmax.design.config, LENGTHS)
        assert trace.accepted == list(cycles.accepted)
        assert trace.delivered == list(cycles.delivered)


def test_a_few_wrong_look_up_tables_are_noticed(of_softmax: Built):
    """Negative control."""
    wrong = as_verilog(with_wrong_luts(of_softmax.netlist, ECP5_85F), ECP5_85F)
    try:
        golden, _ = run_softmax(of_softmax, wrong, 0.0)
    except (AssertionError, BenchError):
        return
    assert not golden


# --- attention ---

QUERIES, KEYS = 9, 13
SIZES = [
    *("rows=2", "columns=2", "value_columns=1"),
    *("head_dim=8", "heads=3", f"queries={QUERIES}", "keys=64"),
]
"""As many keys as make a block of their memory; that of the queries is none."""


@pytest.mark.slow
def test_an_attention_core_takes_every_source_of_masks(tmp_path: Path):
    of = built("attention_any_mask", SIZES, tmp_path / "netlist")
    config, rng = of.design.config, np.random.default_rng(3)
    q, k, v = random_operands(config, QUERIES, KEYS)
    own = np.tri(QUERIES, KEYS, KEYS - QUERIES, dtype=bool)
    shared = own.copy()
    shared[5:, 3:9] = False
    blocks = rng.random((QUERIES, KEYS)) < 0.2
    blocks[4:7] = False
    grid = TileGrid(config.rows, config.columns, QUERIES, KEYS)
    loaded = [None, compile_columns(shared), compile_bitmap(blocks, grid)]
    wanted = attention(config.layer, q, k, v, np.stack([own, shared, blocks]))
    assert wanted.o.any() and wanted.empty.any() and not wanted.empty.all()
    for stall in STALLS:
        trace = attention_bench.simulate(
            config, of.verilog, q, k, v, loaded, top=TOP, folder=tmp_path / f"{stall}", stall=stall
        )
        np.testing.assert_array_equal(trace.o, wanted.o)
        np.testing.assert_array_equal(trace.empty, wanted.empty)
        if stall == 0:
            assert trace.total == head_cycles(config, QUERIES, KEYS, loaded).total


# --- butterfly ---

JOBS = (("fft", 16, 3), ("bpmm", 16, 2), ("inverse", 8, 2), ("bpmm", 8, 1))


@pytest.mark.slow
def test_a_butterfly_core_transforms_and_multiplies(tmp_path: Path):
    of = built("butterfly_1024", ["units=2", "stream_words=1"], tmp_path / "netlist")
    config = of.design.config
    jobs = [
        random_bench_job(config, points, vectors, transform=transform, seed=seed)
        for seed, (transform, points, vectors) in enumerate(JOBS)
    ]
    for stall in STALLS:
        trace = butterfly_bench.simulate(
            config, of.verilog, jobs, top=TOP, folder=tmp_path / f"{stall}", stall=stall
        )
        assert agree(config, jobs, trace)
        if stall == 0:
            check_cycles(config, jobs, trace)
