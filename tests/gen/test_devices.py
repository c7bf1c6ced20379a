"""Boards and chips: as amaranth-boards has them, and found by name."""

import importlib

import pytest

from gen.boards import BOARDS, board_of
from gen.devices import CHIPS
from gen.kinds import KINDS
from hw.prim.target import target_of
from spec.errors import SpecError


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_board_has_the_chip_that_its_platform_has(board):
    module, name = board.platform.split(".")
    platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)
    assert platform.device == board.chip.name
    family = "ecp5" if platform.device.startswith("LFE5U") else "ice40"
    stand_in = type("Platform", (), {"family": family, "device": platform.device})()
    assert target_of(stand_in) is board.chip.target


@pytest.mark.parametrize("chip", CHIPS, ids=[chip.name for chip in CHIPS])
def test_every_kind_of_core_has_a_clock_on_every_chip(chip):
    kinds = {kind.name for kind in KINDS} - {"accelerator"}
    assert set(chip.clocks_mhz) == kinds | {"link"}
    assert set(chip.guessed) <= {*chip.clocks_mhz, "build"}


def test_a_board_is_found_by_name():
    assert board_of("icebreaker") is BOARDS["icebreaker"]
    with pytest.raises(SpecError, match="no such board; nearest is icebreaker "):
        board_of("icebraker")
