"""Cycles of the attention core on the mask suite: the arrays are busy, whatever asks the mask."""

import pytest

from hw.attention.config import AttentionConfig
from sim.cycle.heads import head_cycles
from spec import Attention
from tests.support.masks import SUITE, mask_case

TOKENS, DIMS, SIDE, HEADS = 1024, 64, 8, 8

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", [name for name in SUITE if name not in ("tree", "empty", "single")]
)
def test_arrays_are_busy_in_97_of_100_cycles(name):
    # `tree` has 64 tokens; `empty` and `single` have nothing that could keep an array busy.
    case = mask_case(name, TOKENS)
    sources = {
        "generator": case.mask,
        "columns": case.columns,
        "bitmap": case.bitmap(SIDE, SIDE),
    }
    for source, mask in sources.items():
        if mask is None:
            continue
        own = {"mask": mask} if source == "generator" else {}
        layer = Attention(
            heads=HEADS,
            kv_heads=1,
            queries=case.queries,
            keys=case.keys,
            head_dim=DIMS,
            masks=(source,),
            **own,
        )
        config = AttentionConfig(layer=layer, buffers=2, compact=True, partial_tiles=1 << 15)
        loaded = None if own else mask
        found = head_cycles(config, case.queries, case.keys, [loaded])
        assert found.tiles * DIMS >= 0.97 * (found.total - found.tile_starts[0]), source
