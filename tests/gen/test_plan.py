"""Plans: they fit, larger boards are not slower, cycles are exact, and they are quick to make."""

import dataclasses
import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.design import Design
from gen.devices import Resources
from gen.plan import plan, plan_cores, planner, rows, work
from gen.plan.area import predicted_area
from gen.plan.building import most_of, streams_of
from gen.plan.census import census
from gen.plan.least import attention_least, butterfly_least
from gen.plan.report import written
from gen.plan.rows import core_area
from gen.plan.search import search_of
from gen.plan.work import layer_bytes
from gen.presets import PRESETS
from hw.prim.target import Target
from sim.cycle.heads import head_cycles
from spec import Attention, Softmax, SpecError, causal, sliding_window
from spec.butterfly import Butterfly
from tests.support.command import command

SECONDS = 2
"""That a plan may take, of one processor."""

LAYER = Attention(heads=2, queries=128, keys=128, head_dim=32, mask=causal())
SMALL = {
    "attention": LAYER,
    "window": dataclasses.replace(LAYER, mask=causal() & sliding_window(16)),
    "softmax": Softmax("exact", score_bits=12, score_frac=6, max_length=256),
    "fft": Butterfly("fft", points=64),
}
BY_SIZE = ("ulx3s_25f", "ecpix5_45f", "ulx3s_85f")


@pytest.fixture(scope="module")
def planned():
    return {
        (name, board): plan(name, description, board)
        for name, description in SMALL.items()
        for board in BY_SIZE
    }


def test_a_plan_fits(planned):
    for found in planned.values():
        there, taken = found.board.chip.resources, found.built.area.resources
        for field in dataclasses.fields(Resources):
            most = getattr(most_of(found.board.chip), field.name)
            assert most <= getattr(there, field.name)
            assert getattr(taken, field.name) <= most, (found.design.name, field.name)


def test_a_larger_board_takes_no_more_cycles(planned):
    for name in SMALL:
        of_boards = [planned[name, board] for board in BY_SIZE]
        for smaller, larger in itertools.pairwise(of_boards):
            assert larger.work.cycles <= smaller.work.cycles, (name, larger.board.name)
    arrays = [planned["attention", board].design.config for board in BY_SIZE]
    sizes = [config.rows * config.columns for config in arrays]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_a_plan_is_the_same_every_time(planned):
    for name in ("window", "fft"):
        again = plan(name, SMALL[name], BY_SIZE[0])
        assert again.design.digest == planned[name, BY_SIZE[0]].design.digest
        assert written(again) == written(planned[name, BY_SIZE[0]])


def test_what_the_user_sets_is_kept():
    found = plan("mine", LAYER, "ulx3s_85f", {"rows": 2, "buffers": 1})
    assert found.design.config.rows == 2 and found.design.config.buffers == 1
    assert plan("mine", SMALL["softmax"], "ulx3s_85f", {"lanes": 2}).design.config.lanes == 2


def test_a_mask_in_gates_needs_a_ring_of_its_fullest_row_block_only(planned):
    config = planned["window", "ulx3s_85f"].design.config
    assert config.score_tiles is not None and config.score_tiles < config.key_tiles
    config = planned["attention", "ulx3s_85f"].design.config
    assert config.score_tiles is None


def test_the_description_says_how_wide_weights_are_or_the_planner_does():
    small = Attention(heads=1, queries=16, keys=16, head_dim=8, score_bits=12, score_frac=6)
    found = plan("small", small, "icebreaker", bus="stream")
    assert found.design.description.prob_bits in (None, 16, 14, 12)
    told = plan("small", dataclasses.replace(small, prob_bits=10), "icebreaker", bus="stream")
    assert told.design.description.prob_bits == 10


def test_a_bare_core_has_no_link_and_its_own_clock():
    bare = plan("bare", SMALL["fft"], "ulx3s_85f", bus="stream")
    linked = plan("linked", SMALL["fft"], "ulx3s_85f")
    assert bare.built.link is None and linked.built.link is not None
    assert bare.built.clock.mhz > linked.built.clock.mhz
    of_link = linked.built.link.area.logic_cells
    assert linked.built.area.logic_cells == bare.built.area.logic_cells + of_link > of_link > 500


# --- as fast, and smaller ---


def test_of_arrays_about_as_fast_the_smaller_are_taken():
    description = PRESETS["attention_gqa_1024"].description
    found = plan("gqa", description, "ulx3s_85f")
    hardware = found.design.hardware
    assert [hardware[side] for side in ("rows", "columns", "value_columns")] == [8, 8, 8]
    assert hardware["buffers"] == 1 and found.work.cycles == 4301148
    # Those of half a percent fewer cycles take two thirds more of the chip's memories.
    larger = {"rows": 4, "columns": 16, "value_columns": 16, "buffers": 2}
    faster = plan("gqa", description, "ulx3s_85f", larger)
    assert 0.98 * found.work.cycles < faster.work.cycles < found.work.cycles
    assert 3 * faster.built.area.block_rams > 5 * found.built.area.block_rams
    # A step that would not be taken is none.
    assert found.next_label and found.next_label.startswith("arrays of 8 x 16, 16 value columns,")


@pytest.mark.parametrize("board", ["ulx3s_25f", "ulx3s_85f"])
@pytest.mark.parametrize("name", ["attention", "window"])
def test_none_that_fits_is_faster_by_two_percent_or_as_fast_and_smaller(name, board):
    layer = dataclasses.replace(SMALL[name], queries=48, keys=48)
    chosen = plan(name, layer, board, bus="stream")
    search = search_of(layer, {}, chosen.board.chip.target)
    choice = planner._Choice(name, search, chosen.board, "stream")
    # All of them, whatever their closed forms say.
    every = [choice._promising(number) for number in range(len(choice.candidates))]
    every = [each for each in every if each is not None]
    cycles = {each.label: search.exact_cycles(each) for each in every}
    (taken,) = (each for each in every if each.label == chosen.label)
    assert cycles[taken.label] == chosen.work.cycles
    fastest, share = min(cycles.values()), choice._share(chosen.built.area)
    for other in every:
        slowed = chosen.work.cycles > search.margin * cycles[other.label]
        as_fast = cycles[other.label] <= search.margin * fastest
        if slowed or (as_fast and choice._share(choice._least(other)) < share):
            area = choice._built(other).area
            fits = choice._overflow(area) is None
            assert not fits or (not slowed and choice._share(area) >= share), other.label


# --- work ---


def test_cycles_are_those_of_the_whole_model(planned):
    for name in ("attention", "window"):
        found = planned[name, "ulx3s_85f"]
        assert found.work.cycles == head_cycles(found.design.config, 128, 128, [None]).total


def test_no_gates_are_counted_twice(monkeypatch):
    counted = []
    monkeypatch.setattr(rows, "census", lambda *of: counted.append(of[0]) or census(*of))
    rows._counted.cache_clear()
    rows._of_products.cache_clear()
    plan_cores("both", PRESETS["accelerator_ulx3s_85f"].description, "ulx3s_85f")
    # The butterfly core at its smallest, for which the attention core leaves room; that; the
    # butterfly core that fits beside it; and a pair of products as cells and as logic.
    names = [type(each).__name__ for each in counted]
    assert names == [
        "ButterflyCore", "AttentionCore", "MultiplierPair", "MultiplierPair", "ButterflyCore",
    ]  # fmt: skip


def test_bytes_of_a_layer_over_the_link():
    design = Design.of("layer", LAYER, rows=8, columns=8, value_columns=8)
    into, out = layer_bytes(design.config, design.system())
    words = 2 * 16 * 32 * 2 + 2 * 128 * 4
    assert into == 10 * words  # eight bytes, eight bits of keep and one of last, in whole bytes
    assert out == 10 * 2 * 128 * 4


def test_bytes_of_a_block_two_rows_of_which_come_in_one():
    design = Design.of("block", Butterfly("mixing", points=32), units=2, stream_words=2)
    into, out = layer_bytes(design.config, design.system())
    ((of_in,), (of_out,)) = streams_of(design).widths
    assert into == 32 * 32 // 4 * -(-of_in // 8)
    assert out == 32 * 32 // 2 * -(-of_out // 8)


# --- bounds ---


@settings(max_examples=8)
@given(data=st.data())
def test_what_a_configuration_takes_at_least_it_takes(data):
    sides = st.sampled_from([1, 2, 4])
    target = data.draw(st.sampled_from([Target.ECP5, Target.ICE40, Target.ICE40_HX]))
    layer = Attention(
        heads=2,
        queries=data.draw(st.integers(8, 300)),
        keys=data.draw(st.integers(8, 300)),
        head_dim=data.draw(st.sampled_from([8, 32])),
        row=data.draw(st.sampled_from([Softmax("exact"), Softmax("rexp")])),
        masks=data.draw(st.sampled_from([("generator",), ("generator", "columns"), ("bitmap",)])),
        score_bits=16,
    )
    design = Design.of(
        "any", layer, rows=data.draw(sides), columns=data.draw(sides),
        value_columns=data.draw(sides), buffers=data.draw(st.integers(1, 2)),
        logic_rows=data.draw(st.integers(0, 1)),
    )  # fmt: skip
    area = predicted_area(census(design.unit(), target), target)
    assert_at_least(attention_least(design.config, target), area)


def assert_at_least(least, area):
    for field in dataclasses.fields(Resources):
        assert getattr(least, field.name) <= getattr(area.resources, field.name), field.name


@pytest.mark.parametrize(
    ("butterfly", "units"),
    [
        (Butterfly("fft", points=256), 2),
        (Butterfly(("fft", "bpmm"), points=128), 4),
        (Butterfly("bpmm", points=64), 1),
        (Butterfly("mixing", points=32), 2),
    ],
    ids=["fft", "both", "bpmm", "mixing"],
)
@pytest.mark.parametrize("target", [Target.ECP5, Target.ICE40], ids=["ecp5", "ice40"])
def test_what_a_butterfly_core_takes_at_least_it_takes(butterfly, units, target):
    design = Design.of("any", butterfly, units=units, stream_words=1)
    assert_at_least(butterfly_least(design.config, target), core_area(design, target))


# --- rows of logic ---

FOUR = {"rows": 4, "columns": 4, "value_columns": 4, "buffers": 1}


@pytest.mark.parametrize("target", [Target.ECP5, Target.ICE40], ids=["ecp5", "ice40"])
@pytest.mark.parametrize(("columns", "logic"), [(1, 2), (4, 1), (8, 2)])
def test_rows_of_logic_are_counted_as_if_all_were(target, columns, logic):
    sides = {"rows": 2, "columns": columns, "value_columns": 2}
    design = Design.of("any", LAYER, **sides, logic_rows=logic)
    area = predicted_area(census(design.unit(), target), target)
    assert core_area(design, target) == area
    plain = core_area(Design.of("any", LAYER, **sides), target)
    assert plain.multipliers > area.multipliers and plain.logic_cells < area.logic_cells


def test_as_few_rows_are_logic_as_make_the_multipliers_suffice():
    found = plan("four", LAYER, "ulx3s_25f", FOUR)
    assert found.design.config.logic_rows == 4  # 41 multipliers, and 26 of 28 may be taken
    assert found.built.area.multipliers == 25
    assert "4 score rows of logic" in found.label
    assert found.multiplier_kind == "DSP cells and look-up tables"
    roomier = plan("four", LAYER, "ecpix5_45f", FOUR)
    assert roomier.design.config.logic_rows == 0 and roomier.multiplier_kind == "DSP cells"
    assert roomier.work.cycles == found.work.cycles  # the same arrays, no slower
    eight = plan("eight", LAYER, "ecpix5_45f", {**FOUR, "columns": 8, "value_columns": 8})
    assert eight.design.config.logic_rows == 2 and eight.built.area.multipliers == 61


def test_rows_of_logic_are_the_users_if_he_says_so():
    found = plan("mine", LAYER, "ulx3s_25f", {"logic_rows": 1})
    assert found.design.config.logic_rows == 1
    with pytest.raises(
        SpecError, match="41 multipliers, where a plan takes 26 of 28 at most; the near"
    ):
        plan("mine", LAYER, "ulx3s_25f", {**FOUR, "logic_rows": 0})
    with pytest.raises(SpecError, match="logic_rows must be from 0 to 4, got 5; nearest is 4"):
        plan("mine", LAYER, "ulx3s_25f", {**FOUR, "logic_rows": 5})


def test_cores_share_multipliers_by_rows_of_logic():
    preset = PRESETS["accelerator_ulx3s_85f"]
    cores = plan_cores("both", preset.description, "ulx3s_85f")
    chosen = {core: each.design.hardware for core, each in cores.items()}
    assert chosen["attention"].items() >= preset.hardware["attention"].items()
    assert chosen["butterfly"]["units"] == preset.hardware["butterfly"]["units"]


# --- the command ---


def test_the_command_prints_a_plan():
    outcome = command("gen.plan", "softmax_ice40", "--board", "icebreaker")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("softmax_ice40 on icebreaker, iCE40UP5K\n")
    for word in ("logic cells", "cycles", "limit: ", "next step up: ", "|█"):
        assert word in outcome.out


def test_the_command_prints_json():
    outcome = command("gen.plan", "softmax_ice40", "--board", "ulx3s_85f", "--json")
    told = json.loads(outcome.out)
    assert told["board"] == "ulx3s_85f" and told["configuration"]["lanes"] == 16
    assert told["microseconds"] == pytest.approx(told["cycles"] / told["clock_mhz"])
    assert set(told["area"]) >= set(told["available"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fft_256",), "--board is missing: name one of ulx3s_85f,"),
        (("fft_256", "--board", "ulx3s"), "--board ulx3s: there is no such board; nearest is ulx3"),
        (("fft_265", "--board", "ulx3s_85f"), "no preset is called 'fft_265'; nearest is fft_256"),
        (
            ("fft_8192", "--board", "ulx3s_25f"),
            "--board ulx3s_25f: fft_8192 does not fit: ",
        ),
        (("fft_256", "--board", "ulx3s_85f", "--bus", "spi"), "--bus must be one of"),
    ],
    ids=["no board", "unknown board", "unknown preset", "does not fit", "unknown bus"],
)
def test_a_mistake_is_one_line(arguments, complaint):
    assert complaint in command("gen.plan", *arguments).complaint


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("attention_gqa_1024", "ulx3s_85f"),
        ("attention_bert", "ulx3s_85f"),
        ("fft_1024", "ulx3s_85f"),
        ("attention_lut2d", "ulx3s_25f"),
        ("attention_25f", "ulx3s_25f"),
        ("accelerator_ulx3s_85f", "ulx3s_85f"),
    ],
)
def test_a_plan_is_quick(name, board):
    # The processor's own time, of the quicker of two: another process may share its core.
    took = []
    for _ in range(2):
        rows._counted.cache_clear()
        work._heads_of.cache_clear()
        start = time.process_time()
        plan_it = plan_cores if name.startswith("accelerator") else plan
        plan_it(name, PRESETS[name].description, board)
        took.append(time.process_time() - start)
    assert min(took) < SECONDS


@pytest.mark.parametrize(
    ("name", "board"),
    [("attention_tiny", "icebreaker"), ("butterfly_ice40", "ice40_hx8k_b_evn")],
)
def test_what_does_not_fit_is_told_with_the_board_that_holds_it(name, board):
    with pytest.raises(
        SpecError,
        match=r"does not fit: .* \d+ logic cells of \d+; the nearest",
    ):
        plan(name, PRESETS[name].description, board)


def test_cores_of_an_accelerator_share_a_board():
    cores = plan_cores("both", PRESETS["accelerator_tiny"].description, "ulx3s_25f")
    assert list(cores) == ["attention", "butterfly"]
    areas = [each.built.area for each in cores.values()]
    for field in dataclasses.fields(Resources):
        taken = sum(getattr(area, field.name) for area in areas)
        assert taken <= getattr(most_of(cores["attention"].board.chip), field.name)
    links = [each.built.link for each in cores.values()]
    assert [link and link.area.block_rams for link in links] == [2, 0]  # one link for both


def test_the_command_plans_an_accelerator_and_what_is_set_of_a_core():
    outcome = command(
        "gen.plan", "accelerator_tiny", "--board", "ulx3s_25f", "--json", "--set",
        "butterfly.units=1",
    )  # fmt: skip
    told = json.loads(outcome.out)
    cores = told["cores"]
    assert cores["attention"]["configuration"]["rows"] > 1
    assert cores["butterfly"]["configuration"]["units"] == 1
    assert told["area"]["multipliers"] == sum(
        each["area"]["multipliers"] for each in cores.values()
    )
    # One clock for all: the lowest of the cores', the link's and the chip's.
    clocks = {each["clock_mhz"] for each in cores.values()}
    assert clocks == {told["clock_mhz"]}


def test_a_score_ring_that_a_row_block_overflows_is_refused_with_the_number_that_fits():
    outcome = command(
        "gen.plan", "attention_any_mask", "--board", "ulx3s_85f", "--set", "score_tiles=2"
    )
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        "gen.plan: error: with arrays of 16 x 16 a row block sees 64 tiles, more than the score "
        "ring's score_tiles = 2; --set score_tiles=64 holds them"
    ]
