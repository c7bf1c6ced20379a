"""The host with ``--reorder``: which words go to the board, and where the outputs come back."""

import numpy as np

from fpga.host.connection import host_of
from fpga.host.manifest import read_manifest
from sim.run.engines import run_arrays
from tests.support.board import write_manifest


def test_tokens_in_another_order_are_sent_in_it_and_come_back(tmp_path):
    design = write_manifest(
        tmp_path, "attention_tiny", ("queries=16", "keys=16", "head_dim=8", "masks=bitmap")
    )
    host = host_of(read_manifest(tmp_path), None)
    rng = np.random.default_rng(4)
    arrays = {name: rng.integers(-128, 128, (1, 16, 8)).astype(np.int8) for name in "qkv"}
    block = np.arange(16) % 4
    arrays["mask"] = block[:, None] == block
    work = host.read_reordered(tmp_path, arrays)
    assert (work.tiles_in_order, host.golden(work, 0).tiles) == (64 // 2, 4 * 2 * 2)
    np.testing.assert_array_equal(host.golden(work, 0).o, run_arrays(design, arrays).o)
    order = work.order.order
    moved = {name: arrays[name][:, order] for name in "qkv"}
    moved["mask"] = arrays["mask"][np.ix_(order, order)]
    assert host.jobs(work) == host.jobs(host.read(tmp_path, moved))
    assert host.jobs(work) != host.jobs(host.read(tmp_path, arrays))
