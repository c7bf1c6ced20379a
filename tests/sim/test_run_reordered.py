"""``--reorder``: the same outputs in the same places, from fewer tiles."""

import json

import numpy as np
import pytest

from gen.design import load_design
from sim.run.engines import run_arrays
from spec import SpecError
from tests.support.command import command

N = 64
SETTINGS = (f"queries={N}", f"keys={N}", "head_dim=8", "heads=4", "kv_heads=2", "masks=bitmap")
DESIGN = load_design("attention_tiny", SETTINGS)
SIDE = 2


def shuffled_blocks(seed=3, size=8):
    """A block-diagonal mask of tokens in no order, and the tiles it has in order."""
    mixed = np.random.default_rng(seed).permutation(N)
    block = np.arange(N) // size
    mask = (block[:, None] == block)[np.ix_(mixed, mixed)]
    return mask, (N // size) * (size // SIDE) ** 2


def operands(mask=None, n=N, seed=1):
    rng = np.random.default_rng(seed)
    shapes = {"q": (4, n, 8), "k": (2, n, 8), "v": (2, n, 8)}
    made = {name: rng.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
    return made if mask is None else {**made, "mask": mask}


def test_a_shuffled_block_diagonal_mask_takes_the_tiles_of_its_blocks():
    mask, in_order = shuffled_blocks()
    mask[5] = False  # a query that sees nothing keeps its place too
    plain, found = (run_arrays(DESIGN, operands(mask), reorder=each) for each in (False, True))
    np.testing.assert_array_equal(plain.o, found.o)
    np.testing.assert_array_equal(plain.empty, found.empty)
    assert plain.empty[:, 5].all() and plain.empty.sum() == 4
    assert found.tiles <= 4 * in_order < plain.tiles / 2.5
    assert found.cycles < plain.cycles / 2


def test_heads_with_masks_of_their_own_share_an_order():
    mask, _ = shuffled_blocks()
    rng = np.random.default_rng(8)
    each = operands(np.stack([mask & (rng.random(mask.shape) < 0.7) for _ in range(4)]))
    plain, found = (run_arrays(DESIGN, each, reorder=reorder) for reorder in (False, True))
    np.testing.assert_array_equal(plain.o, found.o)
    np.testing.assert_array_equal(plain.empty, found.empty)
    assert found.tiles < plain.tiles / 2


def test_an_order_that_is_good_is_kept():
    mask = np.tri(N, dtype=bool)
    plain, found = (run_arrays(DESIGN, operands(mask), reorder=each) for each in (False, True))
    np.testing.assert_array_equal(plain.o, found.o)
    assert found.tiles == plain.tiles and found.cycles == plain.cycles


def run(tmp_path, arrays, *more):
    np.savez(tmp_path / "in.npz", **arrays)
    settings = [word for each in SETTINGS for word in ("--set", each)]
    return command(
        "sim.run", "attention_tiny", *settings, "--in", tmp_path / "in.npz", "--reorder", *more
    )


def test_the_command_tells_tiles_before_and_after(tmp_path):
    mask, in_order = shuffled_blocks()
    before = run_arrays(DESIGN, operands(mask)).tiles
    outcome = run(tmp_path, operands(mask))
    assert outcome.code == 0, outcome.err
    assert f"  {4 * in_order} tiles in " in outcome.out
    assert f"  {before} tiles in the order that was given\n" in outcome.out
    told = json.loads(run(tmp_path, operands(mask), "--json").out)
    assert (told["tiles"], told["tiles_in_order"]) == (4 * in_order, before)
    kept = run(tmp_path, operands(np.tri(N, dtype=bool))).out
    assert "tiles in the order that was given: no fewer in another, so it was kept" in kept


@pytest.mark.cosim
def test_verilog_gives_the_golden_bits_of_tokens_in_another_order():
    design = load_design("attention_tiny", (*SETTINGS[2:], "queries=16", "keys=16"))
    mask, _ = shuffled_blocks(size=4)
    arrays = operands(mask[:16, :16], n=16)
    plain = run_arrays(design, arrays)
    golden, rtl = (run_arrays(design, arrays, engine, reorder=True) for engine in ("golden", "rtl"))
    for name, wanted, got in zip(golden._fields, golden, rtl, strict=True):
        np.testing.assert_array_equal(wanted, got, err_msg=name)
    np.testing.assert_array_equal(plain.o, rtl.o)


@pytest.mark.parametrize(
    ("name", "settings", "arrays", "says"),
    [
        (
            "attention_tiny",
            (*SETTINGS[:-1], "masks=generator"),
            operands(shuffled_blocks()[0]),
            "arrays: a mask is given, but the core has only its own; "
            "--set masks=generator,bitmap makes one that takes it",
        ),
        (
            "attention_tiny",
            (*SETTINGS[:-1], "masks=generator,bitmap"),
            operands(),
            "arrays: there is no array called mask, and only such a mask can be reordered; give "
            "one, or leave --reorder out",
        ),
        (
            "attention_tiny",
            SETTINGS,
            operands(np.ones((N, N // 2), bool))
            | {name: operands(n=N // 2)[name] for name in "kv"},
            "arrays: a mask to reorder must be square, its queries and keys the same tokens, got "
            "64 queries and 32 keys; leave --reorder out",
        ),
        (
            "attention_alibi_softcap",
            (*SETTINGS[:-1], "masks=generator,bitmap"),
            operands(shuffled_blocks()[0]),
            "arrays: Attention.score depends on q and k, where a token stands, so another order "
            "would change its bits; leave --reorder out",
        ),
        (
            "softmax_exact",
            (),
            {"scores": np.zeros((1, 4), np.int16)},
            "softmax_exact has no tokens to reorder; leave --reorder out",
        ),
    ],
)
def test_what_cannot_be_reordered_is_told_in_one_line(name, settings, arrays, says):
    with pytest.raises(SpecError) as caught:
        run_arrays(load_design(name, settings), arrays, reorder=True)
    assert str(caught.value) == says
