"""What ships: netlists of whole tops for iCE40 boards answer the host over their two pins."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.design import load_design
from sim.bench.axi import Read, Receive, Send, Step, Write
from sim.bench.runner import HANG_SECONDS
from tests.support.board_gates import BoardGates, board_gates
from tests.support.bus_session import OnBus, frames_of
from tests.support.butterfly import random_job
from tests.support.butterfly_on_bus import ButterflyOnBus
from tests.support.softmax import random_rows
from tests.support.softmax_on_bus import SoftmaxOnBus
from tests.support.uart_script import run_uart_script

pytestmark = [pytest.mark.cosim, pytest.mark.netlist, pytest.mark.slow]
pytest.importorskip("cocotbext.uart")


def do(gates: BoardGates, of: OnBus, script: list[Step], work: Path) -> list[dict[str, Any]]:
    """Carry out a script from power-up; what each step gives."""
    return run_uart_script(
        gates.folder,
        [(of.name, step) for step in script],
        work=work,
        cycles=of.cycles,
        seconds=HANG_SECONDS,
        settle_cycles=gates.settle_cycles,
    )


def test_a_softmax_on_an_hx8k(tmp_path: Path):
    """A run with hidden scores, from reset by the PLL's lock alone; then what no core has."""
    design = load_design("softmax_ice40", ["max_length=16"])
    gates = board_gates(design, "ice40_hx8k_b_evn", tmp_path / "gates")
    softmax = SoftmaxOnBus(design, tmp_path, bus="uart", manifest=gates.manifest)
    rows = random_rows(design.config, [7, 7], seed=9)
    assert any(seen.any() and not seen.all() for _, seen in rows)
    script: list[Step] = [
        *softmax.start(7, len(rows), "tuser"),
        Read(softmax.host.registers["status"].offset),
        Send("i", [softmax.frame(scores, seen) for scores, seen in rows]),
        Receive("o", len(rows)),
        softmax.host.until("status", busy=0),
        Write(0x7F0, 1),
        softmax.host.read("error"),
        Read(0x7F0),
    ]
    results = do(gates, softmax, script, tmp_path / "run")
    (frames,) = frames_of(results)
    assert [softmax.told(row) for row in frames] == [softmax.expected(*row) for row in rows]
    status, error, after = (
        each for each, s in zip(results, script, strict=True) if type(s) is Read
    )
    assert status["lights"] == [1, 0]
    assert softmax.host.causes(error["data"]) == {"unknown_register"}
    assert after["lights"] == [0, 1]


def test_a_butterfly_core_on_an_icebreaker(tmp_path: Path):
    """Its multipliers' registers as synthesis leaves them; lights and button are inverted."""
    design = load_design("butterfly_icebreaker")
    gates = board_gates(design, "icebreaker", tmp_path / "gates")
    assert gates.cells >= {"SB_MAC16", "SB_RAM40_4K", "SB_CARRY"}
    butterfly = ButterflyOnBus(design, tmp_path, bus="uart", manifest=gates.manifest)
    job = random_job(design.config, 16, 2, transform="fft", seed=3)
    status = butterfly.host.read("status")
    script = [*butterfly.start(job), status, *butterfly.send(job), *butterfly.receive(job), status]
    results = do(gates, butterfly, script, tmp_path / "run")
    (frames,) = frames_of(results)
    assert [butterfly.told(row) for row in frames] == butterfly.wanted(job)
    assert np.any([row[0] for row in butterfly.wanted(job)])
    reads = [each for each, step in zip(results, script, strict=True) if step == status]
    assert [each["lights"] for each in reads] == [[1, 0], [0, 0]]
