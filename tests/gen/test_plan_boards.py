"""Plans that are held to what a user set, and boards that are named in place of one too small."""

import json

import pytest

from tests.support.command import command


def test_a_score_ring_that_the_user_sets_leaves_the_arrays_whose_row_blocks_it_holds():
    outcome = command(
        "gen.plan", "attention_tiny", "--board", "ulx3s_25f", "--json", "--set", "score_tiles=4"
    )
    assert json.loads(outcome.out)["configuration"]["columns"] == 16


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_25f", "ecpix5_45f"])
def test_the_nearest_board_holds_all_cores(board):
    outcome = command("gen.plan", "accelerator_ulx3s_85f", "--board", board)
    assert outcome.code == 2
    assert outcome.err.endswith("the nearest board that holds it is ulx3s_85f\n")
