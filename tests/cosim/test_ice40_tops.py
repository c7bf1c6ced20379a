"""What ships: netlists of whole tops for iCE40 boards answer the host over their two pins."""

from pathlib import Path
from typing import Any

import pytest

from gen.design import load_design
from sim.bench.axi import Read, Receive, Send, Step, Write
from tests.support.board_gates import BoardGates, board_gates
from tests.support.bus_session import OnBus, frames_of
from tests.support.softmax import random_rows
from tests.support.softmax_on_bus import SoftmaxOnBus
from tests.support.uart_script import run_uart_script

pytestmark = [pytest.mark.cosim, pytest.mark.slow]
pytest.importorskip("cocotbext.uart")

SECONDS = 600


def do(gates: BoardGates, of: OnBus, script: list[Step], work: Path) -> list[dict[str, Any]]:
    """Carry out a script from power-up; what each step gives."""
    return run_uart_script(
        gates.folder,
        [(of.name, step) for step in script],
        work=work,
        cycles=of.cycles,
        seconds=SECONDS,
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
