import dataclasses
from collections import Counter
from fractions import Fraction

import pytest

from fpga.build.fit import DoesNotFit, Watch, overflow, planned, smaller_ones, smaller_that_fits
from fpga.build.floorplan import REST, draw_floor_plan, grouped
from fpga.build.names import BOARD, signal_of, unit_of
from fpga.build.pll import nearest_clock
from fpga.build.reports import Need, Placed, needs_of, timing_of, utilisation_of, worst_path
from fpga.build.request import Request, clock_mhz_of
from gen.boards import BOARDS, board_of
from gen.design import load_design
from gen.plan.building import built_on
from gen.plan.rates import clock_of
from hw.prim.target import Target
from spec import SpecError
from tests.support.command import command

SOFTMAX = load_design("softmax_ice40")


# --- names ---


@pytest.mark.parametrize(
    ("name", "signal", "unit"),
    [
        ("design.link.link.executor.left_SB_DFFE_Q_3_D_SB_LUT4_O_LC",
         "design.link.link.executor.left", "link.link.executor"),
        ("bridge.reset_TRELLIS_FF_Q_DI_LUT4_Z", "bridge.reset", BOARD),
        ("design.core_x.alu.sum[31:0][3]", "design.core_x.alu.sum", "core_x.alu"),
        ("design.core_x.alu.sum_CCU2C_S0$CCU2_FCI_INT", "design.core_x.alu.sum", "core_x.alu"),
        ("design.busy", "design.busy", "design"),
        ("receive$tr_io", "receive", BOARD),
        ("design.core_x.alu.$7[3]", "design.core_x.alu.", "core_x.alu"),
        ("$nextpnr_ICESTORM_LC_0", "", BOARD),
    ],
)  # fmt: skip
def test_names_as_the_gateware_has_them(name: str, signal: str, unit: str):
    assert (signal_of(name), unit_of(name)) == (signal, unit)


# --- reports ---


def hop(kind: str, delay: float, begin: str, end: str, net: str = "") -> dict:
    return {
        "type": kind, "delay": delay, "from": {"cell": begin, "port": "O"},
        "to": {"cell": end, "port": "I"}, **({"net": net} if net else {}),
    }  # fmt: skip


def ice_cell(kind: str, out: int, bel: str) -> dict:
    return {"type": kind, "attributes": {"NEXTPNR_BEL": bel}, "connections": {"O": [out]}}


ROUTED = {
    "modules": {
        "top": {
            "cells": {
                "design.a.x_SB_DFF_Q_LC": ice_cell("ICESTORM_LC", 2, "X1/Y2/lc3"),
                "y_SB_LUT4_O_LC": ice_cell("ICESTORM_LC", 3, "X1/Y3/lc0"),
                "design.b.z_SB_LUT4_O_I3_SB_DFF_Q_LC": ice_cell("ICESTORM_LC", 4, "X2/Y9/lc7"),
                "design.b.ram.cell_RAM": ice_cell("ICESTORM_RAM", 5, "X8/Y1/ram"),
            },
            "netnames": {
                "design.a.count[2]": {"bits": [2]},
                "design.b.sum_SB_LUT4_O": {"bits": [3]},
                "$nextpnr_x": {"bits": [4]},
                "design.b.total[0]": {"bits": [4]},
            },
        }
    }
}
REPORT = {
    "fmax": {"$glbnet$bridge.clk": {"achieved": 20.0, "constraint": 30.01}},
    "utilization": {
        "ICESTORM_LC": {"used": 3, "available": 10},
        "ICESTORM_DSP": {"used": 0, "available": 8},
    },
    "critical_paths": [
        {"from": "<async>", "to": "posedge bridge.clk", "path": [hop("routing", 99, "a", "b")]},
        {
            "from": "posedge bridge.clk",
            "to": "posedge bridge.clk",
            "path": [
                hop("clk-to-q", 1.0, "design.a.x_SB_DFF_Q_LC", "design.a.x_SB_DFF_Q_LC"),
                hop("routing", 20.0, "design.a.x_SB_DFF_Q_LC", "y_SB_LUT4_O_LC",
                    "design.a.count[2]"),
                hop("logic", 4.0, "y_SB_LUT4_O_LC", "y_SB_LUT4_O_LC"),
                hop("routing", 24.0, "y_SB_LUT4_O_LC", "design.b.z_SB_LUT4_O_I3_SB_DFF_Q_LC",
                    "design.b.sum_SB_LUT4_O"),
                hop("setup", 1.0, "design.b.z_SB_LUT4_O_I3_SB_DFF_Q_LC",
                    "design.b.z_SB_LUT4_O_I3_SB_DFF_Q_LC"),
            ],
        },
    ],
}  # fmt: skip


def test_the_worst_path_in_words():
    found = worst_path(REPORT, ROUTED)
    assert found["words"] == (
        "from register count of a to register total of b: 1 levels of logic, 50.0 ns, of which "
        "44.0 on wires"
    )
    assert found["units"] == ["a", "b"]
    assert found["ns"] == {
        "total": 50.0, "clk-to-q": 1.0, "logic": 4.0, "routing": 44.0, "setup": 1.0,
    }  # fmt: skip


def test_a_register_without_a_name():
    names = {"design.b.$9": {"bits": [4]}, "design.b.$9_SB_LUT4_O": {"bits": [4]}}
    (module,) = ROUTED["modules"].values()
    routed = {"modules": {"top": {**module, "netnames": {**module["netnames"], **names}}}}
    assert worst_path(REPORT, routed)["end"] == "register total of b"
    del routed["modules"]["top"]["netnames"]["design.b.total[0]"]
    assert worst_path(REPORT, routed)["end"] == "a register of b"


def test_a_path_that_ends_in_a_memory():
    report = {**REPORT, "critical_paths": [
        {"from": "c", "to": "c", "path": [
            hop("clk-to-q", 1.0, "design.a.x_SB_DFF_Q_LC", "design.a.x_SB_DFF_Q_LC"),
            hop("routing", 2.0, "design.a.x_SB_DFF_Q_LC", "design.b.ram.cell_RAM", "design.a.x"),
            hop("setup", 1.0, "design.b.ram.cell_RAM", "design.b.ram.cell_RAM"),
        ]},
    ]}  # fmt: skip
    assert worst_path(report, ROUTED)["end"] == "block RAM of b.ram"


def test_a_clock_is_met_by_what_it_is_not_by_what_the_router_rounded():
    clock = nearest_clock(Target.ICE40, 12_000_000, 30_000_000)
    (told,) = timing_of(REPORT, clock)
    assert told == {"clock": "bridge.clk", "target_mhz": 30.0, "fmax_mhz": 20.0, "met": False}
    close = {"fmax": {"bridge.clk": {"achieved": 30.004, "constraint": 30.01}}}
    assert timing_of(close, clock)[0]["met"]


def test_utilisation():
    placed = [Placed(name="design.a.x", kind="ICESTORM_LC", x=1, y=1, bel="lc0")] * 3
    assert utilisation_of(REPORT, placed) == {
        "resources": [
            {"resource": "logic cells", "cell": "ICESTORM_LC", "used": 3, "available": 10,
             "share": 0.3}
        ],
        "units": {"a": {"logic cells": 3}},
    }  # fmt: skip


# --- room ---

TABLE = """\
Info: Packing carries..
Info: Device utilisation:
Info: 	         ICESTORM_LC:    7152/   5280   135%
Info: 	        ICESTORM_RAM:      29/     30    96%
Info: 	        ICESTORM_DSP:       9/      8   112%
""".splitlines()


def test_needs_are_read_from_the_routers_table():
    needs = needs_of(TABLE)
    assert needs["ICESTORM_RAM"] == Need(cell="ICESTORM_RAM", need=29, have=30)
    assert [need.words for need in overflow(needs)] == [
        "7152 logic cells of 5280", "9 multipliers of 8",
    ]  # fmt: skip


def test_the_router_is_stopped_as_soon_as_there_is_no_room():
    watch = Watch()
    for line in TABLE:
        watch(line)
    with pytest.raises(DoesNotFit, match="7152 logic cells of 5280, 9 multipliers of 8"):
        watch("Info: Placed 9 cells based on constraints.")


def test_steps_are_told_once():
    told = []
    watch = Watch(told.append)
    for line in (*TABLE[:2], TABLE[3], "Info: Placed 9", "Info: Routing..", "Info: Routing 9 arcs"):
        watch(line)
    assert told == ["route"]


def test_smaller_designs_come_in_order():
    design = load_design("attention_tiny", ["rows=4", "columns=4"])
    first = [
        {"rows": 2, "columns": 2},
        {"rows": 1, "columns": 1},
        {"rows": 1, "columns": 1, "queries": 32, "keys": 32},
        {"rows": 1, "columns": 1, "queries": 16, "keys": 16},
    ]
    assert list(smaller_ones(design)) == first
    assert list(smaller_ones(load_design("butterfly_ice40"))) == [
        {"points": 64}, {"points": 32}, {"points": 16},
    ]  # fmt: skip


def test_cores_of_an_accelerator_shrink_by_name():
    first, second, *_ = smaller_ones(load_design("accelerator_ulx3s_85f"))
    assert first == {"attention.rows": 4, "attention.columns": 4, "attention.value_columns": 4}
    assert second == {
        "attention.rows": 2, "attention.columns": 2, "attention.value_columns": 2,
        "butterfly.units": 2,
    }  # fmt: skip


def test_the_first_smaller_design_with_room_is_found():
    tried = []

    def load(settings):
        tried.append(settings)
        if settings["max_length"] == 64:
            raise SpecError("no")
        return SOFTMAX

    def needs(design):
        room = len(tried) >= 3
        return {"x": Need(cell="x", need=1 if room else 9, have=5)}

    found = smaller_that_fits(SOFTMAX, load, needs)
    assert tried == [{"max_length": 128}, {"max_length": 64}, {"max_length": 32}]
    assert found == {"max_length": 32}
    tried.clear()
    assert smaller_that_fits(SOFTMAX, load, needs, [{"max_length": 1}, {"max_length": 2}])
    assert tried[:3] == [{"max_length": 1}, {"max_length": 2}, {"max_length": 128}]
    tried.clear()
    assert smaller_that_fits(SOFTMAX, load, lambda design: needs_of(TABLE)) is None


def test_the_planners_choice_for_the_board_is_the_nearest():
    large = load_design("softmax_ice40", ["lanes=8"])
    assert planned(large, board_of("icebreaker")) == [{"lanes": 4}]
    assert planned(load_design("attention_25f"), board_of("icebreaker")) == []  # none fits
    four = load_design("attention_lut2d", ["queries=128", "keys=128", "heads=1", "kv_heads=1"])
    (found,) = planned(four, board_of("ulx3s_25f"))
    assert found["logic_rows"] == 3 and "rows" not in found  # 4 x 4 as they are
    (found,) = planned(load_design("accelerator_tiny"), board_of("ulx3s_25f"))
    assert found and {name.split(".")[0] for name in found} <= {"attention", "butterfly"}


# --- picture ---


def test_units_are_grouped_from_the_top():
    units = {f"a.{k}": 100 for k in range(3)} | {"b": 300, "c.x": 1, "c.y": 2}
    found = grouped(Counter(units))
    assert found == {
        "a.0": "a.0", "a.1": "a.1", "a.2": "a.2", "b": "b", "c.x": REST, "c.y": REST,
    }  # fmt: skip


def test_more_units_than_colours():
    units = Counter({f"a.{k}": 100 + k for k in range(30)} | {"b": 2000, "a": 5})
    found = grouped(units)
    assert found["b"] == "b" and found["a"] == "a" == found["a.0"]
    assert found["a.29"] == "a.29" and len(set(found.values())) == 18


@pytest.mark.parametrize("bels", [("lc0", "lc7", "ram"), ("SLICEA.COMB0", "SLICED.FF1", "EBR0")])
def test_a_picture_is_drawn(bels, tmp_path):
    kinds = ("ICESTORM_LC", "TRELLIS_FF", "DP16KD")
    cells = [
        Placed(name=f"design.u{k}.x", kind=kind, x=3 * k, y=k, bel=bel)
        for k, (kind, bel) in enumerate(zip(kinds, bels, strict=True))
    ]
    draw_floor_plan(cells, tmp_path / "x.png", title="a chip")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


# --- what is asked for ---


@pytest.mark.parametrize("board", BOARDS)
def test_clock_and_rate_of_their_own_accord(board: str):
    request = Request.of(SOFTMAX, board_of(board))
    line = request.line
    assert line.clock_hz == request.clock.hz
    assert 1_000_000 <= line.baud <= board_of(board).baud
    assert line.uart.tolerance > 0.035
    built = built_on(board_of(board), SOFTMAX, "uart")
    assert 0.97 * built.clock.mhz < request.clock.hz / 1e6 <= built.clock.mhz
    assert built.link is not None and built.link.baud == line.baud


def test_cores_share_the_lowest_clock_of_them_and_of_their_link():
    fast = board_of("ulx3s_85f").chip
    clocks = {**fast.clocks_mhz, "link": 100}
    chip = dataclasses.replace(fast, build_mhz=200, clocks_mhz=clocks)
    assert clock_of(chip, ["attention", "butterfly"]).mhz == 0.9 * 100
    slow = dataclasses.replace(chip, clocks_mhz={**chip.clocks_mhz, "butterfly": 50})
    assert clock_of(slow, ["attention"]).mhz == 0.9 * 100
    assert clock_of(slow, ["attention", "butterfly"]).mhz == 45
    assert "a butterfly core reaches" in clock_of(slow, ["attention", "butterfly"]).reason
    board = dataclasses.replace(board_of("ulx3s_85f"), chip=slow)
    both = Request.of(load_design("accelerator_tiny"), board)
    assert 44 < both.clock.hz / 1e6 <= 45


def test_a_rate_and_a_clock_that_are_asked_for():
    request = Request.of(
        SOFTMAX, board_of("ulx3s_85f"), clock_mhz=Fraction("62.5"), baud=1_000_000, seeds=3
    )
    assert (request.clock.hz, request.line.baud, request.seeds) == (62_500_000, 1_000_000, 3)
    assert clock_mhz_of("187/3") == Fraction(187, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--board", "ulx3"],
         "--board ulx3: there is no such board; nearest is ulx3s_85f (of "
         + ", ".join(BOARDS) + ")"),
        (["--board", "icebreaker", "--clock", "300"],
         "--clock 300 --board icebreaker: a clock of 300 MHz cannot be made: the PLL (SB_PLL40) "
         "gives 16 to 275 MHz, the oscillator 12; nearest is 270"),
        *((["--board", "icebreaker", "--clock", word],
           f"--clock {word}: is no number of MHz; name one such as 48 or 62.5")
          for word in ("fast", "nan", "inf", "1e400", "1/0", "1/2/3", "")),
        *((["--board", "icebreaker", "--clock", given],
           f"--clock {told} --board icebreaker: a clock of {told} MHz cannot be made: the PLL "
           f"(SB_PLL40) gives 16 to 275 MHz, the oscillator 12; nearest is {nearest}")
          for given, told, nearest in (
              ("-3", "-3", 12), ("0", "0", 12), ("0.001", "0.001", 12), ("1e-999999999", "0", 12),
              ("1e9", "1000000000", 270),
          )),
        (["--board", "icebreaker", "--clock", "24", "--baud", "12000000"],
         "--baud 12000000 at 24 MHz: UartConfig.baud must be at most a quarter of clock_hz, "
         "6000000 at 24000000 Hz, got 12000000; nearest is 6000000"),
        (["--board", "icebreaker", "--buffer", "10"],
         "--buffer 10 at 36 MHz: LinkConfig.buffer_bytes must be from 64 to 32768, got 10; "
         "nearest is 64"),
        (["--board", "icebreaker", "--seeds", "0"],
         "--seeds must be from 1 to 100, got 0; nearest is 1"),
        (["--board", "icebreaker", "--seeds", "-1"],
         "--seeds must be from 1 to 100, got -1; nearest is 1"),
        (["--board", "icebreaker", "--seeds", "1.5"],
         "argument --seeds: must be a whole number, got '1.5'; nearest is 2; "
         "see fpga.build --help"),
        (["--board", "icebreaker", "--set", "lanse=2"],
         "--set lanse: there is no such field; nearest is lanes"),
    ],
)  # fmt: skip
def test_bad_input(arguments, told):
    assert command("fpga.build", "softmax_ice40", *arguments).complaint == (
        f"fpga.build: error: {told}"
    )


def test_a_folder_that_is_not_ours(tmp_path):
    (tmp_path / "precious").write_text("x")
    done = command("fpga.build", "softmax_ice40", "--board", "icebreaker", "-o", tmp_path)
    assert done.complaint == (
        f"fpga.build: error: -o {tmp_path}: holds files that are not ours (no manifest.json); "
        "name another folder"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
