"""docs/figures.md is what ``python -m scripts.figures`` makes of the measured tables."""

import importlib.util
from pathlib import Path

import pytest

from fpga.build.request import Request
from gen.boards import board_of
from gen.design import load_design
from scripts.figures import MEASURED, document
from scripts.measure_boards import SUBJECTS, clocks_mhz, recorded, table

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_figures_are_those_that_were_measured():
    figures = (DOCS / "figures.md").read_text(encoding="utf-8")
    assert figures == document(DOCS), "make it anew: python -m scripts.figures"


def test_every_measured_table_is_among_them_and_says_how_to_make_it_again():
    assert sorted(MEASURED) == sorted(path.stem for path in (DOCS / "measured").glob("*.md"))
    for name, module in MEASURED.items():
        if module is not None:
            assert importlib.util.find_spec(module), module
            assert f"python -m {module}" in (DOCS / "measured" / f"{name}.md").read_text(), name


def test_the_table_of_boards_is_made_of_the_runs_that_are_kept():
    there = (DOCS / "measured" / "boards.md").read_text(encoding="utf-8")
    assert there == table(recorded()), "make it anew: python -m scripts.measure_boards --boards"


@pytest.mark.parametrize(("board", "preset"), [(board, preset) for board, preset, _ in SUBJECTS])
def test_a_build_that_names_no_clock_asks_for_one_that_every_seed_met(board, preset):
    clock = Request.of(load_design(preset), board_of(board)).clock
    assert clock.hz / 1e6 <= clocks_mhz(board, preset)[0]
