"""An attention core on AXI, in Icarus against cocotbext-axi's peers, all channels pausing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.design import Design, load_design
from hw.bus.system import OVERHEAD_CYCLES
from sim.bench.attention import by_dimension, by_key
from sim.bench.axi import Frame, Poll, Quiet, Receive, Send, Step, Wait
from sim.cycle.heads import head_cycles
from sim.golden.attention import attention
from sim.golden.masks import compile_bitmap, compile_columns
from spec.tiles import GROUP, BlockBitmap, ColumnIntervals, TileGrid
from tests.support.attention import random_operands
from tests.support.axi import elements, frame
from tests.support.axi_session import OnAxi, frames_of, words_of

pytestmark = pytest.mark.cosim
pytest.importorskip("cocotbext.axi")

CYCLES = 40_000
QUERIES, KEYS = 9, 14
SETTINGS = [
    "rows=2", "columns=4", "value_columns=2", "head_dim=4", "value_dim=4", "heads=4", "kv_heads=2",
    "queries=11", "keys=17",
]  # fmt: skip


class Built(OnAxi):
    """A small core for any mask, with operands and what it should give."""

    def __init__(self, design: Design, folder: Path):
        super().__init__(design, folder, cycles=CYCLES)
        self.config = design.config
        self.q, self.k, self.v = random_operands(self.config, QUERIES, KEYS, seed=1)

    def start(self, first: int, count: int, source: str = "generator", **more: int) -> list[Step]:
        host = self.host
        return [
            host.write("queries", count=QUERIES),
            host.write("keys", count=KEYS),
            host.write("heads", first=first, count=count),
            host.write("mask", source=source, **more),
            host.write("control", start=1),
        ]

    def rows(self, name: str, words: Any, transfers: int) -> list[Frame]:
        """(words, lanes) as frames of so many transfers each."""
        values = np.asarray(words).astype(np.int64).reshape(-1, transfers, words.shape[-1])
        return [frame(self.inputs[name], row.reshape(-1)) for row in values]

    def operands(self, heads: Sequence[int]) -> dict[str, list[Frame]]:
        """Frames of each stream for a run of these query heads."""
        config, groups = self.config, self.config.layer.groups
        sets = [h // groups for k, h in enumerate(heads) if k == 0 or h % groups == 0]
        dims = config.layer.head_dim
        q = by_dimension(self.q[list(heads)], config.rows).reshape(-1, config.rows)
        k = by_dimension(self.k[sets], config.columns).reshape(-1, config.columns)
        v = by_key(self.v[sets], config.columns, config.value_columns)
        v = v.reshape(-1, config.value_columns)
        return {
            "q": self.rows("q", q, dims),
            "k": self.rows("k", k, dims),
            "v": self.rows("v", v, config.groups),
        }

    def send(self, heads: Sequence[int]) -> list[Step]:
        return [Send(name, frames) for name, frames in self.operands(heads).items()]

    def receive(self, count: int) -> list[Step]:
        return [Receive("o", count * QUERIES), self.idle(), self.host.read("error")]

    def idle(self) -> Poll:
        return self.host.until("status", busy=0)

    def load(self, mask: ColumnIntervals | BlockBitmap) -> list[Step]:
        """Settings, the command, and the words of a mask."""
        host = self.host
        lengths = [host.write("queries", count=QUERIES), host.write("keys", count=KEYS)]
        if isinstance(mask, ColumnIntervals):
            bounds = np.array(mask.hidden, np.int64).reshape(-1, 4)
            settings = [host.write("mask", source="columns")]
            words = {"columns": self.rows("columns", bounds, 1)}
        else:
            low = (1 << GROUP) - 1
            groups = np.array([[word & low, word >> GROUP] for word in mask.group_words])
            tokens = np.array(mask.token_words or [0]).reshape(-1, 1)
            tiles = len(mask.token_words) // self.config.rows
            settings = [
                host.write("mask", source="bitmap"), host.write("token_tiles", count=tiles)
            ]  # fmt: skip
            transfers = {"bitmap": -(-KEYS // self.config.columns // GROUP) or 1}
            words = {
                "bitmap": self.rows("bitmap", groups, transfers["bitmap"]),
                "tokens": self.rows("tokens", tokens, self.config.rows if tiles else 1),
            }
        sends = [Send(name, frames) for name, frames in words.items()]
        return [*lengths, *settings, host.write("control", load=1), *sends, self.idle()]

    def wanted(self, heads: Sequence[int], mask: Any = None) -> tuple[Any, Any]:
        o, empty = attention(self.config.layer, self.q, self.k, self.v, mask)
        return o[list(heads)], empty[list(heads)]

    def told(self, frames: list[dict[str, Any]], count: int) -> tuple[Any, Any]:
        """(heads, queries, value_dim) of what came, and whether each row is empty."""
        rows = [elements(self.outputs["o"], row) for row in frames]
        users = [row["user"] for row in frames]
        assert all(len(set(user)) == 1 and user[0] < 2 for user in users)
        o = np.array(rows).reshape(count, QUERIES, -1)
        return o, np.array([user[0] for user in users], bool).reshape(count, QUERIES)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    design = load_design("attention_any_mask", SETTINGS)
    return Built(design, tmp_path_factory.mktemp(design.name))


def masks(built: Built) -> dict[str, Any]:
    """A mask for each source, as an array, and as it is loaded."""
    rng = np.random.default_rng(3)
    blocks = rng.random((QUERIES, KEYS)) < 0.3
    blocks[4:6] = False
    shared = np.ones((QUERIES, KEYS), bool)
    shared[5:, 2:9] = False
    grid = TileGrid(built.config.rows, built.config.columns, QUERIES, KEYS)
    return {
        "columns": (shared, compile_columns(shared)),
        "bitmap": (blocks, compile_bitmap(blocks, grid)),
    }


@pytest.mark.parametrize("pause", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_runs_give_what_the_golden_model_says_from_every_mask_source(built, pause):
    held = masks(built)
    runs: list[tuple[list[int], str, Any]] = [
        ([0, 1, 2, 3], "generator", None),
        ([1], "generator", None),
        ([3, 0], "generator", None),
        ([1, 2, 3], "columns", held["columns"][0]),
        ([0, 1], "bitmap", held["bitmap"][0]),
        ([2], "columns", held["columns"][0]),
    ]
    loads = {3: held["columns"][1], 4: held["bitmap"][1]}
    script: list[Step] = []
    for number, (heads, source, _) in enumerate(runs):
        if number in loads:
            script += built.load(loads[number])
        script += [*built.start(heads[0], len(heads), source), *built.send(heads)]
        script += built.receive(len(heads))
    results = built.do(script, pause=pause)
    assert words_of(script, results) == [0] * len(runs)
    assert all(each.get("resp", 0) == 0 for each in results)
    for frames, (heads, _, mask) in zip(frames_of(results), runs, strict=True):
        o, empty = built.told(frames, len(heads))
        wanted, wanted_empty = built.wanted(heads, mask)
        np.testing.assert_array_equal(o, wanted)
        np.testing.assert_array_equal(empty, wanted_empty)
        assert wanted.any()


def test_cycles_of_a_run_are_those_of_the_model(built):
    heads = [0, 1, 2, 3]
    script = [*built.send(heads), Wait(5), *built.start(0, 4), *built.receive(4)]
    script += [built.host.read(name) for name in ("cycles", "stalls_o", "stalls_q")]
    words = words_of(script, built.do(script, pause=0.0))
    expected = head_cycles(built.config, QUERIES, KEYS, [None] * len(heads)).total
    assert words == [0, expected + OVERHEAD_CYCLES, 0, 0]


@pytest.mark.slow
def test_a_malformed_row_of_any_stream_is_named_and_the_next_run_is_right(built):
    """The run ends with all its rows; what is loaded wrongly is loaded again."""
    host, heads = built.host, [2, 3]
    good = built.operands(heads)
    again = [*built.start(2, 2), *built.send(heads), *built.receive(2)]
    script: list[Step] = []
    expected: list[tuple[str, str]] = []
    for name in "qkv":
        size = built.inputs[name].lanes
        rows = good[name]
        whole = [*rows[1].data]
        bad = {
            "row_missing": Frame(data=[*whole, *whole]),
            "row_short": Frame(data=whole, keep=[*[1] * (len(whole) - 1), 0]),
            "row_early": Frame(data=whole[:size]),
            "keep": Frame(data=whole, keep=[0, *[1] * (len(whole) - 1)]),
        }
        for cause, row in bad.items():
            wrong = {**good, name: [rows[0], row, *rows[2:]]}
            script += [
                *built.start(2, 2),
                *(Send(each, frames) for each, frames in wrong.items()),
                *built.receive(2),
                host.read("error_stream"),
                *(Quiet(each) for each in "qkv"),
                Wait(10),
                *host.clear(cause),
                host.until("status", failed=0),
                *again,
            ]
            expected.append((cause, name))
    results = built.do(script, pause=0.2)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    wanted, wanted_empty = built.wanted(heads)
    for cause, name in expected:
        assert host.causes(next(reads)) == {cause}
        assert next(reads) == host.registers["error_stream"].field(name).mask
        assert len(next(frames)) == 2 * QUERIES
        assert next(reads) == 0
        o, empty = built.told(next(frames), 2)
        np.testing.assert_array_equal(o, wanted)
        np.testing.assert_array_equal(empty, wanted_empty)


def test_loads_and_starts_out_of_turn_are_named_and_change_nothing(built):
    host, held = built.host, masks(built)
    mask, columns = held["columns"]
    script: list[Step] = [
        # No mask yet.
        *built.start(0, 1, "columns"),
        host.read("error"),
        host.read("status"),
        *host.clear("mask_missing"),
        # In a run: a load, and another start. The run goes on as it was.
        *built.start(0, 1),
        host.write("control", load=1),
        host.write("control", start=1),
        host.read("error"),
        *host.clear("load_busy", "start_busy"),
        *built.send([0]),
        *built.receive(1),
        # In a load: a start, and another load. It goes on as it was.
        host.write("mask", source="columns"),
        host.write("control", load=1),
        host.write("control", start=1),
        host.write("control", load=1),
        host.read("error"),
        *host.clear("load_busy", "start_busy"),
        *(step for step in built.load(columns) if isinstance(step, Send | Poll)),
        *built.start(0, 1, "columns"),
        *built.send([0]),
        *built.receive(1),
        # A malformed mask: zeros in its place, which is no mask to use; load it again.
        host.write("mask", source="columns"),
        host.write("control", load=1),
        Send("columns", [Frame(data=[0] * 8), Frame(data=[0] * 4)]),
        built.idle(),
        host.read("error"),
        host.read("error_stream"),
        Quiet("columns"),
        *host.clear("row_missing"),
        host.until("status", failed=0),
        *built.load(columns),
        *built.start(0, 1, "columns"),
        *built.send([0]),
        *built.receive(1),
    ]
    results = built.do(script, pause=0.2)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    assert host.causes(next(reads)) == {"mask_missing"}
    assert next(reads) == 0
    for wanted in (built.wanted([0]), built.wanted([0], mask)):
        assert host.causes(next(reads)) == {"load_busy", "start_busy"}
        np.testing.assert_array_equal(built.told(next(frames), 1)[0], wanted[0])
        assert next(reads) == 0
    assert host.causes(next(reads)) == {"row_missing"}
    assert next(reads) == 1 << [f.name for f in host.registers["error_stream"].fields].index(
        "columns"
    )
    np.testing.assert_array_equal(built.told(next(frames), 1)[0], built.wanted([0], mask)[0])
    assert next(reads) == 0


@pytest.mark.slow
def test_a_run_or_a_load_that_is_starved_ends_by_the_watchdog(built):
    host, held = built.host, masks(built)
    operands = built.operands([0, 1])
    again = [*built.start(0, 2), *built.send([0, 1]), *built.receive(2)]
    script: list[Step] = [host.write("timeout", cycles=2000)]
    for missing in "qkv":
        sent = {name: rows for name, rows in operands.items() if name != missing}
        script += [
            *built.start(0, 2),
            *(Send(name, rows) for name, rows in sent.items()),
            built.idle(),
            host.read("error"),
            Quiet("q"), Quiet("k"), Quiet("v"),
            *host.clear("timeout"),
            host.until("status", failed=0),
            *again,
        ]  # fmt: skip
    script += [
        host.write("mask", source="bitmap"),
        host.write("token_tiles", count=2),
        host.write("control", load=1),
        built.idle(),
        host.read("error"),
        *host.clear("timeout"),
        host.until("status", failed=0),
        *built.load(held["bitmap"][1]),
        *built.start(0, 1, "bitmap"),
        *built.send([0]),
        *built.receive(1),
    ]
    results = built.do(script, pause=0.1)
    reads, frames = iter(words_of(script, results)), iter(frames_of(results))
    wanted = built.wanted([0, 1])[0]
    for _ in "qkv":
        assert host.causes(next(reads)) == {"timeout"}
        np.testing.assert_array_equal(built.told(next(frames), 2)[0], wanted)
        assert next(reads) == 0
    assert host.causes(next(reads)) == {"timeout"}
    wanted = built.wanted([0], held["bitmap"][0])[0]
    np.testing.assert_array_equal(built.told(next(frames), 1)[0], wanted)
    assert next(reads) == 0
